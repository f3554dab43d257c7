"""The log of a function: the output of its processes, and the lines that Lambda itself adds."""

import contextlib
import fcntl
import json
import os
import select
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .lambda_host import FunctionSpec

LOG_TAIL_BYTES = 4096  # the end of a log that Lambda returns with LogType=Tail
KEPT_LOG_BYTES = 64 * 1024  # of each sandbox, in memory
PIPE_BYTES = 64 * 1024


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
    """Reads a sandbox's output into the function's log, and keeps a copy of its end for the caller's log tail."""

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
            with contextlib.suppress(ValueError, OSError):  # closed in the meantime
                select.select([self._pipe], [], [], 1)
            self.drain()

    def drain(self) -> None:
        """Reads everything that was printed until now."""
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


def platform_line(
    function: "FunctionSpec",
    kind: str,
    request_id: str,
    duration_ms: float | None = None,
    memory_mb: int | None = None,
    error: str | None = None,
) -> bytes:
    """Returns the lines that Lambda itself adds to a log, in the format of the function's own lines."""
    if function.json_logs:
        record: dict = {"requestId": request_id, "version": "$LATEST"}
        if duration_ms is not None:
            record["status"] = status(error)
            record["metrics"] = {"durationMs": round(duration_ms, 2), "memorySizeMB": function.memory_mb}
            if memory_mb is not None:
                record["metrics"]["maxMemoryUsedMB"] = memory_mb
        if error is not None:
            record["errorType"] = error
        return json_line(f"platform.{kind}", record)
    line = f"{kind.upper()} RequestId: {request_id}"
    if duration_ms is not None:
        line += f"\tDuration: {duration_ms:.2f} ms\tMemory Size: {function.memory_mb} MB"
        if memory_mb is not None:
            line += f"\tMax Memory Used: {memory_mb} MB"
    if error is not None:
        line += f"\tStatus: {status(error)}\tError Type: {error}"
    return line.encode() + b"\n"


def fault_line(function: "FunctionSpec", request_id: str, message: str) -> bytes:
    """Returns the line with the reason why Lambda, or this machine, ended a process."""
    if function.json_logs:
        return json_line("platform.fault", f"RequestId: {request_id} {message}")
    return f"RequestId: {request_id} {message}\n".encode()


def json_line(kind: str, record: dict | str) -> bytes:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return json.dumps({"time": stamp, "type": kind, "record": record}).encode() + b"\n"


def status(error: str | None) -> str:
    return {None: "success", "Sandbox.Timedout": "timeout"}.get(error, "error")
