"""Verdicts: whether two engines' answers to a case are the same."""

import math
import re
from dataclasses import dataclass
from decimal import Decimal

from .engines import Answer, Case
from .tree import Item

SAME, BOTH_REFUSE, OURS_REFUSES, UNKNOWN, THEIRS_REFUSES, NOT_NEEDED, DIFFERENT, BROKEN = (
    "same",
    "both refuse",
    "curate refuses",
    "DuckDB does not know it",
    "only DuckDB refuses",
    "only DuckDB computes what no row needs",
    "DIFFERENT",
    "BROKEN",
)
FAILURES = (DIFFERENT, BROKEN, THEIRS_REFUSES)


@dataclass
class Verdict:
    """The result of the comparison. `about` is the kind of refusal, or the table and column that differ."""

    kind: str
    about: str = ""
    detail: str = ""

    @property
    def failed(self) -> bool:
        return self.kind in FAILURES

    def alike(self, other: "Verdict") -> bool:
        """Whether the failure is of the same kind, so that shrinking keeps it."""
        return self.kind == other.kind and (self.kind == DIFFERENT or self.about == other.about)


def verdict(case: Case, ours: Answer, theirs: Answer) -> Verdict:
    if ours.failure:
        about = sort_of(ours.message)
        if ours.failure in ("crash", "hang", "Internal") or "bug report" in ours.message:
            return Verdict(BROKEN, about, ours.message)
        return Verdict(BOTH_REFUSE if theirs.failure == "error" else OURS_REFUSES, about, ours.message)
    if theirs.failure == "unknown":
        return Verdict(UNKNOWN, sort_of(theirs.message), theirs.message)
    if theirs.failure:
        return Verdict(THEIRS_REFUSES, sort_of(theirs.message), theirs.message)
    for name, query in case.queries:
        found = difference(query.columns, query.is_ordered, ours.rows[name], theirs.rows[name])
        if found:
            return Verdict(DIFFERENT, name, found)
    return Verdict(SAME)


def difference(columns: list[Item], ordered: bool, ours: list[tuple], theirs: list[tuple]) -> str:
    """Describes the difference between the rows, or returns an empty text."""
    if len(ours) != len(theirs):
        return f"{len(ours)} rows by curate, {len(theirs)} by DuckDB"
    tolerances = [column.tolerance for column in columns]
    if not ordered:
        ours, theirs = (sorted(rows, key=lambda row: sorting(row, tolerances)) for rows in (ours, theirs))
    if all(
        close(a, b, t)
        for row, other in zip(ours, theirs, strict=True)
        for a, b, t in zip(row, other, tolerances, strict=True)
    ):
        return ""
    for n, (row, other) in enumerate(zip(ours, theirs, strict=True)):
        for column, a, b in zip(columns, row, other, strict=True):
            if not close(a, b, column.tolerance):
                return f"row {n + 1}, `{column.name}` ({column.kind.described}): {a!r} by curate, {b!r} by DuckDB"
    return ""


def sorting(row: tuple, tolerances: list[float]) -> tuple:
    """Returns a sort key with exact columns first, so that matching rows meet."""
    exact = [spelt(value) for value, tolerance in zip(row, tolerances, strict=True) if not tolerance]
    rough = [number(value) for value, tolerance in zip(row, tolerances, strict=True) if tolerance]
    return exact, rough


def number(value: object) -> tuple:
    if value is None:
        return (0, 0.0)
    value = float(value)
    return (2, 0.0) if math.isnan(value) else (1, value)


def spelt(value: object) -> str:
    """Returns the same text for equal values only: 0.0 and -0.0 are equal, and so are all NaN."""
    match value:
        case float():
            return "nan" if math.isnan(value) else repr(value + 0.0)
        case Decimal():
            return f"{value:f}"
        case list():
            return f"[{', '.join(map(spelt, value))}]"
        case dict():
            return f"{{{', '.join(f'{name}: {spelt(inner)}' for name, inner in value.items())}}}"
    return repr(value)


def close(ours: object, theirs: object, tolerance: float) -> bool:
    if not tolerance or ours is None or theirs is None:
        return spelt(ours) == spelt(theirs)
    a, b = float(ours), float(theirs)
    if not math.isfinite(a) or not math.isfinite(b):
        return spelt(a) == spelt(b)
    return abs(a - b) <= tolerance * max(1.0, abs(a), abs(b))


def sort_of(message: str) -> str:
    """Returns a message without the parts that are specific to this case."""
    line = next((line for line in message.splitlines() if line.strip()), "")
    line = re.sub(r"table `\w+`(, column `\w+`)?|meta_data/\S+|/\S+/\S+|line \d+", "…", line)
    line = re.sub(r"`[^`]*`|'[^']*'|\"[^\"]*\"|[\w.]*\d[\w.]*", "#", line)
    return re.sub(r"(# ?)+", "# ", line)[:160].strip()
