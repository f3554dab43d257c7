"""Requests that Glue refuses and moto's Glue accepts, as far as publishing a table relies on it.

- UpdateTable with a VersionId that is no longer current: ConcurrentModificationException.
- UpdateTable with SkipArchive keeps no old version.
- Comments and descriptions that are too long, and batches that are too large.
"""

import threading

from moto.glue.exceptions import GlueClientError
from moto.glue.responses import GlueResponse

COMMENT_CHARS = 255
DESCRIPTION_CHARS = 2048
BATCHES = {
    "batch_create_partition": ("PartitionInputList", 100),
    "batch_update_partition": ("Entries", 100),
    "batch_delete_partition": ("PartitionsToDelete", 25),
}

_lock = threading.RLock()


class ConcurrentModificationError(GlueClientError):
    def __init__(self, table: str):
        super().__init__(
            "ConcurrentModificationException", f"Update table failed due to concurrent modifications: {table}"
        )


class InvalidInputError(GlueClientError):
    def __init__(self, message: str):
        super().__init__("InvalidInputException", message)


def install() -> None:
    guard_updates()
    check_texts("create_table")
    check_texts("update_table")
    for name, (parameter, limit) in BATCHES.items():
        limit_batch(name, parameter, limit)


def guard_updates() -> None:
    original = GlueResponse.update_table

    def update_table(self):
        name = self.parameters["TableInput"]["Name"]
        with _lock:
            table = self.glue_backend.get_table(self.parameters.get("DatabaseName"), name)
            before = table.as_dict()["VersionId"]
            expected = self.parameters.get("VersionId")
            if expected is not None and str(expected) != before:
                raise ConcurrentModificationError(name)
            result = original(self)
            if self.parameters.get("SkipArchive"):
                table.versions.pop(before, None)
            return result

    GlueResponse.update_table = update_table


def check_texts(operation: str) -> None:
    original = getattr(GlueResponse, operation)

    def checked(self):
        table = self.parameters.get("TableInput") or {}
        if len(table.get("Description") or "") > DESCRIPTION_CHARS:
            raise InvalidInputError(f"table {table.get('Name')}: description of over {DESCRIPTION_CHARS} characters")
        columns = (table.get("StorageDescriptor") or {}).get("Columns") or []
        for column in [*columns, *(table.get("PartitionKeys") or [])]:
            if len(column.get("Comment") or "") > COMMENT_CHARS:
                raise InvalidInputError(f"column {column.get('Name')}: comment of over {COMMENT_CHARS} characters")
        return original(self)

    setattr(GlueResponse, operation, checked)


def limit_batch(operation: str, parameter: str, limit: int) -> None:
    original = getattr(GlueResponse, operation)

    def checked(self):
        size = len(self.parameters.get(parameter) or [])
        if size > limit:
            raise InvalidInputError(f"{parameter}: {size} entries, at most {limit} are allowed")
        return original(self)

    setattr(GlueResponse, operation, checked)
