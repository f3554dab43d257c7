#!/usr/bin/env python3
"""A function for tests: speaks the Lambda Runtime API and follows its event's instructions.

Understood keys of the event, in this order:
    turn_of        answers whether it is an execution's turn: with `turn` of the request, or "take"
    print          a line for the log
    memory         MB to allocate and keep until the end
    child_memory   MB for a child process to allocate and keep
    scratch        MB to write to a file in TMPDIR
    sleep          seconds to sleep
    aws            calls to make, each [service, method of its boto3 client, arguments]; see `attempts`
    attempts       of each of them, at most (1)
    read_timeout   of each attempt, in seconds (60)
    exit           the status with which the process exits in the middle of the invocation
    kill           true: ends itself with SIGKILL
    error          the errorType to fail with
    fail_times     with a file: fails ("Unavailable") that many times, then succeeds
    file           a file to which every event is appended as a line, and by which fail_times counts
    bytes          size of the answer
Anything else is ignored. The answer is {"event", "pid", "invocations", "cwd", "environment", "aws"}. `aws` has the
result of each call: "ok", the error's code, or the type of the exception if there was no answer.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
MEBIBYTE = 1024 * 1024
BASE = f"{API if API.startswith('http') else 'http://' + API}/2018-06-01/runtime"


def post(path: str, body: bytes) -> None:
    try:
        urllib.request.urlopen(urllib.request.Request(f"{BASE}/{path}", body)).read()
    except urllib.error.HTTPError as error:  # Lambda refuses it
        print(f"{error.code} {error.read().decode()}", flush=True)


def call_aws(service: str, method: str, arguments: dict, event: dict) -> str:
    import boto3  # only here, because it is slow
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    config = Config(
        retries={"total_max_attempts": event.get("attempts", 1), "mode": "standard"},
        read_timeout=event.get("read_timeout", 60),
        s3={"addressing_style": "path"},
    )
    try:
        answer = getattr(boto3.client(service, config=config), method)(**arguments)
        if "Body" in answer:
            answer["Body"].read()
    except ClientError as error:
        return error.response["Error"]["Code"]
    except BotoCoreError as error:
        return type(error).__name__
    return "ok"


def handle(event: dict, count: int) -> tuple[str, bytes]:
    if "turn_of" in event:
        return "response", json.dumps({"turn": event["request"].get("turn", "take"), "seconds": 1}).encode()
    if "print" in event:
        print(event["print"], flush=True)
    kept = b"x" * (event.get("memory", 0) * MEBIBYTE)
    if "child_memory" in event:
        allocate = f"import time; kept = b'x' * {event['child_memory'] * MEBIBYTE}; time.sleep(9)"
        subprocess.Popen([sys.executable, "-c", allocate])
    if "scratch" in event:
        with open(os.path.join(os.environ["TMPDIR"], "scratch"), "wb") as file:  # noqa: PTH118, PTH123
            for _ in range(event["scratch"]):
                file.write(b"x" * MEBIBYTE)
    time.sleep(event.get("sleep", 0))
    del kept
    aws = [call_aws(*call, event) for call in event.get("aws", [])]
    if "exit" in event:
        sys.exit(event["exit"])
    if event.get("kill"):
        os.kill(os.getpid(), signal.SIGKILL)
    if "error" in event:
        return "error", json.dumps({"errorType": event["error"], "errorMessage": "as told"}).encode()
    if "file" in event or "OUTBOX" in os.environ:
        with open(event.get("file") or os.environ["OUTBOX"], "a+") as log:  # noqa: PTH123
            log.seek(0)
            seen = len(log.readlines())
            log.write(json.dumps(event) + "\n")
        if seen < event.get("fail_times", 0):
            return "error", json.dumps({"errorType": "Unavailable", "errorMessage": "not yet"}).encode()
    if "bytes" in event:
        return "response", json.dumps("x" * event["bytes"]).encode()
    answer = {
        "event": event,
        "pid": os.getpid(),
        "invocations": count,
        "cwd": os.getcwd(),  # noqa: PTH109
        "environment": dict(os.environ),
        "aws": aws,
    }
    return "response", json.dumps(answer).encode()


def main() -> None:
    count = 0
    while True:
        with urllib.request.urlopen(f"{BASE}/invocation/next") as answer:
            request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
            event = json.load(answer)
        count += 1
        kind, body = handle(event if isinstance(event, dict) else {}, count)
        post(f"invocation/{request_id}/{kind}", body)


if __name__ == "__main__":
    main()
