"""Shared by all tests: one local cloud for the whole session, in a process of its own, on a free port."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest
from athena_client import COLUMNS, Athena, rows
from botocore.config import Config

from landfall_local.account import REGION, Clients

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent
PATIENCE_SECONDS = 30


def wait_for(condition, what: str, seconds: float = PATIENCE_SECONDS):
    """Returns the first true value of the condition. Fails if there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"never seen: {what}"
        time.sleep(0.02)


class LocalCloud:
    """A running `landfall_local serve`, with clients."""

    def __init__(self, folder: Path, **environment: str):
        self.state = folder / "state"
        ready = folder / "ready.json"
        command = [sys.executable, "-m", "landfall_local", "serve", "--port", "0"]
        self.process = subprocess.Popen(
            [*command, "--state", str(self.state), "--ready-file", str(ready)],
            env={**os.environ, "PYTHONPATH": str(PACKAGE), **environment},
            stdout=subprocess.DEVNULL,
        )
        wait_for(lambda: ready.exists() or self.process.poll() is not None, "the local cloud")
        self.endpoint = json.loads(ready.read_text())["endpoint"]
        self.clients = Clients(self.endpoint)

    def __getattr__(self, service: str):
        """Returns the client of a service: cloud.s3, cloud.stepfunctions, ..."""
        return self.clients.get("lambda" if service == "functions" else service)

    def control(self, method: str, path: str, body: dict | None = None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/_local/{path}", data, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["error"]) from None

    def bucket(self, **arguments) -> str:
        name = f"test-{uuid.uuid4().hex[:12]}"
        configuration = {"LocationConstraint": "eu-west-2"}
        self.s3.create_bucket(Bucket=name, CreateBucketConfiguration=configuration, **arguments)
        return name

    def invocations(self, function: str) -> list[dict]:
        everything = self.control("GET", "invocations")["invocations"]
        return [invocation for invocation in everything if invocation["function"] == function]

    def settled(self) -> None:
        wait_for(lambda: self.control("GET", "invocations")["pending"] == 0, "an empty queue")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE_SECONDS)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory):
    running = LocalCloud(tmp_path_factory.mktemp("cloud"))
    yield running
    running.stop()
    assert running.process.returncode == 0


def install_function(folder: Path, script: str = "fake_bootstrap.py") -> Path:
    """Makes a function's folder as Lambda finds it. Its bootstrap is a script beside these tests."""
    folder.mkdir(parents=True)
    source = (TESTS / script).read_text().split("\n", 1)[1]
    bootstrap = folder / "bootstrap"
    bootstrap.write_text(f"#!{sys.executable}\n{source}")
    bootstrap.chmod(0o755)
    shutil.copy(TESTS / "fake_bootstrap.py", folder)
    postcodes(folder / "meta_data")
    return folder


def postcodes(folder: Path) -> Path:
    """Copies only the metadata of the postcodes dataset, not the datasets that a user may have added."""
    for name in (
        "raw/database.json",
        "raw/random_postcodes.json",
        "curated/database.json",
        "curated/random_postcodes.json",
        "curated/random_postcodes.sql",
        "curated/calculated.json",
        "curated/calculated.sql",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PACKAGE.parents[1] / "meta_data" / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def functions(tmp_path_factory) -> Path:
    """All functions of the template, each a fake that follows its event's instructions."""
    folder = tmp_path_factory.mktemp("functions")
    for name in ("extract", "validate", "curate", "catalog"):
        install_function(folder / name)
    return folder


@pytest.fixture(scope="session")
def stack(cloud, functions) -> dict:
    """The outputs of the real template, deployed with fake functions."""
    body = {"stack": "fake", "functions": str(functions), "parameters": {"RebuildWindowSeconds": "1"}}
    return cloud.control("POST", "stacks", body)["outputs"]


@pytest.fixture
def invoke(cloud, stack):
    """invoke("curate", {...}) -> (the error type or None, the answer)"""

    def call(function: str, event: dict) -> tuple[str | None, dict]:
        answer = cloud.functions.invoke(FunctionName=f"fake-{function}", Payload=json.dumps(event).encode())
        body = json.loads(answer["Payload"].read())
        return (body["errorType"], body) if "FunctionError" in answer else (None, body)

    return call


@pytest.fixture(scope="module")
def everything_is_allowed(cloud, stack):
    """Allows functions everything, for tests with calls that the template's roles may not make."""
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    names = []
    for function in ("fake-validate", "fake-curate"):
        role = cloud.functions.get_function_configuration(FunctionName=function)["Role"]
        names.append(role.rpartition("/")[2])
    for name in names:
        cloud.iam.put_role_policy(
            RoleName=name,
            PolicyName="everything",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
        )
    yield
    for name in names:
        cloud.iam.delete_role_policy(RoleName=name, PolicyName="everything")


@pytest.fixture
def control(cloud, everything_is_allowed):
    """control("POST", "crash", {...}) for the function whose calls tests use. Resets it afterwards."""

    def call(method: str, what: str, body: dict | None = None):
        return cloud.control(method, f"functions/fake-validate/{what}", body)

    call("DELETE", "calls")
    yield call
    for what in ("calls", "crash", "faults"):
        call("DELETE", what)


@pytest.fixture
def made(invoke):
    """made(call, ...) returns the results of the calls of one invocation, or the error that ended it."""

    def make(*calls: list, attempts: int = 1) -> list[str] | str:
        error, answer = invoke("validate", {"aws": list(calls), "attempts": attempts})
        return error or answer["aws"]

    return make


@pytest.fixture(scope="module")
def s3(cloud):
    return cloud.s3


@pytest.fixture(scope="module")
def bucket(cloud) -> str:
    return cloud.bucket()


@pytest.fixture(scope="session")
def athena(cloud) -> Athena:
    client = Athena(cloud)
    client.put("t/day=2024-01-01/part-0.parquet", rows(3))
    client.put("t/day=2024-01-02/part-0.parquet", rows(2))
    client.put("t/day=2024-01-02/_hidden", rows(2))
    client.define("t", COLUMNS, "t", {"day": "date"})
    assert client.query("SELECT COUNT(*) FROM t") == [["0"]]  # no partition is registered yet
    client.query("MSCK REPAIR TABLE t")
    return client


TRUST = {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}


def document(*statements: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def acting(cloud):
    """acting(statement, ...)("s3") is a client of a role with these statements."""

    def act(*statements: dict, trust: dict = TRUST):
        name = f"r-{uuid.uuid4().hex[:8]}"
        role = cloud.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
        cloud.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
        keys = cloud.sts.assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]

        def client(service: str):
            return cloud.clients._session.client(
                service,
                endpoint_url=cloud.endpoint,
                region_name=REGION,
                aws_access_key_id=keys["AccessKeyId"],
                aws_secret_access_key=keys["SecretAccessKey"],
                aws_session_token=keys["SessionToken"],
                config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
            )

        client.role = role
        return client

    return act
