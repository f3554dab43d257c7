"""The Runtime API, from which a function's process gets its next event, and to which it posts the result.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import queue
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from .account import HOST

if TYPE_CHECKING:
    from .lambda_host import LambdaHost, Sandbox

# 6 MB, and a little for the envelope: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
RESPONSE_BYTES = 6 * 1024 * 1024 + 100
LIMIT = f"payload size ({RESPONSE_BYTES} bytes)."
TOO_LARGE = f"Response payload size exceeded maximum allowed {LIMIT}"


def failure(error_type: str, message: str) -> bytes:
    """Returns an error as a function, or Lambda itself, reports it."""
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


class RuntimeApiServer(ThreadingHTTPServer):
    """The Runtime API. The first segment of a path is the calling sandbox's id."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: "LambdaHost"):
        self.host = host
        super().__init__((HOST, 0), RuntimeApiHandler)

    def handle_error(self, request, client_address) -> None:
        """Prints nothing: a killed process leaves half a request, which is not an error here."""


class RuntimeApiHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet for headers and body

    server: RuntimeApiServer

    def log_message(self, *_args) -> None:
        """Prints nothing, because the function's own log has everything."""

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
        if len(body) > RESPONSE_BYTES:
            sandbox.results.put((request_id, "error", failure("Function.ResponseSizeTooLarge", TOO_LARGE)))
            refusal = {"errorType": "RequestEntityTooLarge", "errorMessage": f"Exceeded maximum allowed {LIMIT}"}
            self._reply(413, json.dumps(refusal).encode(), {"Content-Type": "application/json"})
            return
        sandbox.results.put((request_id, kind, body))
        self._reply(202, b'{"status":"OK"}', {"Content-Type": "application/json"})

    def _sandbox(self) -> "Sandbox | None":
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
