"""Makes moto's interpreter of state machines reliable.

moto ships a whole interpreter of the Amazon States Language (from LocalStack), switched off, with these gaps:

- JSONata has its hooks but no engine.
- Executions without a name are all called "None", and two with the same name may start at the same moment.
- Its parser keeps state in a class: concurrent executions break each other and stay RUNNING for ever.
- DescribeExecution fails on an output that contains a time, and returns bare text instead of JSON.
- A Wait until a time ends up to a second early, and is wrong by hours if the machine's clock is not in UTC.
- IsTimestamp does not know fractions of seconds and offsets.
- Each task creates its own AWS client, which is slow and not thread-safe.
- Its limit of 256 KiB counts escapes and spaces, leaves out the inputs, and can be caught by States.ALL.

These do not work: `.sync` integrations, ItemBatcher, the functions that Step Functions adds to JSONata ($uuid, $hash,
$parse, $partition, $range), and `$` alone, which AWS allows inside a predicate.
"""

import json
import re
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import jsonata
from botocore.exceptions import ClientError
from moto.core.config import default_user_config
from moto.stepfunctions.exceptions import ValidationException
from moto.stepfunctions.parser import models, quotas  # noqa: F401 (quotas: see replace_everywhere)
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import ErrorEqualsDecl
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.state.choice.comparison.operator.implementations.is_operator import (
    IsTimestamp,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils  # noqa: F401 (see below)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_lambda import StateTaskLambda
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.timestamp import Timestamp
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.eval import states, variable_store  # noqa: F401 (see replace_everywhere)
from moto.stepfunctions.parser.asl.jsonata import jsonata as moto_jsonata
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution

from .account import Clients
from .iam.principals import NotTrustedError, Sessions

TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")
POLL_SECONDS = 0.02

# The limit of every input and output, as JSON. https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
PAYLOAD_BYTES = 262_144

# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
NOT_CAUGHT_BY_ALL = [
    StatesErrorName(StatesErrorNameType.StatesStatesDataLimitExceeded),
    StatesErrorName(StatesErrorNameType.StatesRuntime),
]


@dataclass(frozen=True)
class ExecutionChange:
    """The start or end of an execution."""

    arn: str
    name: str
    state_machine_arn: str
    status: str
    input: str
    at: float  # from time.monotonic()
    error: str | None = None
    cause: str | None = None


class Executions:
    """Notifies listeners when an execution starts and ends."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[ExecutionChange], None]] = []

    def listen(self, listener: Callable[[ExecutionChange], None]) -> None:
        self._listeners.append(listener)

    def tell(self, execution: Execution, status: str) -> None:
        change = ExecutionChange(
            arn=execution.exec_arn,
            name=execution.name,
            state_machine_arn=execution.state_machine_arn,
            status=status,
            input=execution.execution_input,
            at=time.monotonic(),
            error=execution.error,
            cause=execution.cause,
        )
        for listener in self._listeners:
            listener(change)


def install(clients: Clients, sessions: Sessions) -> Executions:
    executions = Executions()
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    evaluate_jsonata()
    parse_one_at_a_time()
    start_one_at_a_time(executions)
    report_the_end_as_json(executions)
    wait_exactly()
    limit_payloads()
    share_clients(clients, sessions)
    return executions


def replace_everywhere(name: str, replacement: object) -> None:
    """Replaces a function in each of moto's modules, which import it by name and so have their own references."""
    for module_name, module in list(sys.modules.items()):
        if module_name.startswith("moto.stepfunctions") and hasattr(module, name):
            setattr(module, name, replacement)


def evaluate_jsonata() -> None:
    def evaluate(expression: str) -> object:
        try:
            return jsonata.Jsonata(expression).evaluate(None)
        except Exception as error:  # the engine raises many kinds, of which a state machine can catch only this one
            raise moto_jsonata.JSONataException("States.QueryEvaluationError", str(error)) from error

    def declare(bindings: dict) -> str:
        # moto does not escape quotation marks and line ends in texts
        return "".join(f"{name}:={to_json_str(value)};" for name, value in bindings.items())

    moto_jsonata._eval_jsonata = evaluate
    replace_everywhere("encode_jsonata_variable_declarations", declare)


def parse_one_at_a_time() -> None:
    original, lock = AmazonStateLanguageParser.parse, threading.Lock()

    def parse(definition: str):
        with lock:
            return original(definition)

    AmazonStateLanguageParser.parse = staticmethod(parse)


def start_one_at_a_time(executions: Executions) -> None:
    backend = models.StepFunctionsParserBackend
    original, lock = backend.start_execution, threading.Lock()
    original_start = Execution.start

    def start_execution(self, state_machine_arn, name=None, execution_input=None, trace_header=None):
        if execution_input and len(execution_input.encode()) > PAYLOAD_BYTES:
            raise ValidationException(
                "1 validation error detected: Value at 'input' failed to satisfy constraint: "
                f"Member must have length less than or equal to {PAYLOAD_BYTES}"
            )
        with lock:  # otherwise the same name may start twice
            name = name or str(uuid.uuid4())
            return original(self, state_machine_arn, name, execution_input or "{}", trace_header)

    def start(self) -> None:
        executions.tell(self, "RUNNING")
        original_start(self)

    backend.start_execution = start_execution
    Execution.start = start


def report_the_end_as_json(executions: Executions) -> None:
    original = BaseExecutionWorkerCommunication._reflect_execution_status

    def reflect(self) -> None:
        original(self)
        if self.execution.status == "SUCCEEDED":
            self.execution.output = to_json_str(self.execution.output, separators=(",", ":"))
        executions.tell(self.execution, self.execution.status)

    BaseExecutionWorkerCommunication._reflect_execution_status = reflect


def parse_timestamp(text: object) -> datetime | None:
    """Parses RFC 3339 with capital T and Z, as the States Language requires."""
    if not isinstance(text, str) or not TIMESTAMP.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def wait_exactly() -> None:
    def seconds_left(self, env) -> float:
        self.string.eval(env=env)
        text = env.stack.pop()
        until = parse_timestamp(text)
        if until is None:
            raise FailureEventException(self._create_failure_event(env, text))
        return (until - datetime.now(UTC)).total_seconds()

    def wait(_self, env, wait_seconds: float) -> None:
        end = time.monotonic() + wait_seconds
        while env.is_running() and (left := end - time.monotonic()) > 0:
            if env.program_state_event.wait(left):
                time.sleep(min(left, POLL_SECONDS))  # something else in the execution changed

    def is_timestamp(text: object) -> bool:
        return parse_timestamp(text) is not None

    Timestamp._from_timestamp_string = staticmethod(parse_timestamp)
    Timestamp._get_wait_seconds = seconds_left
    WaitFunction._wait_interval = wait
    IsTimestamp.is_timestamp = staticmethod(is_timestamp)


def payload_bytes(value: object) -> int:
    """Returns the size of a value as AWS counts it: that of its JSON without spaces, in UTF-8."""
    return len(json.dumps(json.loads(to_json_str(value)), separators=(",", ":"), ensure_ascii=False).encode())


def limit_payloads() -> None:
    original_matches, original_before = ErrorEqualsDecl._eval_body, StateTaskService._before_eval_execution
    original_arguments = StateTaskLambda._eval_parameters

    def is_within(value: object) -> bool:
        return payload_bytes(value) <= PAYLOAD_BYTES

    def matches(self, env) -> None:
        if env.stack[-1] in NOT_CAUGHT_BY_ALL:
            env.stack.append(env.stack.pop() in self.error_names)  # only by its own name
        else:
            original_matches(self, env)

    def before(self, env, resource_runtime_part, raw_parameters, state_credentials) -> None:
        self._verify_size_quota(env, raw_parameters)
        original_before(self, env, resource_runtime_part, raw_parameters, state_credentials)

    def arguments(self, env) -> dict:
        evaluated = original_arguments(self, env)
        self._verify_size_quota(env, evaluated["Payload"])
        return evaluated

    replace_everywhere("is_within_size_quota", is_within)
    ErrorEqualsDecl._eval_body = matches
    StateTaskService._before_eval_execution = before
    StateTaskLambda._eval_parameters = arguments


def share_clients(clients: Clients, sessions: Sessions) -> None:
    def boto_client_for(region=None, service=None, state_credentials=None):
        try:
            access_key = sessions.assume(state_credentials.role_arn, "states.amazonaws.com", "states")
        except NotTrustedError as error:
            error_of_sts = {"Error": {"Code": "AccessDeniedException", "Message": str(error)}}
            raise ClientError(error_of_sts, "AssumeRole") from error
        return clients.get(service, access_key)

    replace_everywhere("boto_client_for", boto_client_for)
