"""Calls: the AWS requests of the functions. Each process has credentials of its own, as in Lambda, which identify its
calls.

Calls are counted and, if a test requests it, fail:

- A crash kills a process at a call, either before it takes effect, or after that and before the answer is sent. Or it
  only holds the call until the crash is disarmed, so that other calls come first.
- A fault answers calls of an operation with an error, or sends their answer late, in part or never (faults).

Each attempt of an SDK is a call.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .faults import AnswerLostError, Fault, answered, drain, suffer
from .operations import known_operation, operation, signature

if TYPE_CHECKING:
    from .lambda_host import LambdaHost, Running, Sandbox


@dataclass
class Crash:
    """Kills the first process that reaches its n-th call, of one operation or of all, within one invocation.

    Invocations that began before it was armed are spared. Those that make fewer calls end as usual. It strikes once.
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


class Calls:
    """WSGI: handles the requests of functions on their way to AWS, and passes all others on."""

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
        """Replaces an earlier crash."""
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
        """Adds a fault behind earlier ones. The first one that matches a call strikes it."""
        with self._lock:
            self._faults.setdefault(function, []).append(fault)

    def faults(self, function: str) -> list[Fault]:
        return list(self._faults.get(function, []))

    def forget_faults(self, function: str) -> None:
        with self._lock:
            forgotten = self._faults.pop(function, [])
        for fault in forgotten:
            fault.forgotten.set()

    # a request

    def __call__(self, environ: dict, start_response: Callable):
        signed = signature(environ)
        if signed is not None and signed.access_key in self._crashed:
            raise AnswerLostError  # the process sent it before it was killed
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
        if crash and (fault is None or fault.takes_effect):
            answered(self._aws, environ)
        elif crash:
            drain(environ)
        if crash:
            self._kill(sandbox)
        if fault:
            return suffer(fault, self._aws, environ, signed.service, start_response)
        return self._aws(environ, start_response)

    def _count(self, sandbox: "Sandbox", name: str) -> tuple[Crash | None, Fault | None]:
        """Counts a call. Returns the crash and the fault that strike it."""
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
