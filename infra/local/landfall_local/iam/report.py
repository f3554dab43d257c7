"""The permissions of the template's roles that no test has used.

    LANDFALL_IAM_USAGE=<folder> <the tests>
    python -m landfall_local.iam.report <folder> [--template infra/template.yaml]

Each is one action on one resource of one statement. A comment on its line, or on the line above, may explain why it is
needed nevertheless: `# unused in tests: a failed upload`. On an action the comment covers all resources of the
statement, on a resource all actions, and on a Sid everything. A permission that is neither used nor explained makes the
report fail.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from .needs import GLUE, GLUE_LEVELS

TEMPLATE = Path(__file__).resolve().parents[4] / "infra" / "template.yaml"
EXPLANATION = re.compile(r"# unused in tests: (\S.*)")


@dataclass(frozen=True)
class Permission:
    role: str
    policy: str
    statement: str
    action: str
    number: int  # index of the resource
    resource: str  # as written in the template
    why: str | None  # the reason for it, although no test uses it

    @property
    def grant(self) -> tuple:
        return self.role, self.policy, self.statement, self.action, self.number


def permissions(text: str) -> list[Permission]:
    """Lists all permissions of a template, in its order."""
    lines = text.splitlines()
    resources = entries(entries(yaml.compose(text))["Resources"])
    found = []
    for name, body in resources.items():
        parts = entries(body)
        if parts["Type"].value != "AWS::IAM::Role":
            continue
        for policy in entries(parts["Properties"])["Policies"].value:
            policy_parts = entries(policy)
            policy_name = policy_parts["PolicyName"].value
            for number, node in enumerate(entries(policy_parts["PolicyDocument"])["Statement"].value):
                for one in cases(node):
                    found += of_statement(name, policy_name, number, one, lines)
    return found


def cases(node: yaml.Node) -> list[yaml.Node]:
    """Returns a statement, or every alternative of an !If."""
    if node.tag != "!If":
        return [node]
    return [one for case in node.value[1:] if not isinstance(case, yaml.ScalarNode) for one in cases(case)]


def of_statement(role: str, policy: str, number: int, node: yaml.Node, lines: list[str]) -> Iterator[Permission]:
    statement = entries(node)
    name = statement["Sid"].value if "Sid" in statement else str(number)
    for_all = explanation(statement.get("Sid", node), lines)
    if statement["Effect"].value != "Allow":
        return
    for action in items(statement["Action"]):
        for index, resource in enumerate(items(statement["Resource"])):
            if takes(action.value, resource.value):
                why = for_all or explanation(action, lines) or explanation(resource, lines)
                yield Permission(role, policy, name, action.value, index, resource.value, why)


def takes(action: str, resource: str) -> bool:
    """Whether the action ever applies to such a resource. Not every Glue action applies to all resources of its
    statement."""
    service, _, name = action.partition(":")
    if service != "glue" or name not in GLUE:
        return True
    level = next((level for level in GLUE_LEVELS if f":{level}" in resource), GLUE_LEVELS[0])
    return GLUE_LEVELS.index(level) <= GLUE_LEVELS.index(GLUE[name])


def entries(node: yaml.Node) -> dict[str, yaml.Node]:
    return {key.value: value for key, value in node.value}


def items(node: yaml.Node) -> list[yaml.Node]:
    return node.value if isinstance(node, yaml.SequenceNode) else [node]


def explanation(node: yaml.Node, lines: list[str]) -> str | None:
    line = node.start_mark.line
    found = EXPLANATION.search(lines[line])
    if not found and lines[line - 1].lstrip().startswith("#"):
        found = EXPLANATION.search(lines[line - 1])
    return found[1] if found else None


def used(folder: Path) -> set[tuple]:
    return {tuple(row) for file in folder.glob("*.json") for row in json.loads(file.read_text())}


def report(folder: Path, template: Path) -> int:
    seen = used(folder)
    if not seen:
        print(f"nothing in {folder}: no usage was recorded", file=sys.stderr)
        return 2
    everything = permissions(template.read_text())
    unused = [permission for permission in everything if permission.grant not in seen]
    if unknown := seen - {permission.grant for permission in everything}:
        print(f"used, but not in {template}: {sorted(unknown)}", file=sys.stderr)
        return 2
    missing = [permission for permission in unused if not permission.why]
    print(f"\n{len(everything)} permissions, {len(unused)} of them unused in tests:")
    role = None
    for permission in unused:
        if permission.role != role:
            role = permission.role
            print(f"  {role}")
        why = permission.why or "NOT EXPLAINED: remove it, or say in the template why it is needed"
        print(f"    {permission.statement}: {permission.action} on {permission.resource}: {why}")
    if missing:
        print(f"\n{len(missing)} permissions are neither used nor explained")
    return 1 if missing else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m landfall_local.iam.report", description=__doc__.split("\n")[0])
    parser.add_argument("usage", type=Path, help="the folder that $LANDFALL_IAM_USAGE named")
    parser.add_argument("--template", type=Path, default=TEMPLATE)
    arguments = parser.parse_args()
    return report(arguments.usage, arguments.template)


if __name__ == "__main__":
    sys.exit(main())
