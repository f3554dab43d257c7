"""docs/sql.md as a test: curate and real Spark run every SQL of the page and must do what it states.

The page has two kinds of tables. One holds the rows of `t` and `u`, with one column per line. The others are about SQL:
the SQL, its type, whether both engines agree, and what to write instead if they do not. This program writes the second
and third cells (`make compare-spark UPDATE=1`), and people write the others. Every code span of the last cell is run
too, and must give the same result in both engines.
"""

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 (as everybody calls it)
from pyspark.sql import types as T  # noqa: N812
from spark_job import substituted, texts
from spark_raw import TIMESTAMP, Number, RawTable, jsonl_gz, mojap_type
from spark_tables import DATABASE, etl_manager, write_json

DATA_HEADER = "| column | type |"
SQL_HEADER = "| SQL | type | here and in Spark |"
SPAN = re.compile(r"(`+)(.+?)\1(?!`)")
# the values of the SQL's variables
VARIABLES = {"dea_version": "v0.1.0", "snapshot_date": "2026-11-23"}
OPTIONS = ["--dea-version", VARIABLES["dea_version"], "--snapshot-date", VARIABLES["snapshot_date"]]
# characters shown of a value in a cell
SHOWN = 48


@dataclass
class Line:
    """One line of a table about SQL."""

    number: int
    sql: str
    instead: str
    # the second and third cell, as they are and as they should be
    said: tuple[str, str]
    found: tuple[str, str] = ("", "")

    @property
    def rather(self) -> list[str]:
        return spans(self.instead)

    @property
    def kind(self) -> str:
        """The verdict without its values."""
        return self.found[1].split(":")[0].strip("*")

    @property
    def text(self) -> str:
        return f"| {span(self.sql)} | {self.found[0]} | {self.found[1]} | {self.instead} |".replace("|  |", "| |")


@dataclass
class Outcome:
    """One engine's result for a query."""

    # rows, missing (the engine does not know the SQL), or error
    kind: str
    type: str = ""
    rows: list[tuple[str, ...]] = field(default_factory=list)
    message: str = ""
    schema: T.StructType | None = None


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().removeprefix("|").removesuffix("|"))]


def spans(cell: str) -> list[str]:
    """Returns the contents of a cell's code spans."""
    return [text.strip(" ") if "``" in mark else text for mark, text in SPAN.findall(cell.replace("\\|", "|"))]


def span(text: str) -> str:
    text = text.replace("|", "\\|")
    return f"`` {text} ``" if "`" in text else f"`{text}`"


class Page:
    """The parsed page."""

    def __init__(self, file: Path):
        self.file = file
        self.lines: list[Line] = []
        self.data: dict[str, RawTable] = {}
        inside = name = None
        columns: dict[str, tuple[str, list]] = {}
        for number, text in enumerate([*file.read_text(encoding="utf-8").splitlines(), ""]):
            if heading := re.fullmatch(r"#+ The table `(\w+)`", text):
                name, columns = heading[1], {}
            elif text.startswith((DATA_HEADER, SQL_HEADER)):
                inside = "data" if text.startswith(DATA_HEADER) else "sql"
            elif not text.startswith("|"):
                if inside == "data":
                    self.data[name] = data_table(name, columns)
                inside = None
            elif text.startswith("|---"):
                pass
            elif inside == "data":
                column, kind, *values = cells(text)
                columns[spans(column)[0]] = (spans(kind)[0], [json.loads(spans(v)[0], **NUMBERS) for v in values])
            elif inside == "sql":
                found = cells(text)
                if len(found) != 4 or len(spans(found[0])) != 1:
                    raise SystemExit(f"{file.name}:{number + 1}: expected four cells, the first of them SQL: {text}")
                sql = spans(found[0])[0]
                self.lines.append(Line(number, sql, found[3], (found[1], found[2])))

    def write(self) -> None:
        text = self.file.read_text(encoding="utf-8").splitlines()
        for line in self.lines:
            text[line.number] = line.text
        self.file.write_text("\n".join(text) + "\n", encoding="utf-8")

    def check(self, spark: SparkSession, curate: "Curate") -> list[str]:
        """Fills in the results and returns the page's problems."""
        for table in self.data.values():
            schema = table.schema
            folder = str(curate.folder / "raw-hist" / table.name)
            spark.read.schema(schema.add("file_land_timestamp", T.LongType())).json(folder).createOrReplaceTempView(
                table.name
            )
        sqls = list(dict.fromkeys(sql for line in self.lines for sql in [line.sql, *line.rather]))
        there = {sql: in_spark(spark, sql) for sql in sqls}
        here = dict(zip(sqls, curate.outcomes(spark, [(sql, there[sql].schema) for sql in sqls]), strict=True))
        problems = []
        for line in self.lines:
            line.found = verdict(here[line.sql], there[line.sql])
            place = f"{self.file.name}:{line.number + 1}: {line.sql}"
            why = "".join(
                f"\n    {name}: {outcome.message[:300]}"
                for name, outcome in (("here", here[line.sql]), ("Spark", there[line.sql]))
                if outcome.message
            )
            if line.found != line.said:
                problems.append(
                    f"{place}\n  the page says {' | '.join(line.said)}\n  it is        {' | '.join(line.found)}{why}"
                )
            if line.found[1] not in ("same", "an error in both") and not line.instead:
                problems.append(f"{place}\n  {line.found[1]}, and the page does not say what to write instead{why}")
            for sql in line.rather:
                found = verdict(here[sql], there[sql])
                if found[1] != "same":
                    messages = here[sql].message or there[sql].message
                    problems.append(f"{place}\n  what to write instead, {sql}: {found[1]} {messages[:300]}")
        return problems


