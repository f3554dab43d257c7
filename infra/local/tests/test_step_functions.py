"""State machines run: both query languages, retries, waits, and many at once."""

import contextlib
import datetime as dt
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from conftest import wait_for

ROLE = "arn:aws:iam::123456789012:role/any"
FUNCTION = "arn:aws:lambda:eu-west-2:123456789012:function:fake-curate"
JSONATA = {"QueryLanguage": "JSONata"}


def may_invoke_and_list(cloud) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    allowed = {"Effect": "Allow", "Action": ["lambda:InvokeFunction", "s3:ListBucket"], "Resource": "*"}
    with contextlib.suppress(cloud.iam.exceptions.EntityAlreadyExistsException):
        cloud.iam.create_role(
            RoleName="any", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust})
        )
        cloud.iam.put_role_policy(
            RoleName="any", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": allowed})
        )


def machine(cloud, definition: dict) -> str:
    name = f"test-{uuid.uuid4().hex[:12]}"
    definition = json.dumps(definition)
    may_invoke_and_list(cloud)
    return cloud.stepfunctions.create_state_machine(name=name, definition=definition, roleArn=ROLE)["stateMachineArn"]


def start(cloud, arn: str, event: object, **arguments) -> str:
    event = json.dumps(event, ensure_ascii=False)
    return cloud.stepfunctions.start_execution(stateMachineArn=arn, input=event, **arguments)["executionArn"]


def ended(cloud, execution: str) -> dict:
    def look() -> dict | None:
        found = cloud.stepfunctions.describe_execution(executionArn=execution)
        return None if found["status"] == "RUNNING" else found

    return wait_for(look, "the end of the execution")


def run(cloud, definition: dict, event: object) -> dict:
    return ended(cloud, start(cloud, machine(cloud, definition), event))


def output(cloud, definition: dict, event: object) -> object:
    execution = run(cloud, definition, event)
    assert execution["status"] == "SUCCEEDED", execution
    return json.loads(execution["output"])


def one_pass(expression: object) -> dict:
    return {**JSONATA, "StartAt": "A", "States": {"A": {"Type": "Pass", "Output": expression, "End": True}}}


def task(payload: dict, **more) -> dict:
    arguments = {"FunctionName": FUNCTION, "Payload": payload}
    state = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": arguments}
    return {**state, "OutputPath": "$.Payload", "End": True, **more}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("$sum($states.input.xs)", 6),
        ("$length($now()) > 10", True),
        ("$filter($states.input.xs, function($x){$x > 1})", [2, 3]),
        ("$map($states.input.xs, function($x){$x*2})", [2, 4, 6]),
        ("$merge([$states.input,{'b':2}])", {"xs": [1, 2, 3], "b": 2}),
        ("$number('12')+1", 13),
        ("$keys($states.input)", "xs"),
        ("$length($states.context.Execution.Name)", 36),
    ],
)
def test_jsonata(cloud, expression, expected):
    assert output(cloud, one_pass(f"{{% {expression} %}}"), {"xs": [1, 2, 3]}) == expected


@pytest.mark.parametrize("value", ["plain", 'say "hi"\nnow', "back\\slash", {"a": [1, None]}])
def test_variables_keep_their_value(cloud, value):
    definition = {
        **JSONATA,
        "StartAt": "A",
        "States": {
            "A": {"Type": "Pass", "Assign": {"t": "{% $states.input.v %}"}, "Next": "B"},
            "B": {"Type": "Pass", "Output": {"got": "{% $t %}"}, "End": True},
        },
    }
    assert output(cloud, definition, {"v": value}) == {"got": value}


def test_choice(cloud):
    definition = {
        **JSONATA,
        "StartAt": "C",
        "States": {
            "C": {
                "Type": "Choice",
                "Choices": [{"Condition": "{% $states.input.n > 1 %}", "Next": "Y"}],
                "Default": "N",
            },
            "Y": {"Type": "Pass", "Output": "yes", "End": True},
            "N": {"Type": "Pass", "Output": "no", "End": True},
        },
    }
    assert output(cloud, definition, {"n": 2}) == "yes"
    assert output(cloud, definition, {"n": 1}) == "no"


