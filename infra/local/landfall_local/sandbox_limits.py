"""The limits of a process: its memory and its /tmp. A process that exceeds one is killed.

In Lambda, these are limits of the machine: missing memory ends the process with SIGKILL, and a write to a full /tmp
fails (ENOSPC). Neither is possible on every system without privileges, so a thread here checks repeatedly:

- the memory of a process and its children that does not belong to files (RssAnon and RssShmem), on Linux only,
- the files in its TMPDIR. A process that fills it is killed too, and its log has the reason.
"""

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .lambda_host import Sandbox

LOOK_SECONDS = 0.02
LOOKS_BETWEEN = 10  # between checks that take longer: children, files

MEBIBYTE = 1024 * 1024
COUNTED = ("RssAnon:", "RssShmem:")


class Guard:
    """Checks all processes that are handling an invocation."""

    def __init__(self, sandboxes: Callable[[], list["Sandbox"]]):
        self._sandboxes = sandboxes
        self._stopped = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        look = 0
        while not self._stopped.wait(LOOK_SECONDS):
            look += 1
            for sandbox in self._sandboxes():
                if sandbox.running is None or sandbox.process is None:
                    continue
                try:
                    sandbox.look(thorough=look % LOOKS_BETWEEN == 0)
                except Exception:  # the other processes must be checked nevertheless
                    logging.exception("a process of %s could not be looked at", sandbox.function.name)


def memory_bytes(pids: list[int]) -> int | None:
    """Returns the memory use of these processes together, or None if the system does not report it or they are gone."""
    found = [used for pid in pids if (used := memory_of(pid)) is not None]
    return sum(found) if found else None


def memory_of(pid: int) -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        counted = [int(line.split()[1]) * 1024 for line in lines if line.startswith(COUNTED)]
        return sum(counted) if counted else None
    return None


def descendants(pid: int) -> list[int]:
    """Returns a process's children and their descendants."""
    found: list[int] = []
    threads: list[str] = []
    with contextlib.suppress(OSError):
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 (names are enough)
    for thread in threads:
        with contextlib.suppress(OSError):  # ended in the meantime
            found += [int(child) for child in Path(f"/proc/{pid}/task/{thread}/children").read_text().split()]
    return found + [further for child in found for further in descendants(child)]


def scratch_bytes(folder: Path) -> int:
    """Returns the size of the files in a folder."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # deleted in the meantime
                if entry.is_dir(follow_symlinks=False):
                    total += scratch_bytes(Path(entry.path))
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    return total
