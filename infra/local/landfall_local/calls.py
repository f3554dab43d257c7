"""Calls: the AWS requests of the functions. Each process has credentials of its own, as in Lambda: they tell its calls.

Calls are counted and, where a test asks for it, go wrong:

- A crash kills a process at a call: before it takes effect, or after it did and before the answer is sent. Or it only
  holds the call, until it is disarmed: whatever others do meanwhile comes first.
- A fault answers calls of an operation with an error, in the wire format of the service; or loses the answer.

Each attempt of an SDK is a call.
"""

import contextlib
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from http.client import responses
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from .operations import known_operation, operation, protocol, signature

if TYPE_CHECKING:
    from .lambda_host import LambdaHost, Running, Sandbox

DRAIN_BYTES = 1024 * 1024


class AnswerLostError(ConnectionError):
    """The server closes the connection and says nothing, neither to the client nor in its log."""


@dataclass
class Crash:
    """Kills the first process that makes its n-th call, of one operation or of all, within one invocation.

    Invocations that began before it was armed are spared; those that make fewer calls end as usual. It strikes once.
    """

    at_call: int  # from 1
    when: str = "before"
    operation: str | None = None
    armed: float = field(init=False, default_factory=time.monotonic)
    struck: dict | None = field(init=False, default=None)
    released: threading.Event = field(init=False, default_factory=threading.Event)

    def __post_init__(self) -> None:
        if self.at_call < 1:
            raise ValueError(f"at_call is {self.at_call}, the first call is 1")
        if self.when not in ("before", "after", "hold"):
            raise ValueError(f'when is "{self.when}", expected "before", "after" or "hold"')
        if self.operation is not None:
            known_operation(self.operation)

    def strikes(self, running: "Running | None") -> bool:
        """Whether it strikes at the last of an invocation's calls."""
        if self.struck or running is None or running.started < self.armed:
            return False
        if self.operation not in (None, running.calls[-1]):
            return False
        counted = running.calls if self.operation is None else [c for c in running.calls if c == self.operation]
        if len(counted) != self.at_call:
            return False
        self.struck = {
            "operation": running.calls[-1],
            "call": len(running.calls),
            "request_id": running.request_id,
        }
        return True

    def to_json(self) -> dict:
        return {name: getattr(self, name) for name in ("at_call", "when", "operation", "struck")}


@dataclass
class Fault:
    """Makes calls of an operation fail: after the next `after`, as many as `times`."""

    operation: str
    error: str | None = None  # without one the connection closes
    status: int = 400
    message: str = "told to by a test"
    times: int = 1
    after: int = 0
    lost: bool = False  # the call takes effect all the same

    def __post_init__(self) -> None:
        known_operation(self.operation)
        if self.status not in responses:
            raise ValueError(f"status is {self.status}, expected one that HTTP has")
        if self.times < 1 or self.after < 0:
            raise ValueError(f"times is {self.times} and after is {self.after}, expected at least 1 and 0")

    def strikes(self, name: str) -> bool:
        if name != self.operation or self.times == 0:
            return False
        if self.after:
            self.after -= 1
            return False
        self.times -= 1
        return True

    def to_json(self) -> dict:
        """As it was asked for; `times` and `after` are what is left of them."""
        return asdict(self)


