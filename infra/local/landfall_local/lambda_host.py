"""The Lambda host: runs the built functions as real processes that speak the Lambda Runtime API.

A sandbox is one process of one function. It handles one invocation at a time and is used again while it is idle, as in
AWS: so cold starts, state kept between invocations, crashes and timeouts are the real ones. The binaries are
the deployed ones, unmodified: they ask `AWS_LAMBDA_RUNTIME_API` for the next event and post what came of it.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import contextlib
import fcntl
import json
import os
import queue
import select
import shutil
import signal
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from .account import HOST

LOG_TAIL_BYTES = 4096  # what Lambda returns of a log with LogType=Tail
KEPT_LOG_BYTES = 64 * 1024  # of each sandbox, in memory
PIPE_BYTES = 64 * 1024
POLL_SECONDS = 0.05  # how soon the server notices that it shall stop


@dataclass(frozen=True)
class FunctionSpec:
    """What the host must know of a function to run it."""

    name: str
    arn: str
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    timeout_seconds: int = 3
    memory_mb: int = 128
    json_logs: bool = False
    max_concurrency: int = 16


@dataclass(frozen=True)
class Outcome:
    """What came of one invocation."""

    request_id: str
    ok: bool
    payload: bytes
    log_tail: bytes
    duration_ms: float

    @property
    def error(self) -> dict | None:
        """The error as the function, or Lambda itself, reported it: {"errorType", "errorMessage"}."""
        if self.ok:
            return None
        try:
            error = json.loads(self.payload)
        except ValueError:
            error = None
        return error if isinstance(error, dict) else {"errorType": "Unknown", "errorMessage": repr(self.payload)}


def failure(error_type: str, message: str) -> bytes:
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


def fingerprint(folder: Path) -> tuple:
    """Changes when anything in a function's folder does, so that a rebuilt function is started afresh."""
    found = []
    for path in sorted(folder.iterdir()):
        with contextlib.suppress(FileNotFoundError):  # gone since
            if path.is_dir():  # also a linked one: meta_data, in a development checkout
                found.append((path.name, fingerprint(path)))
            else:
                status = path.stat()
                found.append((path.name, status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)


class FunctionLog:
    """The log of a function: one file for all of its sandboxes, written line by line."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        with self._lock:
            self._file.write(data)

    def close(self) -> None:
        with self._lock:
            self._file.close()


class SandboxOutput:
    """Reads what a sandbox prints: to the function's log, and a copy of the end for the caller's log tail."""

    def __init__(self, pipe, log: FunctionLog):
        self._pipe = pipe
        self._log = log
        self._lock = threading.Lock()
        self._unfinished_line = b""
        self._kept = bytearray()
        self._read_bytes = 0
        self._closed = False
        flags = fcntl.fcntl(pipe, fcntl.F_GETFL)
        fcntl.fcntl(pipe, fcntl.F_SETFL, flags | os.O_NONBLOCK)
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        while not self._closed:
            with contextlib.suppress(ValueError, OSError):  # closed meanwhile
                select.select([self._pipe], [], [], 1)
            self.drain()

    def drain(self) -> None:
        """Takes everything that was printed up to now."""
        with self._lock:
            while not self._closed:
                try:
                    data = os.read(self._pipe.fileno(), PIPE_BYTES)
                except BlockingIOError:
                    return
                except OSError:
                    data = b""
                if not data:
                    self._finish()
                    return
                self._read_bytes += len(data)
                self._kept = (self._kept + data)[-KEPT_LOG_BYTES:]
                whole, newline, rest = (self._unfinished_line + data).rpartition(b"\n")
                if newline:
                    self._log.write(whole + newline)
                self._unfinished_line = rest

    def _finish(self) -> None:
        if self._unfinished_line:
            self._log.write(self._unfinished_line + b"\n")
            self._unfinished_line = b""
        self._closed = True
        self._pipe.close()

    def position(self) -> int:
        self.drain()
        return self._read_bytes

    def since(self, position: int) -> bytes:
        self.drain()
        with self._lock:
            length = min(self._read_bytes - position, LOG_TAIL_BYTES, len(self._kept))
            return bytes(self._kept[-length:]) if length else b""


@dataclass(eq=False)
class Running:
    """An invocation while a process is at it."""

    request_id: str
    started: float = field(default_factory=time.monotonic)
    calls: list[str] = field(default_factory=list)  # the AWS operations that it has called (calls.py)


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
        self._scratch = host.state / "tmp" / self.id
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
            start_new_session=True,  # so that a timeout ends its children too
        )
        self.output = SandboxOutput(self.process.stdout, self._log)
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        self.results.put((None, "exit", self.process.wait()))

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def invoke(self, request_id: str, payload: bytes) -> tuple[bool, bytes]:
        """Hands one event to the process and waits: (succeeded, response or error)."""
        self.running = Running(request_id)
        try:
            return self._invoke(request_id, payload)
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
                message = f"RequestId: {request_id} Error: Runtime exited with error: {describe_exit(body)}"
                return False, failure("Runtime.ExitError", message)
            if answered_id in (request_id, None):  # None: it failed while it started
                return kind == "response", body
            # else: the answer to an earlier invocation, whose caller has gone

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.output.drain()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def peak_memory_mb(self) -> int | None:
        """The most memory that the process has used, where the system tells (Linux)."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) // 1024
        return None


def describe_exit(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal: {signal.Signals(-status).name}"
    except ValueError:
        return f"signal: {-status}"


class LambdaHost:
    """All sandboxes, and the Runtime API that they talk to."""

    def __init__(self, state: Path, base_environment: dict[str, str]):
        self.state = state
        self.base_environment = base_environment
        self._sandboxes: dict[str, Sandbox] = {}
        self._logs: dict[str, FunctionLog] = {}
        self._slots: dict[str, threading.BoundedSemaphore] = {}
        self._lock = threading.Lock()
        self._server = RuntimeApiServer(self)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,), daemon=True).start()

    def log_file(self, function_name: str) -> Path:
        return self.state / "logs" / f"{function_name}.log"

    def sandbox(self, sandbox_id: str) -> Sandbox | None:
        return self._sandboxes.get(sandbox_id)

    def sandbox_of(self, access_key: str) -> Sandbox | None:
        """Whose credentials these are, if they are a process's."""
        return next((found for found in list(self._sandboxes.values()) if found.access_key == access_key), None)

    def processes(self, function_name: str) -> list[dict]:
        with self._lock:
            sandboxes = [s for s in self._sandboxes.values() if s.function.name == function_name]
        return [{"pid": s.process.pid, "busy": s.busy} for s in sandboxes if s.alive]

    def invoke(self, function: FunctionSpec, payload: bytes, request_id: str | None = None) -> Outcome:
        """Runs one invocation to its end. More than max_concurrency at a time wait, where Lambda would throttle."""
        request_id = request_id or str(uuid.uuid4())
        with self._lock:
            slots = self._slots.setdefault(function.name, threading.BoundedSemaphore(function.max_concurrency))
            log = self._logs.get(function.name)
            if log is None:
                log = self._logs[function.name] = FunctionLog(self.log_file(function.name))
        with slots:
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
        ok, body = sandbox.invoke(request_id, payload)
        duration_ms = (time.monotonic() - started) * 1000
        tail = sandbox.output.since(position)
        log.write(platform_line(function, "report", request_id, duration_ms, sandbox.peak_memory_mb()))
        self._give_back(sandbox)
        return Outcome(request_id, ok, body, tail, duration_ms)

    def _take(self, function: FunctionSpec, log: FunctionLog) -> Sandbox:
        """An idle sandbox of the function as it is now, or else a new one."""
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
            self._sandboxes[sandbox.id] = sandbox  # first: the process asks for its event at once
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
        """Ends every process. Whatever still runs in one ends with it."""
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            sandboxes = list(self._sandboxes.values())
            self._sandboxes.clear()
        for sandbox in sandboxes:
            sandbox.kill()


