"""Compares our Glue definitions with those of etl_manager and mojap-metadata: `make compare-glue`.

The same metadata, generated and handwritten, goes to both sides. differences-glue.md must list every difference, with
its reason. One that is not listed fails the run, and so does an entry that no table needs any more.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import urllib.request
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-2")  # both create clients on import, without calls


def offline(*_arguments: object, **_named: object) -> None:
    raise URLError("the schema that is in the package will do")


warnings.simplefilter("ignore")
urllib.request.urlopen = offline  # etl_manager requests its schema
from etl_manager.meta import TableMeta  # noqa: E402
from mojap_metadata import Metadata  # noqa: E402
from mojap_metadata.converters.glue_converter import GlueConverter  # noqa: E402

DIFFERENCES = Path(__file__).with_name("differences-glue.md")
ETL_MANAGER, MOJAP = "etl_manager", "mojap-metadata"
DATABASES = {
    "curated": {"name": "compare", "bucket": "curated", "base_folder": "base", "description": "Generated"},
    "raw": {"name": "compare_raw", "bucket": "raw-hist", "base_folder": "base", "description": "Generated"},
}
REFUSED = "refused"


@dataclass
class Case:
    """A table, its area, and the vocabulary of its metadata."""

    area: str
    words: str
    metadata: dict

    @property
    def name(self) -> str:
        return self.metadata["name"]


# -- the tables --------------------------------------------------------------------------------------------------------

ETL_MANAGER_TYPES = [
    "character",
    "int",
    "long",
    "float",
    "double",
    "decimal(38,10)",
    "decimal(5,0)",
    "date",
    "datetime",
    "boolean",
    "binary",
]
MOJAP_TYPES = [
    "string",
    "utf8",
    "large_string",
    "large_utf8",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "float16",
    "float32",
    "float64",
    "date32",
    "date64",
    "timestamp(s)",
    "timestamp(ms)",
    "timestamp(us)",
    "timestamp(ns)",
    "bool",
    "bool_",
    "binary",
    "large_binary",
    "decimal128(10,2)",
]
# names that contain names of types
FIELDS = ["longitude", "interval", "character_set", "float", "date_of_birth", "x", "binary_star", "place"]
TEXTS = ["", "A column", "Steòrnabhagh 🏴 " * 40, "two\nlines", "o" * 255, "o" * 256]
PARAMETERS = [
    {},
    {"Owner": "analytics"},
    {"Parameters": {"skip.header.line.count": "3", "team": "x"}},
    {"StorageDescriptor": {"SerdeInfo": {"Parameters": {"input.regex": "(a)", "paths": "x", "extra": "1"}}}},
    {"StorageDescriptor": {"Compressed": True, "SortColumns": [{"Column": "c0", "SortOrder": 1}]}, "Retention": 3},
]


def nested(rng: random.Random, kinds: list[str], lists: list[str], depth: int = 0) -> str:
    choice = rng.random()
    if depth > 2 or choice < 0.5:
        return rng.choice(kinds)
    if choice < 0.75:
        return f"{rng.choice(lists)}<{nested(rng, kinds, lists, depth + 1)}>"
    names = rng.sample(FIELDS, rng.randint(1, 3))
    return f"struct<{','.join(f'{name}:{nested(rng, kinds, lists, depth + 1)}' for name in names)}>"


def etl_manager_table(rng: random.Random, name: str, data_format: str) -> dict:
    columns = []
    flat = data_format in ("csv", "csv_quoted_nodate", "regex")
    for n in range(rng.randint(2, 8)):
        kind = rng.choice(ETL_MANAGER_TYPES) if flat else nested(rng, ETL_MANAGER_TYPES, ["array"])
        column = {"name": f"c{n}", "type": kind, "description": rng.choice(TEXTS)}
        if rng.random() < 0.2:
            column["sensitivity"] = rng.choice(["personal_data", "special_category_data"])
        if rng.random() < 0.2:
            column["redacted"] = rng.random() < 0.5
        columns.append(column)
    table = {
        "name": name,
        "description": rng.choice([*TEXTS, "d" * 2049]),
        "data_format": data_format,
        "location": rng.choice([name, f"{name}/"]),
        "columns": columns,
    }
    if rng.random() < 0.5:
        table["glue_specific"] = deepcopy(rng.choice(PARAMETERS))
    return table


def mojap_table(rng: random.Random, name: str, file_format: str) -> dict:
    columns = []
    for n in range(rng.randint(2, 8)):
        kinds = (MOJAP_TYPES, ["list", "list_", "large_list"])
        column = {"name": f"c{n}", "type": rng.choice(MOJAP_TYPES) if file_format == "csv" else nested(rng, *kinds)}
        if rng.random() < 0.8:
            column["description"] = rng.choice(TEXTS)
        if rng.random() < 0.2:
            column["sensitive"] = True
        columns.append(column)
    if rng.random() < 0.3:
        category = rng.choice(["integer", "float", "string", "timestamp", "binary", "boolean"])
        columns.append({"name": "guess", "type_category": category})
    table = {"name": name, "file_format": file_format, "columns": columns}
    if rng.random() < 0.8:
        table["description"] = rng.choice(TEXTS)
    if rng.random() < 0.5:
        table["primary_key"] = rng.sample([column["name"] for column in columns], 2)
    if rng.random() < 0.5:
        table["glue_table_properties"] = {"team": "x", "classification": "y", "primary_key": "z"}
    return table


def partition(rng: random.Random, table: dict, kinds: list[str]) -> None:
    """Makes two columns partition columns, in any order."""
    chosen = rng.sample(table["columns"], 2 if len(table["columns"]) > 2 else 1)
    for column in chosen:
        column.pop("type_category", None)
        column["type"] = rng.choice([kind for kind in kinds if "binary" not in kind])
    table["partitions"] = [column["name"] for column in chosen]


def cases(seed: int) -> Iterator[Case]:
    rng = random.Random(seed)
    number = iter(range(10_000))
    for data_format in ("csv", "csv_quoted_nodate", "json", "parquet", "orc", "avro", "regex"):
        for _ in range(15):
            table = etl_manager_table(rng, f"t{next(number)}", data_format)
            if data_format.startswith("csv") and rng.random() < 0.3:
                table["checks"] = {"header": False}
            yield Case("raw", ETL_MANAGER, table)
    for file_format in ("csv", "json", "jsonl", "parquet"):
        for _ in range(15):
            table = mojap_table(rng, f"t{next(number)}", file_format)
            if file_format == "csv" and rng.random() < 0.3:
                table["checks"] = {"header": False}
            yield Case("raw", MOJAP, table)
    for _ in range(30):
        table = etl_manager_table(rng, f"t{next(number)}", "parquet")
        if rng.random() < 0.6:
            partition(rng, table, ETL_MANAGER_TYPES)
        yield Case("curated", ETL_MANAGER, table)
        table = mojap_table(rng, f"t{next(number)}", "parquet")
        if rng.random() < 0.6:
            partition(rng, table, MOJAP_TYPES)
        if rng.random() < 0.3:
            table["compression"] = "zstd"
        yield Case("curated", MOJAP, table)
    place = etl_manager_table(rng, "elsewhere", "json")
    place["location"] = "another/folder"
    place["glue_specific"] = None
    yield Case("raw", ETL_MANAGER, place)


def hopeless() -> Iterator[Case]:
    """Yields tables that one or both sides refuse."""

    def etl(name: str, kind: str = "int", data_format: str = "parquet", **more: object) -> Case:
        columns = [{"name": "a", "type": kind, "description": ""}]
        table = {"name": name, "location": name, "description": "", "data_format": data_format, "columns": columns}
        return Case("curated", ETL_MANAGER, {**table, **more})

    def mojap(name: str, kind: str) -> Case:
        table = {"name": name, "file_format": "parquet", "columns": [{"name": "a", "type": kind}]}
        return Case("curated", MOJAP, table)

    yield etl("par", data_format="par")
    yield etl("unknown_type", "string")
    yield etl("field_of_unknown_type", "struct<a:string>")
    yield etl("after_the_end", "struct<a:int>x")
    yield etl("partition_of_no_column", partitions=["b"])
    for key, value in (("Location", "s3://elsewhere/"), ("Columns", [])):
        yield etl(key.lower(), glue_specific={"StorageDescriptor": {key: value}})
    yield etl("renamed", glue_specific={"Name": "other"})
    yield etl("number", glue_specific={"Parameters": {"skip.header.line.count": 1}})
    yield etl("unknown_key", glue_specific={"Ownr": "x"})
    for kind in ("uint64", "time32(s)", "time64(us)", "null"):
        yield mojap(kind.split("(")[0], kind)


# -- both sides --------------------------------------------------------------------------------------------------------


def write(folder: Path, tables: list[Case]) -> None:
    for area, database in DATABASES.items():
        (folder / area).mkdir(parents=True)
        (folder / area / "database.json").write_text(json.dumps(database))
    for case in tables:
        (folder / case.area / f"{case.name}.json").write_text(json.dumps(case.metadata))
        if case.area == "curated":
            (folder / case.area / f"{case.name}.sql").write_text("SELECT 1")


def ours(catalog: Path, folder: Path, area: str) -> dict[str, dict] | str:
    """Returns our definitions by the table's name, or the error."""
    command = [catalog, "define", "--meta-data", folder, *(["--raw"] if area == "raw" else [])]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if ended.returncode:
        return ended.stderr.strip()
    return {one["TableInput"]["Name"]: one for one in json.loads(ended.stdout)}


