"""Compares curate's tables with those of real Spark, built from the same files, metadata and SQL: `make compare-spark`.

Every type, every row, and the folder of every row must be the same, or disagreements-spark.md lists the difference with
its reason. Both engines must do what docs/sql.md states about SQL. Anything else fails the run, and so does an entry
that nothing needs any more.
"""

import argparse
import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T  # noqa: N812 (as everybody calls it)
from spark_job import build as build_in_spark
from spark_job import raw_view, session, texts
from spark_raw import TIMESTAMP, schema
from spark_sql import VARIABLES, Curate, Page, build, cells, shown, spans
from spark_store import compare as compare_stores
from spark_tables import Tables, generated, postcodes

DISAGREEMENTS = Path(__file__).with_name("disagreements-spark.md")
HEADER = "| what | here | in Spark | why |"
NTZ = "spark.sql.parquet.inferTimestampNTZ.enabled"
VECTORS = "spark.sql.parquet.enableVectorizedReader"
# places shown for a difference
PLACES = 5


@dataclass(frozen=True)
class Difference:
    """Something that differs between curate and Spark."""

    what: str
    here: str
    there: str


@dataclass
class Found:
    """The differences, each with the places at which it was seen."""

    places: dict[Difference, list[str]] = field(default_factory=dict)
    compared: Counter = field(default_factory=Counter)

    def add(self, what: str, here: str, there: str, place: str) -> None:
        self.places.setdefault(Difference(what, here, there), []).append(place)


def leaves(kind: T.DataType, path: str) -> Iterator[tuple[str, str]]:
    """Yields the types of a column and of everything inside it."""
    match kind:
        case T.ArrayType():
            yield path, "array"
            yield from leaves(kind.elementType, f"{path}[]")
        case T.StructType():
            yield path, f"struct of {', '.join(kind.names)}"
            for part in kind.fields:
                yield from leaves(part.dataType, f"{path}.{part.name}")
        case _:
            yield path, kind.simpleString()


def typed_partitions(frame: DataFrame, metadata: dict) -> DataFrame:
    """Casts partition columns to the metadata's types, as the catalog does for readers of the table."""
    partitions = metadata.get("partitions") or []
    types = {part.name: part.dataType for part in schema(metadata["columns"]) if part.name in partitions}
    return frame.withColumns({name: frame[name].cast(kind) for name, kind in types.items()})


def compare(spark: SparkSession, found: Found, metadata: dict, here: Path, there: Path) -> None:
    """Compares one table, with both engines' files read by Spark."""
    table = metadata["name"]
    try:
        frame = spark.read.parquet(str(here))
        rows = texts(typed_partitions(frame, metadata))
        spark.conf.set(VECTORS, "false")
        scalar_rows = texts(typed_partitions(spark.read.parquet(str(here)), metadata))
    except Exception as error:
        found.add("Spark cannot read it", "error", str(error).splitlines()[0][:200], table)
        return
    finally:
        spark.conf.set(VECTORS, "true")
    if Counter(rows) != Counter(scalar_rows):
        found.add("Spark's two readers read other values", "", "", table)
    other = spark.read.parquet(str(there))
    compare_types(found, "type", table, frame.schema, other.schema)
    spark.conf.set(NTZ, "false")
    compare_types(found, f"type where {NTZ} is false", table, spark.read.parquet(str(here)).schema, other.schema)
    spark.conf.set(NTZ, "true")
    if frame.columns != other.columns:
        return
    # with and without a zone, a timestamp's text is the same
    compare_rows(found, table, other.schema, rows, texts(typed_partitions(other, metadata)))
    compare_folders(found, table, here, there)
    found.compared["tables"] += 1
    found.compared["columns"] += len(frame.columns)
    found.compared["rows"] += len(rows)


