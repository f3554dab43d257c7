"""Builds the curated tables with Spark on this machine, all cores."""

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
    schema = StructType([StructField(name, TYPES[column_type]) for name, column_type in build.columns.items()])
    spark = SparkSession.builder.master("local[*]").config("spark.ui.enabled", "false").getOrCreate()
    version = f.lit(build.dea_version)
    rows = spark.read.schema(schema).json(build.files).withColumn("dea_version", version)
    rows.write.mode("overwrite").parquet(str(build.postcodes), compression="snappy")
    written = spark.read.parquet(str(build.postcodes))
    counts = written.groupBy(f.lower(COUNTED).alias(COUNTED)).agg(f.count("*").alias("n"))
    counts.withColumn("dea_version", version).write.mode("overwrite").parquet(
        str(build.calculated), compression="snappy"
    )
    gateway = spark.sparkContext._gateway
    spark.stop()
    # Spark's work is done by a process of its own, which counts only when its end is waited for
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()


if __name__ == "__main__":
    main()