def test_an_expression_that_finds_nothing_fails(cloud):
    execution = run(cloud, one_pass("{% $states.input.nope.deep %}"), {})
    assert execution["status"] == "FAILED"
    assert execution["error"] == "States.QueryEvaluationError"


def test_fail(cloud):
    definition = {
        **JSONATA,
        "StartAt": "F",
        "States": {"F": {"Type": "Fail", "Error": "E.X", "Cause": "{% 'c:' & $states.input.a %}"}},
    }
    execution = run(cloud, definition, {"a": 1})
    assert (execution["status"], execution["error"], execution["cause"]) == ("FAILED", "E.X", "c:1")


def test_a_task_invokes_a_function(cloud, stack):
    answer = output(cloud, {"StartAt": "T", "States": {"T": task({"n.$": "$.n"})}}, {"n": 7})
    assert answer["event"] == {"n": 7}


def test_a_retry_goes_by_the_error_type(cloud, stack, tmp_path):
    file = tmp_path / "events"
    event = {"file": str(file), "fail_times": 2}
    retry = [{"ErrorEquals": ["Unavailable"], "IntervalSeconds": 1, "BackoffRate": 1.0, "MaxAttempts": 3}]
    output(cloud, {"StartAt": "T", "States": {"T": task(event, Retry=retry)}}, {})
    assert len(file.read_text().splitlines()) == 3


def test_a_catch_goes_by_the_error_type(cloud, stack):
    catch = [{"ErrorEquals": ["BadData"], "ResultPath": "$.failure", "Next": "H"}]
    states = {"T": task({"error": "BadData"}, Catch=catch), "H": {"Type": "Pass", "End": True}}
    answer = output(cloud, {"StartAt": "T", "States": states}, {})
    assert answer["failure"]["Error"] == "BadData"
    assert json.loads(answer["failure"]["Cause"])["errorMessage"] == "as told"


def test_a_crash_is_an_exit_error(cloud, stack):
    execution = run(cloud, {"StartAt": "T", "States": {"T": task({"exit": 1})}}, {})
    assert execution["error"] == "Runtime.ExitError"


def test_a_task_times_out(cloud, stack):
    catch = [{"ErrorEquals": ["States.Timeout"], "Next": "H"}]
    states = {
        "T": task({"sleep": 3}, TimeoutSeconds=1, Catch=catch),
        "H": {"Type": "Pass", "Result": "late", "End": True},
    }
    assert output(cloud, {"StartAt": "T", "States": states}, {}) == "late"


def test_a_state_machine_times_out(cloud):
    states = {"W": {"Type": "Wait", "Seconds": 9, "End": True}}
    execution = run(cloud, {"TimeoutSeconds": 1, "StartAt": "W", "States": states}, {})
    assert execution["status"] == "TIMED_OUT"