NUMBERS = {"parse_int": Number, "parse_float": Number}


def data_table(name: str, columns: dict[str, tuple[str, list]]) -> RawTable:
    table = RawTable(name, etl_manager(name, {column: kind for column, (kind, _) in columns.items()}))
    values = zip(*[values for _, values in columns.values()], strict=True)
    table.add(TIMESTAMP, "jsonl.gz", jsonl_gz([dict(zip(columns, row, strict=True)) for row in values]))
    return table


def query(sql: str) -> str:
    """Returns a whole query. An expression becomes a query over every row of `t`."""
    whole = re.match(r"(SELECT|WITH)\b", sql)
    return sql if whole else f"SELECT id, {sql} AS value FROM t"


# ------------------------------------------------------------------------------------------------------------- in Spark


def in_spark(spark: SparkSession, sql: str) -> Outcome:
    try:
        frame = spark.sql(substituted(query(sql), VARIABLES))
    except (AnalysisException, ParseException) as error:
        return Outcome("missing", message=first_line(error))
    except Exception as error:
        return Outcome("error", message=first_line(error))
    frame = frame.toDF(*[name.lower() for name in frame.columns])
    kind = frame.schema["value"].dataType
    # types that the metadata does not have are compared as texts
    frame = frame.select(*[as_text_unless_described(part) for part in frame.schema.fields])
    try:
        return Outcome("rows", kind.simpleString(), sorted(texts(frame)), schema=frame.schema)
    except Exception as error:
        return Outcome("error", kind.simpleString(), message=first_line(error), schema=frame.schema)


def as_text_unless_described(part: T.StructField) -> F.Column:
    column = F.col(f"`{part.name}`")
    return column if mojap_type(part.dataType) else column.cast("string").alias(part.name)


def first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


# ---------------------------------------------------------------------------------------------------------------- ours


@dataclass
class Curate:
    """Builds each query as a separate table with separate metadata, so that a faulty one does not affect the others."""

    binary: Path
    folder: Path
    data: dict[str, RawTable]

    def __post_init__(self) -> None:
        for table in self.data.values():
            table.write(self.folder / "raw-hist")

    def build(self, number: int, sql: str, schema: T.StructType | None) -> Path | Outcome:
        """Returns the folder of the query's rows. The columns have the types that they have in Spark."""
        columns = {part.name: mojap_type(part.dataType) for part in (schema.fields if schema else [])}
        built = self.build_as(number, sql, columns or {"value": "string"})
        if schema is None and isinstance(built, Outcome) and (found := LIST_FOR_TEXT.search(built.message)):
            return self.build_as(number, sql, {"value": f"list<{LIST_ITEMS[found[1]]}>"})
        return built

    def build_as(self, number: int, sql: str, columns: dict[str, str]) -> Path | Outcome:
        folder = self.folder / f"{number:03}"
        for table in self.data.values():
            write_json(folder / "meta_data" / "raw" / f"{table.name}.json", table.metadata)
        write_json(folder / "meta_data" / "curated" / "database.json", DATABASE)
        described = [
            {"name": name, "type": kind, "description": ""} for name, kind in {**columns, "arrow": "string"}.items()
        ]
        metadata = {"name": "q", "description": "", "file_format": "parquet", "columns": described}
        write_json(folder / "meta_data" / "curated" / "q.json", metadata)
        text = f"SELECT q.*, arrow_typeof(q.value) AS arrow FROM (\n{query(sql)}\n) AS q"
        (folder / "meta_data" / "curated" / "q.sql").write_text(text, encoding="utf-8")
        answer = build(self.binary, folder / "meta_data", self.folder / "raw-hist", folder / "curated", ["q"])
        if isinstance(answer, str):
            # curate reports an error in the SQL itself as the metadata's fault
            missing = answer.startswith("BadMetadata") and "cannot become" not in answer
            return Outcome("missing" if missing else "error", message=answer.strip().splitlines()[0])
        return folder / "curated" / "base" / "q" / answer["run"]

    def outcomes(self, spark: SparkSession, asked: list[tuple[str, T.StructType | None]]) -> list[Outcome]:
        with ThreadPoolExecutor(max_workers=2) as pool:
            built = list(pool.map(lambda one: self.build(one[0], *one[1]), enumerate(asked)))
        return [folder if isinstance(folder, Outcome) else self.read(spark, folder) for folder in built]

    def read(self, spark: SparkSession, folder: Path) -> Outcome:
        frame = spark.read.parquet(str(folder))
        rows = texts(frame)
        kinds = {json.loads(row[-1]) for row in rows}
        kind = spark_name(kinds.pop()) if kinds else ""
        return Outcome("rows", kind, sorted(row[:-1] for row in rows))


