"""Errors of AWS's services, each in its own wire format."""

import contextlib
import json
import uuid
from http.client import responses
from xml.sax.saxutils import escape

from .operations import protocol

DRAIN_BYTES = 1024 * 1024

Answer = tuple[str, dict[str, str], bytes]  # status line, headers, body


def drain(environ: dict) -> None:
    """Reads a request to its end, because a client that is still sending may not see the answer."""
    left = int(environ.get("CONTENT_LENGTH") or 0)
    while left > 0 and (data := environ["wsgi.input"].read(min(left, DRAIN_BYTES))):
        left -= len(data)
    if environ.get("wsgi.input_terminated"):  # a chunked body
        with contextlib.suppress(OSError):
            while environ["wsgi.input"].read(DRAIN_BYTES):
                pass


def refusal(environ: dict, service: str, status: int, code: str, message: str) -> Answer:
    request_id = str(uuid.uuid4())
    headers = {"x-amzn-RequestId": request_id}
    error = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if protocol(service) == "rest-xml":
        body = f"<Error>{error}<RequestId>{request_id}</RequestId></Error>"
        headers |= {"Content-Type": "application/xml", "x-amz-request-id": request_id}
    elif protocol(service) == "query":
        side = "Sender" if status < 500 else "Receiver"
        error = f"<Error><Type>{side}</Type>{error}</Error><RequestId>{request_id}</RequestId>"
        body = f"<ErrorResponse>{error}</ErrorResponse>"
        headers |= {"Content-Type": "text/xml"}
    else:
        body = json.dumps({"__type": code, "message": message})
        kind = environ.get("CONTENT_TYPE", "application/x-amz-json-1.1")
        headers |= {"Content-Type": kind, "x-amzn-errortype": code}
    data = b"" if environ["REQUEST_METHOD"] == "HEAD" else body.encode()
    headers["Content-Length"] = str(len(data))
    return f"{status} {responses[status]}", headers, data
