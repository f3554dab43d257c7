"""The Lambda API, with real functions behind it.

moto keeps the functions' definitions and answers every call except Invoke, which runs the function in a process of the
Lambda host. The parts of a definition that moto drops (logging, dead letters) are kept here too.
"""

import base64
import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace

from moto.awslambda import responses
from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import LambdaFunction, lambda_backends

from .account import ACCOUNT_ID, REGION, Clients
from .async_invoke import AsyncInvoker, AsyncSettings, as_json
from .concurrency import ThrottledError
from .iam import principals
from .iam.principals import NotTrustedError
from .lambda_host import FunctionSpec, LambdaHost, Outcome

SYNC_PAYLOAD_BYTES = 6 * 1024 * 1024
ASYNC_PAYLOAD_BYTES = 1024 * 1024
KEPT_INVOCATIONS = 10_000
KEPT_RESPONSE_BYTES = 64 * 1024

# The "bucket" of every function's code. The rest of the location is the folder on this machine (cloudformation/sam.py).
CODE_BUCKET = "local-functions"

# Properties of a function that moto drops, kept as attributes of its object.
KEPT_PROPERTIES = {"LoggingConfig": "logging_config", "DeadLetterConfig": "dead_letter_config"}


@dataclass(frozen=True)
class Invocation:
    """One attempt to run a function, as GET /_local/invocations reports it."""

    function: str
    request_id: str
    ok: bool
    error: str | None  # the error type
    message: str | None
    ms: float
    # named so because `async` is a keyword: see to_json
    asynchronous: bool
    attempt: int
    started: float  # seconds since 1970
    response: object  # the function's answer; None if it was large

    def to_json(self) -> dict:
        record = asdict(self)
        record["async"] = record.pop("asynchronous")
        return record


class PayloadTooLargeError(LambdaClientError):
    code = 413

    def __init__(self, size: int, kind: str, limit: int):
        message = f"{size} byte payload is too large for the {kind} invocation type (limit {limit} bytes)"
        super().__init__("RequestEntityTooLargeException", message)


class TooManyRequestsError(LambdaClientError):
    code = 429

    def __init__(self) -> None:
        super().__init__("TooManyRequestsException", "Rate Exceeded.")
        reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
        body = {"__type": self.error_type, "Reason": reason, "Type": "User", "message": self.message}
        self.description = json.dumps(body)


class Functions:
    """Runs the functions that moto knows, and records their invocations."""

    def __init__(self, host: LambdaHost, clients: Clients):
        self.host = host
        self.queue = AsyncInvoker(clients, self._run_async, self.settings)
        self._sessions = host.sessions
        self._invocations: list[Invocation] = []
        self._listeners: list[Callable[[Invocation], None]] = []
        self._lock = threading.Lock()

    def install(self) -> None:
        """Installs these functions behind moto's Lambda API."""
        keep_forgotten_properties()
        # moto's limit of 6 MB for answers is only approximate; runtime_api enforces the exact one
        responses.sys = SimpleNamespace(getsizeof=lambda _payload: 0)
        functions = self

        def invoke(self: LambdaFunction, body, request_headers, response_headers) -> str | bytes:
            return functions._answer(self, body, request_headers, response_headers)

        LambdaFunction.invoke = invoke

    def listen(self, listener: Callable[[Invocation], None]) -> None:
        """Registers a listener that is called after each invocation, in the thread that ran it."""
        self._listeners.append(listener)

    def invocations(self) -> list[Invocation]:
        with self._lock:
            return list(self._invocations)

    def find(self, name_or_arn: str) -> LambdaFunction:
        return lambda_backends[ACCOUNT_ID][REGION].get_function(name_or_arn)

    def submit(self, name_or_arn: str, payload: bytes) -> str:
        """Invokes a function asynchronously and returns the request id."""
        function = self.find(name_or_arn)
        if len(payload) > ASYNC_PAYLOAD_BYTES:
            raise PayloadTooLargeError(len(payload), "Event", ASYNC_PAYLOAD_BYTES)
        return self.queue.submit(function.function_name, function.function_arn, payload)

    def _answer(self, function: LambdaFunction, body, request_headers, response_headers) -> str | bytes:
        payload = body if isinstance(body, bytes) else (body or "{}").encode()
        payload = payload or b"{}"
        kind = request_headers.get("X-Amz-Invocation-Type", "RequestResponse")
        if kind == "DryRun":
            return ""
        if kind == "Event":
            response_headers["x-amzn-RequestId"] = self.submit(function.function_arn, payload)
            return ""
        if len(payload) > SYNC_PAYLOAD_BYTES:
            raise PayloadTooLargeError(len(payload), "RequestResponse", SYNC_PAYLOAD_BYTES)
        try:
            outcome = self._run(function, payload, None, asynchronous=False, attempt=1)
        except ThrottledError:
            raise TooManyRequestsError from None
        if not outcome.ok:
            response_headers["x-amz-function-error"] = "Unhandled"
        response_headers["x-amz-log-result"] = base64.b64encode(outcome.log_tail).decode()
        response_headers["X-Amz-Executed-Version"] = "$LATEST"
        response_headers["x-amzn-RequestId"] = outcome.request_id
        return outcome.payload

    def _run_async(self, function_name: str, payload: bytes, request_id: str, attempt: int) -> Outcome:
        return self._run(self.find(function_name), payload, request_id, asynchronous=True, attempt=attempt)

    def _run(
        self,
        function: LambdaFunction,
        payload: bytes,
        request_id: str | None,
        *,
        asynchronous: bool,
        attempt: int,
    ) -> Outcome:
        try:
            principals.check_trust(function.role, frozenset(["lambda.amazonaws.com"]), {})
        except NotTrustedError as error:
            message = "The role defined for the function cannot be assumed by Lambda."
            raise LambdaClientError("InvalidParameterValueException", message) from error
        started = time.time()
        outcome = self.host.invoke(specification(function), payload, request_id)
        error = outcome.error or {}
        small = len(outcome.payload) <= KEPT_RESPONSE_BYTES
        invocation = Invocation(
            function=function.function_name,
            request_id=outcome.request_id,
            ok=outcome.ok,
            error=None if outcome.ok else str(error.get("errorType", "Unknown")),
            message=None if outcome.ok else str(error.get("errorMessage", "")),
            ms=round(outcome.duration_ms, 1),
            asynchronous=asynchronous,
            attempt=attempt,
            started=started,
            response=as_json(outcome.payload) if small else None,
        )
        with self._lock:
            self._invocations.append(invocation)
            del self._invocations[:-KEPT_INVOCATIONS]
        for listener in self._listeners:
            listener(invocation)
        return outcome

    def settings(self, function_name: str) -> AsyncSettings:
        """Returns the number of attempts of a function's events, and the destinations of events that fail."""
        function = self.find(function_name)
        configs = function.event_invoke_config
        config = configs[-1].response() if configs else {}
        destinations = config.get("DestinationConfig") or {}
        retries = config.get("MaximumRetryAttempts")
        return AsyncSettings(
            access_key=self._sessions.key_of(principals.session(function.role, function.function_name)),
            max_retries=2 if retries is None else int(retries),
            on_failure=(destinations.get("OnFailure") or {}).get("Destination"),
            on_success=(destinations.get("OnSuccess") or {}).get("Destination"),
            dead_letters=(getattr(function, "dead_letter_config", None) or {}).get("TargetArn"),
            disabled=reserved_concurrency(function) == 0,
        )


