"""How many invocations of a function there are at once.

A function with a reserved concurrency runs that many, and what comes beside them is throttled. Any other runs as many
as come; here some of them wait for the machine.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""

import contextlib
import threading
from collections.abc import Iterator

AT_ONCE = 16  # processes of a function


class ThrottledError(Exception):
    """The function's reserved concurrency is in use."""


class Slots:
    """Those of one function."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._present = 0
        self._running = 0

    @contextlib.contextmanager
    def one(self, reserved: int | None) -> Iterator[None]:
        """Waits for a process's turn; ThrottledError where Lambda would not let it in."""
        with self._condition:
            if reserved is not None and self._present >= reserved:
                raise ThrottledError
            self._present += 1
            self._condition.wait_for(lambda: self._running < AT_ONCE)
            self._running += 1
        try:
            yield
        finally:
            with self._condition:
                self._present -= 1
                self._running -= 1
                self._condition.notify()
