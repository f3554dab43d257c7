"""boto3, used for Athena as in a user's script."""

import time

import boto3
from steps import WORLD, Refused, end, step

athena = boto3.client("athena")
database, workgroup = WORLD["database"], WORLD["workgroup"]


def query(sql: str) -> list[list[str | None]]:
    started = athena.start_query_execution(
        QueryString=sql, QueryExecutionContext={"Database": database}, WorkGroup=workgroup
    )
    name = {"QueryExecutionId": started["QueryExecutionId"]}
    while True:
        status = athena.get_query_execution(**name)["QueryExecution"]["Status"]
        if status["State"] not in ("QUEUED", "RUNNING"):
            break
        time.sleep(0.05)
    if status["State"] != "SUCCEEDED":
        raise RuntimeError(status["AthenaError"]["ErrorMessage"])
    pages = athena.get_paginator("get_query_results").paginate(**name)
    return [[cell.get("VarCharValue") for cell in row["Data"]] for page in pages for row in page["ResultSet"]["Rows"]]


for table in WORLD["tables"]:
    step(f"SELECT of {table}", lambda table=table: query(f"SELECT COUNT(*) AS n FROM {table}"), [["n"], ["6"]])
step("SHOW TABLES", lambda: query("SHOW TABLES"), [[table] for table in sorted(WORLD["tables"])])
step("SHOW PARTITIONS", lambda: query("SHOW PARTITIONS by_day"), [[f"day={day}"] for day in WORLD["days"]])
step("a missing table", lambda: query("SELECT * FROM nothing"), Refused("TABLE_NOT_FOUND: line 1:15"))
step("no SQL", lambda: query("SELEC 1"), Refused("InvalidRequestException"))
place = {"CatalogName": "AwsDataCatalog", "DatabaseName": database}
step(
    "list_table_metadata",
    lambda: [found["Name"] for found in athena.list_table_metadata(**place)["TableMetadataList"]],
    sorted(WORLD["tables"]),
)
end()