def platform_line(
    function: FunctionSpec,
    kind: str,
    request_id: str,
    duration_ms: float | None = None,
    memory_mb: int | None = None,
) -> bytes:
    """The lines that Lambda itself adds to a log, in the format that the function's own lines have."""
    if function.json_logs:
        record: dict = {"requestId": request_id, "version": "$LATEST"}
        if duration_ms is not None:
            record["metrics"] = {"durationMs": round(duration_ms, 2), "memorySizeMB": function.memory_mb}
            if memory_mb is not None:
                record["metrics"]["maxMemoryUsedMB"] = memory_mb
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return json.dumps({"time": stamp, "type": f"platform.{kind}", "record": record}).encode() + b"\n"
    line = f"{kind.upper()} RequestId: {request_id}"
    if duration_ms is not None:
        line += f"\tDuration: {duration_ms:.2f} ms\tMemory Size: {function.memory_mb} MB"
        if memory_mb is not None:
            line += f"\tMax Memory Used: {memory_mb} MB"
    return line.encode() + b"\n"


class RuntimeApiServer(ThreadingHTTPServer):
    """The Runtime API. The first segment of a path is the sandbox that calls."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: LambdaHost):
        self.host = host
        super().__init__((HOST, 0), RuntimeApiHandler)

    def handle_error(self, request, client_address) -> None:
        """Says nothing: a process that was killed leaves half a request, and that is no error here."""


class RuntimeApiHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet for headers and body

    server: RuntimeApiServer

    def log_message(self, *_args) -> None:
        """Nothing: the function's own log says what happened."""

    def do_GET(self) -> None:
        """/<sandbox>/2018-06-01/runtime/invocation/next: waits for the next event."""
        sandbox = self._sandbox()
        if sandbox is None:
            return
        while True:
            try:
                request_id, deadline_ms, payload = sandbox.events.get(timeout=1)
                break
            except queue.Empty:
                if not sandbox.alive:
                    self.close_connection = True
                    return
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": sandbox.function.arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):x}-{uuid.uuid4().hex[:24]};Sampled=0",
        }
        self._reply(200, payload, headers)

    def do_POST(self) -> None:
        """.../invocation/<request id>/response, .../invocation/<request id>/error, .../init/error"""
        sandbox = self._sandbox()
        if sandbox is None:
            return
        body = self._body()
        segments = self.path.strip("/").split("/")
        kind = "response" if segments[-1] == "response" else "error"
        request_id = segments[4] if segments[3] == "invocation" else None
        sandbox.results.put((request_id, kind, body))
        self._reply(202, b'{"status":"OK"}', {"Content-Type": "application/json"})

    def _sandbox(self) -> Sandbox | None:
        sandbox = self.server.host.sandbox(self.path.split("/")[1])
        if sandbox is None:
            self.close_connection = True
            self._reply(404, b"{}", {})
        return sandbox

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = bytearray()
        while size := int(self.rfile.readline().split(b";")[0].strip() or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return bytes(body)

    def _reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