def compare_types(found: Found, what: str, table: str, here: T.StructType, there: T.StructType) -> None:
    names = [", ".join(schema.names) for schema in (here, there)]
    if names[0] != names[1]:
        found.add("columns", *names, table)
    for column in [part.name for part in there.fields if part.name in here.names]:
        types = [list(leaves(schema[column].dataType, f"{table}.{column}")) for schema in (here, there)]
        for ours, theirs in zip(*types, strict=False):
            if ours[1] != theirs[1]:
                found.add(what, ours[1], theirs[1], theirs[0])


def compare_rows(found: Found, table: str, schema: T.StructType, here: list, there: list) -> None:
    """Compares rows as multisets. Rows left over on both sides are paired by the first column, which identifies
    rows."""
    ours, theirs = Counter(here), Counter(there)
    left = [sorted((one - other).elements()) for one, other in ((ours, theirs), (theirs, ours))]
    if len(here) != len(there):
        found.add("rows", str(len(here)), str(len(there)), table)
        return
    for row, other in zip(*left, strict=True):
        for part, value, others in zip(schema.fields, row, other, strict=True):
            if value != others:
                place = f"{table}.{part.name} where {schema.names[0]} is {row[0]}"
                found.add(f"value of type {part.dataType.simpleString()}", value, others, place)


def compare_folders(found: Found, table: str, here: Path, there: Path) -> None:
    """Compares the folders of the rows, which the first column identifies."""
    ours, theirs = folders(here), folders(there)
    if ours == theirs:
        return
    paired = [(name, list(keys)) for name, keys in ours.items() if name not in theirs]
    other = {keys: name for name, keys in theirs.items() if name not in ours}
    for name, keys in paired:
        found.add("folder", name, other.pop(tuple(keys), "another"), table)
    for keys, name in other.items():
        found.add("folder", "another", name, f"{table}: {len(keys)} rows")
    for name in ours.keys() & theirs.keys():
        if ours[name] != theirs[name]:
            found.add("rows of a folder", str(len(ours[name])), str(len(theirs[name])), f"{table}/{name}")


def folders(root: Path) -> dict[str, tuple]:
    rows: dict[str, list] = {}
    for file in root.rglob("*.parquet"):
        folder = file.parent.relative_to(root).as_posix()
        content = pq.ParquetFile(file).read()
        rows.setdefault(folder, []).extend(content.column(0).to_pylist())
    return {folder: tuple(sorted(keys, key=str)) for folder, keys in rows.items()}


