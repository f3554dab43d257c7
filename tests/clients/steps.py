"""Shared by the clients' scripts: steps with expected results, and the exit code."""

import json
import sys
from collections.abc import Callable

WORLD = json.loads(sys.argv[1])
_failed = []


def step(name: str, run: Callable[[], object], expected: object) -> None:
    """Runs a step and prints whether it returned the expected value. `Refused` expects an error with that text."""
    try:
        given = run()
    except Exception as error:
        given = f"{type(error).__name__}: {error}"
        right = isinstance(expected, Refused) and expected.text in given
    else:
        right = not isinstance(expected, Refused) and given == expected
    if not right:
        _failed.append(name)
    told = str(expected) if right else f"{given!r}, not {expected!r}"
    print(f"  {'ok' if right else 'WRONG':6} {name}: {told}", flush=True)


class Refused:
    def __init__(self, text: str):
        self.text = text

    def __repr__(self) -> str:
        return f"refused: {self.text}"


def end() -> None:
    sys.exit(1 if _failed else 0)
