"""`make run` and `make up`.

run     the whole pipeline once, in a cloud of its own, step by step, with a review at the end
up      the same cloud until Ctrl-C, for the aws CLI, awswrangler, or another extract
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

from . import scheduler
from .account import environment
from .cloudformation import DeployError, deploy
from .narrator import Narrator, StageFailedError, counted, log_tail, red, say, table
from .running import Refusal, shown, write_whole
from .server import TEMPLATE, Cloud, PortInUseError

STACK = "landfall"
PATIENCE_SECONDS = 5  # a run without any progress for this long counts as stuck
QUERY_POLL_SECONDS = 0.02
PREVIEW_ROWS = 20
EXPECTED = (DeployError, PortInUseError, Refusal)  # a stack trace would add nothing to the message


# -- the pieces --------------------------------------------------------------------------------------------------------


class StandIn:
    """The stand-in for the postcodes API, in a separate process that cannot outlive this one."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "landfall_local.postcodes", "--end-with-stdin"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
            start_new_session=True,  # Ctrl-C reaches only this process, which then ends that one
        )

    def url(self) -> str:
        line = self._process.stdout.readline()
        if not line.startswith("ready at "):
            raise Refusal("the stand-in of the postcodes API did not start")
        return line.removeprefix("ready at ").strip()

    def stop(self) -> None:
        self._process.stdin.close()
        self._process.wait()


class Pipeline:
    """A local cloud in which the pipeline is deployed, and a source to extract from."""

    def __init__(self, port: int, state: Path, functions: Path, api: str | None, started: float):
        """`started` is when the user's command began (time.monotonic). Importing moto takes most of the start."""
        self._stand_in = None if api else StandIn()  # starts in parallel with the cloud
        try:
            self.cloud = Cloud(port, state)
            say("cloud", time.monotonic() - started, self.cloud.endpoint, f"logs in {shown(state / 'logs')}")
            self.api = (api or self._stand_in.url()).rstrip("/")
            say("source", None, self.api if api else f"{self.api} (a stand-in for https://api.postcodes.io)")
            started = time.monotonic()
            parameters = {"RebuildWindowSeconds": "1", "SourceOrigin": self.api}
            deployed = deploy(STACK, TEMPLATE, functions, parameters)
            self.outputs: dict[str, str] = deployed["outputs"]
            text = f"{shown(TEMPLATE)} as stack {STACK}: {counted(deployed['resources'], 'resource')}"
            say("deploy", time.monotonic() - started, text)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        if self._stand_in:
            self._stand_in.stop()
        if hasattr(self, "cloud"):
            self.cloud.stop()

    def query(self, sql: str) -> tuple[list[str], list[list[str | None]]]:
        """Returns header and rows of a query through Athena."""
        athena = self.cloud.clients.get("athena")
        query_id = athena.start_query_execution(QueryString=sql, WorkGroup=self.outputs["WorkGroupName"])[
            "QueryExecutionId"
        ]
        while True:
            status = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]
            if status["State"] == "SUCCEEDED":
                break
            if status["State"] in ("FAILED", "CANCELLED"):
                raise StageFailedError("review", f"{sql}: {status['StateChangeReason']}")
            time.sleep(QUERY_POLL_SECONDS)
        rows = athena.get_query_results(QueryExecutionId=query_id)["ResultSet"]["Rows"]
        values = [[cell.get("VarCharValue") for cell in row["Data"]] for row in rows]
        return values[0], values[1:]


# -- run ---------------------------------------------------------------------------------------------------------------


