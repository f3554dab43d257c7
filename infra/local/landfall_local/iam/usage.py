"""The permissions that were used, written into a folder for the report to merge.

$LANDFALL_IAM_USAGE is the folder. Without it, nothing is written. Each cloud has a file of its own in it.
"""

import json
import os
import threading
import time
import uuid
from pathlib import Path

from .policies import Grant

FOLDER = "LANDFALL_IAM_USAGE"
WRITE_SECONDS = 2


class Usage:
    def __init__(self) -> None:
        folder = os.environ.get(FOLDER)
        self._file = Path(folder) / f"{uuid.uuid4()}.json" if folder else None
        self._names: dict[str, str] = {}  # a role's ARN -> its name in the template
        self._used: set[tuple[str, Grant]] = set()
        self._written = 0
        self._lock = threading.Lock()
        if self._file:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            threading.Thread(target=self._keep_writing, daemon=True).start()

    def name(self, role_arn: str, logical_id: str) -> None:
        self._names[role_arn] = logical_id

    def add(self, role_arn: str, grants: tuple[Grant, ...]) -> None:
        if self._file and role_arn in self._names:
            used = {(self._names[role_arn], grant) for grant in grants}
            if not used <= self._used:
                with self._lock:
                    self._used |= used

    def write(self) -> None:
        """Writes the file atomically, so that nobody reads half of it."""
        with self._lock:
            if self._file is None or self._written == len(self._used):
                return
            self._written = len(self._used)
            rows = sorted(
                [role, grant.policy, grant.statement, grant.action, grant.resource] for role, grant in self._used
            )
            part = self._file.with_suffix(".part")
            part.write_text(json.dumps(rows))
            part.replace(self._file)

    def _keep_writing(self) -> None:
        while True:
            time.sleep(WRITE_SECONDS)
            self.write()
