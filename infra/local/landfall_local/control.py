"""The control API: what AWS has no API for. On the same port, under /_local/; JSON in, JSON out.

    POST /_local/stacks                       {"stack", "functions", "template"?, "parameters"?} -> {"outputs"}
    POST /_local/schedules/<name>/fire        {"scheduled_time"?, "input"?} -> {}
    GET  /_local/functions/<name>/processes   -> [{"pid", "busy"}]
    GET  /_local/invocations                  -> {"invocations": [...], "pending": n}
    GET  /_local/health                       -> {"endpoint", "pid"}

An error is {"error": "..."} with a status of 400 (what was asked for), 404 or 500.
"""

import json
import os
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from . import scheduler
from .cloudformation import DeployError, deploy

if TYPE_CHECKING:
    from .server import Cloud

PREFIX = "/_local/"
STATUS = {200: "200 OK", 400: "400 Bad Request", 404: "404 Not Found", 500: "500 Internal Server Error"}


class BadRequestError(Exception):
    pass


class Control:
    """WSGI: answers what is under /_local/ and hands everything else on."""

    def __init__(self, cloud: "Cloud", aws: Callable):
        self._cloud = cloud
        self._aws = aws
        self._routes = [
            ("POST", re.compile(r"stacks"), self._deploy),
            ("POST", re.compile(r"schedules/([^/]+)/fire"), self._fire),
            ("GET", re.compile(r"functions/([^/]+)/processes"), self._processes),
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
        scheduler.fire(self._cloud.clients, name, body.get("scheduled_time"), body.get("input"))
        return {}

    def _processes(self, _body: dict, name: str) -> list[dict]:
        return self._cloud.host.processes(name)

    def _invocations(self, _body: dict) -> dict:
        functions = self._cloud.functions
        pending = functions.queue.pending  # first: an event that ends in between is then counted twice, not missed
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
