"""Reads tables with analysts' libraries, by their location alone and with the snippets of docs/reading.md. Prints the
result of each: {"<table>": {"<way>": [rows, sum of n] or "<error>"}}.

    read.py <tables, with commas between> <docs/reading.md> <database> <workgroup>
"""

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import awswrangler as wr
import boto3
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs
import pyarrow.parquet as pq
from fsspec.implementations.arrow import ArrowFSWrapper

SNIPPET = re.compile(r"^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
# The names in the page's snippets.
DATABASE, TABLE, WORKGROUP = "example_postcodes_db", "calculated", "landfall"


def filesystem(**options: object) -> pyarrow.fs.S3FileSystem:
    """Creates a filesystem for the local cloud. Only Arrow ignores the environment variable with its endpoint."""
    scheme, _, endpoint = os.environ["AWS_ENDPOINT_URL"].partition("://")
    return S3FileSystem(endpoint_override=endpoint, scheme=scheme, **options)


S3FileSystem, pyarrow.fs.S3FileSystem = pyarrow.fs.S3FileSystem, filesystem
s3 = filesystem(region="eu-west-2")


class OverArrow(ArrowFSWrapper):
    """S3 for DuckDB, whose own S3 extension would have to be downloaded."""

    protocol = "s3"


def in_duckdb(sql: str, **tables: object) -> pa.Table:
    with duckdb.connect() as connection:
        connection.register_filesystem(OverArrow(s3))
        for name, table in tables.items():
            connection.register(name, table)
        return connection.sql(sql).to_arrow_table()


def by_location(database: str, table: str) -> dict[str, Callable[[], object]]:
    """Returns every way of reading that uses the table's location alone."""
    location = wr.catalog.get_table_location(database, table)
    path = location.removeprefix("s3://").rstrip("/")
    return {
        "awswrangler read_parquet_table": lambda: wr.s3.read_parquet_table(database=database, table=table),
        "awswrangler read_parquet_table in chunks": lambda: pd.concat(
            wr.s3.read_parquet_table(database=database, table=table, chunked=True)
        ),
        "awswrangler read_parquet": lambda: wr.s3.read_parquet(location, dataset=True),
        "awswrangler read_parquet without dataset": lambda: wr.s3.read_parquet(location),
        "pandas": lambda: pd.read_parquet(path, filesystem=s3),
        "pyarrow dataset": lambda: ds.dataset(path, filesystem=s3).to_table(),
        "pyarrow dataset, hive": lambda: ds.dataset(f"{path}/", filesystem=s3, partitioning="hive").to_table(),
        "pyarrow dataset without what is no Parquet": lambda: ds.dataset(
            path, filesystem=s3, exclude_invalid_files=True
        ).to_table(),
        "pyarrow read_table": lambda: pq.read_table(path, filesystem=s3),
        "polars": lambda: pl.read_parquet(location),
        "polars scan": lambda: pl.scan_parquet(location, hive_partitioning=True).collect(),
        "polars glob": lambda: pl.scan_parquet(f"{location}**/*.parquet").collect(),
        "polars over pyarrow": lambda: pl.scan_pyarrow_dataset(ds.dataset(path, filesystem=s3)).collect(),
        "DuckDB glob": lambda: in_duckdb(f"SELECT * FROM read_parquet('s3://{path}/**/*.parquet')"),
        "DuckDB over pyarrow": lambda: in_duckdb("SELECT * FROM t", t=ds.dataset(path, filesystem=s3)),
    }


def snippets(page: str, database: str, table: str, workgroup: str) -> dict[str, Callable[[], object]]:
    """Returns the page's snippets. Each leaves its result in `rows`."""

    def run(code: str) -> object:
        names: dict[str, object] = {}
        for was, now in [(DATABASE, database), (TABLE, table), (f'"{WORKGROUP}"', f'"{workgroup}"')]:
            code = code.replace(was, now)
        exec(compile(code, "docs/reading.md", "exec"), names)
        return names["rows"]

    found = [match["code"] for match in SNIPPET.finditer(page)]
    return {f"snippet {number}": lambda code=code: run(code) for number, code in enumerate(found, 1)}


def told(way: Callable[[], object]) -> list[int] | str:
    try:
        rows = way()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    numbers = rows["n"]
    numbers = numbers.to_pylist() if hasattr(numbers, "to_pylist") else list(numbers)
    return [len(numbers), sum(int(number) for number in numbers)]


def main(tables: str, page: str, database: str, workgroup: str) -> None:
    text = Path(page).read_text()
    answer = {}
    for table in tables.split(","):
        ways = {**by_location(database, table), **snippets(text, database, table, workgroup)}
        answer[table] = {name: told(way) for name, way in ways.items()}
    print(json.dumps(answer))


if __name__ == "__main__":
    boto3.setup_default_session(region_name="eu-west-2")
    main(*sys.argv[1:])
