"""Tries the main functions of every client on the local cloud, against a small published table of each mode.

    compare.py [--only awswrangler,pyathena,...]

Each client is a separate script, run by the Python of an environment of its own if its requirements conflict with the
others'. It prints a line for each step, and exits with 1 if a result is not the expected one.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from landfall_local.account import ACCOUNT_ID, Clients, ClientsOf, environment
from landfall_local.server import Cloud

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
STACK, DATABASE, RAW_DATABASE = "clients", "clients_db", "clients_raw_db"
BASE_FOLDER = "open_data/postcodes_example"
DAYS = ("2026-11-24", "2026-11-25")
ANALYST = "alpha_user_analyst"
# name -> its metadata, in addition to the common part
TABLES = {
    "whole": {},
    "whole_by_day": {"partitions": ["day"]},
    "projected": {"partitions": ["day"], "partition_projection": True},
    "by_day": {"partitions": ["day"], "mode": "partition"},
    "log": {"mode": "append"},
    "log_by_day": {"partitions": ["day"], "mode": "append"},
}
# client -> its environment
CLIENTS = {
    "boto3": ".venv-readers",
    "awscli": ".venv-awscli",
    "awswrangler": ".venv-readers",
    "pyathena": ".venv-readers",
    "dbt": ".venv-dbt",
    "pydbtools": ".venv-pydbtools",
}


def metadata(folder: Path) -> Path:
    def write(path: str, content: object) -> None:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content if isinstance(content, str) else json.dumps(content))

    def described(name: str, data_format: str) -> dict:
        columns = [("n", "long", "A number"), ("word", "character", "It in words"), ("day", "date", "Of the visit")]
        return {
            "name": name,
            "description": f"Visits, as {name}",
            "location": name,
            "data_format": data_format,
            "columns": [{"name": name, "type": kind, "description": text} for name, kind, text in columns],
        }

    database = {"name": DATABASE, "bucket": "b", "base_folder": "clients", "description": "For clients"}
    write("curated/database.json", database)
    write("raw/database.json", {**database, "name": RAW_DATABASE, "base_folder": BASE_FOLDER})
    write("raw/visits.json", described("visits", "json"))
    for name, more in TABLES.items():
        write(f"curated/{name}.json", {**described(name, "parquet"), **more})
        only = " WHERE day = CAST('${snapshot_date}' AS DATE)" if more.get("mode") == "partition" else ""
        write(f"curated/{name}.sql", f"SELECT n, word, day FROM visits{only}")
    return folder


def package(folder: Path, described: Path) -> Path:
    """Packages the built functions with this metadata."""
    for built in sorted((ROOT / ".local/functions").iterdir()):
        target = folder / built.name
        target.mkdir(parents=True)
        (target / "bootstrap").symlink_to((built / "bootstrap").resolve())
        (target / "meta_data").symlink_to(described)
    return folder


def as_validate(cloud: Cloud, function: str) -> ClientsOf:
    """Returns clients with validate's role, the only one that may write to raw-hist."""
    request = urllib.request.Request(f"{cloud.endpoint}/_local/functions/{function}/credentials", data=b"{}")
    with urllib.request.urlopen(request) as answer:
        return cloud.clients.acting_as(json.load(answer)["access_key_id"])


def publish(cloud: Cloud, outputs: dict) -> None:
    """Publishes two runs, so that there are partitions of both."""
    clients = cloud.clients
    history = as_validate(cloud, outputs["ValidateFunctionName"]).get("s3")

    def invoke(function: str, event: dict) -> dict:
        answer = clients.get("lambda").invoke(FunctionName=function, Payload=json.dumps(event).encode())
        body = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise SystemExit(f"{function}: {body}")
        return body

    for number, day in enumerate(DAYS, 1):
        rows = [{"n": n, "word": None if n == 3 else f"n{n}", "day": day} for n in (1, 2, 3)]
        key = f"{BASE_FOLDER}/visits/file_land_timestamp={number}/visits_{number}.jsonl"
        body = "".join(json.dumps(row) + "\n" for row in rows).encode()
        history.put_object(Bucket=outputs["RawHistBucketName"], Key=key, Body=body)
        run = invoke(outputs["CurateFunctionName"], {"snapshot_date": day})
        invoke(outputs["CatalogFunctionName"], run)


def policy(statement: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def scratch(clients: Clients) -> dict:
    """Creates a role, and a bucket and a workgroup for the clients' own results."""
    bucket = "clients-scratch"
    clients.get("s3").create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": clients.get("s3").meta.region_name}
    )
    # the account's administrator allows the analyst everything
    allowed = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    trusted = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT_ID}, "Action": "sts:AssumeRole"}
    iam = clients.get("iam")
    iam.create_role(RoleName=ANALYST, AssumeRolePolicyDocument=policy(trusted))
    iam.put_role_policy(RoleName=ANALYST, PolicyName="all", PolicyDocument=policy(allowed))
    clients.get("athena").create_work_group(
        Name="scratch",
        Configuration={
            "EnforceWorkGroupConfiguration": False,
            "ResultConfiguration": {"OutputLocation": f"s3://{bucket}/results/"},
        },
    )
    return {"bucket": bucket, "workgroup": "scratch"}


def use(client: str, python: Path, world: dict, folder: Path, endpoint: str) -> bool:
    print(f"\n{client}", flush=True)
    (folder / client).mkdir()
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHONPATH"))}
    return not subprocess.run(
        [python, HERE / f"use_{client}.py", json.dumps(world)],
        cwd=folder / client,
        env={**settings, **environment(endpoint), "PYTHONPATH": str(HERE), "HOME": str(folder / client)},
    ).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(CLIENTS), help="these clients, with commas between")
    chosen = parser.parse_args().only.split(",")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cloud = Cloud(0, folder / "state")
        try:
            from landfall_local.cloudformation import deploy

            functions = package(folder / "functions", metadata(folder / "meta_data"))
            parameters = {"RebuildWindowSeconds": "1", "Database": DATABASE, "RawDatabase": RAW_DATABASE}
            outputs = deploy(STACK, ROOT / "infra/template.yaml", functions, parameters)["outputs"]
            publish(cloud, outputs)
            world = {
                "account": ACCOUNT_ID,
                "endpoint": cloud.endpoint,
                "database": DATABASE,
                "workgroup": outputs["WorkGroupName"],
                "tables": list(TABLES),
                "days": list(DAYS),
                "scratch": scratch(cloud.clients),
            }
            failed = [
                client
                for client in chosen
                if not use(client, ROOT / CLIENTS[client] / "bin/python", world, folder, cloud.endpoint)
            ]
        finally:
            cloud.stop()
    print("\n" + (f"failed: {', '.join(failed)}" if failed else f"{len(chosen)} clients: all as expected"))
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
