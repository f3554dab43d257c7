"""Prints the pipeline's steps while they happen, one aligned entry per step.

extract      0.21 s   10 rows, 4.9 kB
                      s3://landfall-land-123456789012-eu-west-2/open_data/...
"""

import json
import os
import queue
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from .functions import Invocation
from .server import Cloud
from .step_functions import ExecutionChange

STAGE_WIDTH = 10
TIME_WIDTH = 9
LOG_LINES = 15
LOG_LINE_CHARS = 400
CELL_CHARS = 40


def size(count: float) -> str:
    """Formats a number of bytes for people."""
    if count < 1000:
        return f"{count:.0f} bytes"
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 1000 or unit == "GB":
            return f"{count:.1f} {unit}"
    raise AssertionError


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def seconds(duration: float | None) -> str:
    return "" if duration is None else f"{duration:.2f} s"


def say(stage: str, duration: float | None, text: str, *details: str) -> None:
    """Prints one step: the time of its end, its stage, its duration, its result, and the result's location."""
    now = time.strftime("%H:%M:%S") if stage else ""
    print(f"{now:8}  {stage:<{STAGE_WIDTH}} {seconds(duration):>{TIME_WIDTH}}   {text}")
    for detail in details:
        print(f"{'':8}  {'':<{STAGE_WIDTH}} {'':>{TIME_WIDTH}}   {detail}")
    sys.stdout.flush()


def red(text: str) -> str:
    """Formats text for standard error: red on a terminal, unless NO_COLOR is set (https://no-color.org)."""
    return f"\x1b[1;31m{text}\x1b[0m" if sys.stderr.isatty() and not os.environ.get("NO_COLOR") else text


