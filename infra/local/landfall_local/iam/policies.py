"""Policies: the actions that a document allows and denies.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass

from . import conditions
from .conditions import Condition, Context, UnsupportedPolicyError, as_list, glob

ELEMENTS = {"Action", "Condition", "Effect", "NotAction", "NotResource", "Principal", "Resource", "Sid"}


@dataclass(frozen=True)
class Need:
    """An action on a resource that a call needs, with the call's values for conditions."""

    action: str  # s3:GetObject
    resource: str  # an ARN
    context: Context


@dataclass(frozen=True)
class Grant:
    """The part of a role's policy that has allowed something."""

    policy: str
    statement: str  # its Sid, or its number
    action: str  # as written in the policy
    resource: int  # index into the statement's resources


@dataclass(frozen=True)
class Decision:
    allowed: bool
    reason: str = ""  # of a denial, in AWS's words
    grants: tuple[Grant, ...] = ()


class Statement:
    def __init__(self, policy: str, number: int, body: dict):
        if unknown := set(body) - ELEMENTS:
            raise UnsupportedPolicyError(f"{', '.join(sorted(unknown))} of a statement is not known locally")
        self.policy = policy
        self.name = str(body.get("Sid") or number)
        self.denies = {"Allow": False, "Deny": True}[body["Effect"]]
        self.actions = [(text, glob(text.lower())) for text in as_list(body.get("Action", []))]
        self.not_actions = [glob(text.lower()) for text in as_list(body.get("NotAction", []))]
        self.resources = [glob(plain(text)) for text in as_list(body.get("Resource", []))]
        self.not_resources = [glob(plain(text)) for text in as_list(body.get("NotResource", []))]
        self.principals = principals(body["Principal"]) if "Principal" in body else None
        self.conditions: tuple[Condition, ...] = conditions.parse(body.get("Condition") or {})

    def grants(self, need: Need) -> list[Grant]:
        """Returns the parts of this statement that apply to the need, if any."""
        action = need.action.lower()
        texts = [text for text, pattern in self.actions if pattern.fullmatch(action)]
        if self.not_actions and not any(pattern.fullmatch(action) for pattern in self.not_actions):
            texts = ["NotAction"]
        if not texts:
            return []
        numbers = [number for number, pattern in enumerate(self.resources) if pattern.fullmatch(need.resource)]
        if self.not_resources and not any(pattern.fullmatch(need.resource) for pattern in self.not_resources):
            numbers = [0]
        if self.principals is not None and not self.resources and not self.not_resources:
            numbers = [0]  # for a trust policy
        if not numbers or not all(condition.met(need.context) for condition in self.conditions):
            return []
        return [Grant(self.policy, self.name, text, number) for text in texts for number in numbers]

    def is_for(self, names: Iterable[str]) -> bool:
        """Whether a resource's policy means one of these names of the caller."""
        return self.principals is not None and ("*" in self.principals or not self.principals.isdisjoint(names))


def plain(text: str) -> str:
    if "${" in text:
        raise UnsupportedPolicyError(f"policy variables are not known locally: {text}")
    return text


def principals(value: object) -> frozenset[str]:
    if value == "*":
        return frozenset(["*"])
    if not isinstance(value, dict) or not set(value) <= {"AWS", "Service"}:
        raise UnsupportedPolicyError(f"principals of this kind are not known locally: {json.dumps(value)}")
    return frozenset(name for names in value.values() for name in as_list(names))


@functools.lru_cache(maxsize=4096)
def parse(name: str, document: str) -> tuple[Statement, ...]:
    body = json.loads(document)
    return tuple(Statement(name, number, statement) for number, statement in enumerate(as_list(body["Statement"])))


def decide(
    need: Need, identity: Iterable[Statement] | None, resource: Iterable[Statement], names: frozenset[str]
) -> Decision:
    """Decides a need. An explicit deny overrides everything. Within one account, an allow on either side is enough. A
    caller without identity policies (None) may do everything."""
    own, theirs = [], False
    for statement in identity or ():
        grants = statement.grants(need)
        if grants and statement.denies:
            return Decision(False, "with an explicit deny in an identity-based policy")
        own += grants
    for statement in resource:
        if statement.is_for(names) and statement.grants(need):
            if statement.denies:
                return Decision(False, "with an explicit deny in a resource-based policy")
            theirs = True
    if identity is None or own or theirs:
        return Decision(True, grants=tuple(own))
    return Decision(False, f"because no identity-based policy allows the {need.action} action")