def build(binary: Path, meta_data: Path, raw_hist: Path, curated: Path, tables: list[str]) -> dict | str:
    """Runs `landfall tables` and returns its answer, or the error."""
    command = [binary, "tables", "--raw-hist", raw_hist, "--curated", curated, "--meta-data", meta_data, *OPTIONS]
    for table in tables:
        command += ["--table", table]
    ended = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
    if ended.returncode:
        return (ended.stderr or ended.stdout or f"exit code {ended.returncode}").removeprefix("error: ")
    return json.loads(ended.stdout)


# If Spark does not know the SQL, its type is not known either. A text is tried first.
LIST_FOR_TEXT = re.compile(r"column `value` is List\((\w+)\) in the query, which cannot become string")
LIST_ITEMS = {"Utf8": "string", "Utf8View": "string", "Int32": "int32", "Int64": "int64"}

ARROW_NAMES = {
    "Utf8": "string",
    "Utf8View": "string",
    "LargeUtf8": "string",
    "Boolean": "boolean",
    "Int8": "tinyint",
    "Int16": "smallint",
    "Int32": "int",
    "Int64": "bigint",
    "UInt8": "unsigned tinyint",
    "UInt16": "unsigned smallint",
    "UInt32": "unsigned int",
    "UInt64": "unsigned bigint",
    "Float32": "float",
    "Float64": "double",
    "Date32": "date",
    "Binary": "binary",
    "BinaryView": "binary",
    "Null": "void",
}


def spark_name(arrow: str) -> str:
    """Returns Spark's name for a type of Arrow, if there is one."""
    if arrow in ARROW_NAMES:
        return ARROW_NAMES[arrow]
    if decimal := re.fullmatch(r"Decimal\d+\((\d+), (-?\d+)\)", arrow):
        return f"decimal({decimal[1]},{decimal[2]})"
    if re.fullmatch(r"Timestamp\([^+]*\)", arrow):
        return "timestamp"
    if inner := re.fullmatch(r"List\((?:nullable |non-null )?(.*?)(?:, field: '.*')?\)", arrow):
        return f"array<{spark_name(inner[1])}>"
    return arrow


# ------------------------------------------------------------------------------------------------------------- verdicts


def shown(value: str) -> str:
    value = value if len(value) <= SHOWN else value[: SHOWN - 1] + "…"
    return span(value)


def difference(here: Outcome, there: Outcome) -> tuple[str, str] | None:
    """Returns the values of the first row that differs."""
    if here.rows == there.rows:
        return None
    names = there.schema.names
    at = names.index("value")
    if "id" in names:
        key = names.index("id")
        ours, theirs = ({row[key]: row[at] for row in outcome.rows} for outcome in (here, there))
        for number in sorted({**ours, **theirs}, key=lambda text: (len(text), text)):
            pair = ours.get(number, "no row"), theirs.get(number, "no row")
            if pair[0] != pair[1]:
                return pair
    ours, theirs = ([row[at] for row in outcome.rows] for outcome in (here, there))
    if len(ours) == len(theirs) == 1:
        return ours[0], theirs[0]
    return ", ".join(ours), ", ".join(theirs)


def verdict(here: Outcome, there: Outcome) -> tuple[str, str]:
    """Returns the cells about a query: its type, and whether the engines agree."""
    kind = f"`{there.type or here.type}`" if there.type or here.type else ""
    if here.type and there.type and here.type != there.type:
        kind = f"`{there.type}`; here `{here.type}`"
    if "rows" not in (here.kind, there.kind):
        same = "an error in both" if here.kind == there.kind == "error" else f"{here.kind} here, {there.kind} in Spark"
        return "", same.replace("error here", "**an error here**")
    if there.kind == "missing":
        return kind, "**missing in Spark**"
    if here.kind == "missing":
        return kind, "**missing here**"
    if there.kind == "error":
        return kind, "**differs**: an error in Spark"
    if here.kind == "error":
        return kind, "**differs**: an error here"
    pair = difference(here, there)
    if pair is None:
        return kind, "same"
    return kind, f"**differs**: {shown(pair[0])} here, {shown(pair[1])} in Spark"
