"""Real Spark as a Glue job that builds the same tables as curate: raw files as views with the metadata's columns, the
table's SQL, every column cast to the metadata's type, and Parquet in folders by partition.
"""

import json
import logging
import os
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 (as everybody calls it)
from pyspark.sql import types as T  # noqa: N812
from spark_raw import schema, spark_type

LANDED = T.StructField("file_land_timestamp", T.LongType())
# a value that does not match the schema stops the job
STRICT = {"mode": "FAILFAST"}


def session(log: Path) -> SparkSession:
    """Starts a small local Spark with default settings, except for the time zone. Its output goes to `log`."""
    logging.disable(logging.CRITICAL)
    os.environ["TZ"] = "UTC"
    # without it, Spark looks up this machine's name in the network
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    settings = {
        "spark.sql.session.timeZone": "UTC",
        "spark.driver.extraJavaOptions": "-Duser.timezone=UTC",
        "spark.driver.memory": "2g",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.shuffle.partitions": "1",
        # partition values are read as texts, because the catalog defines their types
        "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master("local[2]").appName("compare")
    for name, value in settings.items():
        builder = builder.config(name, value)
    # the JVM keeps the stderr with which it was started
    stderr = os.dup(2)
    with log.open("wb") as file:
        os.dup2(file.fileno(), 2)
    try:
        return builder.getOrCreate()
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def raw_view(spark: SparkSession, table: dict, folder: Path) -> DataFrame:
    """Reads every file of a raw table, in any format, with the time of its landing."""
    kinds = schema(table["columns"])
    read = spark.read.options(**STRICT)
    frames = []
    if any(folder.rglob("*.jsonl*")):
        described = T.StructType([*kinds.fields, LANDED])
        frames.append(read.option("pathGlobFilter", "*.jsonl*").schema(described).json(str(folder)))
    if any(folder.rglob("*.csv*")):
        # Spark's CSV has no bytes or nested types, so such columns are read as texts
        plain = [
            T.StructField(part.name, T.StringType() if is_text_in_csv(part.dataType) else part.dataType)
            for part in kinds.fields
        ]
        # Spark also reads a quoted empty text as null, unless null is written as something else: here a character that
        # no file has
        rfc4180 = {"header": True, "escape": '"', "multiLine": True, "nullValue": "\u0001"}
        read.option("pathGlobFilter", "*.csv*")
        frame = read.options(**rfc4180).schema(T.StructType([*plain, LANDED])).csv(str(folder))
        frames.append(frame.select(*[from_csv(part) for part in kinds.fields], LANDED.name))
    if any(folder.rglob("*.parquet")):
        described = T.StructType([*kinds.fields, LANDED])
        frames.append(read.option("pathGlobFilter", "*.parquet").schema(described).parquet(str(folder)))
    whole = frames[0]
    for frame in frames[1:]:
        whole = whole.unionByName(frame)
    return whole


def is_text_in_csv(kind: T.DataType) -> bool:
    return isinstance(kind, T.BinaryType | T.StructType | T.ArrayType)


def from_csv(part: T.StructField) -> F.Column:
    column = F.col(part.name)
    if isinstance(part.dataType, T.BinaryType):
        column = F.unbase64(column)
    elif is_text_in_csv(part.dataType):
        column = F.from_json(column, part.dataType, STRICT)
    return column.alias(part.name)


def substituted(sql: str, variables: dict[str, str]) -> str:
    for name, value in variables.items():
        sql = sql.replace(f"${{{name}}}", value)
    return sql


def aligned(frame: DataFrame, table: dict) -> DataFrame:
    """Selects the metadata's columns with its types, partition columns last."""
    partitions = table.get("partitions") or []
    columns = {column["name"]: spark_type(column["type"]) for column in table["columns"]}
    order = [name for name in columns if name not in partitions] + partitions
    return frame.select(*[F.col(name).cast(columns[name]).alias(name) for name in order])


def build(
    spark: SparkSession, meta_data: Path, raw_hist: Path, curated: Path, names: list[str], variables: dict[str, str]
) -> None:
    """Builds curated tables, each after those that it reads, into `curated/<table>`."""
    raw = {}
    for file in (meta_data / "raw").glob("*.json"):
        if (raw_hist / file.stem).is_dir():
            raw[file.stem] = raw_view(spark, json.loads(file.read_text(encoding="utf-8")), raw_hist / file.stem)
    built: dict[str, DataFrame] = {}
    for name in names:
        table = json.loads((meta_data / "curated" / f"{name}.json").read_text(encoding="utf-8"))
        sql = meta_data / "curated" / f"{name}.sql"
        text = (
            sql.read_text(encoding="utf-8")
            if sql.exists()
            else f"SELECT *, '${{dea_version}}' AS dea_version FROM {name}"
        )
        # a table's own name means the raw table; any other name means the curated table if there is one
        for view, frame in {**raw, **{other: frame for other, frame in built.items() if other != name}}.items():
            frame.createOrReplaceTempView(view)
        built[name] = aligned(spark.sql(substituted(text, variables)), table)
        writer = built[name].coalesce(1).write
        if table.get("partitions"):
            writer = writer.partitionBy(*table["partitions"])
        writer.parquet(str(curated / name))


def texts(frame: DataFrame) -> list[tuple[str, ...]]:
    """Returns every value as an unambiguous text, made by Spark: null, NaN, -0.0 and bytes are distinct."""
    options = {
        "ignoreNullFields": "false",
        "timestampFormat": "yyyy-MM-dd HH:mm:ss.SSSSSS",
        "timestampNTZFormat": "yyyy-MM-dd HH:mm:ss.SSSSSS",
    }
    columns = [F.to_json(F.struct(F.col(f"`{name}`").alias("_")), options).alias(name) for name in frame.columns]
    return [tuple(text[len('{"_":') : -1] for text in row) for row in frame.select(*columns).collect()]
