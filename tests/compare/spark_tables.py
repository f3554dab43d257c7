"""The tables whose rows, types and folders are all compared: metadata, SQL and raw files, all generated.

`everything` has a column of every type in etl_manager's metadata, `everything_mojap` of every type in mojap-metadata's.
`parted` is partitioned by a column of every type that allows it.
"""

import json
import random
from dataclasses import dataclass, field
from pathlib import Path

from spark_raw import TIMESTAMP, Number, RawTable, csv_file, jsonl, jsonl_gz, parquet_file, rows

from landfall_local.postcodes import answer

DATABASE = {"name": "compare", "bucket": "compare", "base_folder": "base/", "description": "Generated"}
LANDED = ("file_land_timestamp", "long")
VERSION = ("dea_version", "character")

EVERYTHING = {
    "id": "long",
    "a_character": "character",
    "an_int": "int",
    "a_long": "long",
    "a_float": "float",
    "a_double": "double",
    "a_decimal_10_2": "decimal(10,2)",
    "a_decimal_38_18": "decimal(38, 18)",
    "a_decimal_38_0": "decimal(38,0)",
    "a_decimal_18_18": "decimal(18,18)",
    "a_decimal_1_0": "decimal(1,0)",
    "a_date": "date",
    "a_datetime": "datetime",
    "a_boolean": "boolean",
    "a_binary": "binary",
    "a_struct": "struct<longitude:double,interval:int,inner:struct<day:date,paid:decimal(10,2)>>",
    "an_array": "array<long>",
    "an_array_of_texts": "array<character>",
    "an_array_of_structs": "array<struct<seen:datetime,weight:float,tags:array<character>>>",
    "a_struct_of_arrays": "struct<days:array<date>,numbers:array<decimal(38,18)>,raw:array<binary>>",
    "an_array_of_arrays": "array<array<datetime>>",
}
EVERYTHING_MOJAP = {
    "id": "int64",
    **{
        "m_" + "".join(c if c.isalnum() else "_" for c in name): name
        for name in [
            *("string", "utf8", "large_string", "large_utf8", "int8", "int16", "int32", "int64"),
            *("uint8", "uint16", "uint32", "float16", "float32", "float64", "decimal128(20,4)", "decimal128(38, 38)"),
            *("date32", "date64", "timestamp(s)", "timestamp(ms)", "timestamp(us)", "bool", "bool_"),
            *("binary", "binary(16)", "large_binary", "struct<a:int8,b:list<int16>>", "list<struct<x:float32>>"),
            *("list_<bool>", "large_list<string>"),
        ]
    },
}
PARTED = {
    "n": "int",
    "p_character": "character",
    "p_int": "int",
    "p_long": "long",
    "p_float": "float",
    "p_double": "double",
    "p_decimal": "decimal(10,2)",
    "p_date": "date",
    "p_datetime": "datetime",
    "p_boolean": "boolean",
}
PARTITION_VALUES = {
    "p_character": [
        "a/b=c d%é:",
        "plain",
        "",
        " ",
        "x ",
        "2024-01-01",
        "007",
        "1.0",
        "日本語",
        "tab\there",
        "a\\b",
        "q?'\"*[]{}^#",
        "..",
        "+&;,~!@$()|<>",
        "\u007f\u0001",
    ],
    "p_int": [Number(n) for n in (0, -1, 2147483647, -2147483648)],
    "p_long": [Number(n) for n in (0, 9223372036854775807, -9223372036854775808)],
    "p_float": [Number(n) for n in ("0", "0.1", "2.5", "1e10", "16777216", "1e-7")],
    "p_double": [Number(n) for n in ("0", "0.1", "2.5", "1e10", "1e300", "1e-7", "12345678.9")],
    "p_decimal": [Number(n) for n in ("0", "0.50", "-1.25", "99999999.99")],
    "p_date": ["1970-01-01", "1969-12-31", "1899-12-31", "0001-01-01", "9999-12-31"],
    "p_datetime": [
        "2024-02-29 00:00:00",
        "1969-12-31 23:59:59.999",
        "1899-12-31 01:02:03.5",
        "2024-02-29 12:30:00.120",
        "0001-01-01 00:00:00",
    ],
    "p_boolean": [True, False],
}


@dataclass
class Tables:
    """The tables that both engines build, and their sources."""

    meta_data: Path
    raw_hist: Path
    # in an order in which they can be built
    names: list[str] = field(default_factory=list)

    @property
    def database(self) -> dict:
        return json.loads((self.meta_data / "curated" / "database.json").read_text(encoding="utf-8"))

    def raw(self, table: RawTable) -> None:
        write_json(self.meta_data / "raw" / f"{table.name}.json", table.metadata)
        table.write(self.raw_hist)

    def curated(self, metadata: dict, sql: str | None = None) -> None:
        name = metadata["name"]
        write_json(self.meta_data / "curated" / f"{name}.json", metadata)
        if sql:
            (self.meta_data / "curated" / f"{name}.sql").write_text(sql, encoding="utf-8")
        self.names.append(name)


