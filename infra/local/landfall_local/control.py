"""The control API, for everything that AWS has no API for. It is on the same port under /_local/, with JSON requests
and answers.

    POST /_local/stacks                       {"stack", "functions", "template"?, "parameters"?} -> {"outputs"}
    POST /_local/schedules/<name>/fire        {"scheduled_time"?, "input"?} -> {}
    GET  /_local/functions/<name>/processes   -> [{"pid", "busy"}]
    GET  /_local/invocations                  -> {"invocations": [...], "pending": n}
    GET  /_local/health                       -> {"endpoint", "pid"}

For tests, crashes and faults (calls.Crash and faults.Fault define the fields):

    GET  /_local/functions/<name>/calls       -> {operation: n}, the AWS calls that the function has made
    POST /_local/functions/<name>/credentials -> {"access_key_id", "secret_access_key", "session_token"} of its role,
                                              which AWS gives to nobody but Lambda
    POST /_local/functions/<name>/crash       {"at_call", "when"?, "operation"?} -> {}
    GET  /_local/functions/<name>/crash       -> the same and "struck": null or {"operation", "call", "request_id"}
    POST /_local/functions/<name>/faults      {"operation", "error"?, "status"?, "message"?, "times"?, "after"?,
                                              "lost"?, "never"?, "delay_seconds"?, "breaks_off_after"?} -> {}
    GET  /_local/functions/<name>/faults      -> [the same]; "times" and "after" are what is left of them
    POST /_local/athena/<workgroup>/hold      its queries stay QUEUED -> {}
    POST /_local/athena/<workgroup>/release   -> {}
    POST /_local/snapshots                    {"buckets", "databases"} -> {"id"}; snapshots.py says of what
    POST /_local/snapshots/<id>/restore       -> {}

DELETE of calls, crash or faults removes them (calls are counted from 0 again) -> {}.

An error is {"error": "..."} with a status of 400 (for a wrong request), 404 or 500.
"""

import json
import os
import re
import traceback
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from moto.awslambda.exceptions import LambdaClientError

from . import scheduler
from .calls import Crash
from .cloudformation import DeployError, deploy
from .faults import Fault
from .iam.principals import session

if TYPE_CHECKING:
    from .server import Cloud

Record = TypeVar("Record")

PREFIX = "/_local/"
STATUS = {200: "200 OK", 400: "400 Bad Request", 404: "404 Not Found", 500: "500 Internal Server Error"}


class BadRequestError(Exception):
    pass


