"""The limit on simultaneous invocations of a function.

A function with a reserved concurrency runs that many, and further invocations are throttled. AWS runs any number of
other functions' invocations; here, some of them wait until others end.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""

import contextlib
import threading
from collections.abc import Iterator

AT_ONCE = 16  # simultaneous processes of a function


class ThrottledError(Exception):
    """The function's reserved concurrency is used up."""


class Slots:
    """The slots of one function."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._present = 0
        self._running = 0

    @contextlib.contextmanager
    def one(self, reserved: int | None) -> Iterator[None]:
        """Waits for a free slot. Raises ThrottledError if Lambda would throttle the invocation."""
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
