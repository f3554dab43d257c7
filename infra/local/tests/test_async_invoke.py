"""Events are tried three times, and then go to their destination. Schedules and notifications arrive as events."""

import json

import pytest
from conftest import wait_for


def send(cloud, function: str, event: dict) -> None:
    answer = cloud.functions.invoke(
        FunctionName=f"fake-{function}", InvocationType="Event", Payload=json.dumps(event).encode()
    )
    assert answer["StatusCode"] == 202


def attempts(cloud, function: str, marker: str) -> list[dict]:
    """Returns the invocations whose event contains this marker, in its file's name."""
    return [i for i in cloud.invocations(f"fake-{function}") if marker in json.dumps(i)]


def dead_letters(cloud, stack: dict) -> list[dict]:
    url = stack["DeadLettersQueueUrl"]
    found = cloud.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in found:
        cloud.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in found]


def test_an_event_that_fails_twice_succeeds_at_last(cloud, stack, tmp_path):
    file = tmp_path / "events"
    send(cloud, "validate", {"file": str(file), "fail_times": 2})
    cloud.settled()
    assert len(file.read_text().splitlines()) == 3
    assert dead_letters(cloud, stack) == []


def test_an_event_that_always_fails_goes_to_the_dead_letters(cloud, stack, tmp_path):
    file = tmp_path / "events"
    event = {"file": str(file), "fail_times": 99}
    send(cloud, "validate", event)
    cloud.settled()
    assert len(file.read_text().splitlines()) == 3
    (record,) = wait_for(lambda: dead_letters(cloud, stack), "a dead letter")
    assert record["requestPayload"] == event
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responsePayload"]["errorType"] == "Unavailable"


def test_a_crash_is_tried_again_too(cloud, stack):
    send(cloud, "extract", {"exit": 9})
    cloud.settled()
    (record,) = wait_for(lambda: dead_letters(cloud, stack), "a dead letter")
    assert record["responsePayload"]["errorType"] == "Runtime.ExitError"


def test_many_events_are_all_handled(cloud, stack, tmp_path):
    file = tmp_path / "events"
    for number in range(40):
        send(cloud, "validate", {"file": str(file), "number": number})
    cloud.settled()
    numbers = sorted(json.loads(line)["number"] for line in file.read_text().splitlines())
    assert numbers == list(range(40))


def test_a_schedule_fires_its_target_with_its_input(cloud, stack):
    body = {"scheduled_time": "2026-11-01T06:00:00Z"}
    assert cloud.control("POST", f"schedules/{stack['ExtractScheduleName']}/fire", body) == {}
    cloud.settled()
    event = cloud.invocations("fake-extract")[-1]["response"]["event"]
    assert event == {"table": "random_postcodes", "scheduled_time": "2026-11-01T06:00:00Z"}


def test_a_schedule_that_does_not_exist_is_named(cloud, stack):
    with pytest.raises(AssertionError, match=r"no schedule nope; there are: .*fake-extract"):
        cloud.control("POST", "schedules/nope/fire")


def test_invocations_are_on_record(cloud, stack, invoke):
    invoke("extract", {"error": "BadInput"})
    record = cloud.invocations("fake-extract")[-1]
    assert record["ok"] is False
    assert record["error"] == "BadInput"
    assert record["async"] is False
    assert record["ms"] >= 0
