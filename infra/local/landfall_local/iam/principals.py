"""Principals: the owners of a request's credentials.

Each process of a function has a session of its function's role, as in Lambda. Other services open a session of the role
that they were given (Step Functions, Scheduler), or of the caller's (Athena). Any other caller is an administrator of
the account: tests, analysts and `make run`.
"""

import contextlib
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from moto.iam.models import Role, iam_backends
from moto.sts.models import sts_backends

from ..account import ACCOUNT_ID, PARTITION
from . import policies
from .policies import Need, Statement

TEMPORARY = "ASIA"  # prefix of sessions' access keys
ROOT = f"arn:{PARTITION}:iam::{ACCOUNT_ID}:root"


class UnknownKeyError(Exception):
    pass


class NotTrustedError(Exception):
    """A role's trust policy does not allow the caller to assume it."""


@dataclass(frozen=True)
class Principal:
    arn: str
    role: str | None = None  # ARN; None: may do everything in the account
    via: str | None = None  # the service that calls on its behalf
    counts: bool = True  # whether its use of a permission counts as the pipeline's own

    @property
    def names(self) -> frozenset[str]:
        """The names by which a resource's policy may mean it."""
        return frozenset(name for name in (self.arn, self.role, ROOT, ACCOUNT_ID) if name)

    def context(self) -> dict[str, list[str]]:
        context = {
            "aws:principalaccount": [ACCOUNT_ID],
            "aws:principalarn": [self.role or self.arn],
            "aws:principalisawsservice": ["false"],
            "aws:principaltype": ["AssumedRole" if self.role else "User"],
            "aws:viaawsservice": ["true" if self.via else "false"],
        }
        if self.via:
            context |= {key: [self.via] for key in ("aws:calledvia", "aws:calledviafirst", "aws:calledvialast")}
        return context


ADMINISTRATOR = Principal(f"arn:{PARTITION}:iam::{ACCOUNT_ID}:user/local")


@dataclass
class Sessions:
    """The issued credentials. They are never removed, because a call may outlive its process."""

    _by_key: dict[str, Principal] = field(default_factory=dict)
    _keys: dict[Principal, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, access_key: str, role_arn: str, name: str) -> None:
        """Adds the credentials of a process."""
        self._by_key[access_key] = session(role_arn, name)

    def key_of(self, principal: Principal) -> str:
        """Returns an access key for a principal, always the same one."""
        if principal == ADMINISTRATOR:
            return "local"
        with self._lock:
            if principal not in self._keys:
                self._keys[principal] = f"{TEMPORARY}{uuid.uuid4().hex[:16].upper()}"
                self._by_key[self._keys[principal]] = principal
            return self._keys[principal]

    def assume(self, role_arn: str, service: str, name: str, source_arn: str | None = None) -> str:
        """Returns the access key of a service that acts in a role that it was given."""
        context = {"aws:sourceaccount": [ACCOUNT_ID], "aws:principalisawsservice": ["true"]}
        if source_arn:
            context["aws:sourcearn"] = [source_arn]
        check_trust(role_arn, frozenset([service]), context)
        return self.key_of(session(role_arn, name))

    def of(self, access_key: str) -> Principal:
        if found := self._by_key.get(access_key):
            return found
        if not access_key.startswith(TEMPORARY):
            return ADMINISTRATOR
        assumed = sts_backends[ACCOUNT_ID][PARTITION].get_assumed_role_from_access_key(access_key)
        if assumed is None:
            raise UnknownKeyError(access_key)
        return session(assumed.role_arn, assumed.session_name, counts=False)


def session(role_arn: str, name: str, *, via: str | None = None, counts: bool = True) -> Principal:
    role_name = role_arn.rsplit("/", 1)[-1]
    return Principal(f"arn:{PARTITION}:sts::{ACCOUNT_ID}:assumed-role/{role_name}/{name}", role_arn, via, counts)


def check_trust(role_arn: str, names: frozenset[str], context: dict[str, list[str]]) -> None:
    role = find_role(role_arn)
    need = Need("sts:AssumeRole", role_arn, {"aws:securetransport": ["true"], **context})
    trust = policies.parse("trust", text(role.assume_role_policy_document)) if role else ()
    decision = policies.decide(need, (), trust, names)
    if not decision.allowed:
        raise NotTrustedError(f"{', '.join(sorted(names))} is not authorized to assume the role {role_arn}")


_now = threading.local()


@contextlib.contextmanager
def calling(principal: Principal) -> Iterator[None]:
    """Sets the caller while this thread answers a principal's request."""
    before, _now.caller = caller(), principal
    try:
        yield
    finally:
        _now.caller = before


def caller() -> Principal:
    return getattr(_now, "caller", ADMINISTRATOR)


_roles: dict[str, Role] = {}


def find_role(role_arn: str) -> Role | None:
    roles = iam_backends[ACCOUNT_ID][PARTITION].roles
    known = _roles.get(role_arn)
    if known is None or known.id not in roles:
        known = next((role for role in list(roles.values()) if role.arn == role_arn), None)
        if known is not None:
            _roles[role_arn] = known
    return known


def statements_of(role_arn: str) -> list[Statement]:
    """Returns all statements of a role's policies at this moment."""
    role = find_role(role_arn)
    if role is None:
        return []
    inline = [(name, text(document)) for name, document in list(role.policies.items())]
    managed = [(policy.name, text(policy.document)) for policy in list(role.managed_policies.values())]
    return [statement for name, document in inline + managed for statement in policies.parse(name, document)]


def text(document: object) -> str:
    return document.decode() if isinstance(document, bytes) else str(document)
