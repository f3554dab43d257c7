"""Builds the curated tables with DuckDB."""

import duckdb
from curated import COUNTED, job

TYPES = {"character": "VARCHAR", "int": "INTEGER", "long": "BIGINT", "float": "REAL", "double": "DOUBLE"}


def main() -> None:
    build = job()
    columns = {name: TYPES[column_type] for name, column_type in build.columns.items()}
    straight, counted = build.postcodes / "data.parquet", build.calculated / "data.parquet"
    version = f"'{build.dea_version}' AS dea_version"
    rows = f"read_json({build.files}, format = 'newline_delimited', columns = {columns}, hive_partitioning = false)"
    duckdb.execute(f"COPY (SELECT *, {version} FROM {rows}) TO '{straight}' (FORMAT parquet, COMPRESSION snappy)")
    region = f"lower({COUNTED})"
    counts = f"SELECT {region} AS {COUNTED}, count(*) AS n, {version} FROM '{straight}' GROUP BY {region}"
    duckdb.execute(f"COPY ({counts}) TO '{counted}' (FORMAT parquet, COMPRESSION snappy)")


if __name__ == "__main__":
    main()
