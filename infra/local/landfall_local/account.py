"""The account of the local cloud: its id, its region, its keys, and clients of its endpoint."""

import os
import threading
from dataclasses import dataclass

import boto3
from botocore.client import BaseClient
from botocore.config import Config

ACCOUNT_ID = "123456789012"
REGION = "eu-west-2"
PARTITION = "aws"

# Not "localhost", which may resolve to ::1 first, where nothing listens.
HOST = "127.0.0.1"

# The keys have no meaning, but an SDK does not sign without any.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}

# Step Functions and tests invoke functions that may run for as long as Lambda allows.
LONGEST_CALL_SECONDS = 1800


def environment(endpoint: str) -> dict[str, str]:
    """Returns the environment variables with which an unmodified AWS SDK or the aws CLI uses the local cloud."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        **CREDENTIALS,
    }


def forget_the_real_account() -> None:
    """Removes everything from this process that could direct a call to a real account: profiles, sessions,
    endpoints."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            del os.environ[name]
    os.environ.update(CREDENTIALS)
    os.environ["AWS_DEFAULT_REGION"] = REGION
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


class Clients:
    """boto3 clients of one local cloud. Each is made once, because making one takes longer than most calls.

    The access key determines the caller. Without one, the caller is the administrator.
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
        with self._lock:  # clients are thread-safe, but creating them is not
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
