"""`make run`, `make up` and `make invoke`, with a small pipeline in place of the functions."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from conftest import PACKAGE, install_function, wait_for

FOLDER = "open_data/postcodes_example/random_postcodes"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(PACKAGE)}


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "landfall_local", *map(str, arguments)]


def call(*arguments: str | Path) -> subprocess.CompletedProcess:
    return subprocess.run(command(*arguments), capture_output=True, text=True, env=ENVIRONMENT, timeout=60)


@pytest.fixture(scope="module")
def functions(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline")
    for name in ("extract", "validate", "curate", "catalog"):
        install_function(folder / name, "fake_pipeline.py")
    return folder


def processes_with(text: str) -> list[str]:
    """Returns command lines of processes that contain this text (on Linux; elsewhere none are found)."""
    lines = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if text in line:
            lines.append(line)
    return lines


# -- run ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(functions, tmp_path_factory) -> subprocess.CompletedProcess:
    state = tmp_path_factory.mktemp("run")
    return call("run", "--requests", "12", "--functions", functions, "--state", state)


def test_a_run_ends_well(run):
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Extracted: 12 rows. Counted by Athena: 12." in run.stdout


def test_a_run_tells_each_step_in_order(run):
    stages = re.findall(r"^[0-9:]{8}  ([a-z]+) ", run.stdout, re.MULTILINE)
    expected = ["cloud", "source", "deploy", "schedule", "extract", "validate", "pipeline", "curate", "catalog"]
    assert stages == [*expected, "pipeline", "review"]


def test_a_run_says_where_things_are(run):
    for area in ("land", "raw-hist"):
        assert f"s3://landfall-{area}-123456789012-eu-west-2/{FOLDER}/file_land_timestamp=" in run.stdout
    assert "s3://landfall-curated-123456789012-eu-west-2/" in run.stdout


def test_a_run_shows_the_calculated_table(run):
    assert re.search(r"^  european_electoral_region +n\n  -+  -+\n", run.stdout, re.MULTILINE)
    assert re.search(r"^  south east +\d+$", run.stdout, re.MULTILINE)


def test_a_run_leaves_nothing_running(run, functions):
    assert processes_with(str(functions)) == []


@pytest.mark.parametrize("stage", ["extract", "curate"])
def test_a_run_that_fails_says_where_and_why(functions, tmp_path, stage):
    fail = functions / stage / "fail_in"
    fail.write_text(stage)
    try:
        result = call("run", "--functions", functions, "--state", tmp_path)
    finally:
        fail.unlink()
    assert result.returncode == 1
    assert f"FAILED in {stage}: Internal: ValueError: as told" in result.stderr
    assert f"logs/landfall-{stage}.log" in result.stderr
    assert "raise ValueError" in result.stderr  # the end of the function's log
    assert processes_with(str(functions)) == []


def test_functions_that_are_not_built_are_named(tmp_path):
    result = call("run", "--functions", tmp_path / "nowhere", "--state", tmp_path)
    assert result.returncode == 1
    assert "not built: extract, validate, curate, catalog" in result.stderr
    assert "make functions" in result.stderr


# -- up and invoke -----------------------------------------------------------------------------------------------------


class Up:
    def __init__(self, functions: Path, state: Path):
        self.state = state
        self.log = state / "up.log"
        self.process = subprocess.Popen(
            command("up", "--port", "0", "--functions", functions, "--state", state),
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
            env=ENVIRONMENT,
        )
        wait_for(lambda: (state / "cloud.json").exists() or self.process.poll() is not None, "the cloud")
        assert self.process.poll() is None, self.log.read_text()
        self.cloud = json.loads((state / "cloud.json").read_text())

    def client(self, service: str):
        keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
        return boto3.client(service, endpoint_url=self.cloud["endpoint"], region_name="eu-west-2", **keys)

    def count(self) -> str:
        athena = self.client("athena")
        sql = f"SELECT COUNT(*) FROM {self.cloud['outputs']['DatabaseName']}.random_postcodes"
        query_id = athena.start_query_execution(QueryString=sql, WorkGroup="landfall")["QueryExecutionId"]

        def ended() -> bool:
            status = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]
            return status["State"] not in ("QUEUED", "RUNNING")

        wait_for(ended, "the end of the query")
        rows = athena.get_query_results(QueryExecutionId=query_id)["ResultSet"]["Rows"]
        return rows[1]["Data"][0]["VarCharValue"]


@pytest.fixture(scope="module")
def up(functions, tmp_path_factory):
    running = Up(functions, tmp_path_factory.mktemp("up"))
    yield running
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(10) == 0
    assert not (running.state / "cloud.json").exists()
    assert "Stopped." in running.log.read_text()
    assert processes_with(str(functions)) == []


def test_up_says_how_to_use_it(up):
    assert set(up.cloud) == {"endpoint", "pid", "stack", "outputs", "api", "meta_data"}
    text = wait_for(lambda: "Ctrl-C stops everything" in up.log.read_text() and up.log.read_text(), "the hints")
    assert f"export AWS_ENDPOINT_URL={up.cloud['endpoint']}" in text
    assert "export AWS_ACCESS_KEY_ID=local" in text


def test_a_second_up_says_that_one_is_running(up, functions):
    result = call("up", "--functions", functions, "--state", up.state)
    assert result.returncode == 1
    assert f"already running at {up.cloud['endpoint']}" in result.stderr


def test_invoking_accumulates_history(up, tmp_path):
    for day in range(1, 4):
        event = {"requests": 10, "scheduled_time": f"2026-11-{day:02d}T06:00:00Z"}
        file = tmp_path / "event.json"
        file.write_text(json.dumps(event))
        result = call("invoke", "extract", file if day % 2 else json.dumps(event), "--state", up.state)
        assert result.returncode == 0, result.stderr
        assert json.loads(result.stdout)["rows"] == 10
    published = re.compile(r"random_postcodes: (created|updated), 30 rows")
    wait_for(lambda: published.search(up.log.read_text()), "the rebuild of all three")
    assert up.count() == "30"


def test_a_bad_file_ends_in_quarantine(up):
    outputs, s3 = up.cloud["outputs"], up.client("s3")
    key = f"{FOLDER}/file_land_timestamp=1/random_postcodes_1.jsonl.gz"
    s3.put_object(Bucket=outputs["LandBucketName"], Key=key, Body=b"no gzip")
    wait_for(lambda: "quarantined: 0 rows" in up.log.read_text(), "the verdict")
    s3.head_object(Bucket=outputs["QuarantineBucketName"], Key=key)
    assert up.process.poll() is None


def test_a_failing_function_shows_its_error_and_its_log(up):
    result = call("invoke", "extract", "{}", "--state", up.state)
    assert result.returncode == 1
    assert json.loads(result.stdout)["errorType"] == "Internal"
    assert "The end of its log" in result.stderr
    assert "KeyError: 'scheduled_time'" in result.stderr


@pytest.mark.parametrize(
    ("function", "event", "problem"),
    [
        ("nope", "{}", "no function nope; there are: catalog, curate, extract, validate"),
        ("extract", "nowhere.json", "nowhere.json is neither a JSON object nor a file"),
        ("extract", "{", "the event is no JSON"),
    ],
)
def test_what_cannot_be_invoked_is_said(up, function, event, problem):
    result = call("invoke", function, event, "--state", up.state)
    assert result.returncode == 1
    assert problem in result.stderr


def test_without_a_cloud_there_is_nothing_to_invoke(tmp_path):
    result = call("invoke", "extract", "{}", "--state", tmp_path)
    assert result.returncode == 1
    assert "`make up` starts one" in result.stderr
