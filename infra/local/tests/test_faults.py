"""Failing calls of functions: with an error, late, never, or in the middle of the answer."""

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlparse

import pytest
from conftest import wait_for
from test_calls import GET_DATABASES, keys, put


@pytest.fixture
def bucket(cloud) -> str:
    return cloud.bucket()


@pytest.fixture
def calls(cloud, bucket) -> dict[str, tuple[str, list]]:
    """For each service, an operation, and a call of it whose answer has a body."""
    topic = cloud.sns.create_topic(Name="slow")["TopicArn"]
    cloud.s3.put_object(Bucket=bucket, Key="read", Body=b"x" * 1000)
    return {
        "s3": ("GetObject", ["s3", "get_object", {"Bucket": bucket, "Key": "read"}]),
        "glue": ("GetDatabases", GET_DATABASES),
        "athena": ("ListWorkGroups", ["athena", "list_work_groups", {}]),
        "stepfunctions": ("ListStateMachines", ["stepfunctions", "list_state_machines", {}]),
        "sns": ("Publish", ["sns", "publish", {"TopicArn": topic, "Message": "m"}]),
    }


SERVICES = pytest.mark.parametrize("service", ["s3", "glue", "athena", "stepfunctions", "sns"])


# -- faults ------------------------------------------------------------------------------------------------------------


def test_a_fault_answers_so_many_calls_of_an_operation(control, made):
    fault = {"operation": "GetDatabases", "error": "ThrottlingException", "times": 2, "after": 1}
    control("POST", "faults", fault)
    others = ["athena", "list_work_groups", {}]
    ended = made(GET_DATABASES, others, GET_DATABASES, GET_DATABASES, GET_DATABASES)
    assert ended == ["ok", "ok", "ThrottlingException", "ThrottlingException", "ok"]
    left = control("GET", "faults")[0]
    assert (left["times"], left["after"]) == (0, 0)


def test_an_sdk_tries_again_what_is_throttled(control, made):
    control("POST", "faults", {"operation": "GetDatabases", "error": "ThrottlingException", "times": 2})
    assert made(GET_DATABASES, attempts=3) == ["ok"]
    assert control("GET", "calls") == {"GetDatabases": 3}


def test_each_service_has_its_own_format(cloud, control, made, bucket):
    topic = cloud.sns.create_topic(Name="faults")["TopicArn"]
    calls = {
        ("PutObject", "SlowDown", 503): put(bucket, "a"),
        ("ListWorkGroups", "InternalServerException", 500): ["athena", "list_work_groups", {}],
        ("ListStateMachines", "StateMachineDeleting", 400): ["stepfunctions", "list_state_machines", {}],
        ("Publish", "NotFound", 404): ["sns", "publish", {"TopicArn": topic, "Message": "m"}],
        ("HeadObject", "SlowDown", 503): ["s3", "head_object", {"Bucket": bucket, "Key": "a"}],
    }
    for name, error, status in calls:
        control("POST", "faults", {"operation": name, "error": error, "status": status})
    codes = [error for _, error, _ in calls]
    codes[-1] = "503"  # without a body there is no code
    assert made(*calls.values()) == codes
    assert keys(cloud, bucket) == []


def test_a_call_may_take_effect_and_its_answer_be_lost(cloud, control, made, bucket):
    control("POST", "faults", {"operation": "PutObject", "lost": True})
    control("POST", "faults", {"operation": "PutObject", "lost": True, "error": "InternalError", "status": 500})
    assert made(put(bucket, "a"), put(bucket, "b")) == ["ConnectionClosedError", "InternalError"]
    assert keys(cloud, bucket) == ["a", "b"]


def test_without_an_error_the_connection_closes(cloud, control, made, bucket):
    control("POST", "faults", {"operation": "PutObject"})
    ended = made(put(bucket, "a"))
    assert ended in (["ConnectionClosedError"], ["EndpointConnectionError"]), ended
    assert keys(cloud, bucket) == []


# -- late, never, in part ----------------------------------------------------------------------------------------------


@SERVICES
def test_an_answer_comes_late(control, made, calls, service):
    operation, call = calls[service]
    control("POST", "faults", {"operation": operation, "delay_seconds": 1.5})
    started = time.monotonic()
    assert made(call) == ["ok"]
    assert 1.5 <= time.monotonic() - started < 10
    assert made(call) == ["ok"]  # the fault strikes once
    assert control("GET", "calls") == {operation: 2}


@SERVICES
def test_an_answer_that_is_too_late_is_not_waited_for(control, invoke, calls, service):
    operation, call = calls[service]
    control("POST", "faults", {"operation": operation, "delay_seconds": 30})
    started = time.monotonic()
    _, answer = invoke("validate", {"aws": [call], "read_timeout": 1, "attempts": 2})
    assert answer["aws"] == ["ok"]  # the second attempt succeeds
    assert time.monotonic() - started < 20
    assert control("GET", "calls") == {operation: 2}