def write_json(file: Path, value: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")


def etl_manager(name: str, columns: dict[str, str], **keys: object) -> dict:
    described = [{"name": column, "type": kind, "description": ""} for column, kind in columns.items()]
    return {
        "name": name,
        "description": "",
        "location": f"{name}/",
        "data_format": "json",
        "columns": described,
        **keys,
    }


def mojap(name: str, columns: dict[str, str], file_format: str = "jsonl") -> dict:
    described = [{"name": column, "type": kind, "description": ""} for column, kind in columns.items()]
    return {"name": name, "description": "", "file_format": file_format, "columns": described}


def generated(folder: Path, seed: int) -> Tables:
    """Generates tables with invented metadata."""
    rng = random.Random(seed)
    tables = Tables(folder / "meta_data", folder / "raw-hist")
    write_json(tables.meta_data / "curated" / "database.json", DATABASE)

    for metadata, curated in [
        (
            etl_manager("everything", EVERYTHING),
            etl_manager("everything", EVERYTHING | dict([LANDED, VERSION]), data_format="parquet"),
        ),
        (
            mojap("everything_mojap", EVERYTHING_MOJAP),
            mojap("everything_mojap", EVERYTHING_MOJAP | {LANDED[0]: "int64", VERSION[0]: "string"}, "parquet"),
        ),
    ]:
        table = RawTable(metadata["name"], metadata)
        made = rows(rng, table.schema, 400)
        fifth = len(made) // 5
        parts = [made[n * fifth : (n + 1) * fifth] for n in range(4)] + [made[4 * fifth :]]
        table.add(TIMESTAMP, "jsonl.gz", jsonl_gz(parts[0]))
        table.add(TIMESTAMP + 1, "jsonl.gz", jsonl_gz(parts[1]))
        table.add(TIMESTAMP + 2, "csv", csv_file(parts[2]))
        table.add(TIMESTAMP + 3, "parquet", parquet_file(table.schema, parts[3]))
        table.add(TIMESTAMP + 4, "jsonl", jsonl(parts[4]))
        tables.raw(table)
        tables.curated(curated)

    parted = RawTable("parted", etl_manager("parted", PARTED))
    made = []
    for n in range(60):
        values = {"n": Number(n)}
        for name, pool in PARTITION_VALUES.items():
            values[name] = [*pool, None][n % (len(pool) + 1)]
        made.append(values)
    parted.add(TIMESTAMP, "jsonl.gz", jsonl_gz(made[:35]))
    parted.add(TIMESTAMP + 60, "jsonl.gz", jsonl_gz(made[35:]))
    tables.raw(parted)
    splits = [[name] for name in PARTITION_VALUES] + [["p_date", "p_character"], [LANDED[0], "p_boolean"]]
    for split in splits:
        name = "by_" + "_and_".join(column.removeprefix("p_") for column in split)
        columns = PARTED | dict([LANDED])
        metadata = etl_manager(name, columns, data_format="parquet", partitions=split)
        tables.curated(metadata, "SELECT * FROM parted")
    # a table built from another table, with all variables
    totals = {"p_date": "date", "n": "long", "run": "long", "dea_version": "character", "dea_snapshot_date": "date"}
    tables.curated(
        etl_manager("totals", totals, data_format="parquet", partitions=["dea_snapshot_date"], mode="partition"),
        "SELECT p_date, sum(n) AS n, ${run_timestamp} AS run, '${dea_version}' AS dea_version,\n"
        "  CAST('${snapshot_date}' AS DATE) AS dea_snapshot_date\nFROM by_date GROUP BY p_date",
    )
    return tables


def postcodes(folder: Path, meta_data: Path, files: int = 3, rows_each: int = 200) -> Tables:
    """Returns the project's own tables, with the postcodes stand-in's answers as rows, as extract writes them."""
    tables = Tables(meta_data, folder / "raw-hist", ["random_postcodes", "calculated"])
    metadata = json.loads((meta_data / "raw" / "random_postcodes.json").read_text(encoding="utf-8"))
    table = RawTable("random_postcodes", metadata)
    names = [column["name"] for column in metadata["columns"]]
    for n in range(files):
        made = []
        for index in range(rows_each):
            record = answer(n * rows_each + index + 1)["result"]
            codes = {f"codes_{name}": code for name, code in record.pop("codes").items()}
            flat = {**record, **codes, "index": index}
            made.append({name: spelt(flat[name]) for name in names})
        table.add(TIMESTAMP + 3600 * n, "jsonl.gz", jsonl_gz(made))
    table.write(tables.raw_hist)
    return tables


def spelt(value: object) -> object:
    return Number(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
