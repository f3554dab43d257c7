"""Engines: curate and DuckDB, each over the same rows."""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from .kinds import Kind
from .raw import RawTable
from .tree import Query

DATABASE = {"name": "compare", "bucket": "compare", "base_folder": "base/", "description": "Generated"}
OPTIONS = ["--dea-version", "v1"]
OF_A_RUN = ["--snapshot-date", "2026-11-23"]  # a run to verify has it already
# so much longer than any query takes that a process is stuck
HANG_SECONDS = 120


@dataclass
class Case:
    """Raw tables, and queries that each make a curated table. A later query may read the tables of earlier ones."""

    tables: list[RawTable]
    queries: list[tuple[str, Query]]

    @property
    def size(self) -> int:
        rows = sum(
            len(table.rows) * len(table.columns) + len(table.columns) + len(table.files) for table in self.tables
        )
        return rows + sum(query.size for _, query in self.queries)


@dataclass
class Answer:
    """An engine's answer to a case: the rows of each table, or a failure's message and kind."""

    rows: dict[str, list[tuple]] = field(default_factory=dict)
    failure: str = ""
    message: str = ""
    sha256: dict[str, list[str]] = field(default_factory=dict)


def described(name: str, columns: list[tuple[str, Kind]]) -> dict:
    columns = [{"name": column, "type": kind.described, "description": ""} for column, kind in columns]
    return {"name": name, "description": "", "location": f"{name}/", "data_format": "parquet", "columns": columns}


def write(case: Case, folder: Path) -> None:
    """Writes metadata, SQL and raw files."""
    for table in case.tables:
        write_json(folder / "meta_data" / "raw" / f"{table.name}.json", table.metadata)
        table.write(folder / "raw-hist")
    curated = folder / "meta_data" / "curated"
    write_json(curated / "database.json", DATABASE)
    for name, query in case.queries:
        write_json(curated / f"{name}.json", described(name, [(item.name, item.kind) for item in query.columns]))
        (curated / f"{name}.sql").write_text(query.text() + "\n", encoding="utf-8")


def write_json(file: Path, value: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def command(binary: Path, folder: Path, *options: str, what: str = "tables", curated: str = "curated") -> list[str]:
    places = ["--meta-data", folder / "meta_data", "--raw-hist", folder / "raw-hist", "--curated", folder / curated]
    own = OF_A_RUN if what == "tables" else []
    return [str(part) for part in [binary, what, *places, *OPTIONS, *own, *options]]


def run(arguments: list[str]) -> subprocess.CompletedProcess:
    return subprocess.run(arguments, capture_output=True, text=True, errors="replace", timeout=HANG_SECONDS)


def curate(binary: Path, folder: Path, names: list[str], *options: str, curated: str = "curated") -> Answer:
    """Builds the case that `write` has written."""
    try:
        ended = run(command(binary, folder, *options, curated=curated))
    except subprocess.TimeoutExpired:
        return Answer(failure="hang", message=f"no answer within {HANG_SECONDS} s")
    if ended.returncode:
        message = (ended.stderr or ended.stdout).strip().removeprefix("error: ")
        crashed = ended.returncode not in (1, 2) or "panicked" in message
        return Answer(failure="crash" if crashed else message.split(":")[0], message=message or str(ended.returncode))
    answer = json.loads(ended.stdout)
    manifest = json.loads((folder / curated / answer["manifest"]["key"]).read_text(encoding="utf-8"))
    made = Answer()
    for table in manifest["tables"]:
        made.sha256[table["table"]] = [file["sha256"] for file in table["files"]]
        if table["table"] in names:
            files = [pq.ParquetFile(folder / curated / file["key"]).read() for file in table["files"]]
            try:
                made.rows[table["table"]] = [tuple(row.values()) for file in files for row in file.to_pylist()]
            except (ValueError, OverflowError) as error:
                return Answer(failure="crash", message=f"what was written is no value of its type: {error}")
    return made


# The engine does not know the form, or not for these types. This is not a result.
UNKNOWN = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.NotImplementedException,
    duckdb.ParserException,
    duckdb.InternalException,
)


# Used in a rule's SQL for DuckDB if curate fails on a value and DuckDB would not.
STOP = "error('stopped')"


class DuckDb:
    """An in-memory DuckDB with the rows of some raw tables."""

    def __init__(self, tables: list[RawTable]):
        self.connection = duckdb.connect(config={"threads": 1})
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute("SET order_by_non_integer_literal = true")
        for table in tables:
            rows = table.arrow().append_column("file_land_timestamp", [table.seconds()])
            self.connection.register("loaded", rows)
            self.connection.execute(f"CREATE TABLE {table.name} AS SELECT * FROM loaded")
            self.connection.unregister("loaded")

    def run(self, queries: list[tuple[str, Query]], stop: str = STOP) -> Answer:
        """Returns the rows of the queries. `stop` is the SQL that `stop()` in them evaluates."""
        self.connection.execute(f"CREATE OR REPLACE MACRO stop() AS {stop}")
        made = Answer()
        try:
            for name, query in queries:
                casts = ", ".join(f"CAST({item.name} AS {item.kind.sql}) AS {item.name}" for item in query.columns)
                text = f"SELECT {casts} FROM ({query.text(duckdb=True)}) AS whole"
                self.connection.execute(f"CREATE OR REPLACE TABLE {name} AS {text}")
                rows = self.connection.sql(f"SELECT * FROM {name}").to_arrow_table().to_pylist()
                made.rows[name] = [tuple(row.values()) for row in rows]
        except UNKNOWN as error:
            return Answer(failure="unknown", message=str(error))
        except (duckdb.Error, ValueError, OverflowError) as error:
            if "BindBuiltinScalarFunction" in str(error):  # a bug in its planner
                return Answer(failure="unknown", message=str(error))
            return Answer(failure="error", message=str(error))
        finally:
            for name, _ in queries:
                self.connection.execute(f"DROP TABLE IF EXISTS {name}")
        return made