def theirs(case: Case) -> dict:
    database = DATABASES[case.area]
    path = f"s3://{database['bucket']}/{database['base_folder']}"
    if case.words == ETL_MANAGER:
        known = [
            "name",
            "location",
            "columns",
            "data_format",
            "description",
            "partitions",
            "primary_key",
            "glue_specific",
        ]
        table = TableMeta(**{key: deepcopy(case.metadata[key]) for key in known if key in case.metadata})
        return {"DatabaseName": database["name"], "TableInput": table.glue_table_definition(path)}
    ours_alone = ("checks", "compression")
    found = {key: value for key, value in case.metadata.items() if key not in ours_alone}
    metadata = Metadata.from_dict(deepcopy(found))
    metadata.set_col_types_from_type_category()
    return GlueConverter().generate_from_meta(metadata, database["name"], f"{path}/{case.name}/")


@dataclass
class Difference:
    """A place at which the two definitions differ. An empty value equals a missing one."""

    case: Case
    place: str
    theirs: object
    ours: object


def differences(case: Case, one: object, other: object, place: str = "") -> Iterator[Difference]:
    if isinstance(one, dict) or isinstance(other, dict):
        one, other = one or {}, other or {}
        for key in sorted({*one, *other}):
            yield from differences(case, one.get(key), other.get(key), f"{place}.{key}".removeprefix("."))
    elif place.endswith(("Columns", "PartitionKeys")) and names(one) == names(other):
        for left, right in zip(one or [], other or [], strict=True):
            yield from differences(case, left, right, f"{place}[]")
    elif one != other and (one or other or ".Parameters." in place):
        yield Difference(case, place.removeprefix("TableInput."), one, other)


