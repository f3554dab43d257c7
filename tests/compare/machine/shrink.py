"""Shrinking: makes a failing case as small as possible while it fails in the same way."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from .engines import Case
from .expressions import null
from .tree import Item, Many, Node, Query, at, paths, replaced

Fails = Callable[[Case], bool]


def shrunk(case: Case, fails: Fails, seconds: float = 60) -> Case:
    """Tries everything that makes the case smaller, until nothing does or the time is over."""
    deadline = time.monotonic() + seconds
    tried: set[str] = set()
    while smaller := first_failing(case, fails, tried, deadline):
        case = smaller
    return case


def first_failing(case: Case, fails: Fails, tried: set[str], deadline: float) -> Case | None:
    for candidate in candidates(case):
        if time.monotonic() > deadline:
            return None
        key = repr([(table.columns, table.rows, table.files) for table in candidate.tables]) + repr(
            [(name, query.text(), query.text(True)) for name, query in candidate.queries]
        )
        if key not in tried and candidate.size < case.size:
            tried.add(key)
            if fails(candidate):
                return candidate
    return None


def candidates(case: Case) -> Iterator[Case]:
    """Yields smaller cases, those that leave out most first."""
    for n in range(len(case.queries)):
        if len(case.queries) > 1:
            yield replace(case, queries=case.queries[:n] + case.queries[n + 1 :])
    yield from smaller_tables(case)
    for n, (name, query) in enumerate(case.queries):
        for other in smaller_queries(query):
            yield replace(case, queries=[*case.queries[:n], (name, other), *case.queries[n + 1 :]])
    for n, table in enumerate(case.tables):
        if len(table.files) > 1 or table.files[0][0] != "jsonl":
            yield with_table(case, n, replace(table, files=[("jsonl", len(table.rows))]))


# -------------------------------------------------------------------------------------------------------------- tables


def with_table(case: Case, n: int, table) -> Case:
    return replace(case, tables=[*case.tables[:n], table, *case.tables[n + 1 :]])


def smaller_tables(case: Case) -> Iterator[Case]:
    texts = " ".join(query.text() for _, query in case.queries)
    for n, table in enumerate(case.tables):
        if len(case.tables) > 1 and table.name not in texts:
            yield replace(case, tables=case.tables[:n] + case.tables[n + 1 :])
        # names end in the table's, so a name that is not in the text is not read
        unread = [c.name for c in table.columns[2:] if c.name not in texts]
        fewer = table
        for name in unread:
            fewer = fewer.without_column([c.name for c in fewer.columns].index(name))
        if unread and fewer.columns:
            yield with_table(case, n, fewer)
        half = len(table.rows)
        while half > 0:
            half //= 2
            size = max(half, 1)
            for start in range(0, len(table.rows), size):
                yield with_table(case, n, table.with_rows(table.rows[:start] + table.rows[start + size :]))


# ------------------------------------------------------------------------------------------------------------- queries


def smaller_queries(query: Query) -> Iterator[Query]:
    for inner in query.nodes():
        if isinstance(inner, Query) and inner is not query:
            yield inner
    for n in range(len(query.columns)):
        if len(query.columns) > 1:
            yield without_column(query, n)
    for path in paths(query):
        for node in smaller_nodes(at(query, path)):
            yield replaced(query, path, node)


def without_column(query: Query, n: int) -> Query:
    """Returns the query without a column, which is also removed from every query that its rows come from."""
    changed = replace(query, parts=list(query.parts))
    if query.items is not None:
        items = query.parts[query.items]
        changed.parts[query.items] = replace(items, parts=items.parts[:n] + items.parts[n + 1 :])
        return changed
    changed.parts = [without_column(part, n) if isinstance(part, Query) else part for part in query.parts]
    return changed


def smaller_nodes(node: Node) -> Iterator[Node]:
    if node.fixed or isinstance(node, Item):
        return
    if isinstance(node, Many):
        for n in range(len(node.parts)):
            if len(node.parts) > node.least:
                yield replace(node, parts=node.parts[:n] + node.parts[n + 1 :])
        return
    for inner in node.nodes():
        if inner is not node and type(inner) is type(node) and inner.kind == node.kind:
            yield inner
    if node.kind and node.kind.is_scalar and node.parts:
        yield null(node.kind)
