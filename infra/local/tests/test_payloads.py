"""Step Functions and Lambda refuse payloads that are too large."""

import json

import pytest
from botocore.exceptions import ClientError
from test_step_functions import FUNCTION, JSONATA, ended, machine, output, run, start, task

LIMIT = 262_144
TOO_LARGE = "States.DataLimitExceeded"
CATCH_ALL = [{"ErrorEquals": ["States.ALL"], "Next": "H"}]
RETRY_ALL = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2}]
CAUGHT = {"Type": "Pass", "Result": "caught", "End": True}


def text(json_bytes: int) -> str:
    """Returns a text with this many bytes of JSON."""
    return "x" * (json_bytes - 2)


def one(state: dict, **more: dict) -> dict:
    return {"StartAt": "A", "States": {"A": state, **more}}


def fails(cloud, definition: dict, event: object) -> None:
    execution = run(cloud, definition, event)
    assert (execution["status"], execution["error"]) == ("FAILED", TOO_LARGE), execution["status"]


# -- Step Functions ----------------------------------------------------------------------------------------------------


def test_an_executions_input(cloud):
    definition = one({"Type": "Pass", "End": True})
    assert output(cloud, definition, text(LIMIT)) == text(LIMIT)
    arn = machine(cloud, definition)
    with pytest.raises(ClientError, match=r"ValidationException.*length less than or equal to 262144"):
        start(cloud, arn, text(LIMIT + 1))


def test_a_states_output(cloud):
    state = {"Type": "Pass", "Parameters": {"t.$": "$"}, "End": True}
    padding = len('{"t":}')
    assert output(cloud, one(state), text(LIMIT - padding))
    fails(cloud, one(state), text(LIMIT - padding + 1))


def test_it_counts_bytes_of_utf8(cloud):
    state = {**JSONATA, **one({"Type": "Pass", "Output": "{% $states.input & $states.input %}", "End": True})}
    assert output(cloud, state, "é" * (LIMIT // 4 - 1))
    fails(cloud, state, "é" * (LIMIT // 4))


@pytest.mark.parametrize("resource", ["arn:aws:states:::lambda:invoke", FUNCTION])
def test_a_connectors_answer_and_input(cloud, stack, resource):
    def state(event: object) -> dict:
        arguments = {"FunctionName": FUNCTION, "Payload": event} if resource != FUNCTION else event
        call = {"Type": "Task", "Resource": resource, "Parameters": arguments, "ResultPath": None, "End": True}
        # neither its Retry nor its Catch applies, and ResultPath does not help
        return one({**call, "Retry": RETRY_ALL, "Catch": CATCH_ALL}, H=CAUGHT)

    assert output(cloud, state({"bytes": LIMIT - 2000}), {}) == {}
    fails(cloud, state({"bytes": LIMIT}), {})
    twice = {"ignored.$": "States.Format('{}{}', $, $)"}
    fails(cloud, state(twice), text(LIMIT // 2 + 10))


def test_a_maps_answers_together(cloud):
    inner = one({"Type": "Pass", "Parameters": {"t.$": "$.t"}, "End": True})
    each = {"Type": "Map", "ItemsPath": "$.xs", "ItemSelector": {"t.$": "$.t"}, "ItemProcessor": inner, "End": True}
    event = {"t": text(LIMIT // 4), "xs": [1, 2, 3]}
    assert len(output(cloud, one(each), event)) == 3
    fails(cloud, one({**each, "Catch": CATCH_ALL}, H=CAUGHT), {**event, "xs": [1, 2, 3, 4]})


@pytest.mark.parametrize("names", [["States.ALL"], ["States.TaskFailed"]])
def test_it_is_caught_by_no_wildcard(cloud, stack, names):
    state = task({"bytes": LIMIT}, Catch=[{"ErrorEquals": names, "Next": "H"}])
    fails(cloud, one(state, H=CAUGHT), {})
    by_name = task({"bytes": LIMIT}, Catch=[{"ErrorEquals": [TOO_LARGE], "Next": "H"}])
    assert output(cloud, one(by_name, H=CAUGHT), {}) == "caught"


def test_nor_is_an_error_of_the_machine_itself(cloud, stack):
    lost = task({"n.$": "$.nowhere"}, Catch=CATCH_ALL)
    execution = run(cloud, one(lost, H=CAUGHT), {})
    assert (execution["status"], execution["error"]) == ("FAILED", "States.Runtime")


def test_what_is_too_large_is_not_tried_again(cloud, stack, tmp_path):
    file = tmp_path / "events"
    event = {"file": str(file), "bytes": LIMIT}
    execution = start(cloud, machine(cloud, one(task(event, Retry=RETRY_ALL))), {})
    assert ended(cloud, execution)["error"] == TOO_LARGE
    assert len([json.loads(line) for line in file.read_text().splitlines()]) == 1
