"""Write the change set that imports the remains of a deleted stack: `make adopt`.

A deleted stack leaves its buckets, their policies, its logs and its dead letters behind (DeletionPolicy), and a stack
of the same name cannot create them again. CloudFormation can import them into a new stack, whose template must then
describe nothing else. That template is made from infra/template.yaml, without anything that refers to deleted
resources. The next deployment adds the rest.
"""

import argparse
import json
import os
import re
import sys
from pathlib import Path

from deploy import INFRA, ROOT, STACK, RefusedError, split
from samtranslator.yaml_helper import yaml_parse

from landfall_local.names import NamesError, names

# By resource type: the property that identifies it to CloudFormation, from the type's schema.
IDENTIFIERS = {
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::S3::BucketPolicy": "Bucket",
    "AWS::SQS::Queue": "QueueUrl",
}
CHANGE_SET = "adopt"
TEMPLATE_BYTES = 51_200  # the limit of TemplateBody: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/


def retained(template: dict) -> dict[str, dict]:
    return {
        name: resource
        for name, resource in template["Resources"].items()
        if resource.get("DeletionPolicy", "").startswith("Retain")
    }


def references(value) -> set[str]:
    """Returns the names to which a value refers: resources, parameters and pseudo parameters."""
    if isinstance(value, list):
        return set().union(*map(references, value))
    if not isinstance(value, dict):
        return set()
    found = set()
    for key, item in value.items():
        if key == "Ref":
            found.add(item)
        elif key == "Fn::GetAtt":
            found.add((item.split(".") if isinstance(item, str) else item)[0])
        elif key == "Fn::Sub":
            text = item if isinstance(item, str) else item[0]
            found |= {name.split(".")[0] for name in re.findall(r"\$\{([^!}][^}]*)\}", text)}
        else:
            found |= references(item)
    return found


def without(value, gone: set[str]):
    """Returns a value without references to deleted resources, or None if nothing is left of it.

    A list loses whole items, anything else is removed completely. So a policy loses a statement, never a part of one.
    """
    if not references(value) & gone:
        return value
    if isinstance(value, list):
        return [item for item in value if not references(item) & gone] or None
    if value.keys() & {"Ref", "Fn::GetAtt", "Fn::If", "Fn::Sub"}:
        return None
    kept = {key: without(item, gone) for key, item in value.items()}
    return None if None in kept.values() else kept


def conditions_of(value) -> set[str]:
    """Returns the conditions that a value uses."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = {value["Fn::If"][0]} if isinstance(value, dict) and "Fn::If" in value else set()
    return own.union(*map(conditions_of, items))


def import_template(template: dict, skipped: set[str]) -> dict:
    """Returns a template of the retained resources only."""
    kept = retained(template)
    if unknown := skipped - kept.keys():
        raise RefusedError(f"WITHOUT: {', '.join(sorted(unknown))}: only {', '.join(kept)} can remain")
    # a policy is skipped together with its bucket
    skipped = skipped | {name for name, resource in kept.items() if references(identifier(resource)) & skipped}
    kept = {name: resource for name, resource in kept.items() if name not in skipped}
    gone = template["Resources"].keys() - kept.keys()
    resources = {
        name: {
            "Type": resource["Type"],
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                key: kept for key, value in resource["Properties"].items() if (kept := without(value, gone)) is not None
            },
        }
        for name, resource in kept.items()
    }
    conditions = {name: template["Conditions"][name] for name in sorted(conditions_of(resources))}
    used = references(resources) | references(conditions)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "What remained of a deleted stack of Landfall. The next deployment adds the rest.",
        "Parameters": {name: body for name, body in template["Parameters"].items() if name in used},
        "Conditions": conditions,
        "Resources": resources,
    }


def identifier(resource: dict):
    kind = resource["Type"]
    if kind not in IDENTIFIERS:
        raise RefusedError(f"{kind} is retained, and infra/adopt.py does not know what it is found by")
    if kind == "AWS::SQS::Queue":
        host = {"Fn::Sub": "https://sqs.${AWS::Region}.${AWS::URLSuffix}/${AWS::AccountId}/"}
        return [host, resource["Properties"]["QueueName"]]
    return resource["Properties"][IDENTIFIERS[kind]]


def resolved(value, resources: dict[str, dict], values: dict[str, str]) -> str:
    """Returns the text of a name, with the stack's name, account and region filled in."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(resolved(item, resources, values) for item in value)
    if "Ref" in value:
        return of_reference(value["Ref"], resources, values)
    return re.sub(r"\$\{([^}]+)\}", lambda name: of_reference(name[1], resources, values), value["Fn::Sub"])


