#!/usr/bin/env python3
"""The pipeline's functions in miniature, for tests of the driver without a Rust build: correct shapes, but no checks.

One file is the bootstrap of all four. It recognises the function by its name.
"""

import contextlib
import gzip
import io
import json
import os
import sys
import time
import traceback
import urllib.request
from pathlib import Path
from urllib.parse import unquote_plus

sys.path.insert(0, str(Path(__file__).resolve().parent))

import boto3
from fake_bootstrap import BASE, post

STAGE = os.environ["AWS_LAMBDA_FUNCTION_NAME"].rsplit("-", 1)[-1]
ENV = os.environ
DATABASE = "example_postcodes_db"
PARQUET = "org.apache.hadoop.hive.ql.io.parquet"
s3 = boto3.client("s3")


def extract(event: dict) -> dict:
    stamp = int(time.mktime(time.strptime(event["scheduled_time"], "%Y-%m-%dT%H:%M:%SZ")))
    table = event.get("table", "random_postcodes")
    rows = []
    for index in range(event.get("requests", 10)):
        with urllib.request.urlopen(f"{ENV['SOURCE_ORIGIN']}/random/postcodes") as answer:
            rows.append({**json.load(answer)["result"], "index": index})
    body = gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode())
    key = f"{ENV['BASE_FOLDER']}/{table}/file_land_timestamp={stamp}/{table}_{stamp}.jsonl.gz"
    s3.put_object(Bucket=ENV["LAND_BUCKET"], Key=key, Body=body)
    file = {"bucket": ENV["LAND_BUCKET"], "key": key, "rows": len(rows), "bytes": len(body)}
    total = {"rows": len(rows), "bytes": len(body)}
    return {"table": table, "file_land_timestamp": stamp, **total, "files": [file], "already_extracted": False}


def validate(event: dict) -> dict:
    if "turn_of" in event:
        return {"turn": "take", "seconds": 1}
    files, execution = [], None
    for record in event["Records"]:
        key = unquote_plus(record["s3"]["object"]["key"])
        landed = {"Bucket": ENV["LAND_BUCKET"], "Key": key, "VersionId": record["s3"]["object"]["versionId"]}
        body = s3.get_object(**landed)["Body"].read()
        file = {"key": key, "bytes": len(body), "rows": 0, "report": "s3://reports/x.json"}
        try:
            file["rows"] = len([json.loads(line)["postcode"] for line in gzip.decompress(body).splitlines()])
            file |= {"verdict": "passed", "summary": ""}
            target = ENV["RAW_HIST_BUCKET"]
        except (OSError, ValueError, KeyError) as error:
            file |= {"verdict": "quarantined", "summary": f"not rows of postcodes: {error}"}
            target = ENV["QUARANTINE_BUCKET"]
        file["filed_at"] = f"s3://{target}/{key}"
        s3.copy_object(Bucket=target, Key=key, CopySource=landed, IfNoneMatch="*")
        s3.delete_object(**landed)
        files.append(file)
    if any(file["verdict"] == "passed" for file in files):
        seconds = int(ENV["REBUILD_WINDOW_SECONDS"])
        start = int(time.time()) // seconds * seconds
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start + seconds))
        arguments = {"name": f"{DATABASE}-{start}", "input": json.dumps({"window_ends_at": ends})}
        execution = boto3.client("stepfunctions").start_execution(
            stateMachineArn=ENV["STATE_MACHINE_ARN"], **arguments
        )["executionArn"]
    return {"files": files, "execution": execution}


def curate(event: dict) -> dict:
    if event.get("stage") == "process":
        return {"files": []}
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = []
    for page in s3.get_paginator("list_objects_v2").paginate(
        Bucket=ENV["RAW_HIST_BUCKET"], Prefix=f"{ENV['BASE_FOLDER']}/"
    ):
        for found in page.get("Contents", []):
            body = s3.get_object(Bucket=ENV["RAW_HIST_BUCKET"], Key=found["Key"])["Body"].read()
            rows += [json.loads(line) for line in gzip.decompress(body).splitlines()]
    run = f"{time.time_ns()}"
    counts: dict[str, int] = {}
    for row in rows:
        region = (row["european_electoral_region"] or "").lower()
        counts[region] = counts.get(region, 0) + 1
    tables = {
        "random_postcodes": pa.table({name: [row[name] for row in rows] for name in ("postcode", "index")}),
        "calculated": pa.table({"european_electoral_region": list(counts), "n": list(counts.values())}),
    }
    written = []
    for name, table in tables.items():
        body = io.BytesIO()
        pq.write_table(table, body)
        key = f"{name}/{run}/data-part-0.parquet"
        s3.put_object(Bucket=ENV["CURATED_BUCKET"], Key=key, Body=body.getvalue())
        columns = [{"Name": c.name, "Type": "string" if pa.types.is_string(c.type) else "bigint"} for c in table.schema]
        size = len(body.getvalue())
        written.append({"table": name, "rows": table.num_rows, "bytes": size, "files": 1, "partitions": []})
        written[-1] |= {"columns": columns, "location": f"s3://{ENV['CURATED_BUCKET']}/{name}/{run}/"}
    return {
        "run": run,
        "manifest": {"bucket": ENV["CURATED_BUCKET"], "key": f"_manifests/{run}.json"},
        "tables": written,
    }


def catalog(event: dict) -> dict:
    glue = boto3.client("glue")
    with contextlib.suppress(glue.exceptions.AlreadyExistsException):
        glue.create_database(DatabaseInput={"Name": DATABASE})
    published = []
    for table in event["tables"]:
        definition = {
            "Name": table["table"],
            "TableType": "EXTERNAL_TABLE",
            "StorageDescriptor": {
                "Columns": table["columns"],
                "Location": table["location"],
                "InputFormat": f"{PARQUET}.MapredParquetInputFormat",
                "OutputFormat": f"{PARQUET}.MapredParquetOutputFormat",
                "SerdeInfo": {"SerializationLibrary": f"{PARQUET}.serde.ParquetHiveSerDe"},
            },
        }
        try:
            glue.create_table(DatabaseName=DATABASE, TableInput=definition)
            action = "created"
        except glue.exceptions.AlreadyExistsException:
            glue.update_table(DatabaseName=DATABASE, TableInput=definition)
            action = "updated"
        published.append({key: table[key] for key in ("table", "rows", "location", "partitions")} | {"action": action})
    return {"run": event["run"], "database": DATABASE, "tables": published}


def main() -> None:
    while True:
        with urllib.request.urlopen(f"{BASE}/invocation/next") as answer:
            request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
            event = json.load(answer)
        try:
            if STAGE in (Path("fail_in").read_text().split() if Path("fail_in").exists() else []):
                raise ValueError("as told")
            result = {"extract": extract, "validate": validate, "curate": curate, "catalog": catalog}[STAGE](event)
            post(f"invocation/{request_id}/response", json.dumps(result).encode())
        except Exception as error:
            traceback.print_exc()
            body = {"errorType": "Internal", "errorMessage": f"{type(error).__name__}: {error}"}
            post(f"invocation/{request_id}/error", json.dumps(body).encode())


if __name__ == "__main__":
    main()