def run(
    requests: int, api: str | None, functions: Path, state: Path, started: float, files: dict[Path, str] | None = None
) -> int:
    """Runs the pipeline once. `files` land in place of an extract, each under its key."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # runs the `finally` below
    try:
        pipeline = Pipeline(0, state, functions, api, started)
    except Exception as error:
        return failed(error)
    try:
        narrator = Narrator(pipeline.cloud, STACK, strict=files is None)
        if files is None:
            extract(pipeline, requests)
            follow(pipeline, narrator)
            review(pipeline, narrator)
        else:
            land(pipeline, files)
            follow(pipeline, narrator, set(files.values()))
            review_files(pipeline, narrator)
    except Exception as error:
        return failed(error)
    finally:
        pipeline.stop()
    took = time.monotonic() - started
    print(f"\nDone in {took:.1f} s. Nothing is left running; run `make up` to keep the cloud running.")
    return 0


def failed(error: Exception) -> int:
    sys.stdout.flush()
    if not isinstance(error, StageFailedError):
        if not isinstance(error, EXPECTED):
            traceback.print_exception(error)
        print(f"\n{red('FAILED')}: {error}", file=sys.stderr)
        return 1
    print(f"\n{red(f'FAILED in {error.stage}')}: {error.reason}", file=sys.stderr)
    if error.log:
        print(f"\nThe end of {shown(error.log)}:\n{log_tail(error.log)}", file=sys.stderr)
    return 1


def extract(pipeline: Pipeline, requests: int) -> None:
    """Fires the schedule, as EventBridge Scheduler would in the morning."""
    name = pipeline.outputs["ExtractScheduleName"]
    sent = scheduler.fire(pipeline.cloud.clients, pipeline.cloud.sessions, name, extra={"requests": requests})
    say("schedule", None, f"{name} fires: {sent}")


def land(pipeline: Pipeline, files: dict[Path, str]) -> None:
    bucket = pipeline.outputs["LandBucketName"]
    for file, key in files.items():
        pipeline.cloud.clients.get("s3").upload_file(str(file), bucket, key)
        say("land", None, f"{shown(file)} as s3://{bucket}/{key}")


def review_files(pipeline: Pipeline, narrator: Narrator) -> None:
    """Counts the rows of all tables that were published. Fails if a file or an execution failed."""
    seen, database = narrator.seen, pipeline.outputs["DatabaseName"]
    for name in sorted({entry["table"] for entry in seen.tables}):
        _, rows = pipeline.query(f"SELECT COUNT(*) FROM {database}.{name}")
        say("review", None, f"{name}: {counted(int(rows[0][0] or 0), 'row')}")
    executions = pipeline.cloud.clients.get("stepfunctions")
    ended = {arn: executions.describe_execution(executionArn=arn) for arn in sorted(seen.asked)}
    failed_ones = [found for found in ended.values() if found["status"] != "SUCCEEDED"]
    if failed_ones:
        cause = failed_ones[-1].get("cause") or failed_ones[-1]["status"]
        raise StageFailedError("pipeline", cause)
    if seen.rejected:
        names = ", ".join(file["key"].rsplit("/", 1)[1] for file in seen.rejected)
        raise StageFailedError("validate", f"{counted(len(seen.rejected), 'file')} did not pass: {names}")


def follow(pipeline: Pipeline, narrator: Narrator, landed: set[str] | None = None) -> None:
    """Prints the steps until everything that was extracted, or has landed, is published."""
    quiet_since = time.monotonic()
    while not (complete(narrator) if landed is None else settled(narrator, landed)):
        if narrator.follow(timeout_seconds=0.2) or not narrator.idle:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > PATIENCE_SECONDS:
            raise StageFailedError(*what_is_missing(pipeline, narrator, landed))


def extracted_keys(narrator: Narrator) -> set[str]:
    return {file["key"] for file in (narrator.seen.extracted or {}).get("files") or []}


def complete(narrator: Narrator) -> bool:
    seen = narrator.seen
    return (
        seen.extracted is not None
        and extracted_keys(narrator) <= seen.handled
        and bool(seen.asked)
        and seen.asked <= seen.ended
        and narrator.idle
    )


def settled(narrator: Narrator, landed: set[str]) -> bool:
    """Whether all files are handled and no rebuild is pending. If every file is in quarantine, there is no rebuild."""
    seen = narrator.seen
    all_rejected = landed <= {file["key"] for file in seen.rejected}
    return landed <= seen.handled and (bool(seen.asked) or all_rejected) and seen.asked <= seen.ended and narrator.idle


def what_is_missing(pipeline: Pipeline, narrator: Narrator, landed: set[str] | None) -> tuple[str, str, Path | None]:
    seen = narrator.seen

    def log(stage: str) -> Path:
        return pipeline.cloud.host.log_file(f"{STACK}-{stage}")

    if seen.extracted is None and landed is None:
        return "extract", "did not answer", log("extract")
    unhandled = sorted((extracted_keys(narrator) if landed is None else landed) - seen.handled)
    if unhandled:
        return "validate", f"nothing was heard of {unhandled[0]}", log("validate")
    return "validate", "asked for no rebuild", log("validate")


def review(pipeline: Pipeline, narrator: Narrator) -> None:
    """Shows an analyst's view. The count must equal that of the extracted rows."""
    database = pipeline.outputs["DatabaseName"]
    extracted = narrator.seen.extracted or {}
    name = extracted.get("table", "random_postcodes")
    started = time.monotonic()
    sql = f"SELECT COUNT(*) AS rows FROM {database}.{name}"
    header, rows = pipeline.query(sql)
    say("review", time.monotonic() - started, f"{sql}  (Athena)")
    print(f"\n{table(header, rows)}\n")
    total = int(rows[0][0] or 0)
    for other in (entry["table"] for entry in narrator.seen.tables if entry["table"] != name):
        sql = f"SELECT * FROM {database}.{other}"
        header, rows = pipeline.query(sql)
        say("", None, sql)
        print(f"\n{table(header, rows[:PREVIEW_ROWS])}\n")
        if len(rows) > PREVIEW_ROWS:
            print(f"  ... {counted(len(rows) - PREVIEW_ROWS, 'more row')}\n")
    if total != extracted.get("rows"):
        raise StageFailedError("review", f"{extracted.get('rows')} rows were extracted, Athena counts {total}")
    print(f"Extracted: {counted(total, 'row')}. Counted by Athena: {total:,}.")


