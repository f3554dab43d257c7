"""Snapshots: the content of buckets and databases at a moment, to be restored later. So a test can try many things from
one beginning, and creates it only once. Executions, queries and settings of functions are not included.
"""

import pickle
import uuid

from moto.glue.models import glue_backends
from moto.s3.models import s3_backends

from .account import ACCOUNT_ID, PARTITION, REGION


class UnknownSnapshotError(Exception):
    pass


class Snapshots:
    """The snapshots of one cloud."""

    def __init__(self) -> None:
        self._taken: dict[str, bytes] = {}

    def take(self, buckets: list[str], databases: list[str]) -> str:
        """Takes a snapshot and returns its id. It also records that a bucket or database does not exist."""
        state = {
            "buckets": {name: dict(bucket(name).keys._iterlists()) for name in buckets},
            "databases": {name: glue().databases.get(name) for name in databases},
        }
        taken = str(uuid.uuid4())
        self._taken[taken] = pickle.dumps(state)
        return taken

    def restore(self, taken: str) -> None:
        """Restores all versions of all objects, with their times, and all tables."""
        if taken not in self._taken:
            raise UnknownSnapshotError(f"no snapshot {taken}")
        state = pickle.loads(self._taken[taken])
        for name, keys in state["buckets"].items():
            store = type(bucket(name).keys)()
            for key, versions in keys.items():
                store.setlist(key, versions)
            bucket(name).keys = store
        for name, database in state["databases"].items():
            glue().databases.pop(name, None)
            if database is not None:
                glue().databases[name] = database


def bucket(name: str):
    return s3_backends[ACCOUNT_ID][PARTITION].get_bucket(name)


def glue():
    return glue_backends[ACCOUNT_ID][REGION]
