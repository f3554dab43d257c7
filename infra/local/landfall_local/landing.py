"""`make land` and `make replay`: put a file under its key in land, wait, and report the result.

They use the cloud that `make up` keeps running or, with --stack, a stack of the account in the environment's
credentials.
"""

import json
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .account import Clients
from .names import names
from .running import Refusal, running_cloud

POLL_SECONDS = 0.5
PATIENCE_SECONDS = 120  # the longest wait for the verdict, and again for the rebuild, which may take longer


@dataclass
class Place:
    """A stack, and the clients and settings to use it."""

    clients: object
    outputs: dict[str, str]
    base_folder: str
    metadata: Path

    def get(self, service: str):
        return self.clients.get(service)


def place(state: Path, stack: str | None, metadata: Path) -> Place:
    """Returns the named stack of the account, or the local one with the metadata of its functions."""
    if stack is None:
        cloud = running_cloud(state)
        if cloud is None:
            raise Refusal("no local cloud is running: `make up` starts one (STACK=… for one of your account)")
        metadata = Path(cloud["meta_data"])  # not resolved, because the functions are beside it
        base_folder = names(metadata).with_parameters({})["BaseFolder"]
        return Place(Clients(cloud["endpoint"]), cloud["outputs"], base_folder, metadata)
    import boto3

    class Account:
        def __init__(self) -> None:
            self.session = boto3.Session()

        def get(self, service: str):
            return self.session.client(service)

    account = Account()
    found = account.get("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
    parameters = {entry["ParameterKey"]: entry["ParameterValue"] for entry in found.get("Parameters", [])}
    return Place(account, outputs, parameters.get("BaseFolder", ""), metadata)


def land(file: Path, table: str | None, state: Path, stack: str | None, metadata: Path) -> int:
    """Lands a file. Returns 0 if it passes and its rows are published, 1 otherwise."""
    if not file.is_file():
        raise Refusal(f"{file} is not a file")
    where = place(state, stack, metadata)
    metadata = where.metadata
    name = known_table(table, metadata) if table else table_of(file.name, metadata)
    check_metadata(metadata)
    landed = int(time.time())
    key = key_of(where.base_folder, name, file.name, landed, metadata)
    bucket = where.outputs["LandBucketName"]
    wait = Waiting(where, key, name)
    where.get("s3").upload_file(str(file), bucket, key)
    print(f"landed    s3://{bucket}/{key}", flush=True)
    return wait.follow()


def check_metadata(metadata: Path) -> None:
    """Refuses to land if the functions do not start with the metadata, because then there would be no verdict."""
    validate = metadata.parent / "bootstrap"
    if not validate.exists():
        return  # a deployed stack's metadata, checked before its deployment
    environment = {"META_DATA": str(metadata)}
    said = subprocess.run([validate], capture_output=True, text=True, env=environment)  # outside Lambda it only checks
    if said.returncode != 0:
        raise Refusal(f"nothing landed, as the metadata is wrong:\n{(said.stdout + said.stderr).strip()}")


def replay(key: str, state: Path, stack: str | None, metadata: Path) -> int:
    """Puts a file from quarantine back into land. The copy is complete before anything is deleted."""
    where = place(state, stack, metadata)
    s3 = where.get("s3")
    quarantine, land_bucket = where.outputs["QuarantineBucketName"], where.outputs["LandBucketName"]
    key = key.removeprefix(f"s3://{quarantine}/")
    if key.endswith(".report.json"):
        raise Refusal(f"{key} is a report: name the file that it is about, {key.removesuffix('.report.json')}")
    try:
        there = s3.head_object(Bucket=quarantine, Key=key)
    except s3.exceptions.ClientError as error:
        raise Refusal(f"there is no s3://{quarantine}/{key}: {error.response['Error']['Code']}") from error
    inside = key.removeprefix(f"{where.base_folder}/" if where.base_folder else "")
    table = inside.split("/", 1)[0]
    wait = Waiting(where, key, table)
    source = {"Bucket": quarantine, "Key": key}
    if version := there.get("VersionId"):
        source["VersionId"] = version
    s3.copy(source, land_bucket, key)
    print(f"replayed  s3://{quarantine}/{key} to s3://{land_bucket}/", flush=True)
    status = wait.follow()
    if wait.passed and s3.head_object(Bucket=quarantine, Key=key)["ETag"] == there["ETag"]:
        # the file is in history now, and the first report, which stays, records that it was in quarantine
        s3.delete_object(Bucket=quarantine, Key=key)
        s3.delete_object(Bucket=quarantine, Key=f"{key}.report.json")
    return status


class Waiting:
    """Waits for the result of a file. It is created before the file lands."""

    def __init__(self, where: Place, key: str, table: str):
        self._where, self._key, self._table = where, key, table
        self._earlier = {found["executionArn"] for found in self._executions()}
        self.passed = False
        self._reports = self._all_reports()
        self._before = counts(where, table)

    def follow(self) -> int:
        """Waits for the verdict, then for the tables made from the file. Returns 1 if the file does not pass or the
        rebuild fails."""
        report = self._verdict()
        print(f"verdict   {report['summary']}", flush=True)
        if report["verdict"] != "passed":
            print(f"          s3://{self._where.outputs['QuarantineBucketName']}/{self._key} and its .report.json")
            return 1
        self.passed = True
        before, after, failure = self._before, self._before, None
        if not report.get("repeats"):
            deadline = time.monotonic() + PATIENCE_SECONDS
            expected = readers(self._table, self._where.metadata)
            while (after == before or not after) and expected and not failure and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
                after = counts(self._where, self._table)
                failure = self._failure()
            failure = failure or self._failure()
            if not failure and after == before and expected:
                failure = f"no table is new within {PATIENCE_SECONDS} s: see the state machine's executions"
        for name, (rows, _) in sorted(after.items()):
            print(f"table     {name}: {rows:,} rows (before: {before.get(name, (0, ''))[0]:,})")
        if not after:
            print("table     no curated table reads this file; describe one in meta_data/curated")
        if failure:
            print(f"rebuild   {failure}")
        return 1 if failure else 0

    def _failure(self) -> str | None:
        """Returns the reason why an execution failed that began since the file landed."""
        for found in self._executions():
            if found["executionArn"] not in self._earlier and found["status"] == "FAILED":
                told = self._where.get("stepfunctions").describe_execution(executionArn=found["executionArn"])
                return f"failed: {told.get('error', '')}: {told.get('cause', '')}"
        return None

    def _executions(self) -> list[dict]:
        """Lists the newest executions."""
        arn = self._where.outputs["StateMachineArn"]
        return self._where.get("stepfunctions").list_executions(stateMachineArn=arn, maxResults=100)["executions"]

    def _verdict(self) -> dict:
        s3, bucket = self._where.get("s3"), self._where.outputs["ReportsBucketName"]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            for key, _ in self._all_reports() - self._reports:
                report = json.load(s3.get_object(Bucket=bucket, Key=key)["Body"])
                if report["object"]["key"] == self._key:
                    return report
            time.sleep(POLL_SECONDS)
        land_bucket = self._where.outputs["LandBucketName"]
        raise Refusal(
            f"no verdict within {PATIENCE_SECONDS} s: if s3://{land_bucket}/{self._key} is still there, see the log of "
            "validate, and its dead letters"
        )

    def _all_reports(self) -> set:
        """Lists the reports on files whose key begins with this file's key."""
        s3, bucket = self._where.get("s3"), self._where.outputs["ReportsBucketName"]
        found = s3.list_objects_v2(Bucket=bucket, Prefix=f"validation/{self._key}").get("Contents", [])
        return {(entry["Key"], entry["LastModified"]) for entry in found}


def readers(table: str, metadata: Path) -> set[str]:
    """Returns the curated tables made from a raw one, as far as their SQL names it."""
    found = {path.stem for path in (metadata / "curated").glob("*.sql") if reads(path.read_text(), table)}
    if (metadata / f"curated/{table}.json").exists() and not (metadata / f"curated/{table}.sql").exists():
        found.add(table)
    return found


def counts(where: Place, table: str) -> dict[str, tuple[int, str]]:
    """Returns rows and location of the published curated tables that read a raw table."""
    s3, bucket = where.get("s3"), where.outputs["CuratedBucketName"]
    database = json.loads((where.metadata / "curated/database.json").read_text())
    base = database["base_folder"].strip("/")
    current = "/".join(part for part in (base, "_publications/current.json") if part)
    try:
        decision = json.load(s3.get_object(Bucket=bucket, Key=current)["Body"])
    except s3.exceptions.ClientError:
        return {}
    if not decision.get("settled"):
        return {}  # Glue is still being brought in line with the decision
    of_table = readers(table, where.metadata)
    return {
        entry["table"]: (entry["rows"] or 0, entry["location"])
        for entry in decision["tables"]
        if entry["table"] in of_table
    }


def reads(sql: str, table: str) -> bool:
    return re.search(rf"\b{re.escape(table)}\b", sql, re.IGNORECASE) is not None


def raw_tables(metadata: Path) -> list[str]:
    return sorted(path.stem for path in (metadata / "raw").glob("*.json") if path.stem != "database")


def known_table(table: str, metadata: Path) -> str:
    if table not in raw_tables(metadata):
        raise Refusal(f"{metadata} has no raw table {table}; it has {', '.join(raw_tables(metadata))}")
    return table


def table_of(name: str, metadata: Path) -> str:
    """Returns the raw table with the longest name that the file's name begins with. A hyphen or space counts as an
    underscore."""
    tables = raw_tables(metadata)
    plain = re.sub(r"[^a-z0-9]", "_", name.lower())
    fitting = [table for table in tables if re.match(rf"{re.escape(table)}(?![a-z0-9])", plain)]
    if not fitting:
        raise Refusal(f"{name} begins with no table's name: say TABLE=, one of {', '.join(tables)}")
    return max(fitting, key=len)


def file_name(table: str, name: str, landed: int, metadata: Path) -> str:
    """Returns the name under which the file lands: its own if the table has a pattern for names, else the usual one."""
    try:
        checks = json.loads((metadata / f"raw/{table}.json").read_text()).get("checks", {})
    except (OSError, ValueError) as error:
        raise Refusal(f"meta_data/raw/{table}.json: {error}") from error
    if "file_name_pattern" in checks:
        return name
    extension = ".".join(name.split(".")[1:])
    return f"{table}_{landed}.{extension}" if extension else f"{table}_{landed}"


def key_of(base_folder: str, table: str, name: str, landed: int, metadata: Path) -> str:
    """Returns the key under which a file lands at a time in Unix seconds."""
    parts = (base_folder, table, f"file_land_timestamp={landed}", file_name(table, name, landed, metadata))
    return "/".join(part for part in parts if part)


def keys_of(folder: Path, metadata: Path) -> dict[Path, str]:
    """Returns the files of a folder, each with its key in land. A file's table is its folder's name (`<table>/<file>`),
    or follows from its own name."""
    base = names(metadata).with_parameters({})["BaseFolder"]
    known = raw_tables(metadata)
    landed, found = int(time.time()), {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
        table = file.parent.name if file.parent.name in known else table_of(file.name, metadata)
        if key_of(base, table, file.name, landed, metadata) in found.values():
            landed += 1  # two files of a table must not have the same name, so the next one is a second younger
        found[file] = key_of(base, table, file.name, landed, metadata)
    if not found:
        raise Refusal(f"{folder} has no file")
    return found
