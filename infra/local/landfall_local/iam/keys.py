"""Keys (KMS): the key that a name refers to, and the callers that its policy allows.

A key's policy must allow everything, either to the caller by name, or to its account, whose own policies then decide.
https://docs.aws.amazon.com/kms/latest/developerguide/policy-evaluation.html
"""

from collections.abc import Iterable

from moto.kms.models import Key, kms_backends

from ..account import ACCOUNT_ID, REGION
from . import policies
from .policies import Decision, Grant, Need, Statement

DECRYPT, GENERATE = "kms:Decrypt", "kms:GenerateDataKey"


class UnusableKeyError(Exception):
    """The key does not exist or cannot be used now. `kind` is KMS's name for that."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind


def find(name: str) -> Key:
    """Finds a key by ARN, id or alias."""
    parts = name.split(":")
    region, account = parts[3:5] if parts[0] == "arn" and len(parts) > 5 else (REGION, ACCOUNT_ID)
    try:
        backend = kms_backends[account][region]
        key = backend.keys[backend.any_id_to_key_id(name)]
    except Exception as error:  # moto raises several kinds
        raise UnusableKeyError("NotFound", f"Key '{name}' does not exist") from error
    if key.key_state == "Disabled":
        raise UnusableKeyError("Disabled", f"{key.arn} is disabled.")
    if key.key_state != "Enabled":
        raise UnusableKeyError("InvalidState", f"{key.arn} is pending deletion.")
    return key


def arn_of(name: str) -> str:
    """Returns the ARN of the key with a name, or the name itself if there is no such key."""
    try:
        return find(name).arn
    except UnusableKeyError:
        return name


def asked_by(service: str) -> dict[str, list[str]]:
    """Returns the values for the conditions of a key's policy when a service calls."""
    return {"kms:calleraccount": [ACCOUNT_ID], "kms:viaservice": [f"{service}.{REGION}.amazonaws.com"]}


def decide(
    wanted: Need, identity: Iterable[Statement] | None, names: frozenset[str], account: frozenset[str]
) -> Decision:
    """Decides by the caller's own `names` and those of its `account`. A caller without identity policies may do
    everything in its account."""
    own: list[Grant] = []
    for statement in identity or ():
        grants = statement.grants(wanted)
        if grants and statement.denies:
            return Decision(False, "with an explicit deny in an identity-based policy")
        own += grants
    by_name = by_account = False
    for statement in policies.parse("key", find(wanted.resource).policy):
        if not statement.grants(wanted):
            continue
        if statement.denies:
            if statement.is_for(names | account):
                return Decision(False, "with an explicit deny in a resource-based policy")
        elif statement.is_for(names):
            by_name = True
        elif statement.is_for(account):
            by_account = True
    if by_name or (by_account and (identity is None or own)):
        return Decision(True, grants=tuple(own))
    kind = "identity" if by_account else "resource"
    return Decision(False, f"because no {kind}-based policy allows the {wanted.action} action")


def lets_service(name: str, service: str, *actions: str, **context: str) -> bool:
    """Whether a key's policy allows an AWS service to do something by itself."""
    values = {key.lower(): [value] for key, value in context.items()}
    asked = {"aws:sourceaccount": [ACCOUNT_ID], "kms:calleraccount": [ACCOUNT_ID], **values}
    nobody: frozenset[str] = frozenset()
    key = find(name)
    return all(decide(Need(action, key.arn, asked), (), frozenset([service]), nobody).allowed for action in actions)


# The actions that a log group needs: docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
OF_LOGS = (
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:GenerateDataKey",
    "kms:DescribeKey",
)


def lets_logs(name: str, group_arn: str) -> bool:
    """Whether a log group may be encrypted with the key."""
    context = {"kms:EncryptionContext:aws:logs:arn": group_arn}
    try:
        return lets_service(name, f"logs.{REGION}.amazonaws.com", *OF_LOGS, **context)
    except UnusableKeyError:
        return False