def names(columns: list[dict] | None) -> list[str]:
    return [column.get("Name", "") for column in columns or []]


# -- known differences -------------------------------------------------------------------------------------------------


GLUE_NAMES = {"character": "string", "long": "bigint", "datetime": "timestamp"}


def glue_type(kind: str) -> str:
    """Returns Glue's name for a type in etl_manager's vocabulary. A name before a colon is the name of a field."""
    return re.sub(rf"\b({'|'.join(GLUE_NAMES)})\b(?!:)", lambda found: GLUE_NAMES[found[1]], kind)


def faulty(kind: str) -> str:
    """Returns etl_manager's name for a nested type. It replaces the names of types wherever they occur."""
    for name, glue in GLUE_NAMES.items():
        kind = kind.replace(name, glue)
    return kind


def column_of(difference: Difference) -> bool:
    """Whether a nested column of the table has a type that etl_manager and we translate to these two."""
    types = [column["type"] for column in difference.case.metadata["columns"]]
    nested = [one for one in types if one.startswith(("struct", "array"))]
    return any((faulty(one), glue_type(one)) == (difference.theirs, difference.ours) for one in nested)


def cut_text(found: str, length: int, allowed: str = "") -> str:
    text = "".join(" " if ord(c) < 32 and c not in allowed else c for c in found)
    return text.encode("utf-16-le")[: 2 * length].decode("utf-16-le", errors="ignore")