class Control:
    """WSGI: answers requests under /_local/ and passes all others on."""

    def __init__(self, cloud: "Cloud", aws: Callable):
        self._cloud = cloud
        self._aws = aws
        self._routes = [
            ("POST", re.compile(r"stacks"), self._deploy),
            ("POST", re.compile(r"schedules/([^/]+)/fire"), self._fire),
            ("GET", re.compile(r"functions/([^/]+)/processes"), self._processes),
            ("GET", re.compile(r"functions/([^/]+)/calls"), self._calls),
            ("DELETE", re.compile(r"functions/([^/]+)/calls"), self._forget_calls),
            ("POST", re.compile(r"functions/([^/]+)/credentials"), self._credentials),
            ("POST", re.compile(r"functions/([^/]+)/crash"), self._arm),
            ("GET", re.compile(r"functions/([^/]+)/crash"), self._crash),
            ("DELETE", re.compile(r"functions/([^/]+)/crash"), self._disarm),
            ("POST", re.compile(r"functions/([^/]+)/faults"), self._add_fault),
            ("GET", re.compile(r"functions/([^/]+)/faults"), self._faults),
            ("DELETE", re.compile(r"functions/([^/]+)/faults"), self._forget_faults),
            ("POST", re.compile(r"athena/([^/]+)/(hold|release)"), self._hold),
            ("POST", re.compile(r"snapshots"), self._snapshot),
            ("POST", re.compile(r"snapshots/([^/]+)/restore"), self._restore),
            ("GET", re.compile(r"invocations"), self._invocations),
            ("GET", re.compile(r"health"), self._health),
        ]

    def __call__(self, environ: dict, start_response: Callable):
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PREFIX):
            return self._aws(environ, start_response)
        status, answer = self._answer(environ, path.removeprefix(PREFIX).strip("/"))
        body = json.dumps(answer).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response(STATUS[status], headers)
        return [body]

    def _answer(self, environ: dict, path: str) -> tuple[int, object]:
        for method, pattern, handler in self._routes:
            match = pattern.fullmatch(path)
            if match and environ["REQUEST_METHOD"] == method:
                try:
                    return 200, handler(read_json(environ), *match.groups())
                except (BadRequestError, DeployError) as error:
                    return 400, {"error": str(error)}
                except scheduler.ScheduleNotFoundError as error:
                    return 404, {"error": str(error)}
                except Exception as error:
                    traceback.print_exc()
                    return 500, {"error": f"{type(error).__name__}: {error}"}
        known = ", ".join(f"{method} {PREFIX}{pattern.pattern}" for method, pattern, _ in self._routes)
        return 404, {"error": f"nothing here; there is: {known}"}

    def _deploy(self, body: dict) -> dict:
        for name in ("stack", "functions"):
            if not isinstance(body.get(name), str):
                raise BadRequestError(f'"{name}" is missing')
        template = Path(body["template"]) if body.get("template") else self._cloud.template
        return deploy(body["stack"], template, Path(body["functions"]), body.get("parameters") or {})

    def _fire(self, body: dict, name: str) -> dict:
        scheduler.fire(self._cloud.clients, self._cloud.sessions, name, body.get("scheduled_time"), body.get("input"))
        return {}

    def _function(self, name: str) -> str:
        try:
            return self._cloud.functions.find(name).function_name
        except LambdaClientError as error:
            raise BadRequestError(f"no function {name}") from error

    def _processes(self, _body: dict, name: str) -> list[dict]:
        return self._cloud.host.processes(self._function(name))

    def _calls(self, _body: dict, name: str) -> dict:
        return self._cloud.calls.counts(self._function(name))

    def _forget_calls(self, _body: dict, name: str) -> dict:
        self._cloud.calls.forget_counts(self._function(name))
        return {}

    def _credentials(self, _body: dict, name: str) -> dict:
        role = self._cloud.functions.find(self._function(name)).role
        access_key = self._cloud.sessions.key_of(session(role, "by-hand", counts=False))
        return {"access_key_id": access_key, "secret_access_key": "local", "session_token": "local"}

    def _arm(self, body: dict, name: str) -> dict:
        self._cloud.calls.arm(self._function(name), made(Crash, body))
        return {}

    def _crash(self, _body: dict, name: str) -> dict:
        crash = self._cloud.calls.crash(self._function(name))
        if crash is None:
            raise BadRequestError(f"no crash is armed for {name}")
        return crash.to_json()

    def _disarm(self, _body: dict, name: str) -> dict:
        self._cloud.calls.disarm(self._function(name))
        return {}

    def _add_fault(self, body: dict, name: str) -> dict:
        self._cloud.calls.add_fault(self._function(name), made(Fault, body))
        return {}

    def _faults(self, _body: dict, name: str) -> list[dict]:
        return [fault.to_json() for fault in self._cloud.calls.faults(self._function(name))]

    def _forget_faults(self, _body: dict, name: str) -> dict:
        self._cloud.calls.forget_faults(self._function(name))
        return {}

    def _hold(self, _body: dict, work_group: str, what: str) -> dict:
        try:
            getattr(self._cloud.athena, what)(work_group)
        except ValueError as error:
            raise BadRequestError(str(error)) from error
        return {}

    def _snapshot(self, body: dict) -> dict:
        for name in ("buckets", "databases"):
            if not isinstance(body.get(name), list):
                raise BadRequestError(f'"{name}" is missing')
        return {"id": self._cloud.snapshots.take(body["buckets"], body["databases"])}

    def _restore(self, _body: dict, name: str) -> dict:
        self._cloud.snapshots.restore(name)
        return {}

    def _invocations(self, _body: dict) -> dict:
        functions = self._cloud.functions
        pending = functions.queue.pending  # read first: an event that ends in between is counted twice, not missed
        return {
            "invocations": [invocation.to_json() for invocation in functions.invocations()],
            "pending": pending,
        }

    def _health(self, _body: dict) -> dict:
        return {"endpoint": self._cloud.endpoint, "pid": os.getpid()}


def read_json(environ: dict) -> dict:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    data = environ["wsgi.input"].read(length) if length else b""
    if not data:
        return {}
    try:
        body = json.loads(data)
    except ValueError as error:
        raise BadRequestError(f"the body is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadRequestError("the body must be a JSON object")
    return body


def made(kind: type[Record], body: dict) -> Record:
    """Makes a dataclass record from its JSON. Rejects unknown and missing fields, and values of a wrong type."""
    known = {field.name: field for field in fields(kind) if field.init}
    for name, value in body.items():
        if name not in known:
            raise BadRequestError(f'unknown field "{name}", expected some of: {", ".join(known)}')
        expected = known[name].type
        if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
            raise BadRequestError(
                f'"{name}" is {json.dumps(value)}, expected {getattr(expected, "__name__", expected)}'
            )
    for name, field in known.items():
        if name not in body and field.default is MISSING:
            raise BadRequestError(f'"{name}" is missing')
    try:
        return kind(**body)
    except ValueError as error:
        raise BadRequestError(str(error)) from error
