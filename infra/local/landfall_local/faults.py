"""Faults: failures of functions' calls, for tests.

A call may be answered with an error, in the wire format of its service, or the connection may close without an answer.
An answer may also come late or never, or break off in the middle. Each fault also determines whether the call takes
effect.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from http.client import responses

from .errors import Answer, drain, refusal
from .operations import known_operation


class AnswerLostError(ConnectionError):
    """The server closes the connection without an answer and without a log line."""


@dataclass
class Fault:
    """Makes calls of an operation fail: `times` calls after the next `after` ones."""

    operation: str
    error: str | None = None  # without one, the connection closes, unless the answer is late or breaks off
    status: int = 400
    message: str = "requested by a test"
    times: int = 1
    after: int = 0
    lost: bool = False  # the call takes effect nevertheless
    never: bool = False  # the connection stays open until the fault is forgotten
    delay_seconds: int | float | None = None  # the call takes effect at once, and its answer comes after this delay
    breaks_off_after: int | None = None  # the connection closes after this many bytes of the answer's body
    forgotten: threading.Event = field(init=False, default_factory=threading.Event)

    def __post_init__(self) -> None:
        known_operation(self.operation)
        if self.status not in responses:
            raise ValueError(f"status is {self.status}, expected one that HTTP has")
        if self.times < 1 or self.after < 0:
            raise ValueError(f"times is {self.times} and after is {self.after}, expected at least 1 and 0")
        if self.delay_seconds is not None and self.delay_seconds <= 0:
            raise ValueError(f"delay_seconds is {self.delay_seconds}, expected more than 0")
        if self.breaks_off_after is not None and self.breaks_off_after < 0:
            raise ValueError(f"breaks_off_after is {self.breaks_off_after}, expected at least 0")
        if self.never and (self.error or self.delay_seconds or self.breaks_off_after is not None):
            raise ValueError("never is no answer: it has no error, no delay_seconds and no breaks_off_after")

    @property
    def has_own_answer(self) -> bool:
        """Whether the client receives the call's own answer, possibly late or in part."""
        return self.error is None and (self.delay_seconds is not None or self.breaks_off_after is not None)

    @property
    def takes_effect(self) -> bool:
        return self.lost or self.has_own_answer

    def strikes(self, name: str) -> bool:
        if name != self.operation or self.times == 0:
            return False
        if self.after:
            self.after -= 1
            return False
        self.times -= 1
        return True

    def to_json(self) -> dict:
        """Returns the fault as it was requested, with the remaining `times` and `after`."""
        return {known.name: getattr(self, known.name) for known in fields(self) if known.init}


def suffer(fault: Fault, aws: Callable, environ: dict, service: str, start_response: Callable) -> Iterator[bytes]:
    """WSGI: answers a call that a fault has struck."""
    own = answered(aws, environ) if fault.takes_effect else drain(environ)
    if fault.never:
        fault.forgotten.wait()
    elif fault.delay_seconds is not None:
        fault.forgotten.wait(fault.delay_seconds)
    if fault.error is not None:
        status, headers, body = refusal(environ, service, fault.status, fault.error, fault.message)
    elif own is not None and fault.has_own_answer:
        status, headers, body = own
    else:
        raise AnswerLostError
    start_response(status, list(headers.items()))
    if fault.breaks_off_after is None:
        return iter([body])
    return broken_off(body, fault.breaks_off_after)


def broken_off(body: bytes, after: int) -> Iterator[bytes]:
    yield body[:after]  # even an empty part, because the headers are sent with the first one
    raise AnswerLostError


def answered(aws: Callable, environ: dict) -> Answer:
    """Executes a request and returns its answer without sending it."""
    told: list = []
    body = bytearray()

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info=None) -> Callable:
        told[:] = [status, headers]
        return body.extend

    parts = aws(environ, start_response)
    for part in parts:
        body.extend(part)
    if hasattr(parts, "close"):
        parts.close()
    status, headers = told
    named = dict(headers)
    if environ["REQUEST_METHOD"] != "HEAD" and not any(name.lower() == "content-length" for name in named):
        named["Content-Length"] = str(len(body))
    return status, named, bytes(body)
