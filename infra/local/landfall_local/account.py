"""The account that the local cloud pretends to be: its id, its region, its keys, and clients of its endpoint."""

import os
import threading
from dataclasses import dataclass

import boto3
from botocore.client import BaseClient
from botocore.config import Config

ACCOUNT_ID = "123456789012"
REGION = "eu-west-2"
PARTITION = "aws"

# Not "localhost": that may resolve to ::1 first, where nobody listens.
HOST = "127.0.0.1"

# The keys mean nothing, but an SDK refuses to sign without any.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}

# Step Functions and tests invoke functions that may run for as long as Lambda allows.
LONGEST_CALL_SECONDS = 1800


def environment(endpoint: str) -> dict[str, str]:
    """What a process needs so that an unmodified AWS SDK or the aws CLI talks to the local cloud."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        **CREDENTIALS,
    }


def forget_the_real_account() -> None:
    """Removes from this process whatever could lead a call to a real account: profiles, sessions, endpoints."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            del os.environ[name]
    os.environ.update(CREDENTIALS)
    os.environ["AWS_DEFAULT_REGION"] = REGION
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


class Clients:
    """boto3 clients of one local cloud, made once each: making one takes longer than most calls.

    Whose calls they are, an access key says; without one they are the administrator's.
    """

    def __init__(self, endpoint: str):
        self.endpoint = endpoint
        self._clients: dict[tuple[str, str], BaseClient] = {}
        self._lock = threading.Lock()
        self._session = boto3.session.Session(
            aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION
        )

    def get(self, service: str, access_key: str = "local") -> BaseClient:
        known = service, access_key
        with self._lock:  # clients are thread-safe, making them is not
            if known not in self._clients:
                self._clients[known] = self._session.client(
                    service,
                    aws_access_key_id=access_key,
                    aws_secret_access_key="local",
                    endpoint_url=self.endpoint,
                    config=Config(
                        retries={"total_max_attempts": 1},
                        connect_timeout=5,
                        read_timeout=LONGEST_CALL_SECONDS,
                        max_pool_connections=64,
                        s3={"addressing_style": "path"},
                    ),
                )
            return self._clients[known]

    def acting_as(self, access_key: str) -> "ClientsOf":
        return ClientsOf(self, access_key)


@dataclass(frozen=True)
class ClientsOf:
    """The clients of one access key."""

    clients: Clients
    access_key: str

    @property
    def endpoint(self) -> str:
        return self.clients.endpoint

    def get(self, service: str) -> BaseClient:
        return self.clients.get(service, self.access_key)
