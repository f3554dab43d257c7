"""The process that runs Athena's statements. One line of JSON in for each, one line out.

It is a process of its own for two reasons. Arrow reads S3 in native code, at times with Python's lock held, and S3 is
the server's Python: in one process the two would wait for each other for ever. And importing DuckDB, Arrow and
sqlglot takes a second, which so passes beside the start of everything else.

    {"id", "sql", "database", "output", "parameters", "access_key"}
    {"id", "kind", "subkind", "header", "types", "rows", "location", "manifest", "written_rows"} or {"id", "error"}
"""

import io
import json
import os
import sys
import threading

from botocore.exceptions import ClientError

from ..account import Clients, ClientsOf
from .statements import Result, Statements
from .types import AthenaError, as_text, result_type


class Worker:
    def __init__(self, endpoint: str, answers: io.TextIOBase):
        self._clients = Clients(endpoint)
        self._statements: dict[str, Statements] = {}  # by the access key of whoever asks
        self._answers = answers
        self._lock = threading.Lock()

    def serve(self, requests: io.TextIOBase) -> None:
        for line in requests:
            threading.Thread(target=self._answer, args=(json.loads(line),), daemon=True).start()

    def _answer(self, request: dict) -> None:
        try:
            answer = self._execute(**request)
        except AthenaError as error:
            answer = {"error": str(error)}
        except (ClientError, OSError) as error:
            denied = "AccessDenied" in str(error) or "ACCESS_DENIED" in str(error)
            answer = {"error": f"{'PERMISSION_DENIED' if denied else 'GENERIC_INTERNAL_ERROR'}: {error}"}
        except Exception as error:  # whatever it is, a client waits for the end of its query
            answer = {"error": f"GENERIC_INTERNAL_ERROR: {type(error).__name__}: {error}"}
        text = json.dumps({"id": request["id"], **answer})
        with self._lock:
            self._answers.write(f"{text}\n")
            self._answers.flush()

    def _execute(self, id: str, sql: str, database: str, output: str, parameters: list[str], access_key: str) -> dict:
        clients = self._clients.acting_as(access_key)
        with self._lock:
            if access_key not in self._statements:
                self._statements[access_key] = Statements(clients)
            statements = self._statements[access_key]
        result = statements.execute(sql, database, output, id, parameters)
        header, types, rows = as_rows(result)
        if result.location:  # a table was written, and that is the result
            location = f"{output}tables/{id}"
        else:
            location = f"{output}{id}.{'txt' if result.table is None else 'csv'}"
            keep(clients, location, lines_of(rows) if result.table is None else as_csv([header, *rows]))
        return {
            "kind": result.kind,
            "subkind": result.subkind,
            "header": header,
            "types": types,
            "rows": rows,
            "location": location,
            "manifest": result.manifest,
            "written_rows": result.written_rows,
        }


def keep(clients: ClientsOf, location: str, body: str) -> None:
    """Puts a result where the client finds it; readers also look for its (here empty) metadata."""
    bucket, key = location.removeprefix("s3://").split("/", 1)
    s3 = clients.get("s3")
    s3.put_object(Bucket=bucket, Key=key, Body=body.encode())
    s3.put_object(Bucket=bucket, Key=f"{key}.metadata", Body=b"")


def as_rows(result: Result) -> tuple[list[str], list[str], list[list[str | None]]]:
    """Names, types and values as text, as Athena gives them."""
    if result.table is None:
        return [], [], [[line] for line in result.lines]
    types = [result_type(column.type)[0] for column in result.table.schema]
    columns = [column.to_pylist() for column in result.table.columns]
    rows = [[as_text(value) for value in row] for row in zip(*columns, strict=True)]
    return result.table.column_names, types, rows


def lines_of(rows: list[list[str | None]]) -> str:
    return "".join(f"{row[0]}\n" for row in rows)


def as_csv(rows: list[list[str | None]]) -> str:
    """Every value in quotes; a null is nothing at all, so that it differs from empty text."""
    text = io.StringIO()
    for row in rows:
        cells = ["" if value is None else '"' + value.replace('"', '""') + '"' for value in row]
        text.write(",".join(cells) + "\n")
    return text.getvalue()


def main() -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints is no answer
    Worker(sys.argv[1], answers).serve(sys.stdin)
    os._exit(0)  # the other end is gone; so is whoever waits for a query


if __name__ == "__main__":
    main()
