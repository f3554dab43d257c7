"""`make invoke`: runs one function of the cloud that `make up` keeps running, and shows its answer."""

import base64
import json
import sys
import time
from pathlib import Path

from .account import Clients
from .running import Refusal, running_cloud, shown


def invoke(function: str, event: str, state: Path, must_have: str | None = None, show_lines: str | None = None) -> int:
    """Prints the answer, or the error and the end of the log, and returns the exit status.

    `must_have` names a field of the answer that must be true; otherwise the status is 1. `show_lines` names a field
    with lines for people, which are shown in place of the answer.
    """
    cloud = running_cloud(state)
    if cloud is None:
        raise Refusal("no local cloud is running: `make up` starts one")
    client = Clients(cloud["endpoint"]).get("lambda")
    name = full_name(client, cloud["stack"], function)
    payload = json.dumps(read_event(event)).encode()
    started = time.monotonic()
    answer = client.invoke(FunctionName=name, Payload=payload, LogType="Tail")
    body = answer["Payload"].read()
    verb = "failed" if "FunctionError" in answer else "answered"
    print(f"{name} {verb} after {time.monotonic() - started:.2f} s", file=sys.stderr)
    if show_lines and "FunctionError" not in answer:
        answered = json.loads(body)
        print("\n".join(answered[show_lines]), flush=True)
        if more := answered.get(f"more_{show_lines}"):
            print(f"and {more} more, which are in the log", flush=True)
    else:
        print(pretty(body), flush=True)
    if "FunctionError" not in answer:
        return 0 if must_have is None or json.loads(body).get(must_have) is True else 1
    tail = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace").rstrip()
    print(f"\nThe end of its log ({shown(state / 'logs' / f'{name}.log')}):\n{tail or '(nothing)'}", file=sys.stderr)
    return 1


def full_name(client, stack: str, function: str) -> str:
    known = sorted(found["FunctionName"] for found in client.list_functions()["Functions"])
    for name in (function, f"{stack}-{function}"):
        if name in known:
            return name
    raise Refusal(f"no function {function}; there are: {', '.join(found.removeprefix(f'{stack}-') for found in known)}")


def read_event(event: str) -> dict:
    """Reads a JSON object from the text itself, or from the file of that name."""
    text = event
    if not event.lstrip().startswith("{"):
        try:
            text = Path(event).read_text()
        except OSError as error:
            raise Refusal(f"{event} is neither a JSON object nor a file: {error.strerror}") from error
    try:
        payload = json.loads(text)
    except ValueError as error:
        raise Refusal(f"the event is no JSON: {error}") from error
    if not isinstance(payload, dict):
        raise Refusal("the event must be a JSON object")
    return payload


def pretty(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body.decode(errors="replace")
