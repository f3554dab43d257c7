"""PyAthena: its cursors and its catalog methods."""

import os
from urllib.parse import urlparse

from pyarrow import fs
from pyathena import connect
from pyathena.arrow.cursor import ArrowCursor
from pyathena.pandas.cursor import PandasCursor
from steps import WORLD, Refused, end, step

DATABASE = WORLD["database"]


def cursor(kind: type | None = None, **options: object):
    given = {"work_group": WORLD["workgroup"], "schema_name": DATABASE, **options}
    return connect(**given, **({"cursor_class": kind} if kind else {})).cursor()


for table in WORLD["tables"]:
    sql = f"SELECT n FROM {table} ORDER BY day, n"
    step(f"{table}: cursor", lambda sql=sql: [n for (n,) in cursor().execute(sql)], [1, 2, 3] * 2)
    step(f"{table}: PandasCursor", lambda sql=sql: cursor(PandasCursor).execute(sql).as_pandas()["n"].sum(), 12)
unloading = {"cursor_kwargs": {"unload": True}, "s3_staging_dir": f"s3://{WORLD['scratch']['bucket']}/pyathena/"}
step(
    "PandasCursor with UNLOAD",
    lambda: (
        cursor(PandasCursor, **unloading, work_group=WORLD["scratch"]["workgroup"])
        .execute("SELECT n FROM by_day")
        .as_pandas()["n"]
        .sum()
    ),
    12,
)
step("parameters", lambda: cursor().execute("SELECT word FROM log WHERE n = %(n)d", {"n": 1}).fetchall(), [("n1",)] * 2)
marked = {"paramstyle": "qmark"}
step(
    "parameters of Athena",
    lambda: cursor().execute("SELECT n FROM log WHERE n = ?", ["2"], **marked).fetchall(),
    [(2,)] * 2,
)
step("SHOW TABLES", lambda: cursor().execute("SHOW TABLES").fetchall(), [(name,) for name in sorted(WORLD["tables"])])
step("SHOW COLUMNS", lambda: cursor().execute("SHOW COLUMNS IN log").fetchone(), (f"{'n':20}",))
step(
    "DESCRIBE, by pandas",
    lambda: cursor(PandasCursor).execute("DESCRIBE by_day").as_pandas().columns.tolist(),
    [
        "col_name",
        "data_type",
        "comment",
    ],
)
step("a missing column", lambda: cursor().execute("SELECT nope FROM log"), Refused("COLUMN_NOT_FOUND: line 1:8"))


def names(found: list) -> list[str]:
    return [table.name for table in found]


step("list_table_metadata", lambda: names(cursor().list_table_metadata()), sorted(WORLD["tables"]))
step("get_table_metadata", lambda: names(cursor().get_table_metadata("by_day").partition_keys), ["day"])
step("list_databases", lambda: DATABASE in names(cursor().list_databases("AwsDataCatalog")), True)

# Arrow is the only client that ignores the environment variable with the local cloud's endpoint.
original = fs.S3FileSystem
place = urlparse(os.environ["AWS_ENDPOINT_URL"])
fs.S3FileSystem = lambda **given: original(**{**given, "endpoint_override": place.netloc, "scheme": place.scheme})
step("ArrowCursor, shown where S3 is", lambda: cursor(ArrowCursor).execute("SELECT n FROM log").as_arrow().num_rows, 6)
end()