class Calls:
    """WSGI: sees the requests of functions on their way to AWS, and passes all others on."""

    def __init__(self, host: "LambdaHost", aws: Callable):
        self._host = host
        self._aws = aws
        self._counts: dict[str, Counter[str]] = {}
        self._crashes: dict[str, Crash] = {}
        self._faults: dict[str, list[Fault]] = {}
        self._crashed: set[str] = set()  # access keys
        self._lock = threading.Lock()

    # by function

    def counts(self, function: str) -> dict[str, int]:
        """operation -> calls"""
        with self._lock:
            return dict(sorted(self._counts.get(function, {}).items()))

    def forget_counts(self, function: str) -> None:
        with self._lock:
            self._counts.pop(function, None)

    def arm(self, function: str, crash: Crash) -> None:
        """In place of an earlier one."""
        with self._lock:
            self._crashes[function] = crash

    def disarm(self, function: str) -> None:
        with self._lock:
            crash = self._crashes.pop(function, None)
        if crash is not None:
            crash.released.set()

    def crash(self, function: str) -> Crash | None:
        return self._crashes.get(function)

    def add_fault(self, function: str, fault: Fault) -> None:
        """Behind earlier ones: a call suffers from the first that strikes."""
        with self._lock:
            self._faults.setdefault(function, []).append(fault)

    def faults(self, function: str) -> list[Fault]:
        return list(self._faults.get(function, []))

    def forget_faults(self, function: str) -> None:
        with self._lock:
            self._faults.pop(function, None)

    # a request

    def __call__(self, environ: dict, start_response: Callable):
        signed = signature(environ)
        if signed is not None and signed.access_key in self._crashed:
            raise AnswerLostError  # sent before its process was killed
        sandbox = self._host.sandbox_of(signed.access_key) if signed else None
        if sandbox is None:
            return self._aws(environ, start_response)
        name = operation(environ, signed.service)
        crash, fault = self._count(sandbox, name)
        if crash and crash.when == "hold":
            crash.released.wait()
            crash = None
        if crash and crash.when == "before":
            self._kill(sandbox)
        if fault and not fault.lost:
            drain(environ)
        elif crash or fault:
            take_effect(self._aws, environ)
        if crash:
            self._kill(sandbox)
        if fault:
            return refuse(fault, environ, signed.service, start_response)
        return self._aws(environ, start_response)

    def _count(self, sandbox: "Sandbox", name: str) -> tuple[Crash | None, Fault | None]:
        """Counts a call; what strikes it."""
        function = sandbox.function.name
        with self._lock:
            self._counts.setdefault(function, Counter())[name] += 1
            running = sandbox.running
            if running is not None:
                running.calls.append(name)
            crash = self._crashes.get(function)
            if crash is not None and crash.strikes(running):
                if crash.when != "hold":
                    self._crashed.add(sandbox.access_key)
            else:
                crash = None
            fault = next((fault for fault in self._faults.get(function, []) if fault.strikes(name)), None)
        return crash, fault

    def _kill(self, sandbox: "Sandbox") -> None:
        sandbox.kill()
        raise AnswerLostError


def take_effect(aws: Callable, environ: dict) -> None:
    """Has a request done and keeps the answer back."""
    answer = aws(environ, lambda _status, _headers, _exc_info=None: lambda _data: None)
    for _ in answer:
        pass
    if hasattr(answer, "close"):
        answer.close()


def drain(environ: dict) -> None:
    """Reads a request to its end: a client that still sends may not see the answer."""
    left = int(environ.get("CONTENT_LENGTH") or 0)
    while left > 0 and (data := environ["wsgi.input"].read(min(left, DRAIN_BYTES))):
        left -= len(data)
    if environ.get("wsgi.input_terminated"):  # chunked
        with contextlib.suppress(OSError):
            while environ["wsgi.input"].read(DRAIN_BYTES):
                pass


def refuse(fault: Fault, environ: dict, service: str, start_response: Callable) -> list[bytes]:
    """Answers with a fault's error, as the service would."""
    if fault.error is None:
        raise AnswerLostError
    request_id = str(uuid.uuid4())
    headers = {"x-amzn-RequestId": request_id}
    error = f"<Code>{escape(fault.error)}</Code><Message>{escape(fault.message)}</Message>"
    if protocol(service) == "rest-xml":
        body = f"<Error>{error}<RequestId>{request_id}</RequestId></Error>"
        headers |= {"Content-Type": "application/xml", "x-amz-request-id": request_id}
    elif protocol(service) == "query":
        side = "Sender" if fault.status < 500 else "Receiver"
        error = f"<Error><Type>{side}</Type>{error}</Error><RequestId>{request_id}</RequestId>"
        body = f"<ErrorResponse>{error}</ErrorResponse>"
        headers |= {"Content-Type": "text/xml"}
    else:
        body = json.dumps({"__type": fault.error, "message": fault.message})
        kind = environ.get("CONTENT_TYPE", "application/x-amz-json-1.1")
        headers |= {"Content-Type": kind, "x-amzn-errortype": fault.error}
    data = b"" if environ["REQUEST_METHOD"] == "HEAD" else body.encode()
    headers["Content-Length"] = str(len(data))
    start_response(f"{fault.status} {responses[fault.status]}", list(headers.items()))
    return [data]
