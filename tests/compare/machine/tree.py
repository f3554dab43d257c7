"""Nodes: SQL as a tree. Each part has its text for curate and for DuckDB, so that it can be shrunk piece by piece."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field

from .kinds import Kind


@dataclass
class Node:
    """SQL with places for its parts: `{0}`, `{1}`. `theirs` is DuckDB's version if it differs."""

    ours: str
    parts: list["Node"] = field(default_factory=list)
    theirs: str | None = None
    # of an expression
    kind: Kind | None = None
    flavour: str = ""
    # whether shrinking must keep the node, such as a key that makes an order total
    fixed: bool = False

    def text(self, duckdb: bool = False) -> str:
        template = self.theirs if duckdb and self.theirs is not None else self.ours
        return template.format(*[part.text(duckdb) for part in self.parts])

    def nodes(self) -> Iterator["Node"]:
        """Yields this node and all nodes inside it."""
        yield self
        for part in self.parts:
            yield from part.nodes()

    @property
    def size(self) -> int:
        return sum(1 for _ in self.nodes())


@dataclass
class Many(Node):
    """A list of parts. Any of them may be left out while at least `least` remain."""

    least: int = 0
    separator: str = ", "
    prefix: str = ""

    def text(self, duckdb: bool = False) -> str:
        texts = [part.text(duckdb) for part in self.parts]
        return self.prefix + self.separator.join(texts) if texts else ""


def many(parts: list[Node], least: int = 0, separator: str = ", ", prefix: str = "") -> Many:
    return Many("", parts, least=least, separator=separator, prefix=prefix)


def optional(node: Node | None, prefix: str = "") -> Many:
    """Returns a clause that may be left out."""
    return many([node] if node else [], prefix=prefix)


@dataclass
class Item(Node):
    """A column of a query. `tolerance` is the allowed relative difference between two answers."""

    name: str = ""
    tolerance: float = 0.0


def item(expression: Node, name: str, tolerance: float = 0.0) -> Item:
    return Item(f"{{0}} AS {name}", [expression], kind=expression.kind, name=name, tolerance=tolerance)


@dataclass
class Query(Node):
    """A whole query. Its columns are those of its items, or of the first query inside it."""

    items: int | None = None
    # the index of the part with the order of its rows
    order: int | None = None

    @property
    def columns(self) -> list[Item]:
        if self.items is not None:
            return self.parts[self.items].parts
        return next(part for part in self.parts if isinstance(part, Query)).columns

    @property
    def is_ordered(self) -> bool:
        return self.order is not None and bool(self.parts[self.order].parts)


def at(root: Node, path: tuple[int, ...]) -> Node:
    for index in path:
        root = root.parts[index]
    return root


def paths(root: Node, path: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Yields the path to each node, from the outside in."""
    yield path
    for index, part in enumerate(root.parts):
        yield from paths(part, (*path, index))


def replaced(root: Node, path: tuple[int, ...], node: Node) -> Node:
    """Returns a copy with another node at a place."""
    if not path:
        return copy.deepcopy(node)
    changed = copy.copy(root)
    changed.parts = list(root.parts)
    changed.parts[path[0]] = replaced(root.parts[path[0]], path[1:], node)
    return changed
