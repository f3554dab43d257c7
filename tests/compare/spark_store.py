"""Type conversions beside Spark: every pair of types, with the extreme values of both, as columns and in lists of
structs.

Spark stores by its own rules (`spark.sql.storeAssignmentPolicy=ANSI`), with a real INSERT INTO a table of the type.
curate must refuse whatever Spark refuses, and a value that both store must be the same. curate refuses more than Spark,
as docs/tables.md states.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 (as everybody calls it)
from spark_job import raw_view, texts
from spark_raw import TIMESTAMP, Number, RawTable, jsonl_gz, spark_type
from spark_sql import build
from spark_tables import DATABASE, write_json

WHOLE = ["0", "1", "-1", "127", "128", "-129", "32768", "2147483647", "2147483648", "9007199254740993"]
VALUES = {
    "int8": [Number(n) for n in WHOLE[:4]],
    "int32": [Number(n) for n in WHOLE[:8]],
    "int64": [Number(n) for n in (*WHOLE, "9223372036854775807", "-9223372036854775808", "20240131", "16777217")],
    "float32": [Number(n) for n in ("0", "1.5", "3", "0.1", "16777216", "3e38", "-2.5")],
    "float64": [Number(n) for n in ("0", "1.5", "3", "0.1", "0.29", "1.005", "1e300", "127", "128", "1e15", "-2.5")],
    "decimal128(10,4)": [Number(n) for n in ("0", "1", "1.005", "1.5", "127", "999999.9999", "-0.0001")],
    "decimal128(38,0)": [Number(n) for n in (*WHOLE, "9" * 38, "9223372036854775808")],
    "string": ["", " 1", "1", "1.5", "007", "x", "true", "2024-02-29", "2024-02-29 12:34:56.789", "1e2"],
    "bool": [True, False],
    "date32": ["1970-01-01", "2024-02-29", "0001-01-01", "9999-12-31"],
    "timestamp(ms)": [
        "1970-01-01 00:00:00",
        "2024-02-29 12:34:56.789",
        "1600-01-01 00:00:00",
        "9999-12-31 23:59:59.999",
    ],
    "timestamp(us)": [
        "1970-01-01 00:00:00",
        "2024-02-29 12:34:56.789123",
        "2024-02-29 12:34:56.789",
        "2024-02-29 00:00:00",
    ],
    "binary": ["YWJj", "/w=="],
}
NESTS = {
    "{}": "v",
    "list<struct<p:{}>>": "[named_struct('p', v)]",
}
# in Spark's syntax
SPARK_NESTS = {"{}": "v", "list<struct<p:{}>>": "array(named_struct('p', v))"}
# types whose CAST to text differs from Spark's: docs/sql.md
OTHER_TEXTS = ("float32", "float64", "timestamp(ms)", "timestamp(us)", "binary")
REFUSED = "refused"


@dataclass(frozen=True)
class Pair:
    """A type in a query, and the described type to store it as."""

    found: str
    described: str
    nest: str

    @property
    def column(self) -> str:
        return self.nest.format(self.described)

    @property
    def name(self) -> str:
        return f"{self.nest.format(self.found)} as {self.column}"


def pairs() -> Iterator[Pair]:
    for found in VALUES:
        for described in VALUES:
            for nest in NESTS:
                yield Pair(found, described, nest)


def raw_name(found: str) -> str:
    return "v_" + "".join(c if c.isalnum() else "_" for c in found)


def raw_table(found: str) -> RawTable:
    columns = [{"name": "id", "type": "int32", "description": ""}, {"name": "v", "type": found, "description": ""}]
    table = RawTable(raw_name(found), {"name": raw_name(found), "file_format": "json", "columns": columns})
    rows = [{"id": Number(n), "v": value} for n, value in enumerate(VALUES[found])]
    table.add(TIMESTAMP, "jsonl.gz", jsonl_gz(rows))
    return table


# ---------------------------------------------------------------------------------------------------------------- ours


def here(spark: SparkSession, curate: Path, folder: Path, asked: list[Pair]) -> dict[Pair, dict[int, str] | str]:
    """Returns, by pair, the values that curate stores, by row, or the reason why it refuses the pair."""
    for found in VALUES:
        raw_table(found).write(folder / "raw-hist")

    def rows(one: tuple[int, Pair]) -> dict[int, Path] | str:
        number, pair = one
        stored = {}
        for row in range(len(VALUES[pair.found])):
            built = store(curate, folder, folder / f"{number:04}-{row}", pair, row)
            if isinstance(built, Path):
                stored[row] = built
            elif built.startswith("BadMetadata"):
                return built
        return stored

    with ThreadPoolExecutor(max_workers=2) as pool:
        built = list(pool.map(rows, enumerate(asked)))
    return {pair: read(spark, found) for pair, found in zip(asked, built, strict=True)}


def store(curate: Path, folder: Path, place: Path, pair: Pair, row: int) -> Path | str:
    meta_data = place / "meta_data"
    table = raw_table(pair.found)
    write_json(meta_data / "raw" / f"{table.name}.json", table.metadata)
    write_json(meta_data / "curated" / "database.json", DATABASE)
    columns = [
        {"name": "id", "type": "int32", "description": ""},
        {"name": "v", "type": pair.column, "description": ""},
    ]
    write_json(meta_data / "curated" / "q.json", {"name": "q", "file_format": "parquet", "columns": columns})
    sql = f"SELECT id, {NESTS[pair.nest]} AS v FROM {table.name} WHERE id = {row}"
    (meta_data / "curated" / "q.sql").write_text(sql, encoding="utf-8")
    answer = build(curate, meta_data, folder / "raw-hist", place / "curated", ["q"])
    if isinstance(answer, str):
        return answer.strip()
    return place / "curated" / "base" / "q" / answer["run"]


def read(spark: SparkSession, found: dict[int, Path] | str) -> dict[int, str] | str:
    if isinstance(found, str) or not found:
        return found or {}
    frame = spark.read.parquet(*map(str, found.values()))
    return {int(number): value for number, value in texts(frame)}


# ------------------------------------------------------------------------------------------------------------- in Spark


def there(spark: SparkSession, folder: Path, asked: list[Pair]) -> dict[Pair, dict[int, str] | str]:
    """Returns the same for INSERT INTO in Spark: the stored values by pair, or that the pair is refused."""
    stored = {}
    for number, pair in enumerate(asked):
        table = raw_table(pair.found)
        raw_view(spark, table.metadata, folder / "raw-hist" / table.name).createOrReplaceTempView(table.name)
        target = spark_type(pair.column).simpleString()
        spark.sql(f"CREATE TABLE s{number} (id INT, v {target}) USING parquet LOCATION '{folder}/spark/{number}'")
        value = SPARK_NESTS[pair.nest]
        # a value that a store must not truncate stops it, so such rows are left out to see the others stored
        fits = f"try_cast(v AS {spark_type(pair.described).simpleString()}) IS NOT NULL"
        try:
            where = f" WHERE {fits}" if pair.found != pair.described else ""
            spark.sql(f"INSERT INTO s{number} SELECT id, {value} AS v FROM {table.name}{where}")
        except AnalysisException:
            stored[pair] = REFUSED
            continue
        rows = spark.read.parquet(f"{folder}/spark/{number}")
        stored[pair] = {int(row): text for row, text in texts(rows.select("id", F.col("v")))}
    return stored


# ------------------------------------------------------------------------------------------------------------- verdicts


def differences(ours: dict, theirs: dict) -> Iterator[tuple[str, str, str, str]]:
    """Yields what differs, the results here and in Spark, and the place."""
    for pair, found in ours.items():
        other = theirs[pair]
        if isinstance(found, str):
            # docs/tables.md states that curate refuses more
            continue
        if other == REFUSED:
            if found:
                what = "store a text" if pair.found == "string" else f"store {pair.found} as {pair.described}"
                yield what, "what it spells, checked", "refused", pair.name
            continue
        for row, value in found.items():
            if value == other.get(row):
                continue
            if pair.described == "string" and pair.found in OTHER_TEXTS:
                yield "store as a text", "what CAST makes of it here", "what CAST makes of it in Spark", pair.name
            else:
                yield f"store {pair.name}", value, other.get(row, "an error"), f"{VALUES[pair.found][row]}"


def compare(spark: SparkSession, curate: Path, folder: Path) -> tuple[str, list[tuple[str, str, str, str]]]:
    """Compares all pairs. Returns a line that summarises them, and the differences."""
    asked = list(pairs())
    ours = here(spark, curate, folder, asked)
    theirs = there(spark, folder, asked)
    refused = sum(isinstance(found, str) for found in ours.values())
    both = sum(other == REFUSED and isinstance(ours[pair], str) for pair, other in theirs.items())
    stored = sum(len(found) for found in ours.values() if not isinstance(found, str))
    line = f"Stores: {len(asked)} pairs of types, {refused} refused here ({both} in Spark too), {stored} values stored"
    return line, list(differences(ours, theirs))
