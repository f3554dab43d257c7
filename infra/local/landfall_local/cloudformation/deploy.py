"""Deploys a template as a stack."""

import json
import threading
from pathlib import Path

from moto.cloudformation.models import cloudformation_backends
from moto.core.exceptions import ServiceException

from ..account import ACCOUNT_ID, REGION
from ..names import PATTERNS, NamesError, names
from . import check
from .resources import UnsupportedError
from .sam import TemplateError, must_be_built, read, translate

_one_at_a_time = threading.Lock()


class DeployError(Exception):
    """The reason why a template cannot be deployed here."""


def deploy(stack: str, template: Path, functions: Path, parameters: dict[str, str]) -> dict:
    """Creates a stack and returns {"outputs", "resources"}. The same deployment a second time changes nothing."""
    parameters = {name: str(value) for name, value in parameters.items()}
    try:
        sam = read(template)
        must_be_built(sam, functions)
        parameters = named(sam, functions, parameters)
        problems = check.parameter_problems(sam, parameters)
        if not problems:
            translated = translate(sam, template.parent, parameters, functions)
            problems = check.problems(translated)
    except (TemplateError, NamesError) as error:
        problems = [str(error)]
    if problems:
        raise DeployError(f"cannot deploy {template}:\n  " + "\n  ".join(problems))
    with _one_at_a_time:
        return create(stack, json.dumps(translated), parameters)


def named(sam: dict, functions: Path, parameters: dict[str, str]) -> dict[str, str]:
    """Returns the parameters, with the names from the metadata in the packages unless others are given."""
    missing = (PATTERNS.keys() & (sam.get("Parameters") or {}).keys()) - parameters.keys()
    if not missing:
        return parameters
    metadata = names(functions / "catalog" / "meta_data")
    known = metadata.assumed | metadata.said
    return {name: known[name] for name in sorted(missing)} | parameters


def create(stack: str, template: str, parameters: dict[str, str]) -> dict:
    backend = cloudformation_backends[ACCOUNT_ID][REGION]
    existing = next((s for s in backend.stacks.values() if s.name == stack), None)
    if existing is not None:
        if (existing.template, existing.parameters) != (template, parameters):
            raise DeployError(
                f"stack {stack} exists with another template, other functions or other parameters, "
                "and stacks are not updated here: use another name, or start the local cloud again"
            )
        return description(existing)
    try:
        return description(backend.create_stack(stack, template, parameters))
    except (ServiceException, UnsupportedError) as error:
        raise DeployError(f"stack {stack} is incomplete: {error}") from error


def description(stack) -> dict:
    return {
        "outputs": {output["OutputKey"]: output["OutputValue"] for output in stack.outputs or []},
        "resources": sum(1 for resource in stack.stack_resources if resource is not None),
    }
