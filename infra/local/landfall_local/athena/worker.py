"""The process that runs Athena's statements. Each has one line of JSON as input and one as output.

It is a separate process for two reasons. Arrow reads S3 in native code, at times with Python's lock held, and S3 runs
in the server's Python, so in one process they would deadlock. And importing DuckDB, Arrow and sqlglot takes a second,
which passes in parallel with the start of everything else.

    {"id", "sql", "database", "output", "parameters", "access_key", "encryption"?: of results, as S3 is told of it}
    and either "check": whether the workgroup enforces its output, or nothing more
    {"id", "kind", "subkind", "suffix", "of_hive"} of a check
    {"id", "columns", "rows", "location", "manifest", "update_count"}, or {"id", "error"}, or {"id", "invalid", "code"}
"""

import io
import json
import os
import sys
import threading
from dataclasses import dataclass

from botocore.exceptions import ClientError

from ..account import Clients, ClientsOf
from .errors import AthenaError, InvalidRequestError
from .results import TXT, Result, as_file
from .statements import Request, Statement, Statements


class Worker:
    def __init__(self, endpoint: str, answers: io.TextIOBase):
        self._clients = Clients(endpoint)
        self._statements: dict[str, Statements] = {}  # by the caller's access key
        self._answers = answers
        self._lock = threading.Lock()

    def serve(self, requests: io.TextIOBase) -> None:
        for line in requests:
            threading.Thread(target=self._answer, args=(json.loads(line),), daemon=True).start()

    def _answer(self, asked: dict) -> None:
        check, access_key = asked.pop("check", None), asked.pop("access_key")
        results = Results(self._clients.acting_as(access_key), asked.pop("encryption", {}))
        request = Request(**asked)
        try:
            statements = self._of(access_key)
            answer = execute(statements, request, results) if check is None else checked(statements, request, check)
        except InvalidRequestError as error:
            answer = {"invalid": str(error), "code": error.code}
        except AthenaError as error:
            answer = {"error": str(error)}
        except (ClientError, OSError) as error:
            denied = "AccessDenied" in str(error) or "ACCESS_DENIED" in str(error)
            answer = {"error": f"{'PERMISSION_DENIED' if denied else 'GENERIC_INTERNAL_ERROR'}: {error}"}
        except Exception as error:  # a client waits for the end of its query, whatever the error
            answer = {"error": f"GENERIC_INTERNAL_ERROR: {type(error).__name__}: {error}"}
        text = json.dumps({"id": request.id, **answer})
        with self._lock:
            self._answers.write(f"{text}\n")
            self._answers.flush()

    def _of(self, access_key: str) -> Statements:
        with self._lock:
            if access_key not in self._statements:
                self._statements[access_key] = Statements(self._clients.acting_as(access_key))
            return self._statements[access_key]


def checked(statements: Statements, request: Request, enforced: bool) -> dict:
    statement = statements.statement(request, enforced)
    names = ("kind", "subkind", "suffix", "of_hive")
    return {name: getattr(statement, name) for name in names}


def execute(statements: Statements, request: Request, results: "Results") -> dict:
    statement = statements.statement(request)
    try:
        result = statement.run()
    except AthenaError as error:
        if statement.of_hive:  # Hive leaves a file even then
            results.put(f"{request.output}{request.id}.{TXT}", str(error))
        raise
    if statement.suffix:
        results.keep(result, statement, f"{request.output}{request.id}.{statement.suffix}")
    return {
        "columns": [column.to_json() for column in result.columns],
        "rows": result.rows,
        "location": result.location,
        "manifest": result.manifest,
        "update_count": result.update_count,
    }


@dataclass(frozen=True)
class Results:
    """The storage of results, on the caller's behalf, with the encryption of the workgroup or the caller."""

    clients: ClientsOf
    encryption: dict[str, str]

    def keep(self, result: Result, statement: Statement, location: str) -> None:
        """Stores a result where the client finds it. Readers also look for its metadata, which is empty here."""
        self.put(location, as_file(result, statement.suffix))
        if result.columns:
            self.put(f"{location}.metadata", "")

    def put(self, location: str, body: str) -> None:
        bucket, key = location.removeprefix("s3://").split("/", 1)
        self.clients.get("s3").put_object(Bucket=bucket, Key=key, Body=body.encode(), **self.encryption)


def main() -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # output of libraries must not look like an answer
    Worker(sys.argv[1], answers).serve(sys.stdin)
    os._exit(0)  # the other end is gone, and with it everything that waits for a query


if __name__ == "__main__":
    main()
