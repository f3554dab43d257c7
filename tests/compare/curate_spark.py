"""Builds the curated tables with Spark on this machine, with all cores.

With the option `infer` it works as the job of the MoJ ETL pipeline example does. It infers the columns by reading
everything once more, as `spark.read.json` does without a schema, casts, and counts the rows that it read, for which
Spark reads everything a third time. Without the option, the columns are given, and it counts the rows that it has
written.
"""

from curated import COUNTED, job
from pyspark.sql import SparkSession
from pyspark.sql import functions as f
from pyspark.sql.types import DoubleType, FloatType, IntegerType, LongType, StringType, StructField, StructType

TYPES = {
    "character": StringType(),
    "int": IntegerType(),
    "long": LongType(),
    "float": FloatType(),
    "double": DoubleType(),
}


def main() -> None:
    build = job()
    types = {name: TYPES[column_type] for name, column_type in build.columns.items()}
    spark = SparkSession.builder.master("local[*]").config("spark.ui.enabled", "false").getOrCreate()
    version = f.lit(build.dea_version)
    if build.option == "infer":
        found = spark.read.json(build.files)
        # a column that is null everywhere is not inferred
        columns = [(f.col(name) if name in found.columns else f.lit(None)).cast(kind) for name, kind in types.items()]
        rows = found.select(*(column.alias(name) for name, column in zip(types, columns, strict=True)))
    else:
        rows = spark.read.schema(StructType([StructField(*column) for column in types.items()])).json(build.files)
    rows = rows.withColumn("dea_version", version)
    rows.write.mode("overwrite").parquet(str(build.postcodes), compression="snappy")
    counted = rows if build.option == "infer" else spark.read.parquet(str(build.postcodes))
    counts = counted.groupBy(f.lower(COUNTED).alias(COUNTED)).agg(f.count("*").alias("n"))
    counts.withColumn("dea_version", version).write.mode("overwrite").parquet(
        str(build.calculated), compression="snappy"
    )
    gateway = spark.sparkContext._gateway
    spark.stop()
    # a separate process does Spark's work, and its time counts only if we wait for its end
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()


if __name__ == "__main__":
    main()
