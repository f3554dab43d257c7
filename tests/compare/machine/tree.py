"""Nodes: SQL as a tree, each part written for curate and for DuckDB, so that it can be made smaller piece by piece."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field

from .kinds import Kind


@dataclass
class Node:
    """SQL with places for its parts: `{0}`, `{1}`. `theirs` is DuckDB's way to write it where that is another."""

    ours: str
    parts: list["Node"] = field(default_factory=list)
    theirs: str | None = None
    # of an expression
    kind: Kind | None = None
    flavour: str = ""
    # a key of an order is what makes it total: it stays as it is
    fixed: bool = False

    def text(self, duckdb: bool = False) -> str:
        template = self.theirs if duckdb and self.theirs is not None else self.ours
        return template.format(*[part.text(duckdb) for part in self.parts])

    def nodes(self) -> Iterator["Node"]:
        """Itself and all inside of it."""
        yield self
        for part in self.parts:
            yield from part.nodes()

    @property
    def size(self) -> int:
        return sum(1 for _ in self.nodes())


@dataclass
class Many(Node):
    """Parts in a row, of which any may be left out until so many remain."""

    least: int = 0
    separator: str = ", "
    prefix: str = ""

    def text(self, duckdb: bool = False) -> str:
        texts = [part.text(duckdb) for part in self.parts]
        return self.prefix + self.separator.join(texts) if texts else ""


def many(parts: list[Node], least: int = 0, separator: str = ", ", prefix: str = "") -> Many:
    return Many("", parts, least=least, separator=separator, prefix=prefix)


def optional(node: Node | None, prefix: str = "") -> Many:
    """A clause that may be left out."""
    return many([node] if node else [], prefix=prefix)


@dataclass
class Item(Node):
    """A column of a query. `tolerance` is how far two answers may be from each other, relative to their size."""

    name: str = ""
    tolerance: float = 0.0


def item(expression: Node, name: str, tolerance: float = 0.0) -> Item:
    return Item(f"{{0}} AS {name}", [expression], kind=expression.kind, name=name, tolerance=tolerance)


@dataclass
class Query(Node):
    """A whole query. Its columns are those of its items, or of the first query inside of it."""

    items: int | None = None
    # its rows come in this order
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
    """The way to each node, from the outside in."""
    yield path
    for index, part in enumerate(root.parts):
        yield from paths(part, (*path, index))


def replaced(root: Node, path: tuple[int, ...], node: Node) -> Node:
    """A copy with another node at a place."""
    if not path:
        return copy.deepcopy(node)
    changed = copy.copy(root)
    changed.parts = list(root.parts)
    changed.parts[path[0]] = replaced(root.parts[path[0]], path[1:], node)
    return changed