def test_map_and_parallel(cloud, stack):
    inner = {"StartAt": "T", "States": {"T": task({"n.$": "$"}, OutputPath="$.Payload.event.n")}}
    each = {"Type": "Map", "ItemsPath": "$.xs", "MaxConcurrency": 2, "ItemProcessor": inner, "End": True}
    assert output(cloud, {"StartAt": "M", "States": {"M": each}}, {"xs": [1, 2, 3]}) == [1, 2, 3]
    branches = [
        {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": 1, "End": True}}},
        {"StartAt": "B", "States": {"B": {"Type": "Pass", "Result": 2, "End": True}}},
    ]
    both = {"Type": "Parallel", "Branches": branches, "End": True}
    assert output(cloud, {"StartAt": "P", "States": {"P": both}}, {}) == [1, 2]


def test_any_call_of_the_sdk(cloud):
    bucket = cloud.bucket()
    cloud.s3.put_object(Bucket=bucket, Key="data/x", Body=b"x")
    arguments = {"Bucket": bucket, "Prefix": "data/"}
    call = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:listObjectsV2", "Parameters": arguments}
    answer = output(cloud, {"StartAt": "S", "States": {"S": {**call, "End": True}}}, {})
    assert answer["Contents"][0]["Key"] == "data/x"


@pytest.mark.parametrize("fraction", ["", ".250"])
def test_a_wait_ends_at_its_time_and_not_before(cloud, fraction):
    until = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1.5)).replace(microsecond=0)
    text = until.strftime(f"%Y-%m-%dT%H:%M:%S{fraction}Z")
    states = {"W": {"Type": "Wait", "TimestampPath": "$.until", "End": True}}
    execution = run(cloud, {"StartAt": "W", "States": states}, {"until": text})
    late = (execution["stopDate"] - dt.datetime.fromisoformat(text)).total_seconds()
    assert 0 <= late < 5


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-23T03:45:01Z", True),
        ("2026-11-23T03:45:01.123Z", True),
        ("2026-11-23T03:45:01+01:00", True),
        ("2026-11-23 03:45:01", False),
        ("2026-13-23T03:45:01Z", False),
        (7, False),
    ],
)
def test_is_timestamp(cloud, value, expected):
    states = {
        "C": {"Type": "Choice", "Choices": [{"Variable": "$.t", "IsTimestamp": True, "Next": "Y"}], "Default": "N"},
        "Y": {"Type": "Pass", "Result": True, "End": True},
        "N": {"Type": "Pass", "Result": False, "End": True},
    }
    assert output(cloud, {"StartAt": "C", "States": states}, {"t": value}) is expected


def test_a_name_starts_once(cloud):
    states = {"W": {"Type": "Wait", "Seconds": 1, "End": True}}
    arn = machine(cloud, {"StartAt": "W", "States": states})
    with ThreadPoolExecutor(8) as pool:
        started = list(pool.map(lambda _: start(cloud, arn, {"n": 1}, name="same"), range(16)))
    assert len(set(started)) == 1
    assert len(cloud.stepfunctions.list_executions(stateMachineArn=arn)["executions"]) == 1
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        start(cloud, arn, {"n": 2}, name="same")
    ended(cloud, started[0])
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        start(cloud, arn, {"n": 1}, name="same")


def test_executions_without_a_name_are_each_their_own(cloud):
    arn = machine(cloud, one_pass("done"))
    assert len({start(cloud, arn, {}) for _ in range(3)}) == 3


def test_a_burst_of_executions_all_end(cloud, stack):
    arn = stack["StateMachineArn"]
    started = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        executions = list(pool.map(lambda number: start(cloud, arn, {"number": number}), range(40)))
    for number, execution in enumerate(executions):
        found = ended(cloud, execution)
        assert found["status"] == "SUCCEEDED", found
        curated = json.loads(found["output"])["curate"]["Payload"]
        assert curated["event"] == {"number": number}
    assert time.monotonic() - started < 30


def test_an_execution_that_is_covered_does_nothing(cloud, stack):
    execution = ended(cloud, start(cloud, stack["StateMachineArn"], {"turn": "covered"}))
    assert (execution["status"], json.loads(execution["output"])) == ("SUCCEEDED", {"turn": "covered"})


def test_an_execution_waits_for_its_turn(cloud, stack):
    execution = start(cloud, stack["StateMachineArn"], {"turn": "wait"})

    def history() -> list[dict]:
        return cloud.stepfunctions.get_execution_history(executionArn=execution)["events"]

    wait_for(lambda: sum(event["type"] == "TaskScheduled" for event in history()) >= 3, "three questions")
    assert not any(event.get("stateEnteredEventDetails", {}).get("name") == "Process" for event in history())
    cloud.stepfunctions.stop_execution(executionArn=execution)


@pytest.mark.parametrize(
    ("event", "error"), [({"error": "BadData"}, "BadData"), ({"window_ends_at": "whenever"}, "BadInput")]
)
def test_the_pipeline_fails_with_the_reason(cloud, stack, event, error):
    execution = ended(cloud, start(cloud, stack["StateMachineArn"], event))
    assert (execution["status"], execution["error"]) == ("FAILED", error)
