"""What a process may use: its memory and its /tmp. Whoever uses more is killed.

Lambda's are limits of the machine: memory that is not there ends the process with SIGKILL, a write to a full /tmp fails
(ENOSPC). Without privileges neither can be had on any system, so here somebody looks, again and again:

- at the memory of a process and its children that is not a file's (RssAnon and RssShmem); on Linux only,
- at the files in its TMPDIR. A process that fills it is killed too, and its log says why.
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
LOOKS_BETWEEN = 10  # at what takes longer to look at: children, files

MEBIBYTE = 1024 * 1024
COUNTED = ("RssAnon:", "RssShmem:")


class Guard:
    """Looks after all processes that are at an invocation."""

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
                except Exception:  # the others must be looked after all the same
                    logging.exception("a process of %s could not be looked at", sandbox.function.name)


def memory_bytes(pids: list[int]) -> int | None:
    """What these processes use together; None where the system does not tell, or when they are gone."""
    found = [used for pid in pids if (used := memory_of(pid)) is not None]
    return sum(found) if found else None


def memory_of(pid: int) -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        counted = [int(line.split()[1]) * 1024 for line in lines if line.startswith(COUNTED)]
        return sum(counted) if counted else None
    return None


def descendants(pid: int) -> list[int]:
    """A process's children, and theirs."""
    found: list[int] = []
    threads: list[str] = []
    with contextlib.suppress(OSError):
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 (names are enough)
    for thread in threads:
        with contextlib.suppress(OSError):  # gone since
            found += [int(child) for child in Path(f"/proc/{pid}/task/{thread}/children").read_text().split()]
    return found + [further for child in found for further in descendants(child)]


def scratch_bytes(folder: Path) -> int:
    """The size of the files in a folder."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # gone since
                if entry.is_dir(follow_symlinks=False):
                    total += scratch_bytes(Path(entry.path))
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    return total
