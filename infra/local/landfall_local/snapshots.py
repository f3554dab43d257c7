"""Snapshots: what buckets and databases hold at a moment, to come back to. So a test tries much from one beginning, and
pays for that once. Executions, queries and settings of functions stay as they are.
"""

import pickle
import uuid

from moto.glue.models import glue_backends
from moto.s3.models import s3_backends

from .account import ACCOUNT_ID, PARTITION, REGION


class UnknownSnapshotError(Exception):
    pass


class Snapshots:
    """Of one cloud."""

    def __init__(self) -> None:
        self._taken: dict[str, bytes] = {}

    def take(self, buckets: list[str], databases: list[str]) -> str:
        """Its id. Of what is not there it is known that it was not."""
        state = {
            "buckets": {name: dict(bucket(name).keys._iterlists()) for name in buckets},
            "databases": {name: glue().databases.get(name) for name in databases},
        }
        taken = str(uuid.uuid4())
        self._taken[taken] = pickle.dumps(state)
        return taken

    def restore(self, taken: str) -> None:
        """All versions of all objects, with their times, and all tables are as they were."""
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
