"""awswrangler: every way of read_sql_query, descriptions of tables, and tables that a client creates."""

import awswrangler as wr
import pandas as pd
from steps import WORLD, Refused, end, step

DATABASE, BUCKET = WORLD["database"], WORLD["scratch"]["bucket"]
ENFORCED = {"database": DATABASE, "workgroup": WORLD["workgroup"]}
FREE = {"database": DATABASE, "workgroup": WORLD["scratch"]["workgroup"]}
OWN = "wrangled"


def shape(frame: pd.DataFrame) -> list[int]:
    return [len(frame), int(frame["n"].sum())]


def read(sql: str, **options: object) -> list[int]:
    return shape(wr.athena.read_sql_query(sql, **{**ENFORCED, **options}))


for table in WORLD["tables"]:
    sql = f"SELECT * FROM {table}"
    step(f"{table}: ctas_approach=False", lambda sql=sql: read(sql, ctas_approach=False), [6, 12])
    step(f"{table}: ctas_approach=True", lambda sql=sql: read(sql), [6, 12])
    step(
        f"{table}: unload_approach=True",
        lambda sql=sql, table=table: read(
            sql, ctas_approach=False, unload_approach=True, s3_output=f"s3://{BUCKET}/unloaded/{table}/", **FREE
        ),
        [6, 12],
    )

sql = "SELECT * FROM by_day WHERE n = :n AND day = :day"
named = {"params": {"n": 2, "day": pd.Timestamp("2026-11-24").date()}, "ctas_approach": False}
step("named parameters", lambda: read(sql, **named), [1, 2])
qmark = {"params": ["2"], "paramstyle": "qmark", "ctas_approach": False}
step("parameters of Athena", lambda: read("SELECT * FROM by_day WHERE n = ?", **qmark), [2, 4])
step(
    "chunks",
    lambda: [len(part) for part in wr.athena.read_sql_query("SELECT * FROM log", chunksize=4, **ENFORCED)],
    [4, 2],
)
step("read_sql_table", lambda: shape(wr.athena.read_sql_table("by_day", **ENFORCED)), [6, 12])
step(
    "UNLOAD where something is",
    lambda: wr.athena.unload(
        "SELECT * FROM log", f"s3://{BUCKET}/unloaded/log/", DATABASE, workgroup=FREE["workgroup"]
    ),
    Refused("HIVE_PATH_ALREADY_EXISTS"),
)
step("unnamed columns in a CTAS", lambda: read("SELECT 1"), Refused("Please, define all columns names in your query"))


def lines(sql: str, column: str) -> list[str]:
    return wr.athena.read_sql_query(sql, ctas_approach=False, **ENFORCED)[column].tolist()


step("$path", lambda: len(set(lines('SELECT "$path" AS place FROM by_day', "place"))), 2)
described = lambda: wr.athena.describe_table("by_day", **ENFORCED).values.tolist()  # noqa: E731
step(
    "describe_table",
    described,
    [
        ["n", "bigint", False, "A number"],
        ["word", "string", False, "It in words"],
        ["day", "date", True, "Of the visit"],
    ],
)
step(
    "show_create_table",
    lambda: wr.athena.show_create_table("by_day", **ENFORCED)[:31],
    "CREATE EXTERNAL TABLE `by_day`(",
)
step("repair_table", lambda: wr.athena.repair_table("log_by_day", **ENFORCED), "SUCCEEDED")


# read_sql_query returns no rows of a result in a .txt file, in AWS as well.
nothing = lambda sql: len(wr.athena.read_sql_query(sql, ctas_approach=False, **ENFORCED))  # noqa: E731
step("read_sql_query of SHOW TABLES", lambda: nothing("SHOW TABLES"), 0)
columns = "SELECT column_name FROM information_schema.columns WHERE table_name = 'log' AND table_schema = '{}'"
step("information_schema", lambda: lines(columns.format(DATABASE), "column_name"), ["n", "word", "day"])


def utility(sql: str) -> str:
    return wr.athena.wait_query(wr.athena.start_query_execution(sql, **ENFORCED))["Status"]["State"]


for sql in (
    "SHOW TABLES",
    "SHOW PARTITIONS by_day",
    "SHOW COLUMNS IN by_day",
    "SHOW DATABASES",
    "EXPLAIN SELECT 1 AS a",
):
    step(sql, lambda sql=sql: utility(sql), "SUCCEEDED")
step(
    "CREATE VIEW",
    lambda: utility("CREATE OR REPLACE VIEW wr_view AS SELECT n, day FROM by_day WHERE n < 3"),
    "SUCCEEDED",
)
step("a view, with a CTAS", lambda: read("SELECT * FROM wr_view"), [4, 6])
step("DROP VIEW", lambda: utility("DROP VIEW wr_view"), "SUCCEEDED")


def made() -> list[int]:
    wr.catalog.create_database(OWN, exist_ok=True)
    sql = "SELECT n, word, day FROM log"
    place = {"s3_output": f"s3://{BUCKET}/wrangled", "partitioning_info": ["day"], "write_compression": "snappy"}
    wr.athena.create_ctas_table(
        sql, DATABASE, ctas_database=OWN, ctas_table="made", workgroup=FREE["workgroup"], wait=True, **place
    )
    return shape(wr.s3.read_parquet_table("made", database=OWN))


step("create_ctas_table, with partitions", made, [6, 12])


def written() -> list[int]:
    frame = pd.DataFrame({"n": [1, 2], "p": ["a", "b"]})
    wr.s3.to_parquet(
        frame, f"s3://{BUCKET}/own/", dataset=True, database=OWN, table="own", partition_cols=["p"], mode="overwrite"
    )
    return read("SELECT * FROM own", **{**FREE, "database": OWN})


step("to_parquet, and a query of it", written, [2, 3])
step(
    "an Iceberg table",
    lambda: wr.athena.to_iceberg(
        pd.DataFrame({"n": [1]}),
        OWN,
        "ice",
        temp_path=f"s3://{BUCKET}/temp/",
        table_location=f"s3://{BUCKET}/ice/",
        workgroup=FREE["workgroup"],
        keep_files=True,
    ),
    Refused("NOT_SUPPORTED: the local Athena"),
)
end()
