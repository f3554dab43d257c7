"""Builds the curated tables with pyarrow, streaming."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
import pyarrow.parquet as pq
from curated import COUNTED, job

TYPES = {"character": pa.string(), "int": pa.int32(), "long": pa.int64(), "float": pa.float32(), "double": pa.float64()}
BLOCK_BYTES = 8 << 20


def main() -> None:
    build = job()
    schema = pa.schema([(name, TYPES[column_type]) for name, column_type in build.columns.items()])
    parse = pj.ParseOptions(explicit_schema=schema)
    straight, counted = build.postcodes / "data.parquet", build.calculated / "data.parquet"
    version = pa.field("dea_version", pa.string())
    with pq.ParquetWriter(straight, schema.append(version), compression="snappy") as writer:
        for file in build.files:
            with pa.input_stream(file, compression="gzip") as text:
                for batch in pj.open_json(text, pj.ReadOptions(block_size=BLOCK_BYTES), parse):
                    versions = pa.repeat(build.dea_version, batch.num_rows)
                    writer.write_batch(batch.append_column(version, versions))
    regions = pc.utf8_lower(pq.read_table(straight, columns=[COUNTED])[COUNTED])
    counts = pa.table({COUNTED: regions}).group_by(COUNTED).aggregate([([], "count_all")])
    counts = counts.rename_columns([COUNTED, "n"]).append_column(version, [pa.repeat(build.dea_version, len(counts))])
    pq.write_table(counts, counted, compression="snappy")


if __name__ == "__main__":
    main()
