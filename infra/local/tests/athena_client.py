"""A client of the local Athena that waits for results, and the table that most of its tests read."""

import datetime as dt
import decimal
import io
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

DATABASE = "athena_test"
WORK_GROUP = "athena-test"
FREE = "athena-free"  # a workgroup whose clients choose the location of results
OPENX = "org.openx.data.jsonserde.JsonSerDe"
HIVE_JSON = "org.apache.hive.hcatalog.data.JsonSerDe"
LAZY_CSV = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
OPEN_CSV = "org.apache.hadoop.hive.serde2.OpenCSVSerde"
REGEX = "org.apache.hadoop.hive.serde2.RegexSerDe"
PARQUET = "org.apache.hadoop.hive.ql.io.parquet"

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("name", pa.string()),
        ("lat", pa.float64()),
        ("ok", pa.bool_()),
        ("d", pa.date32()),
        ("ts", pa.timestamp("ms")),
        ("amt", pa.decimal128(10, 2)),
        ("tags", pa.list_(pa.string())),
        ("st", pa.struct([("a", pa.int32()), ("b", pa.string())])),
    ]
)
COLUMNS = {
    "id": "bigint",
    "name": "string",
    "lat": "double",
    "ok": "boolean",
    "d": "date",
    "ts": "timestamp",
    "amt": "decimal(10,2)",
    "tags": "array<string>",
    "st": "struct<a:int,b:string>",
}


def rows(count: int) -> pa.Table:
    data = {
        "id": list(range(count)),
        "name": [f'n"{number},é' if number else None for number in range(count)],
        "lat": [51.5 + number for number in range(count)],
        "ok": [number % 2 == 0 for number in range(count)],
        "d": [dt.date(2024, 1, 1)] * count,
        "ts": [dt.datetime(2024, 1, 1, 12, 0, 0, 123000)] * count,
        "amt": [decimal.Decimal("1.50")] * count,
        "tags": [["a", "b"]] * count,
        "st": [{"a": 1, "b": "x"}] * count,
    }
    return pa.table(data, schema=SCHEMA)


class Athena:
    """A client that waits for queries to end."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.bucket = cloud.bucket()
        self.results = cloud.bucket()
        output = {"OutputLocation": f"s3://{self.results}/results/"}
        configuration = {"EnforceWorkGroupConfiguration": True, "ResultConfiguration": output}
        cloud.athena.create_work_group(Name=WORK_GROUP, Configuration=configuration)
        cloud.athena.create_work_group(
            Name=FREE, Configuration={"EnforceWorkGroupConfiguration": False, "ResultConfiguration": output}
        )
        cloud.glue.create_database(DatabaseInput={"Name": DATABASE})

    def put(self, key: str, table: pa.Table) -> None:
        body = io.BytesIO()
        pq.write_table(table, body)
        self.cloud.s3.put_object(Bucket=self.bucket, Key=key, Body=body.getvalue())

    def define(self, name: str, columns: dict[str, str], folder: str, partitions: dict[str, str] | None = None):
        glue = self.cloud.glue
        descriptor = {
            "Columns": [{"Name": column, "Type": kind} for column, kind in columns.items()],
            "Location": f"s3://{self.bucket}/{folder}/",
            "InputFormat": f"{PARQUET}.MapredParquetInputFormat",
            "OutputFormat": f"{PARQUET}.MapredParquetOutputFormat",
            "SerdeInfo": {"SerializationLibrary": f"{PARQUET}.serde.ParquetHiveSerDe"},
        }
        keys = [{"Name": column, "Type": kind} for column, kind in (partitions or {}).items()]
        definition = {"Name": name, "StorageDescriptor": descriptor, "PartitionKeys": keys}
        glue.create_table(DatabaseName=DATABASE, TableInput=definition)

    def define_text(
        self,
        name: str,
        columns: dict[str, str],
        serde: str,
        body: bytes,
        options: dict[str, str] | None = None,
        parameters: dict[str, str] | None = None,
        keys: dict[str, str] | None = None,
        folder: str | None = None,
        suffix: str = ".txt",
    ) -> None:
        """Defines a table over one text file."""
        self.cloud.s3.put_object(Bucket=self.bucket, Key=f"{folder or name}/part-0{suffix}", Body=body)
        descriptor = {
            "Columns": [{"Name": column, "Type": kind} for column, kind in columns.items()],
            "Location": f"s3://{self.bucket}/{name}/",
            "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
            "SerdeInfo": {"SerializationLibrary": serde, "Parameters": options or {}},
        }
        definition = {
            "Name": name,
            "StorageDescriptor": descriptor,
            "PartitionKeys": [{"Name": column, "Type": kind} for column, kind in (keys or {}).items()],
            "Parameters": parameters or {},
        }
        self.cloud.glue.create_table(DatabaseName=DATABASE, TableInput=definition)

    def execute(self, sql: str, **arguments) -> dict:
        athena = self.cloud.athena
        context = {"Database": DATABASE}
        query_id = athena.start_query_execution(
            **{"QueryString": sql, "QueryExecutionContext": context, "WorkGroup": WORK_GROUP, **arguments}
        )["QueryExecutionId"]
        while True:
            execution = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            if execution["Status"]["State"] not in ("QUEUED", "RUNNING"):
                return execution
            time.sleep(0.01)

    def query(self, sql: str, **arguments) -> list[list[str | None]]:
        """Returns the rows, without the header of a SELECT."""
        execution = self.execute(sql, **arguments)
        status = execution["Status"]
        assert status["State"] == "SUCCEEDED", status.get("StateChangeReason")
        pages = self.cloud.athena.get_paginator("get_query_results").paginate(
            QueryExecutionId=execution["QueryExecutionId"]
        )
        found = [row["Data"] for page in pages for row in page["ResultSet"]["Rows"]]
        values = [[cell.get("VarCharValue") for cell in row] for row in found]
        return values[1:] if execution.get("SubstatementType") in ("SELECT", "EXPLAIN") else values

    def columns(self, execution: dict) -> list[tuple[str, str]]:
        """Returns name and type of each column of a result."""
        answer = self.cloud.athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
        return [(c["Name"], c["Type"]) for c in answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]]

    def file(self, location: str) -> str:
        bucket, key = location.removeprefix("s3://").split("/", 1)
        return self.cloud.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()

    def refusal(self, sql: str, **arguments) -> str:
        """Returns the reason why a query is not even started."""
        with pytest.raises(self.cloud.athena.exceptions.InvalidRequestException) as refused:
            self.execute(sql, **arguments)
        return refused.value.response["Error"]["Message"]

    def error(self, sql: str, **arguments) -> str:
        status = self.execute(sql, **arguments)["Status"]
        assert status["State"] == "FAILED"
        return status["StateChangeReason"]