def table(header: list[str], rows: list[list[str | None]]) -> str:
    """Formats a small table as text, with numbers aligned to the right."""
    cells = [header] + [["" if value is None else shorten(value) for value in row] for row in rows]
    widths = [max(len(row[index]) for row in cells) for index in range(len(header))]
    numeric = [all(is_number(row[index]) for row in cells[1:]) and len(cells) > 1 for index in range(len(header))]
    lines = []
    for row in cells:
        aligned = [
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numeric, strict=True)
        ]
        lines.append("  ".join(aligned).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(f"  {line}" for line in lines)


def shorten(text: str) -> str:
    return text if len(text) <= CELL_CHARS else f"{text[: CELL_CHARS - 3]}..."


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text == ""
    return True


def log_tail(path: Path) -> str:
    """Returns the end of a function's log with the function's own lines, without metrics and platform lines."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    own = [line for line in lines if '"type": "platform.' not in line and '"CloudWatchMetrics"' not in line]
    return "\n".join(f"  {readable(line)[:LOG_LINE_CHARS]}" for line in own[-LOG_LINES:]) or "  (nothing)"


def readable(line: str) -> str:
    """Formats a line of JSON as LEVEL message name=value ..., and any other line unchanged."""
    try:
        fields = json.loads(line)
    except ValueError:
        return line
    if not isinstance(fields, dict) or "message" not in fields:
        return line
    message = f"{fields.pop('level', '')} {fields.pop('message')}"
    rest = {name: value for name, value in fields.items() if name not in ("timestamp", "span", "spans", "target")}
    return " ".join([message, *(f"{name}={value}" for name, value in rest.items())])


class StageFailedError(Exception):
    """A stage failed: its name, the reason, and the path of its log."""

    def __init__(self, stage: str, reason: str, log: Path | None = None):
        super().__init__(f"{stage}: {reason}")
        self.stage = stage
        self.reason = reason
        self.log = log


@dataclass
class Seen:
    """The events so far, as far as a run needs them to detect its end."""

    extracted: dict | None = None
    handled: set[str] = field(default_factory=set)  # keys that validate has handled
    asked: set[str] = field(default_factory=set)  # executions that validate has requested
    running: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    tables: list[dict] = field(default_factory=list)  # tables that catalog has published
    rejected: list[dict] = field(default_factory=list)  # files that went to quarantine


class Narrator:
    """Listens to a stack's functions and executions, and prints each step as it comes.

    A strict narrator, for a run, also fails at the first stage that finally fails. Another one goes on (`make up`).
    """

    def __init__(self, cloud: Cloud, stack: str, strict: bool):
        self._cloud = cloud
        self._prefix = f"{stack}-"
        self._strict = strict
        self._events: queue.Queue[Invocation | ExecutionChange] = queue.Queue()
        self._started: dict[str, float] = {}
        self._held: list[str] = []  # texts about executions whose validate has not answered yet
        self.seen = Seen()
        cloud.functions.listen(self._events.put)
        cloud.executions.listen(self._events.put)

    def follow(self, timeout_seconds: float) -> bool:
        """Prints the next step. Returns False if there was none in time."""
        try:
            event = self._events.get(timeout=timeout_seconds)
        except queue.Empty:
            if self._cloud.functions.queue.pending == 0:  # otherwise a validate is still going to answer
                self._release()
            return False
        if isinstance(event, Invocation):
            if not event.function.startswith(f"{self._prefix}validate"):
                self._release()
            self._invocation(event)
        else:
            self._execution(event)
        return True

    def _release(self) -> None:
        for text in self._held:
            say("pipeline", None, text)
        self._held.clear()

    @property
    def idle(self) -> bool:
        """Whether everything was printed, and nothing runs or waits."""
        return self._cloud.functions.queue.pending == 0 and not self.seen.running and self._events.empty()

    # -- functions -----------------------------------------------------------------------------------------------------

    def _invocation(self, invocation: Invocation) -> None:
        if not invocation.function.startswith(self._prefix):
            return
        stage = invocation.function.removeprefix(self._prefix)
        if not invocation.ok:
            self._failure(stage, invocation)
            return
        answer = invocation.response if isinstance(invocation.response, dict) else {}
        tell = {
            "extract": self._extract,
            "validate": self._validate,
            "curate": self._curate,
            "catalog": self._catalog,
        }.get(stage)
        if tell:
            tell(invocation.ms / 1000, answer)
        else:
            say(stage, invocation.ms / 1000, "done")

    def _failure(self, stage: str, invocation: Invocation) -> None:
        reason = f"{invocation.error}: {invocation.message}"
        if (
            invocation.asynchronous
            and invocation.attempt <= self._cloud.functions.settings(invocation.function).max_retries
        ):
            say(stage, invocation.ms / 1000, f"attempt {invocation.attempt} failed, another follows", reason)
            return
        say(stage, invocation.ms / 1000, "FAILED", reason)
        # Step Functions may retry curate and catalog, so the execution's end decides.
        if self._strict and stage not in ("curate", "catalog"):
            raise StageFailedError(stage, reason, self._log(stage))

    def _extract(self, duration: float, answer: dict) -> None:
        files = answer.get("files") or []
        if answer.get("already_extracted"):
            say("extract", duration, "that scheduled time was extracted before: nothing to do")
        else:
            text = f"{counted(answer.get('rows', 0), 'row')}, {size(answer.get('bytes', 0))}"
            say("extract", duration, text, *[f"s3://{file['bucket']}/{file['key']}" for file in files])
        self.seen.extracted = answer

    def _validate(self, duration: float, answer: dict) -> None:
        if "turn" in answer:  # requested by an execution, whose starter may not have answered yet
            return
        rejected = []
        for file in answer.get("files") or []:
            verdict = file.get("verdict", "?")
            text = f"{verdict}: {counted(file.get('rows') or 0, 'row')}, {size(file.get('bytes') or 0)}"
            where = [file.get("filed_at") or file["key"]]
            why = [file["summary"]] if verdict != "passed" and file.get("summary") else []
            say("validate", duration, text, *where, *why)
            if verdict != "waiting":  # waiting for the first file of its extract
                self.seen.handled.add(file["key"])
            if verdict == "quarantined":
                rejected.append(file)
        self.seen.rejected += rejected
        self._release()
        if answer.get("execution"):
            self.seen.asked.add(answer["execution"])
        if rejected and self._strict:
            file = rejected[0]
            report = f" (report: {file['report']})" if file.get("report") else ""
            reason = f"{file['key']} was quarantined: {file.get('summary')}{report}"
            raise StageFailedError("validate", reason, self._log("validate"))

    def _curate(self, duration: float, answer: dict) -> None:
        if "same" in answer:
            verdict = "the same to the byte" if answer["same"] else "NOT the same"
            text = f"run {answer['run']}, built again: {counted(answer['files'], 'file')}, {verdict}"
            say("verify", duration, text, *answer["differences"])
            return
        if "run" not in answer:
            self._process(duration, answer)
            return
        tables = answer.get("tables") or []
        lines = []
        for entry in tables:
            files = entry.get("files")
            files = len(files) if isinstance(files, list) else files or 0
            partitions = ", ".join(map(str, entry.get("partitions") or []))
            line = f"{entry['table']}: {counted(entry['rows'], 'row')}, {size(entry['bytes'])} of Parquet"
            lines.append(f"{line} in {counted(files, 'file')}" + (f", {partitions}" if partitions else ""))
        manifest = answer.get("manifest") or {}
        if manifest:
            lines.append(f"s3://{manifest.get('bucket')}/{manifest.get('key')}")
        say("curate", duration, f"run {answer.get('run')}, {counted(len(tables), 'table')}", *lines)

    def _process(self, duration: float, answer: dict) -> None:
        files = answer.get("files") or []
        if files:  # most pipelines process nothing
            lines = [f"{file['table']}: {counted(file['rows'], 'row')}, {file['key']}" for file in files]
            say("process", duration, counted(len(files), "file"), *lines)

    def _catalog(self, duration: float, answer: dict) -> None:
        self.seen.tables = answer.get("tables") or []
        lines = [
            f"{entry['table']}: {entry['action']}, {counted(entry.get('rows') or 0, 'row')}, {entry.get('location')}"
            for entry in self.seen.tables
        ]
        if raw := answer.get("raw_history"):
            added = counted(raw["partitions_added"], "folder")
            lines.append(f"{raw['database']}: {counted(raw['tables'], 'table')} over raw-hist, {added} added")
            lines.extend(raw["problems"])
        say("catalog", duration, f"database {answer.get('database')}", *lines)

    # -- executions ----------------------------------------------------------------------------------------------------

    def _execution(self, change: ExecutionChange) -> None:
        if not change.state_machine_arn.rsplit(":", 1)[-1].startswith(self._prefix):
            return
        if change.status == "RUNNING":
            self._started[change.arn] = change.at
            self.seen.running.add(change.arn)
            until = json.loads(change.input).get("window_ends_at")
            waits = f", waits for more files until {until}" if until else ""
            self._held.append(f"execution {change.name}{waits}")
            return
        self._release()
        self.seen.running.discard(change.arn)
        self.seen.ended.add(change.arn)
        duration = change.at - self._started.get(change.arn, change.at)
        if change.status == "SUCCEEDED":
            say("pipeline", duration, f"execution {change.name} succeeded")
            return
        reason = f"{change.error}: {change.cause}"
        say("pipeline", duration, f"execution {change.name} {change.status}", reason)
        if self._strict:
            # every function has done everything possible, and has reported the rest
            of_tables = change.error == "TablesFailed"
            raise StageFailedError(*(("curate", reason, None) if of_tables else self._failed_stage(reason)))

    def _failed_stage(self, reason: str) -> tuple[str, str, Path | None]:
        """Returns the stage in which an execution failed: its function that failed last."""
        for invocation in reversed(self._cloud.functions.invocations()):
            if not invocation.ok and invocation.function.startswith(self._prefix):
                stage = invocation.function.removeprefix(self._prefix)
                return stage, f"{invocation.error}: {invocation.message}", self._log(stage)
        return "pipeline", reason, None

    def _log(self, stage: str) -> Path:
        return self._cloud.host.log_file(f"{self._prefix}{stage}")
