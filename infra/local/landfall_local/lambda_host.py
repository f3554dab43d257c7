"""The Lambda host: runs the built functions as real processes that speak the Lambda Runtime API.

A sandbox is one process of one function. It handles one invocation at a time and is reused while it is idle, as in AWS.
So cold starts, state kept between invocations, crashes and timeouts are real. The binaries are the deployed ones,
unmodified: they request the next event from `AWS_LAMBDA_RUNTIME_API` and post the result.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from .account import HOST
from .concurrency import Slots
from .function_log import FunctionLog, SandboxOutput, fault_line, platform_line
from .iam.principals import Sessions
from .runtime_api import RuntimeApiServer, failure
from .sandbox_limits import MEBIBYTE, Guard, descendants, memory_bytes, scratch_bytes

POLL_SECONDS = 0.05  # the longest delay until the server stops


@dataclass(frozen=True)
class FunctionSpec:
    """The properties of a function that the host needs to run it."""

    name: str
    arn: str
    folder: Path
    role: str  # ARN
    environment: dict[str, str] = field(default_factory=dict)
    timeout_seconds: int = 3
    memory_mb: int = 128
    scratch_mb: int = 512  # of /tmp
    json_logs: bool = False
    reserved_concurrency: int | None = None


@dataclass(frozen=True)
class Outcome:
    """The result of one invocation."""

    request_id: str
    ok: bool
    payload: bytes
    log_tail: bytes
    duration_ms: float

    @property
    def error(self) -> dict | None:
        """The error that the function, or Lambda itself, reported: {"errorType", "errorMessage"}."""
        if self.ok:
            return None
        try:
            error = json.loads(self.payload)
        except ValueError:
            error = None
        return error if isinstance(error, dict) else {"errorType": "Unknown", "errorMessage": repr(self.payload)}


def fingerprint(folder: Path) -> tuple:
    """Returns a value that changes with anything in a function's folder, so that a rebuilt function gets new
    processes."""
    found = []
    for path in sorted(folder.iterdir()):
        with contextlib.suppress(FileNotFoundError):  # deleted in the meantime
            if path.is_dir():  # or a link to one: meta_data in a development checkout
                found.append((path.name, fingerprint(path)))
            else:
                status = path.stat()
                found.append((path.name, status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)


@dataclass(eq=False)
class Running:
    """An invocation that a process is handling."""

    request_id: str
    started: float = field(default_factory=time.monotonic)
    calls: list[str] = field(default_factory=list)  # the AWS operations that it has called (calls.py)
    killed_for: str | None = None  # the reason, for the log


class Sandbox:
    """One process of one function."""

    def __init__(self, host: "LambdaHost", function: FunctionSpec, log: FunctionLog):
        self.id = uuid.uuid4().hex
        self.function = function
        self.fingerprint = fingerprint(function.folder)
        self.access_key = f"ASIA{self.id[:16].upper()}"  # temporary credentials of its own, as in AWS
        self.busy = True
        self.running: Running | None = None
        self.events: queue.Queue = queue.Queue()  # -> the process: (request id, deadline, payload)
        self.results: queue.Queue = queue.Queue()  # <- the process: (request id or None, kind, body)
        self.process: subprocess.Popen | None = None
        self.peak_memory: int | None = None  # in bytes, if the system reports it
        self._children: list[int] = []
        self._scratch = host.state / "tmp" / self.id
        host.sessions.add(self.access_key, function.role, function.name)
        self._log = log
        self._host = host

    def start(self) -> None:
        host, function = self._host, self.function
        folder = function.folder.resolve()
        self._scratch.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            [str(folder / "bootstrap")],
            cwd=folder,
            env={
                **host.base_environment,
                "AWS_LAMBDA_RUNTIME_API": f"http://{HOST}:{host.port}/{self.id}",
                "AWS_LAMBDA_FUNCTION_NAME": function.name,
                "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
                "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
                "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
                "AWS_LAMBDA_LOG_STREAM_NAME": time.strftime("%Y/%m/%d/[$LATEST]", time.gmtime()) + self.id,
                "LAMBDA_TASK_ROOT": str(folder),
                "LAMBDA_RUNTIME_DIR": str(folder),
                "TMPDIR": str(self._scratch.resolve()),
                "_HANDLER": "bootstrap",
                "AWS_ACCESS_KEY_ID": self.access_key,
                **function.environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a timeout ends its children too
        )
        self.output = SandboxOutput(self.process.stdout, self._log)
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        self.results.put((None, "exit", self.process.wait()))

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def invoke(self, request_id: str, payload: bytes) -> tuple[bool, bytes, str | None]:
        """Passes one event to the process and waits for (success, response or error, the reason if it was killed)."""
        running = self.running = Running(request_id)
        try:
            ok, body = self._invoke(request_id, payload)
            self.look(thorough=True)
            if ok and running.killed_for:
                ok, body = False, exit_error(request_id, -signal.SIGKILL)
            return ok, body, running.killed_for
        finally:
            self.running = None

    def _invoke(self, request_id: str, payload: bytes) -> tuple[bool, bytes]:
        timeout = self.function.timeout_seconds
        self.events.put((request_id, int((time.time() + timeout) * 1000), payload))
        deadline = time.monotonic() + timeout
        while True:
            try:
                answered_id, kind, body = self.results.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                self.kill()
                message = f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
                return False, failure("Sandbox.Timedout", message)
            if kind == "exit":
                return False, exit_error(request_id, body)
            if answered_id in (request_id, None):  # None: it failed during its start
                return kind == "response", body
            # else it is the answer to an earlier invocation, whose caller is gone

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.output.drain()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def look(self, thorough: bool) -> None:
        """Measures the process's use of resources, and kills it if that is too high. `thorough` takes longer."""
        if thorough:
            self._children = descendants(self.process.pid)
        used = memory_bytes([self.process.pid, *self._children])
        if used is not None:
            self.peak_memory = max(self.peak_memory or 0, used)
            if used > self.function.memory_mb * MEBIBYTE:
                self._end("Runtime.OutOfMemory", "memory", used, self.function.memory_mb)
        if thorough and (used := scratch_bytes(self._scratch)) > self.function.scratch_mb * MEBIBYTE:
            what = "/tmp (where Lambda has a write fail: ENOSPC)"
            self._end("EphemeralStorage", what, used, self.function.scratch_mb)

    def _end(self, what_for: str, what: str, used: int, allowed_mb: int) -> None:
        running = self.running
        if running is None or running.killed_for or not self.alive:
            return
        running.killed_for = what_for
        message = f"killed: it uses {used // MEBIBYTE} MB of {what}, it has {allowed_mb} MB"
        self._log.write(fault_line(self.function, running.request_id, message))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    @property
    def peak_memory_mb(self) -> int | None:
        """The highest observed memory use of the process."""
        return None if self.peak_memory is None else -(-self.peak_memory // MEBIBYTE)


def exit_error(request_id: str, status: int) -> bytes:
    message = f"RequestId: {request_id} Error: Runtime exited with error: {describe_exit(status)}"
    return failure("Runtime.ExitError", message)


def describe_exit(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    return f"signal: {(signal.strsignal(-status) or str(-status)).lower()}"  # "killed", as in Lambda


class LambdaHost:
    """All sandboxes, and the Runtime API that they use."""

    def __init__(self, state: Path, base_environment: dict[str, str], sessions: Sessions):
        self.state = state
        self.sessions = sessions
        self.base_environment = base_environment
        self._sandboxes: dict[str, Sandbox] = {}
        self._logs: dict[str, FunctionLog] = {}
        self._slots: dict[str, Slots] = {}
        self._lock = threading.Lock()
        self._server = RuntimeApiServer(self)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,), daemon=True).start()
        self._guard = Guard(lambda: list(self._sandboxes.values()))

    def log_file(self, function_name: str) -> Path:
        return self.state / "logs" / f"{function_name}.log"

    def sandbox(self, sandbox_id: str) -> Sandbox | None:
        return self._sandboxes.get(sandbox_id)

    def sandbox_of(self, access_key: str) -> Sandbox | None:
        """Returns the process with these credentials, if there is one."""
        return next((found for found in list(self._sandboxes.values()) if found.access_key == access_key), None)

    def processes(self, function_name: str) -> list[dict]:
        with self._lock:
            sandboxes = [s for s in self._sandboxes.values() if s.function.name == function_name]
        return [{"pid": s.process.pid, "busy": s.busy} for s in sandboxes if s.alive]

    def invoke(self, function: FunctionSpec, payload: bytes, request_id: str | None = None) -> Outcome:
        """Runs one invocation to its end. Raises ThrottledError if the function's reserved concurrency is used up."""
        request_id = request_id or str(uuid.uuid4())
        with self._lock:
            slots = self._slots.setdefault(function.name, Slots())
            log = self._logs.get(function.name)
            if log is None:
                log = self._logs[function.name] = FunctionLog(self.log_file(function.name))
        with slots.one(function.reserved_concurrency):
            return self._invoke(function, log, payload, request_id)

    def _invoke(self, function: FunctionSpec, log: FunctionLog, payload: bytes, request_id: str) -> Outcome:
        started = time.monotonic()
        try:
            sandbox = self._take(function, log)
        except OSError as error:
            message = f"RequestId: {request_id} Error: cannot start {function.folder / 'bootstrap'}: {error}"
            return Outcome(request_id, False, failure("Runtime.InvalidEntrypoint", message), b"", 0.0)
        position = sandbox.output.position()
        log.write(platform_line(function, "start", request_id))
        ok, body, killed_for = sandbox.invoke(request_id, payload)
        duration_ms = (time.monotonic() - started) * 1000
        outcome = Outcome(request_id, ok, body, sandbox.output.since(position), duration_ms)
        error = None if ok else killed_for or str(outcome.error.get("errorType"))
        log.write(platform_line(function, "report", request_id, duration_ms, sandbox.peak_memory_mb, error))
        self._give_back(sandbox)
        return outcome

    def _take(self, function: FunctionSpec, log: FunctionLog) -> Sandbox:
        """Returns an idle sandbox of the function's current version, or a new one."""
        current = fingerprint(function.folder)
        outdated = []
        found = None
        with self._lock:
            for sandbox in list(self._sandboxes.values()):
                if sandbox.function.name != function.name or sandbox.busy:
                    continue
                if sandbox.fingerprint != current or sandbox.function != function or not sandbox.alive:
                    outdated.append(self._sandboxes.pop(sandbox.id))
                elif found is None:
                    found = sandbox
                    found.busy = True
        for sandbox in outdated:
            sandbox.kill()
        return found or self._start(function, log)

    def _start(self, function: FunctionSpec, log: FunctionLog) -> Sandbox:
        sandbox = Sandbox(self, function, log)
        with self._lock:
            self._sandboxes[sandbox.id] = sandbox  # before it starts: the process requests its event at once
        try:
            sandbox.start()
        except OSError:
            with self._lock:
                del self._sandboxes[sandbox.id]
            raise
        return sandbox

    def _give_back(self, sandbox: Sandbox) -> None:
        if sandbox.alive:
            sandbox.busy = False
            return
        with self._lock:
            self._sandboxes.pop(sandbox.id, None)
        sandbox.kill()

    def stop(self) -> None:
        """Ends every process, whatever it is doing."""
        self._guard.stop()
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            sandboxes = list(self._sandboxes.values())
            self._sandboxes.clear()
        for sandbox in sandboxes:
            sandbox.kill()