@SERVICES
def test_an_answer_never_comes(control, invoke, calls, service):
    operation, call = calls[service]
    control("POST", "faults", {"operation": operation, "never": True, "times": 2})
    _, answer = invoke("validate", {"aws": [call], "read_timeout": 1})
    assert answer["aws"] == ["ReadTimeoutError"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(invoke, "validate", {"aws": [call]})
        wait_for(lambda: control("GET", "calls") == {operation: 2}, "the call")
        time.sleep(1)
        assert not waiting.done()
        control("DELETE", "faults")  # this closes the connection
        assert waiting.result()[1]["aws"] == ["ConnectionClosedError"]


@SERVICES
@pytest.mark.parametrize("after", [0, 10])
def test_an_answer_breaks_off(cloud, control, invoke, bucket, service, after):
    """Checks raw bytes, because botocore accepts an answer that breaks off."""
    cloud.s3.put_object(Bucket=bucket, Key="read", Body=b"x" * 1000)
    topic = cloud.sns.create_topic(Name="broken")["TopicArn"]
    signed_for, operation, *request = {
        "s3": ("s3", "GetObject", "GET", f"/{bucket}/read"),
        "glue": ("glue", "GetDatabases", "POST", "/", "AWSGlue.GetDatabases"),
        "athena": ("athena", "ListWorkGroups", "POST", "/", "AmazonAthena.ListWorkGroups"),
        "stepfunctions": ("states", "ListStateMachines", "POST", "/", "AWSStepFunctions.ListStateMachines"),
        "sns": ("sns", "Publish", "POST", "/", None, f"Action=Publish&Message=m&TopicArn={topic}"),
    }[service]
    key = invoke("validate", {})[1]["environment"]["AWS_ACCESS_KEY_ID"]
    whole = sent(cloud, key, signed_for, *request)
    assert len(whole) > after
    control("POST", "faults", {"operation": operation, "breaks_off_after": after})
    with pytest.raises(http.client.IncompleteRead) as broken:
        sent(cloud, key, signed_for, *request)
    assert len(broken.value.partial) == after
    announced = after + broken.value.expected
    assert abs(announced - len(whole)) < 9  # it contains times
    assert sent(cloud, key, signed_for, *request)  # the fault strikes once


def sent(cloud, key: str, service: str, method: str, path: str, target: str | None = None, form: str = "") -> bytes:
    """Returns the answer to a request signed with this process's access key."""
    connection = http.client.HTTPConnection(urlparse(cloud.endpoint).netloc, timeout=10)
    signature = f"AWS4-HMAC-SHA256 Credential={key}/20260101/eu-west-2/{service}/aws4_request, Signature=x"
    headers = {"Authorization": signature, "Content-Type": "application/x-www-form-urlencoded"}
    if target:
        headers |= {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
    connection.request(method, path, form or ("{}" if target else None), headers)
    answer = connection.getresponse()
    assert answer.status == 200
    return answer.read()


def test_a_call_takes_effect_though_its_answer_is_late(cloud, control, invoke, bucket):
    control("POST", "faults", {"operation": "PutObject", "delay_seconds": 30})
    _, answer = invoke("validate", {"aws": [put(bucket, "a")], "read_timeout": 1})
    assert (answer["aws"], keys(cloud, bucket)) == (["ReadTimeoutError"], ["a"])


@pytest.mark.parametrize("lost", [False, True])
def test_one_without_an_answer_only_if_asked_for(cloud, control, invoke, bucket, lost):
    control("POST", "faults", {"operation": "PutObject", "never": True, "lost": lost})
    _, answer = invoke("validate", {"aws": [put(bucket, "a")], "read_timeout": 1})
    assert answer["aws"] == ["ReadTimeoutError"]
    assert keys(cloud, bucket) == (["a"] if lost else [])


def test_an_error_may_be_late_and_does_not_take_effect(cloud, control, made, bucket):
    slow = {"operation": "PutObject", "error": "SlowDown", "status": 503, "delay_seconds": 1}
    control("POST", "faults", slow)
    started = time.monotonic()
    assert made(put(bucket, "a")) == ["SlowDown"]
    assert time.monotonic() - started >= 1
    assert keys(cloud, bucket) == []


# -- invalid requests --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "body", "message"),
    [
        ("crash", {}, '"at_call" is missing'),
        ("crash", {"at_call": 0}, "the first call is 1"),
        ("crash", {"at_call": True}, '"at_call" is true, expected int'),
        ("crash", {"at_call": 1, "when": "during"}, 'when is "during"'),
        ("crash", {"at_call": 1, "call": 2}, 'unknown field "call"'),
        ("faults", {"operation": "UpdateTabel"}, "did you mean UpdateTable?"),
        ("faults", {"operation": "UpdateTable", "status": "400"}, '"status" is "400", expected int'),
        ("faults", {"operation": "UpdateTable", "status": 1}, "expected one that HTTP has"),
        ("faults", {"operation": "UpdateTable", "times": 0}, "times is 0"),
        ("faults", {"operation": "UpdateTable", "delay_seconds": 0}, "delay_seconds is 0"),
        ("faults", {"operation": "UpdateTable", "delay_seconds": "1"}, '"delay_seconds" is "1"'),
        ("faults", {"operation": "UpdateTable", "breaks_off_after": -1}, "breaks_off_after is -1"),
        ("faults", {"operation": "UpdateTable", "never": True, "error": "E"}, "never is no answer"),
    ],
)
def test_what_is_not_understood_is_refused(control, what, body, message):
    with pytest.raises(AssertionError) as refused:
        control("POST", what, body)
    assert message in str(refused.value)


def test_unknown_names_are_refused(cloud):
    for method, path, body in [
        ("GET", "functions/nobody/calls", None),
        ("POST", "functions/nobody/crash", {"at_call": 1}),
        ("GET", "functions/nobody/processes", None),
        ("POST", "athena/nobody/hold", {}),
    ]:
        with pytest.raises(AssertionError) as refused:
            cloud.control(method, path, body)
        assert "nobody" in str(refused.value)
