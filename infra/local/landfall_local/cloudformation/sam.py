"""SAM -> CloudFormation, by AWS's own translator, like `sam package` and the Serverless transform in AWS."""

import json
import os
from copy import deepcopy
from functools import cache
from pathlib import Path

from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from ..account import PARTITION, REGION
from ..functions import code_location


class TemplateError(Exception):
    pass


class NoManagedPolicies:
    """The translator requests the ARNs of AWS's managed policies, which do not exist here."""

    def load(self) -> dict:
        return {}


def read(path: Path) -> dict:
    if not path.is_file():
        raise TemplateError(f"no template at {path}")
    return deepcopy(parse(path.read_text()))


@cache
def parse(text: str) -> dict:
    """Parses a template. This is cached, because it takes longer than a deployment's calls, and tests deploy one
    template many times."""
    return yaml_parse(text)


def translate(template: dict, base: Path, parameters: dict, functions: Path) -> dict:
    """Returns the CloudFormation template. The code of a function is <functions>/<last folder of its CodeUri>.

    `base` is the folder to which the template's paths are relative. This changes the SAM template.
    """
    for name, resource in template.get("Resources", {}).items():
        properties = resource.get("Properties") or {}
        if resource["Type"] == "AWS::Serverless::Function":
            properties["CodeUri"] = code_location(functions / function_folder(name, properties))
        if resource["Type"] == "AWS::Serverless::StateMachine" and "DefinitionUri" in properties:
            definition = base / properties.pop("DefinitionUri")
            properties["Definition"] = json.loads(definition.read_text())
    values = {name: declared.get("Default") for name, declared in template.get("Parameters", {}).items()}
    values |= parameters
    values |= {"AWS::Region": REGION, "AWS::Partition": PARTITION}
    try:
        return transform(template, values, NoManagedPolicies())
    except InvalidDocumentException as error:
        raise TemplateError("; ".join(cause.message for cause in error.causes)) from error


def must_be_built(template: dict, functions: Path) -> None:
    not_built = []
    for name, resource in template.get("Resources", {}).items():
        if resource["Type"] == "AWS::Serverless::Function":
            folder = functions / function_folder(name, resource.get("Properties") or {})
            if not os.access(folder / "bootstrap", os.X_OK):
                not_built.append(folder.name)
    if not_built:
        names = ", ".join(not_built)
        raise TemplateError(f"not built: {names} (no bootstrap in {functions}); `make functions` builds them")


def function_folder(name: str, properties: dict) -> str:
    code = properties.get("CodeUri")
    if not isinstance(code, str):
        raise TemplateError(f"{name}: CodeUri must be the path of the built function's folder")
    return Path(code).name
