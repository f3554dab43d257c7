"""The Condition block of a policy's statement.

An unknown operator or key stops the request, or the deployment. It never counts as met or as not met.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

import functools
import ipaddress
import re
from collections.abc import Callable, Mapping

Context = Mapping[str, list[str]]  # keys in lower case

# The keys that the judge (principals, needs, s3) fills in if a request has them.
KEYS = {
    "aws:calledvia",
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalisawsservice",
    "aws:principaltype",
    "aws:requestedregion",
    "aws:resourceaccount",
    "aws:securetransport",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:viaawsservice",
    "kms:calleraccount",
    "kms:viaservice",
    "s3:delimiter",
    "s3:if-match",
    "s3:if-none-match",
    "s3:max-keys",
    "s3:object-lock-legal-hold",
    "s3:object-lock-mode",
    "s3:object-lock-retain-until-date",
    "s3:prefix",
    "s3:requestobjecttagkeys",
    "s3:resourceaccount",
    "s3:versionid",
    "s3:x-amz-acl",
    "s3:x-amz-copy-source",
    "s3:x-amz-metadata-directive",
    "s3:x-amz-server-side-encryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:x-amz-server-side-encryption-customer-algorithm",
    "s3:x-amz-storage-class",
}
KEYS_WITH_A_NAME = ("kms:encryptioncontext:", "s3:existingobjecttag/", "s3:requestobjecttag/")
SEVERAL_VALUES = {"aws:calledvia", "s3:requestobjecttagkeys"}


class UnsupportedPolicyError(Exception):
    """A policy contains something that the local cloud cannot judge."""


@functools.cache
def glob(pattern: str) -> re.Pattern:
    """Compiles a pattern: * matches any text, ? any character."""
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(part) or re.escape(part) for part in pattern), re.DOTALL)


def like(given: str, wanted: str) -> bool:
    return glob(wanted).fullmatch(given) is not None


def arn_like(given: str, wanted: str) -> bool:
    """Matches each of the six parts separately: * does not match a colon, except in the last part."""
    one, other = given.split(":", 5), wanted.split(":", 5)
    return len(one) == len(other) == 6 and all(map(like, one, other))


def in_network(given: str, wanted: str) -> bool:
    return ipaddress.ip_address(given) in ipaddress.ip_network(wanted, strict=False)


def numeric(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda given, wanted: compare(float(given), float(wanted))


# operator -> the comparison of a value, and whether it is negated
OPERATORS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "arnequals": (arn_like, False),  # AWS documents it as the same as ArnLike
    "arnlike": (arn_like, False),
    "arnnotequals": (arn_like, True),
    "arnnotlike": (arn_like, True),
    "bool": (lambda given, wanted: given.lower() == wanted.lower(), False),
    "ipaddress": (in_network, False),
    "notipaddress": (in_network, True),
    "numericequals": (numeric(float.__eq__), False),
    "numericgreaterthan": (numeric(float.__gt__), False),
    "numericgreaterthanequals": (numeric(float.__ge__), False),
    "numericlessthan": (numeric(float.__lt__), False),
    "numericlessthanequals": (numeric(float.__le__), False),
    "numericnotequals": (numeric(float.__eq__), True),
    "stringequals": (str.__eq__, False),
    "stringequalsignorecase": (lambda given, wanted: given.lower() == wanted.lower(), False),
    "stringlike": (like, False),
    "stringnotequals": (str.__eq__, True),
    "stringnotequalsignorecase": (lambda given, wanted: given.lower() == wanted.lower(), True),
    "stringnotlike": (like, True),
}


def as_list(value: object) -> list:
    return value if isinstance(value, list) else [value]


class Condition:
    """One operator with one key."""

    def __init__(self, operator: str, key: str, values: object):
        self.key = key.lower()
        if self.key not in KEYS and not self.key.startswith(KEYS_WITH_A_NAME):
            raise UnsupportedPolicyError(f"condition key {key} is not known locally")
        self.values = [
            "true" if value is True else "false" if value is False else str(value) for value in as_list(values)
        ]
        if found := next((value for value in self.values if "${" in value), None):
            raise UnsupportedPolicyError(f"policy variables are not known locally: {found}")
        qualifier, colon, name = operator.lower().rpartition(":")
        self.qualifier = qualifier if colon else ""
        self.is_null = name == "null"
        self.if_exists = name.endswith("ifexists")
        name = name.removesuffix("ifexists")
        known = self.qualifier in ("", "forallvalues", "foranyvalue") and (name in OPERATORS or self.is_null)
        if not known or (self.is_null and (self.qualifier or self.if_exists)):
            raise UnsupportedPolicyError(f"condition operator {operator} is not known locally")
        if self.key in SEVERAL_VALUES and not self.qualifier and not self.is_null:
            raise UnsupportedPolicyError(f"{key} has several values: {operator} needs ForAllValues or ForAnyValue")
        self.compare, self.negated = OPERATORS.get(name, (str.__eq__, False))

    def met(self, context: Context) -> bool:
        given = context.get(self.key)
        if self.is_null:
            return ("true" if given is None else "false") in [value.lower() for value in self.values]
        if given is None:
            if self.qualifier:
                return self.qualifier == "forallvalues" or self.if_exists
            return self.if_exists or self.negated
        # a negated operator is met by a value that matches none of the wanted ones
        each = (any(self.compare(value, wanted) for wanted in self.values) != self.negated for value in given)
        return any(each) if self.qualifier == "foranyvalue" else all(each)


def parse(block: dict) -> tuple[Condition, ...]:
    """Parses the conditions, all of which must be met."""
    return tuple(Condition(operator, key, values) for operator, keys in block.items() for key, values in keys.items())