def run(spark: SparkSession, curate: Path, made: Tables, folder: Path, found: Found) -> None:
    """Builds the tables in both engines and compares them."""
    here, there = folder / "here", folder / "spark"
    answer = build(curate, made.meta_data, made.raw_hist, here, made.names)
    if isinstance(answer, str):
        found.add("curate fails", answer.strip(), "", folder.name)
        return
    run_id = answer["run"]
    began = datetime.strptime(run_id[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    variables = {**VARIABLES, "run_timestamp": str(int(began.timestamp()))}
    build_in_spark(spark, made.meta_data, made.raw_hist, there, made.names, variables)
    base = made.database["base_folder"]
    for name in made.names:
        metadata = json.loads((made.meta_data / "curated" / f"{name}.json").read_text(encoding="utf-8"))
        compare(spark, found, metadata, here / base / name / run_id, there / name)


def land_from_spark(spark: SparkSession, made: Tables, name: str, folder: Path) -> None:
    """Lands another raw file with the others' rows as Spark writes them: with INT96 timestamps."""
    metadata = json.loads((made.meta_data / "raw" / f"{name}.json").read_text(encoding="utf-8"))
    rows = raw_view(spark, metadata, made.raw_hist / name).drop("file_land_timestamp")
    rows.coalesce(1).write.parquet(str(folder))
    (written,) = folder.glob("*.parquet")
    seconds = TIMESTAMP + 1000
    landed = made.raw_hist / name / f"file_land_timestamp={seconds}"
    landed.mkdir()
    written.rename(landed / f"{name}_{seconds}.parquet")


def listed() -> dict[Difference, str]:
    """Reads the rows of all tables of the list, each with its reason."""
    known = {}
    for line in DISAGREEMENTS.read_text(encoding="utf-8").splitlines():
        if not line.startswith("|") or line.startswith(("|---", HEADER)):
            continue
        found = cells(line)
        if len(found) != 4 or not found[3]:
            sys.exit(f"{DISAGREEMENTS.name}: expected four cells, the last of them a reason: {line}")
        known[Difference(found[0], *(spans(cell)[0] for cell in found[1:3]))] = found[3]
    return known


def tables(spark: SparkSession, curate: Path, folder: Path, seed: int) -> bool:
    """Compares the tables and the type conversions. Returns whether all is as expected."""
    found = Found()
    run(spark, curate, postcodes(folder / "postcodes", Path("meta_data").resolve()), folder / "postcodes", found)
    made = generated(folder / "generated", seed)
    land_from_spark(spark, made, "everything", folder / "from-spark")
    run(spark, curate, made, folder / "generated", found)
    line, differences = compare_stores(spark, curate, folder / "stores")
    print(line)
    for difference in differences:
        found.add(*difference)
    known = listed()
    unexplained = {difference: places for difference, places in found.places.items() if difference not in known}
    unneeded = [difference for difference in known if difference not in found.places]
    compared = ", ".join(f"{count} {what}" for what, count in found.compared.items())
    print(f"Tables: {compared}, seed {seed}")
    explained = len(found.places) - len(unexplained)
    print(f"  {explained} kinds of difference for a reason in {DISAGREEMENTS.name}, {len(unexplained)} for none")
    for difference, places in unexplained.items():
        print(f"\n  {difference.what}: {shown(difference.here)} here, {shown(difference.there)} in Spark")
        print(f"    {', '.join(places[:PLACES])}" + (f" and {len(places) - PLACES} more" if places[PLACES:] else ""))
    for difference in unneeded:
        print(f"\n  {DISAGREEMENTS.name}: not so any more: {difference.what}, {difference.here}, {difference.there}")
    return not unexplained and not unneeded


def sql(spark: SparkSession, curate: Path, folder: Path, file: Path, update: bool) -> bool:
    """Compares the page's statements about SQL with both engines. Returns whether they hold."""
    page = Page(file)
    problems = page.check(spark, Curate(curate, folder / "sql", page.data))
    verdicts = Counter(line.kind for line in page.lines)
    print(f"SQL: {len(page.lines)} lines of {file}: {', '.join(f'{n} {kind}' for kind, n in verdicts.items())}")
    if update:
        page.write()
    for problem in problems:
        print(f"\n  {problem}")
    return not problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--landfall", type=Path, required=True, help="our binary")
    parser.add_argument("--seed", type=int, default=1, help="of the values")
    parser.add_argument("--folder", type=Path, default=Path(".local/compare-spark"), help="where all goes and stays")
    parser.add_argument("--page", type=Path, default=Path("docs/sql.md"), help="what is said of SQL")
    parser.add_argument("--only", choices=("tables", "sql"), help="one half of it")
    parser.add_argument("--update", action="store_true", help="write into the page what was found")
    settings = parser.parse_args()
    curate, folder = settings.landfall.resolve(), settings.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    started = time.monotonic()
    folder.mkdir(parents=True)
    spark = session(folder / "spark.log")
    print(f"Spark {spark.version}")
    halves = []
    if settings.only != "sql":
        halves.append(tables(spark, curate, folder, settings.seed))
    if settings.only != "tables":
        halves.append(sql(spark, curate, folder, settings.page, settings.update))
    print(f"\n{'passed' if all(halves) else 'failed'} in {time.monotonic() - started:.0f} s")
    sys.exit(0 if all(halves) else 1)


if __name__ == "__main__":
    main()
