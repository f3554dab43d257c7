"""Builds the curated tables with Polars, streaming."""

import polars as pl
from curated import COUNTED, job

TYPES = {"character": pl.String, "int": pl.Int32, "long": pl.Int64, "float": pl.Float32, "double": pl.Float64}


def main() -> None:
    build = job()
    schema = {name: TYPES[column_type] for name, column_type in build.columns.items()}
    straight, counted = build.postcodes / "data.parquet", build.calculated / "data.parquet"
    version = pl.lit(build.dea_version).alias("dea_version")
    rows = pl.scan_ndjson(build.files, schema=schema).with_columns(version)
    rows.sink_parquet(straight, compression="snappy")
    counts = (
        pl.scan_parquet(straight).group_by(pl.col(COUNTED).str.to_lowercase()).agg(pl.len().cast(pl.Int64).alias("n"))
    )
    counts.with_columns(version).sink_parquet(counted, compression="snappy")


if __name__ == "__main__":
    main()