# -- up ----------------------------------------------------------------------------------------------------------------


def up(port: int, api: str | None, functions: Path, state: Path, started: float) -> int:
    cloud_file = state / "cloud.json"
    try:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        pipeline = start(port, api, functions, state, started)
    except Exception as error:
        return failed(error)
    try:
        narrator = Narrator(pipeline.cloud, STACK, strict=False)
        description = {
            "endpoint": pipeline.cloud.endpoint,
            "pid": os.getpid(),
            "stack": STACK,
            "outputs": pipeline.outputs,
            "api": pipeline.api,
            "meta_data": str(metadata_of(functions).absolute()),
        }
        write_whole(cloud_file, json.dumps(description, indent=2) + "\n")
        print(hints(pipeline, state, metadata_of(functions)), flush=True)
        while not stop.is_set():
            narrator.follow(timeout_seconds=0.2)
    finally:
        cloud_file.unlink(missing_ok=True)
        pipeline.stop()
    print("\nStopped.")
    return 0


def start(port: int, api: str | None, functions: Path, state: Path, started: float) -> Pipeline:
    try:
        return Pipeline(port, state, functions, api, started)
    except PortInUseError:
        print(f"Port {port} is in use by something else: taking another one.\n", flush=True)
        return Pipeline(0, state, functions, api, started)


def metadata_of(functions: Path) -> Path:
    """Returns the folder of the metadata that the functions read."""
    return functions / "validate" / "meta_data"


def hints(pipeline: Pipeline, state: Path, metadata: Path) -> str:
    outputs = pipeline.outputs
    names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
    settings = environment(pipeline.cloud.endpoint)
    exports = "\n".join(f"  export {name}={settings[name]}" for name in names)
    raw, curated = (
        sorted(path.stem for path in (metadata / layer).glob("*.json") if path.stem != "database")
        for layer in ("raw", "curated")
    )
    sql = f"SELECT COUNT(*) FROM {outputs['DatabaseName']}.{curated[-1] if curated else '…'}"
    return f"""
The pipeline is up. For the aws CLI, boto3, awswrangler or any other client, in another terminal:

{exports}

To try:

  make invoke FUNCTION=extract EVENT='{{"requests": 10}}'
      extracts from the sources that the metadata describes; what follows is printed here
  make land FILE=… TABLE={raw[-1] if raw else "…"}
      lands a file of your own: it ends in the tables, or in s3://{outputs["QuarantineBucketName"]} with a report
  aws athena start-query-execution --work-group {outputs["WorkGroupName"]} --query-string "{sql}"
      asks Athena; the answer is in s3://{outputs["AthenaBucketName"]}/results/

Logs of the functions are in {shown(state / "logs")}. Ctrl-C stops everything.
"""
