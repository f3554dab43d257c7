"""Makes moto's interpreter of state machines fit to be relied on.

moto ships a whole interpreter of the Amazon States Language (from LocalStack), switched off, with these gaps:

- JSONata has its hooks but no engine.
- Executions that nobody named are all called "None", and two with the same name may start at the same moment.
- Its parser keeps state in a class: concurrent executions break each other and stay RUNNING for ever.
- DescribeExecution fails on an output with a time in it, and returns bare text where JSON is due.
- Each task makes its own AWS client, slowly and not thread-safe.

`.sync` integrations and ItemBatcher do not work in it.
"""

import sys
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import jsonata
from moto.core.config import default_user_config
from moto.stepfunctions.parser import models
from moto.stepfunctions.parser.asl.eval import states, variable_store  # noqa: F401 (see replace_everywhere)
from moto.stepfunctions.parser.asl.jsonata import jsonata as moto_jsonata
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution

from .account import Clients


@dataclass(frozen=True)
class ExecutionChange:
    """An execution started or ended."""

    arn: str
    name: str
    state_machine_arn: str
    status: str
    input: str
    error: str | None = None
    cause: str | None = None


class Executions:
    """Tells whoever listens when an execution starts and ends."""

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
            error=execution.error,
            cause=execution.cause,
        )
        for listener in self._listeners:
            listener(change)


def install(clients: Clients) -> Executions:
    executions = Executions()
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    evaluate_jsonata()
    parse_one_at_a_time()
    start_one_at_a_time(executions)
    report_the_end_as_json(executions)
    share_clients(clients)
    return executions


def replace_everywhere(name: str, replacement: object) -> None:
    """moto's modules import these functions by name: each has its own reference."""
    for module_name, module in list(sys.modules.items()):
        if module_name.startswith("moto.stepfunctions") and hasattr(module, name):
            setattr(module, name, replacement)


def evaluate_jsonata() -> None:
    def evaluate(expression: str) -> object:
        try:
            return jsonata.Jsonata(expression).evaluate(None)
        except Exception as error:  # the engine raises many kinds; a state machine may catch this one
            raise moto_jsonata.JSONataException("States.QueryEvaluationError", str(error)) from error

    def declare(bindings: dict) -> str:
        # moto does not escape quotation marks and line ends in text
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
        with lock:  # or the same name starts twice
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


def share_clients(clients: Clients) -> None:
    def boto_client_for(region=None, service=None, state_credentials=None):  # noqa: ARG001
        return clients.get(service)

    from moto.stepfunctions.parser.asl.component.state.exec.state_task import (  # noqa: F401
        lambda_eval_utils,
    )

    replace_everywhere("boto_client_for", boto_client_for)