LISTED: dict[str, Callable[[Difference], bool]] = {
    "the table is external": lambda d: (d.place, d.theirs, d.ours) == ("Parameters.EXTERNAL", None, "TRUE"),
    "the run": lambda d: (
        d.place in ("Parameters.landfall_run", "Parameters.landfall_version")
        and d.theirs is None
        and d.ours in ("<run>", "<version>")
    ),
    "the run's folder": lambda d: (
        d.case.area == "curated"
        and d.place == "StorageDescriptor.Location"
        and d.ours == f"{d.theirs.rstrip('/')}/<run>/"
    ),
    "a slash at the end of a location": lambda d: (
        d.case.area == "raw" and d.place == "StorageDescriptor.Location" and d.ours == f"{d.theirs}/"
    ),
    "where raw files lie": lambda d: (
        d.case.area == "raw"
        and d.place == "StorageDescriptor.Location"
        and d.case.metadata["location"].rstrip("/") != d.case.name
        and d.ours == f"s3://raw-hist/base/{d.case.name}/"
    ),
    "folders of raw files": lambda d: (
        d.case.area == "raw"
        and d.place == "PartitionKeys"
        and not d.theirs
        and names(d.ours) == ["file_land_timestamp"]
    ),
    "the header of CSV": lambda d: (
        d.case.area == "raw"
        and d.place == "Parameters.skip.header.line.count"
        and (d.theirs, d.ours) == (None, "1")
        and d.case.metadata.get("checks") is None
    ),
    "long comments": lambda d: d.place.endswith("[].Comment") and d.ours == cut_text(d.theirs, 255),
    "long descriptions": lambda d: d.place == "Description" and d.ours == cut_text(d.theirs, 2048, "\r\n\t"),
    "personal data": lambda d: (
        "[].Parameters." in d.place
        and d.theirs is None
        and d.place.endswith((".sensitivity", ".redacted", ".sensitive"))
    ),
    "names of fields that hold names of types": lambda d: d.place.endswith("[].Type") and column_of(d),
    "the order of partitions": lambda d: (
        d.place == "PartitionKeys"
        and names(d.ours) == d.case.metadata.get("partitions")
        and sorted(names(d.theirs)) == sorted(names(d.ours))
    ),
    "zstd": lambda d: (
        d.place == "StorageDescriptor.Parameters.compressionType" and (d.theirs, d.ours) == ("SNAPPY", "ZSTD")
    ),
    "what publishing relies on": lambda d: (
        d.ours == REFUSED and d.theirs != REFUSED and d.case.name in ("location", "columns", "renamed")
    ),
    "what Glue's API refuses": lambda d: (
        d.ours == REFUSED and d.theirs != REFUSED and d.case.name in ("number", "unknown_key")
    ),
    "text after the end of a type": lambda d: (
        d.ours == REFUSED and d.theirs != REFUSED and d.case.name == "after_the_end"
    ),
}


def listed() -> dict[str, set[str]]:
    """Reads the rows of the list: the differences, and the projects that they concern."""
    rows = {}
    for line in DIFFERENCES.read_text(encoding="utf-8").splitlines():
        if not line.startswith("|") or line.startswith(("|---", "| what differs |")):
            continue
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) != 5 or not cells[4] or cells[0] not in LISTED:
            sys.exit(f"{DIFFERENCES.name}: expected five cells, the first a known one, the last a reason: {line}")
        rows[cells[0]] = set(cells[1].split(", "))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--landfall", type=Path, required=True, help="our binary")
    parser.add_argument("--seed", type=int, default=1, help="of the tables")
    parser.add_argument("--folder", type=Path, default=Path(".local/compare-glue"), help="where the metadata goes")
    settings = parser.parse_args()
    catalog = settings.landfall.resolve()

    shutil.rmtree(settings.folder, ignore_errors=True)
    generated = list(cases(settings.seed))
    write(settings.folder / "all", generated)
    found: list[Difference] = []
    same = Counter()
    for area in DATABASES:
        own = ours(catalog, settings.folder / "all", area)
        if isinstance(own, str):
            sys.exit(own)
        for case in (case for case in generated if case.area == area):
            different = list(differences(case, theirs(case), own[case.name]))
            same[case.words] += 1
            found.extend(different)
    for case in hopeless():
        folder = settings.folder / case.name
        write(folder, [case])
        verdicts = [REFUSED if isinstance(ours(catalog, folder, case.area), str) else "taken"]
        try:
            verdicts.append(json.dumps(theirs(case))[:200])
        except Exception:
            verdicts.append(REFUSED)
        same[case.words] += 1
        found.extend([Difference(case, "", verdicts[1], verdicts[0])] if verdicts[0] != verdicts[1] else [])

    rows = listed()
    used: Counter[tuple[str, str]] = Counter()
    unexplained = []
    for difference in found:
        kinds = [kind for kind in rows if difference.case.words in rows[kind] and LISTED[kind](difference)]
        if not kinds:
            unexplained.append(difference)
        used.update((kind, difference.case.words) for kind in kinds)

    print(f"{sum(same.values())} tables, seed {settings.seed}: {dict(same)}")
    for (kind, words), count in sorted(used.items()):
        print(f"  {count:4}  {kind} ({words})")
    print(f"{len(found)} differences, {len(unexplained)} for no reason in {DIFFERENCES.name}")
    for difference in unexplained[:20]:
        print(f"\n{difference.case.words} {difference.case.area}/{difference.case.name}: {difference.place}")
        print(f"  theirs {json.dumps(difference.theirs)[:300]}")
        print(f"  ours   {json.dumps(difference.ours)[:300]}")
    unneeded = [(kind, words) for kind in rows for words in sorted(rows[kind]) if not used[kind, words]]
    for kind, words in unneeded:
        print(f"\n{DIFFERENCES.name}: nothing differs like this: {kind} ({words})")
    sys.exit(1 if unexplained or unneeded else 0)


if __name__ == "__main__":
    main()
