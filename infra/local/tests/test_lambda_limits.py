"""Lambda's limits for a function: memory, /tmp, payloads, concurrent invocations."""

import itertools
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from conftest import wait_for
from test_step_functions import ended, machine, start, task

MEBIBYTE = 1024 * 1024
NAME = "fake-extract"  # MemorySize: 256

linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is only looked at on Linux")


@pytest.fixture
def reserved(cloud, stack):
    """reserved(n) sets the function's reserved concurrency until the end of the test."""

    def reserve(number: int) -> None:
        cloud.functions.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=number)

    yield reserve
    cloud.functions.delete_function_concurrency(FunctionName=NAME)
    cloud.settled()


def log(cloud) -> str:
    return (cloud.state / "logs" / f"{NAME}.log").read_text()


def reports(cloud) -> list[dict]:
    lines = [json.loads(line) for line in log(cloud).splitlines() if line.startswith('{"time"')]
    return [line["record"] for line in lines if line["type"] == "platform.report"]


def send(cloud, event: dict) -> None:
    cloud.functions.invoke(FunctionName=NAME, InvocationType="Event", Payload=json.dumps(event).encode())


# -- memory and /tmp ---------------------------------------------------------------------------------------------------


@linux
@pytest.mark.parametrize("event", [{"memory": 300}, {"child_memory": 300}, {"memory": 150, "child_memory": 150}])
def test_a_process_that_uses_too_much_memory_is_killed(invoke, cloud, event):
    started = time.monotonic()
    error, body = invoke("extract", {**event, "sleep": 9})
    assert error == "Runtime.ExitError"
    assert body["errorMessage"].startswith("RequestId: ")
    assert body["errorMessage"].endswith(" Error: Runtime exited with error: signal: killed")
    assert time.monotonic() - started < 8
    report = reports(cloud)[-1]
    assert (report["status"], report["errorType"]) == ("error", "Runtime.OutOfMemory")
    assert report["metrics"]["maxMemoryUsedMB"] > report["metrics"]["memorySizeMB"] == 256
    assert invoke("extract", {})[0] is None


@linux
def test_it_is_killed_too_if_it_has_answered_meanwhile(invoke):
    assert invoke("extract", {})[0] is None  # a warm process answers at once
    assert invoke("extract", {"memory": 2000})[0] == "Runtime.ExitError"


@linux
def test_what_a_process_uses_is_reported(invoke, cloud):
    assert invoke("extract", {"memory": 150, "sleep": 0.5})[0] is None
    report = reports(cloud)[-1]
    assert report["status"] == "success"
    assert 150 < report["metrics"]["maxMemoryUsedMB"] < 230


def test_a_process_that_fills_tmp_is_killed(invoke, cloud):
    assert invoke("extract", {"scratch": 400, "sleep": 1})[0] is None
    error, body = invoke("extract", {"scratch": 600, "sleep": 9})
    assert error == "Runtime.ExitError"
    assert body["errorMessage"].endswith("signal: killed")
    assert "ENOSPC" in log(cloud)
    assert reports(cloud)[-1]["errorType"] == "EphemeralStorage"


def test_a_timeout_is_reported(invoke, cloud):
    cloud.functions.update_function_configuration(FunctionName=NAME, Timeout=1)
    try:
        error, _ = invoke("extract", {"sleep": 9})
        states = {"T": {**task({"sleep": 9}), "Parameters": {"FunctionName": NAME, "Payload": {"sleep": 9}}}}
        execution = ended(cloud, start(cloud, machine(cloud, {"StartAt": "T", "States": states}), {}))
    finally:
        cloud.functions.update_function_configuration(FunctionName=NAME, Timeout=600)
    assert error == execution["error"] == "Sandbox.Timedout"
    assert reports(cloud)[-1]["status"] == "timeout"


# -- payloads ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "limit"), [("RequestResponse", 6 * MEBIBYTE), ("Event", MEBIBYTE)], ids=["synchronous", "asynchronous"]
)
def test_a_request_that_is_too_large(cloud, stack, kind, limit):
    def call(size: int) -> dict:
        payload = b'"' + b"x" * (size - 2) + b'"'
        return cloud.functions.invoke(FunctionName=NAME, Payload=payload, InvocationType=kind)

    call(limit)
    with pytest.raises(ClientError, match="RequestEntityTooLargeException") as refused:
        call(limit + 1)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    text = f"{limit + 1} byte payload is too large for the {kind} invocation type (limit {limit} bytes)"
    assert text in str(refused.value)
    cloud.settled()


def test_a_response_that_is_too_large(invoke, cloud):
    limit = 6 * MEBIBYTE + 100
    error, _ = invoke("extract", {"bytes": limit - 2})
    assert error is None
    error, body = invoke("extract", {"bytes": limit - 1})
    assert error == "Function.ResponseSizeTooLarge"
    assert body["errorMessage"] == "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
    assert invoke("extract", {})[0] is None  # the process continues
    assert "413 " in log(cloud)


# -- concurrency -------------------------------------------------------------------------------------------------------


def test_invocations_beyond_what_is_reserved_are_throttled(cloud, invoke, reserved):
    reserved(1)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(invoke, "extract", {"sleep": 2})
        processes = f"functions/{NAME}/processes"
        wait_for(lambda: any(found["busy"] for found in cloud.control("GET", processes)), "a busy process")
        with pytest.raises(ClientError, match=r"TooManyRequestsException.*Rate Exceeded\.") as throttled:
            invoke("extract", {})
        state = {**task({}), "Parameters": {"FunctionName": NAME, "Payload": {}}}
        execution = ended(cloud, start(cloud, machine(cloud, {"StartAt": "T", "States": {"T": state}}), {}))
        assert running.result()[0] is None
    answer = throttled.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert answer["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert execution["error"] == "Lambda.TooManyRequestsException"
    assert invoke("extract", {})[0] is None


def test_throttled_events_wait_and_are_no_attempts(cloud, reserved, tmp_path):
    reserved(1)
    file = tmp_path / "events"
    before = len(cloud.invocations(NAME))
    for number in range(6):
        send(cloud, {"file": str(file), "number": number, "sleep": 0.3})
    cloud.settled()
    made = cloud.invocations(NAME)[before:]
    assert [(invocation["ok"], invocation["attempt"]) for invocation in made] == [(True, 1)] * 6
    assert len(file.read_text().splitlines()) == 6
    ends = sorted((found["started"], found["started"] + found["ms"] / 1000) for found in made)
    assert all(ended <= begun + 0.05 for (_, ended), (begun, _) in itertools.pairwise(ends))


def test_a_function_with_nothing_reserved_is_off(cloud, stack, invoke, reserved):
    reserved(0)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        invoke("extract", {})
    event = {"marker": "off"}
    before = len(cloud.invocations(NAME))
    send(cloud, event)
    cloud.settled()
    assert len(cloud.invocations(NAME)) == before
    url = stack["DeadLettersQueueUrl"]
    (message,) = wait_for(lambda: cloud.sqs.receive_message(QueueUrl=url).get("Messages"), "a dead letter")
    cloud.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    record = json.loads(message["Body"])
    assert (record["requestContext"]["condition"], record["requestPayload"]) == ("ZeroReservedConcurrency", event)
