"""Refuses everything that the local cloud does not honour, in one message, before anything is created.

moto warns about an unknown resource type, leaves the resource out and reports CREATE_COMPLETE. It silently drops most
properties. A local run that passes would then prove nothing about the template.
"""

import difflib
import re

from .resources import RESOURCES

SECTIONS = {
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Transform",
}

# The allowed keys beside Type and Properties. Nothing is deleted or replaced here, so the policies have no effect.
RESOURCE_KEYS = {
    "Condition",
    "DeletionPolicy",
    "DependsOn",
    "Metadata",
    "Properties",
    "Type",
    "UpdateReplacePolicy",
}


def problems(template: dict) -> list[str]:
    found = [f"section {name} is not handled locally" for name in sorted(set(template) - SECTIONS)]
    for name, resource in template["Resources"].items():
        found += resource_problems(name, resource)
    return found


def resource_problems(name: str, resource: dict) -> list[str]:
    kind = RESOURCES.get(resource["Type"])
    if kind is None:
        return [f"{name}: no local support for {resource['Type']}{suggestion(resource['Type'], RESOURCES)}"]
    found = [f"{name}: {key} is not handled locally" for key in sorted(set(resource) - RESOURCE_KEYS)]
    for key in sorted(set(resource.get("Properties") or {}) - kind.properties):
        hint = suggestion(key, kind.properties)
        found.append(f"{name}: property {key} of {resource['Type']} is not handled locally{hint}")
    return found


def suggestion(word: str, choices) -> str:
    close = difflib.get_close_matches(word, list(choices), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def parameter_problems(template: dict, given: dict[str, str]) -> list[str]:
    """Checks parameters against their constraints, as CloudFormation does and moto does not."""
    declared = template.get("Parameters") or {}
    found = []
    for name in sorted(set(given) - set(declared)):
        found.append(f"no parameter {name}; there are: {', '.join(sorted(declared)) or 'none'}")
    for name, rules in declared.items():
        value = given.get(name, rules.get("Default"))
        if value is None:
            found.append(f"parameter {name} has no default and was not given")
        else:
            found += constraint_problems(name, str(value), rules)
    return found


def constraint_problems(name: str, value: str, rules: dict) -> list[str]:
    found = []
    pattern = rules.get("AllowedPattern")
    if pattern and not re.fullmatch(pattern, value):
        found.append(rules.get("ConstraintDescription") or f"must match {pattern}")
    allowed = rules.get("AllowedValues")
    if allowed and value not in [str(choice) for choice in allowed]:
        found.append(f"must be one of {', '.join(map(str, allowed))}")
    if rules.get("Type") == "Number":
        try:
            number = float(value)
        except ValueError:
            found.append("must be a number")
        else:
            if number < float(rules.get("MinValue", number)):
                found.append(f"must be at least {rules['MinValue']}")
            if number > float(rules.get("MaxValue", number)):
                found.append(f"must be at most {rules['MaxValue']}")
    return [f"parameter {name} = {value!r}: {problem}" for problem in found]
