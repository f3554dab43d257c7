"""Asynchronous invocation: the event queue that Lambda keeps in front of each function.

An event that fails is tried again: twice, unless the function is configured otherwise. Then it goes to the on-failure
destination or the dead-letter queue, or is lost if there is neither. A throttled event waits any number of times. A
function with a reserved concurrency of 0 receives no events. S3 notifications and schedules arrive this way.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
"""

import json
import queue
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from .account import Clients
from .concurrency import ThrottledError
from .lambda_host import Outcome

# AWS waits one minute before the second attempt and two before the third, which is too long here.
BACKOFF_SECONDS = 0.2
WORKERS_PER_FUNCTION = 8

THROTTLED_SECONDS = 0.1  # delay before a throttled event is tried again


@dataclass(frozen=True)
class AsyncSettings:
    """A function's EventInvokeConfig and DeadLetterConfig."""

    access_key: str  # of its role, which Lambda assumes to send events to destinations
    max_retries: int = 2
    on_failure: str | None = None
    on_success: str | None = None
    dead_letters: str | None = None
    disabled: bool = False  # the reserved concurrency is 0


@dataclass
class Event:
    function_name: str
    function_arn: str
    payload: bytes
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    attempts: int = 0


class AsyncInvoker:
    """The event queues of all functions."""

    def __init__(
        self,
        clients: Clients,
        run: Callable[[str, bytes, str, int], Outcome],
        settings: Callable[[str], AsyncSettings],
    ):
        """`run` runs one attempt: (function name, payload, request id, attempt) -> outcome."""
        self._clients = clients
        self._run = run
        self._settings = settings
        self._queues: dict[str, queue.Queue[Event]] = {}
        self._pending = 0
        self._lock = threading.Lock()

    @property
    def pending(self) -> int:
        """Events that are queued, running, or waiting for their next attempt."""
        return self._pending

    def submit(self, function_name: str, function_arn: str, payload: bytes) -> str:
        event = Event(function_name, function_arn, payload)
        with self._lock:
            self._pending += 1
        self._enqueue(event)
        return event.request_id

    def _enqueue(self, event: Event) -> None:
        with self._lock:
            events = self._queues.get(event.function_name)
            if events is None:
                events = self._queues[event.function_name] = queue.Queue()
                for _ in range(WORKERS_PER_FUNCTION):
                    threading.Thread(target=self._work, args=(events,), daemon=True).start()
        events.put(event)

    def _work(self, events: "queue.Queue[Event]") -> None:
        while True:
            event = events.get()
            try:
                finished = self._attempt(event)
            except Exception as error:  # one event must not end the queue
                print(f"landfall_local: event {event.request_id} of {event.function_name} is lost: {error!r}")
                finished = True
            if finished:
                with self._lock:
                    self._pending -= 1

    def _attempt(self, event: Event) -> bool:
        """Runs an event once. Returns whether the event is finished."""
        settings = self._settings(event.function_name)
        if settings.disabled:
            self._give_up(settings, event, destination_record(event, None, "ZeroReservedConcurrency"))
            return True
        try:
            outcome = self._run(event.function_name, event.payload, event.request_id, event.attempts + 1)
        except ThrottledError:
            self._enqueue_after(THROTTLED_SECONDS, event)
            return False
        event.attempts += 1
        if outcome.ok:
            if settings.on_success:
                self._send(settings, settings.on_success, destination_record(event, outcome, "Success"))
            return True
        if event.attempts <= settings.max_retries:
            self._enqueue_after(BACKOFF_SECONDS * 2 ** (event.attempts - 1), event)
            return False
        self._give_up(settings, event, destination_record(event, outcome, "RetriesExhausted"))
        return True

    def _enqueue_after(self, seconds: float, event: Event) -> None:
        timer = threading.Timer(seconds, self._enqueue, [event])
        timer.daemon = True
        timer.start()

    def _give_up(self, settings: AsyncSettings, event: Event, record: str) -> None:
        if settings.on_failure:
            self._send(settings, settings.on_failure, record)
        if settings.dead_letters:
            self._send(settings, settings.dead_letters, event.payload.decode())

    def _send(self, settings: AsyncSettings, destination_arn: str, body: str) -> None:
        service = destination_arn.split(":")[2]
        name = destination_arn.rsplit(":", 1)[1]
        clients = self._clients.acting_as(settings.access_key)
        if service == "sqs":
            url = self._clients.get("sqs").get_queue_url(QueueName=name)["QueueUrl"]
            clients.get("sqs").send_message(QueueUrl=url, MessageBody=body)
        elif service == "sns":
            clients.get("sns").publish(TopicArn=destination_arn, Message=body)
        elif service == "lambda":
            clients.get("lambda").invoke(FunctionName=destination_arn, InvocationType="Event", Payload=body.encode())
        else:
            raise ValueError(f"no local support for destinations of {service}: {destination_arn}")


def destination_record(event: Event, outcome: Outcome | None, condition: str) -> str:
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""
    record: dict = {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": event.request_id,
            "functionArn": f"{event.function_arn}:$LATEST",
            "condition": condition,
            "approximateInvokeCount": event.attempts,
        },
        "requestPayload": as_json(event.payload),
    }
    if outcome is not None:  # there was an attempt
        record["responseContext"] = {"statusCode": 200, "executedVersion": "$LATEST"}
        if not outcome.ok:
            record["responseContext"]["functionError"] = "Unhandled"
        record["responsePayload"] = as_json(outcome.payload)
    return json.dumps(record)


def as_json(payload: bytes) -> object:
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode(errors="replace")
