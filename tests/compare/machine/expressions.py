"""Expressions: random SQL of a kind, built by the rules over the columns in scope."""

import random
import re
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

from .kinds import (
    BOOLEAN,
    DATE,
    DATETIME,
    DAYS,
    DIGITS,
    DOUBLE,
    FLOAT,
    FREE,
    INT,
    KEYS,
    LONG,
    MONEY,
    SCALARS,
    TEXT,
    Kind,
    array,
    decimal,
    struct,
)
from .rules import RULES, Rule
from .tree import Node

CHOICE = re.compile("«([^»]*)»")
SIMPLE = {kind.name: kind for kind in (TEXT, INT, LONG, FLOAT, DOUBLE, DATE, DATETIME, BOOLEAN)}


@dataclass(frozen=True)
class Known:
    """A column in scope."""

    ref: str
    kind: Kind
    flavour: str = ""

    @property
    def node(self) -> Node:
        return Node(self.ref, kind=self.kind, flavour=self.flavour)


@dataclass
class Scope:
    """The columns that an expression may use. The keys together identify a row; without them no order is total."""

    columns: list[Known]
    keys: list[str] | None = None
    outer: list[Known] = field(default_factory=list)


# by the name of the kind that they return
BY_KIND: dict[str, list[Rule]] = defaultdict(list)
for each in RULES:
    BY_KIND[each.kind.split(":")[0]].append(each)


class Expressions:
    """Builds expressions over a scope."""

    def __init__(self, rng: random.Random, scope: Scope):
        self.rng = rng
        self.scope = scope

    def make(self, kind: Kind, depth: int = 2, flavour: str = "") -> Node:
        """Returns an expression of this kind: a rule's, a column or a literal."""
        rules = [rule for rule in self.fitting(kind) if flavour != "tame" or rule.flavour == "tame"]
        if depth > 0 and rules and flavour in ("", "tame") and self.rng.random() < 0.75:
            return self.apply(self.rng.choice(rules), kind, depth)
        return self.leaf(kind, flavour)

    def fitting(self, kind: Kind) -> list[Rule]:
        found = [rule for rule in BY_KIND[kind.name] if ":" not in rule.kind or rule.kind == short(kind)]
        if kind.name == "struct" and kind != PAIR:
            found = []
        return found + (BY_KIND["T"] if kind.is_scalar and kind.name != "binary" else [])

    def apply(self, rule: Rule, kind: Kind, depth: int) -> Node:
        same = kind if rule.kind == "T" else self.rng.choice(SCALARS)
        parts = [self.argument(text, same, depth - 1) for text in rule.arguments]
        chosen: dict[str, str] = {}

        def choose(found: re.Match) -> str:
            return chosen.setdefault(found[1], self.rng.choice(found[1].split("|")))

        ours = CHOICE.sub(choose, rule.ours)
        theirs = rule.theirs and CHOICE.sub(choose, rule.theirs)
        node = Node(ours, parts, theirs, kind, rule.flavour)
        if kind.name == "decimal":
            node = as_decimal(node, kind)
        return node

    def argument(self, text: str, same: Kind, depth: int) -> Node:
        name, _, flavour = text.replace("~", ":tame").partition(":")
        if flavour == "tame" and self.rng.random() < 0.03:
            flavour = ""
        if name == "T":
            return self.make(same, depth)
        if name == "N":
            return self.make(self.rng.choice([INT, LONG, DOUBLE, MONEY]), depth)
        if name == "array":
            of = SIMPLE[flavour] if flavour else self.rng.choice([TEXT, INT])
            return self.make(array(of), depth)
        if name == "struct":
            return self.make(PAIR, depth)
        if name == "decimal":
            return self.make(self.rng.choice([MONEY, MONEY, decimal(12, 4)]), depth, flavour)
        return self.make(SIMPLE[name], depth, flavour)

    def leaf(self, kind: Kind, flavour: str = "") -> Node:
        columns = self.scope.columns + (self.scope.outer if self.rng.random() < 0.3 else [])
        fitting = [known for known in columns if known.kind == kind and flavour in ("", known.flavour)]
        if fitting and self.rng.random() < 0.85:
            return self.rng.choice(fitting).node
        if kind.name in ("int", "long") and flavour == "tame":
            known = [known for known in columns if known.kind == kind and known.flavour == "id"]
            if known and self.rng.random() < 0.5:
                return known[0].node
        return self.literal(kind, flavour)

    def literal(self, kind: Kind, flavour: str = "") -> Node:
        rng = self.rng
        if rng.random() < 0.08 or kind.name == "binary":
            return null(kind)
        match kind.name:
            case "character":
                text = rng.choice({"key": KEYS, "number": DIGITS, "day": DAYS}.get(flavour, FREE + KEYS))
                return Node(quoted(text), kind=kind, flavour=flavour)
            case "int":
                return Node(f"CAST({rng.randint(-5, 9)} AS INT)", kind=kind, flavour="tame")
            case "long":
                value = rng.randint(-5, 9)
                text = f"({value})" if value < 0 else str(value)
                return Node(text, [], f"CAST({value} AS BIGINT)", kind, "tame")
            case "double" | "float":
                value = rng.randint(-20, 40) / 4
                if kind.name == "float":
                    return Node(f"CAST({value} AS FLOAT)", kind=kind, flavour="tame")
                return Node(f"({value})", [], f"CAST({value} AS DOUBLE)", kind, "tame")
            case "decimal":
                value = Decimal(rng.randint(-9, 9)).scaleb(-min(kind.scale, 2))
                return Node(f"CAST('{value:f}' AS {kind.sql})", kind=kind, flavour="tame")
            case "date":
                return Node(f"DATE '{rng.choice(DAYS)}'", kind=kind, flavour="tame")
            case "datetime":
                return Node(f"TIMESTAMP '{rng.choice(DAYS)} 12:30:00.5'", kind=kind, flavour="tame")
            case "boolean":
                return Node(rng.choice(["true", "false"]), kind=kind)
            case "array":
                parts = [self.literal(kind.item) for _ in range(rng.randint(1, 3))]
                holes = ", ".join(f"{{{n}}}" for n in range(len(parts)))
                return Node(f"[{holes}]", parts, kind=kind)
            case "struct":
                parts = [self.literal(inner) for _, inner in kind.fields]
                ours = ", ".join(f"'{name}', {{{n}}}" for n, (name, _) in enumerate(kind.fields))
                theirs = ", ".join(f"{name} := {{{n}}}" for n, (name, _) in enumerate(kind.fields))
                return Node(f"named_struct({ours})", parts, f"struct_pack({theirs})", kind)
        raise ValueError(f"no literal of {kind.described}")


PAIR = struct(a=INT, b=TEXT)


def short(kind: Kind) -> str:
    return f"array:{kind.item.name}" if kind.name == "array" else kind.name


def as_decimal(node: Node, kind: Kind) -> Node:
    """Casts to the kind, because each engine has its own rules for the digits of a decimal operator's result."""
    return Node(f"CAST({{0}} AS {kind.sql})", [node], kind=kind)


def null(kind: Kind) -> Node:
    if kind.name == "array":
        return (
            Node("CASE WHEN false THEN {0} END", [Node("[CAST(NULL AS " + kind.item.sql + ")]")], kind=kind)
            if kind.item.is_scalar
            else Node("NULL", kind=kind)
        )
    if kind.name == "struct":
        return Node("NULL", kind=kind)
    return Node(f"CAST(NULL AS {kind.sql})", kind=kind)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''").replace("{", "{{").replace("}", "}}") + "'"