def of_reference(name: str, resources: dict[str, dict], values: dict[str, str]) -> str:
    return resolved(identifier(resources[name]), resources, values) if name in resources else values[name]


def change_set(template: dict, stack: str, region: str, account: str, parameters: dict[str, str]) -> dict:
    """Returns the request for CreateChangeSet."""
    values = parameters | {
        "AWS::StackName": stack,
        "AWS::Region": region,
        "AWS::AccountId": account,
        "AWS::URLSuffix": "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com",
    }
    resources = template["Resources"]
    body = json.dumps(template, separators=(",", ":"))
    if len(body.encode()) > TEMPLATE_BYTES:
        raise RefusedError(f"the import template has {len(body.encode())} bytes, and {TEMPLATE_BYTES} are the most")
    return {
        "StackName": stack,
        "ChangeSetName": CHANGE_SET,
        "ChangeSetType": "IMPORT",
        "TemplateBody": body,
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": parameters[name]}
            for name in template["Parameters"]
            if name in parameters
        ],
        "ResourcesToImport": [
            {
                "ResourceType": resource["Type"],
                "LogicalResourceId": name,
                "ResourceIdentifier": {
                    IDENTIFIERS[resource["Type"]]: resolved(identifier(resource), resources, values),
                },
            }
            for name, resource in resources.items()
        ],
    }


def commands(folder: Path, stack: str, region: str, parameters: str) -> list[str]:
    where = f"--region {region} --stack-name {stack}"
    named = f"{where} --change-set-name {CHANGE_SET}"
    return [
        f"aws cloudformation create-change-set --region {region} --cli-input-json file://{folder}/change-set.json",
        f"aws cloudformation wait change-set-create-complete {named}",
        f"aws cloudformation execute-change-set {named}",
        f"aws cloudformation wait stack-import-complete {where}",
        f"make deploy STACK={stack} REGION={region}" + (f' PARAMETERS="{parameters}"' if parameters else ""),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for option in ("stack", "region", "account"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("--without", default="", help="logical names of what does not remain")
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    try:
        wrong = [
            f"{name}={value}"
            for name, value, pattern in (
                ("STACK", given.stack, STACK),
                ("REGION", given.region, r"[a-z]+(-[a-z]+)+-\d"),
                ("ACCOUNT", given.account, r"\d{12}"),
            )
            if not re.fullmatch(pattern, value)
        ]
        if wrong:
            raise RefusedError(
                f"{', '.join(wrong)}: of the stack that was deleted, e.g. landfall eu-west-2 123456789012"
            )
        parameters = names(ROOT / "meta_data").with_parameters(split(os.environ.get("PARAMETERS", "")))
        template = import_template(yaml_parse((INFRA / "template.yaml").read_text()), set(given.without.split()))
        request = change_set(template, given.stack, given.region, given.account, parameters)
    except (RefusedError, NamesError) as error:
        print(f"nothing is written: {error}", file=sys.stderr)
        return 1
    given.folder.mkdir(parents=True, exist_ok=True)
    (given.folder / "template.json").write_text(json.dumps(template, indent=2) + "\n")
    (given.folder / "change-set.json").write_text(json.dumps(request, indent=2) + "\n")
    for resource in request["ResourcesToImport"]:
        [value] = resource["ResourceIdentifier"].values()
        print(f"{resource['LogicalResourceId']:24} {value}")
    print("\nIf all of these are there (WITHOUT= leaves some out):\n")
    print("\n".join(commands(given.folder, given.stack, given.region, os.environ.get("PARAMETERS", ""))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
