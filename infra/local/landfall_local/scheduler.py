"""Fires a schedule by hand, as EventBridge Scheduler would at its time.

moto keeps schedules and never fires them. Nothing fires by itself here either, because a test or a `make run` that
waits for six o'clock would be of little use.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
"""

import json
import uuid
from datetime import UTC, datetime

from moto.scheduler.models import scheduler_backends

from .account import ACCOUNT_ID, REGION, Clients
from .iam.principals import Sessions


class ScheduleNotFoundError(Exception):
    pass


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def find(name: str):
    groups = scheduler_backends[ACCOUNT_ID][REGION].schedule_groups
    for group in groups.values():
        if name in group.schedules:
            return group.schedules[name]
    known = sorted(schedule for group in groups.values() for schedule in group.schedules)
    raise ScheduleNotFoundError(f"no schedule {name}; there are: {', '.join(known) or 'none'}")


def fire(
    clients: Clients, sessions: Sessions, name: str, scheduled_time: str | None = None, extra: dict | None = None
) -> str:
    """Sends a schedule's input to its target and returns the input. `extra` is added to it, for runs by hand."""
    schedule = find(name)
    target = schedule.target
    context = {
        "<aws.scheduler.schedule-arn>": schedule.arn,
        "<aws.scheduler.scheduled-time>": scheduled_time or now(),
        "<aws.scheduler.execution-id>": str(uuid.uuid4()),
        "<aws.scheduler.attempt-number>": "1",
    }
    text = target.get("Input") or "{}"
    for attribute, value in context.items():
        text = text.replace(attribute, value)
    if extra:
        text = json.dumps({**json.loads(text), **extra})
    access_key = sessions.assume(target["RoleArn"], "scheduler.amazonaws.com", "scheduler", schedule.arn)
    send(clients, access_key, target["Arn"], text)
    return text


def send(clients: Clients, access_key: str, target_arn: str, text: str) -> None:
    if ":function:" in target_arn:
        clients.get("lambda", access_key).invoke(FunctionName=target_arn, InvocationType="Event", Payload=text.encode())
    elif ":stateMachine:" in target_arn:
        clients.get("stepfunctions", access_key).start_execution(stateMachineArn=target_arn, input=text)
    elif ":sqs:" in target_arn:
        url = clients.get("sqs").get_queue_url(QueueName=target_arn.rsplit(":", 1)[1])["QueueUrl"]
        clients.get("sqs", access_key).send_message(QueueUrl=url, MessageBody=text)
    else:
        raise NotImplementedError(f"no local support for schedules of {target_arn}")