def code_location(folder: Path) -> str:
    """Returns the location in a template for a function's folder on this machine."""
    return f"s3://{CODE_BUCKET}/{folder.resolve().as_posix().lstrip('/')}"


def specification(function: LambdaFunction) -> FunctionSpec:
    """Returns the properties of a function that the Lambda host needs."""
    if function.code.get("S3Bucket") != CODE_BUCKET:
        raise LambdaClientError(
            "InvalidParameterValueException",
            f"the code of {function.function_name} is not on this machine: deploy it with the template",
        )
    logging = getattr(function, "logging_config", None) or {}
    environment = {name: str(value) for name, value in function.environment_vars.items()}
    if level := logging.get("ApplicationLogLevel"):
        environment.setdefault("AWS_LAMBDA_LOG_LEVEL", level)
    environment.setdefault("AWS_LAMBDA_LOG_FORMAT", logging.get("LogFormat", "Text"))
    return FunctionSpec(
        name=function.function_name,
        arn=function.function_arn,
        folder=Path("/") / function.code["S3Key"],
        role=function.role,
        environment=environment,
        timeout_seconds=int(function.timeout),
        memory_mb=int(function.memory_size),
        scratch_mb=int(function.ephemeral_storage),
        json_logs=logging.get("LogFormat") == "JSON",
        reserved_concurrency=reserved_concurrency(function),
    )


def reserved_concurrency(function: LambdaFunction) -> int | None:
    """Returns the reserved concurrency, or None if nothing is reserved, which differs from 0."""
    return None if function.reserved_concurrency is None else int(function.reserved_concurrency)


def keep_forgotten_properties() -> None:
    original_init = LambdaFunction.__init__
    original_configuration = LambdaFunction.get_configuration
    original_update = LambdaFunction.update_configuration

    def init(self, account_id, spec, region, version=1) -> None:
        original_init(self, account_id, spec, region, version)
        for name, attribute in KEPT_PROPERTIES.items():
            setattr(self, attribute, spec.get(name))

    def get_configuration(self, on_create=False) -> dict:
        configuration = original_configuration(self, on_create)
        for name, attribute in KEPT_PROPERTIES.items():
            if value := getattr(self, attribute):
                configuration[name] = value
        return configuration

    def update_configuration(self, config_updates) -> dict:
        for name, attribute in KEPT_PROPERTIES.items():
            if name in config_updates:
                setattr(self, attribute, config_updates[name])
        return original_update(self, config_updates)

    LambdaFunction.__init__ = init
    LambdaFunction.get_configuration = get_configuration
    LambdaFunction.update_configuration = update_configuration
