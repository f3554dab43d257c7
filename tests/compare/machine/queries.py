"""Queries: random SELECTs of every shape in docs/sql.md, over raw and curated tables."""

import random
from dataclasses import dataclass

from .expressions import Expressions, Known, Scope
from .kinds import BINARY, BOOLEAN, DATE, DOUBLE, INT, LONG, MONEY, SCALARS, TEXT, Kind, array, decimal
from .raw import RawTable
from .tree import Item, Node, Query, item, many, optional

# kind, SQL, arguments, and the tolerance between DuckDB's answer and ours; T is any kind
AGGREGATES = [
    (LONG, "count(*)", (), 0),
    (LONG, "count({0})", ("T",), 0),
    (LONG, "count(DISTINCT {0})", ("T",), 0),
    (LONG, "sum({0})", (INT,), 0),
    (LONG, "sum({0})", (LONG,), 0),
    (LONG, "sum(DISTINCT {0})", (INT,), 0),
    (DOUBLE, "sum({0})", (DOUBLE,), 1e-12),
    (decimal(20, 2), "sum({0})", (MONEY,), 0),
    (DOUBLE, "avg({0})", (INT,), 1e-12),
    (DOUBLE, "avg({0})", (DOUBLE,), 1e-12),
    (decimal(14, 6), "avg({0})", (MONEY,), 2e-6),
    (BOOLEAN, "bool_and({0})", (BOOLEAN,), 0),
    (BOOLEAN, "bool_or({0})", (BOOLEAN,), 0),
    (INT, "bit_or({0})", (INT,), 0),
    (INT, "bit_and({0})", (INT,), 0),
    (DOUBLE, "stddev({0})", (DOUBLE,), 1e-6),
    (DOUBLE, "var_pop({0})", (INT,), 1e-6),
    (DOUBLE, "median({0})", (DOUBLE,), 1e-12),
    (DOUBLE, "percentile_cont(0.5) WITHIN GROUP (ORDER BY {0})", (DOUBLE,), 1e-12),
    ("T", "min({0})", ("T",), 0),
    ("T", "max({0})", ("T",), 0),
]
WINDOWS = [
    (LONG, "row_number()", (), True),
    (LONG, "rank()", (), True),
    (LONG, "dense_rank()", (), True),
    (DOUBLE, "percent_rank()", (), True),
    (LONG, "ntile(3)", (), True),
    ("T", "lag({0})", ("T",), True),
    ("T", "lead({0}, 2)", ("T",), True),
    ("T", "lag({0}, 1, {1})", ("T", "T"), True),
    ("T", "first_value({0})", ("T",), True),
    ("T", "last_value({0})", ("T",), True),
    ("T", "nth_value({0}, 2)", ("T",), True),
    *[(kind, sql, arguments, False) for kind, sql, arguments, _ in AGGREGATES[:16] + AGGREGATES[-2:]],
]
FRAMES = [
    "",
    " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
    " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
    " ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING",
    " ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING",
    " ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
]
WANTED = [*SCALARS, TEXT, INT, LONG, DOUBLE, MONEY]


@dataclass(frozen=True)
class Relation:
    """A table to select from."""

    name: str
    columns: tuple[Known, ...]
    # the column that identifies a row, if there is one
    key: str | None = None


class Queries:
    """Builds queries over some tables."""

    def __init__(self, rng: random.Random, tables: list[RawTable]):
        self.rng = rng
        self.relations = [
            Relation(table.name, tuple(Known(c.name, c.kind, c.flavour) for c in table.columns), "id")
            for table in tables
        ]
        self.aliases = 0

    def table(self, name: str, query: Query) -> None:
        """Adds a curated table that later queries may read."""
        self.relations.append(Relation(name, tuple(Known(c.name, c.kind) for c in query.columns if not c.tolerance)))

    def alias(self) -> str:
        self.aliases += 1
        return f"a{self.aliases}"

    # ---------------------------------------------------------------------------------------------------- whole queries

    def query(self, depth: int = 2) -> Query:
        shape = self.rng.random()
        if depth > 0 and shape < 0.15:
            return self.with_table(depth)
        if depth > 0 and shape < 0.3:
            kinds = [self.rng.choice(WANTED) for _ in range(self.rng.randint(1, 4))]
            return self.combined(kinds, depth)
        return self.select(depth)

    def with_table(self, depth: int) -> Query:
        named = self.query(depth - 1)
        name = f"w{self.alias()}"
        relation = Relation(name, tuple(Known(c.name, c.kind) for c in named.columns if not c.tolerance))
        self.relations += [relation, relation] if relation.columns else []
        body = self.select(depth - 1)
        self.relations = [other for other in self.relations if other is not relation]
        return Query(f"WITH {name} AS ({{0}}) {{1}}", [Node("{0}", [named]), body])

    def combined(self, kinds: list[Kind], depth: int, tolerant: bool = False) -> Query:
        how = self.rng.choice(["UNION ALL", "UNION ALL", "UNION", "EXCEPT", "INTERSECT"])
        sides = [self.select(depth - 1, kinds) for _ in range(2)]
        if self.rng.random() < 0.2:
            sides[1] = self.combined(kinds, depth - 1) if depth > 1 else sides[1]
        return Query(f"({{0}}) {how} ({{1}})", sides)

    def select(self, depth: int, kinds: list[Kind] | None = None, plain: bool = False) -> Query:
        source, scope = self.source(depth)
        make = Expressions(self.rng, scope)
        where = self.condition(scope, depth) if self.rng.random() < 0.5 else None
        if self.rng.random() < 0.3 and not plain:
            items, group, having = self.grouped(make, kinds)
        else:
            items, group, having = self.items(make, kinds, depth, plain), many([]), optional(None)
        exact = not any(each.tolerance for each in items)
        distinct = optional(Node("DISTINCT ") if exact and self.rng.random() < 0.12 else None)
        ordered = exact and all(each.kind.is_scalar for each in items) and self.rng.random() < 0.2
        order = optional(self.order(items) if ordered else None)
        parts = [distinct, many(items, least=1), source, optional(where, " WHERE "), group, having, order]
        return Query("SELECT {0}{1} FROM {2}{3}{4}{5}{6}", parts, items=1, order=6)

    def order(self, items: list[Item]) -> Node:
        """Returns a total order, and a limit."""
        keys = [f"{each.name}{self.direction()}" for each in self.rng.sample(items, len(items))]
        limit = self.rng.choice(["", f" LIMIT {self.rng.randint(0, 9)}", f" LIMIT 3 OFFSET {self.rng.randint(0, 4)}"])
        return Node(f" ORDER BY {', '.join(keys)}{limit}", fixed=True)

    def direction(self) -> str:
        return self.rng.choice(["", " DESC"]) + self.rng.choice([" NULLS FIRST", " NULLS LAST"])

    def items(self, make: Expressions, kinds: list[Kind] | None, depth: int, plain: bool) -> list[Item]:
        asked = kinds or [self.kind(make.scope) for _ in range(self.rng.randint(1, 5))]
        items = []
        for n, kind in enumerate(asked):
            if not kinds and not plain and self.rng.random() < 0.12:
                items.append(self.window(make, f"c{n}"))
            elif depth > 0 and kind.is_scalar and kind != BINARY and self.rng.random() < 0.06:
                items.append(item(self.scalar_query(make.scope, kind, depth), f"c{n}"))
            else:
                items.append(item(make.make(kind, self.rng.randint(0, 3)), f"c{n}"))
        return items

    def kind(self, scope: Scope) -> Kind:
        if scope.columns and self.rng.random() < 0.5:
            return self.rng.choice(scope.columns).kind
        return self.rng.choice(WANTED)

    # ---------------------------------------------------------------------------------------------------------- sources

    def source(self, depth: int) -> tuple[Node, Scope]:
        node, scope = self.relation(depth)
        if depth > 0 and self.rng.random() < 0.1:
            return self.joined_by_name()
        for _ in range(self.rng.choice([0, 0, 0, 1, 1, 2]) if depth > 0 else 0):
            node, scope = self.join(node, scope, depth)
        return node, scope

    def relation(self, depth: int) -> tuple[Node, Scope]:
        shape = self.rng.random()
        if depth > 0 and shape < 0.25:
            inner = self.query(depth - 1)
            name = self.alias()
            columns = [Known(f"{name}.{c.name}", c.kind) for c in inner.columns if not c.tolerance]
            # without the left-out columns, rows may look the same
            keys = keys_of(columns) if len(columns) == len(inner.columns) else None
            return Node(f"({{0}}) AS {name}", [inner]), Scope(columns, keys)
        if shape < 0.3:
            return self.unnested()
        if shape < 0.34:
            return self.values()
        return self.named(self.rng.choice(self.relations))

    def named(self, relation: Relation) -> tuple[Node, Scope]:
        name = self.alias()
        columns = [Known(f"{name}.{c.ref}", c.kind, c.flavour) for c in relation.columns]
        keys = [f"{name}.{relation.key}"] if relation.key else keys_of(columns)
        return Node(f"{relation.name} AS {name}"), Scope(columns, keys)

    def unnested(self) -> tuple[Node, Scope]:
        """Selects an array's items as rows."""
        arrays = [
            (relation, known)
            for relation in self.relations
            for known in relation.columns
            if known.kind.name == "array" and known.kind.item.is_scalar and relation.key
        ]
        if not arrays:
            return self.values()
        relation, known = self.rng.choice(arrays)
        name = self.alias()
        columns = [Known(f"{name}.id", INT, "id"), Known(f"{name}.v", known.kind.item)]
        text = f"(SELECT id, unnest({known.ref}) AS v FROM {relation.name}) AS {name}"
        return Node(text), Scope(columns, keys_of(columns))

    def values(self) -> tuple[Node, Scope]:
        name = self.alias()
        rows = many([Node(f"(CAST({n} AS INT), {text})") for n, text in enumerate(("'x'", "'y'", "NULL"))], 1)
        columns = [Known(f"{name}.id", INT, "id"), Known(f"{name}.k", TEXT, "key")]
        return Node(f"(VALUES {{0}}) AS {name} (id, k)", [rows]), Scope(columns, [f"{name}.id"])

    def join(self, left: Node, scope: Scope, depth: int) -> tuple[Node, Scope]:
        right, other = self.relation(depth - 1)
        how = self.rng.choice(
            ["JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", "SEMI", "ANTI"]
        )
        keys = None if scope.keys is None or other.keys is None else scope.keys + other.keys
        both = Scope(scope.columns + other.columns, keys)
        if how == "CROSS JOIN":
            return Node("{0} CROSS JOIN {1}", [left, right]), both
        on = self.on(scope, other, both)
        if how in ("SEMI", "ANTI"):
            return Node(
                f"{{0}} LEFT {how} JOIN {{1}} ON {{2}}", [left, right, on], f"{{0}} {how} JOIN {{1}} ON {{2}}"
            ), scope
        return Node(f"{{0}} {how} {{1}} ON {{2}}", [left, right, on]), both

    def on(self, left: Scope, right: Scope, both: Scope) -> Node:
        """Returns a join condition: columns of one kind, keys if there are any, and sometimes another condition."""
        pairs = [(one, other) for one in left.columns for other in right.columns if one.kind == other.kind]
        pairs = [pair for pair in pairs if pair[0].kind.is_scalar]
        alike = [pair for pair in pairs if pair[0].flavour == pair[1].flavour and pair[0].flavour in ("id", "key")]
        if not pairs:
            return Expressions(self.rng, both).make(BOOLEAN, 1)
        chosen = self.rng.choice(alike or pairs)
        operator = self.rng.choice(["=", "=", "=", "=", "<", "IS NOT DISTINCT FROM"])
        terms = [Node(f"{{0}} {operator} {{1}}", [known.node for known in chosen], kind=BOOLEAN)]
        if self.rng.random() < 0.25:
            terms.append(Node("({0})", [Expressions(self.rng, both).make(BOOLEAN, 1)], kind=BOOLEAN))
        return many([Node("({0})", [term]) for term in terms], 1, " AND ")

    def joined_by_name(self) -> tuple[Node, Scope]:
        """Joins with USING or NATURAL, which merge columns of the same name."""
        relations = [relation for relation in self.relations if relation.key]
        one, other = self.rng.choice(relations), self.rng.choice(relations)
        names = [self.alias(), self.alias()]
        how = self.rng.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
        by = self.rng.choice([["id"], ["k"], ["id", "k"]])
        columns = [Known(name, INT if name == "id" else TEXT, "id" if name == "id" else "key") for name in by]
        if self.rng.random() < 0.3:
            selected = [known.ref for known in other.columns if known.ref in by]
            text = (
                f"{one.name} AS {names[0]} NATURAL {how} (SELECT {', '.join(selected)} FROM {other.name}) AS {names[1]}"
            )
            others: list[Known] = []
        else:
            text = f"{one.name} AS {names[0]} {how} {other.name} AS {names[1]} USING ({', '.join(by)})"
            others = [Known(f"{names[1]}.{k.ref}", k.kind, k.flavour) for k in other.columns if k.ref not in by]
        columns += [Known(f"{names[0]}.{k.ref}", k.kind, k.flavour) for k in one.columns if k.ref not in by]
        return Node(text), Scope(columns + others)

    # ------------------------------------------------------------------------------------------------------ conditions

    def condition(self, scope: Scope, depth: int) -> Node:
        if depth > 0 and self.rng.random() < 0.25:
            return self.about_query(scope, depth)
        return Expressions(self.rng, scope).make(BOOLEAN, self.rng.randint(1, 3))

    def about_query(self, scope: Scope, depth: int) -> Node:
        """Returns IN, NOT IN or EXISTS with a query that may refer to the outer row."""
        inner, columns = self.relation(0)
        word = self.rng.choice(["", "NOT "])
        pairs = [(a, b) for a in scope.columns for b in columns.columns if a.kind == b.kind and a.kind.is_scalar]
        if not pairs:
            return Expressions(self.rng, scope).make(BOOLEAN, 1)
        outside, inside = self.rng.choice(pairs)
        where = optional(
            Expressions(self.rng, columns).make(BOOLEAN, 1) if self.rng.random() < 0.4 else None, " WHERE "
        )
        if self.rng.random() < 0.5:
            return Node(
                f"{{0}} {word}IN (SELECT {inside.ref} FROM {{1}}{{2}})", [outside.node, inner, where], kind=BOOLEAN
            )
        more = many([Node("({0})", where.parts)] if where.parts else [], prefix=" AND ")
        text = f"{word}EXISTS (SELECT 1 FROM {{0}} WHERE {inside.ref} = {outside.ref}{{1}})"
        return Node(text, [inner, more], kind=BOOLEAN)

    def scalar_query(self, scope: Scope, kind: Kind, depth: int) -> Node:
        """Returns a subquery with a single value."""
        inner, columns = self.relation(0)
        value = Expressions(self.rng, columns).make(kind, 1)
        pairs = [(a, b) for a in scope.columns for b in columns.columns if a.kind == b.kind and a.kind.is_scalar]
        where = ""
        if pairs and self.rng.random() < 0.6:
            outside, inside = self.rng.choice(pairs)
            where = f" WHERE {inside.ref} = {outside.ref}"
        return Node(f"(SELECT {self.rng.choice(['min', 'max'])}({{0}}) FROM {{1}}{where})", [value, inner], kind=kind)

    # ---------------------------------------------------------------------------------------------- groups and windows

    def grouped(self, make: Expressions, kinds: list[Kind] | None) -> tuple[list[Item], Node, Node]:
        scalars = [known for known in make.scope.columns if known.kind.is_scalar and known.kind != BINARY]
        if kinds:
            # as many columns as requested, all of them grouped by
            items = [item(make.make(kind, 1), f"c{n}") for n, kind in enumerate(kinds)]
            return items, Node(" GROUP BY " + ", ".join(str(n + 1) for n in range(len(items)))), optional(None)
        keys = [item(self.rng.choice(scalars).node, f"c{n}") for n in range(self.rng.randint(0, 2)) if scalars]
        keys = [key for n, key in enumerate(keys) if key.parts[0].ours not in [k.parts[0].ours for k in keys[:n]]]
        if keys and self.rng.random() < 0.3:
            keys[0] = item(make.make(self.rng.choice(SCALARS), 2), keys[0].name)
        items = keys + [self.aggregate(make, f"g{n}") for n in range(self.rng.randint(1, 3))]
        having = optional(None)
        if self.rng.random() < 0.25:
            having = optional(Node("{0} > 1", [self.aggregate(make, "h", [LONG]).parts[0]], kind=BOOLEAN), " HAVING ")
        if not keys:
            return items, many([]), having
        refs = [key.parts[0].text() for key in keys]
        plain = all(ref in [known.ref for known in scalars] for ref in refs)
        shapes = ["{}"] * 3 + (["ROLLUP ({})", "CUBE ({})", "GROUPING SETS (({}), ())"] if plain else [])
        text = (
            self.rng.choice(shapes).format(", ".join(refs))
            if plain
            else ", ".join(str(n + 1) for n in range(len(keys)))
        )
        return items, Node(f" GROUP BY {text}"), having

    def aggregate(self, make: Expressions, name: str, kinds: list[Kind] | None = None) -> Item:
        fitting = [each for each in AGGREGATES if kinds is None or each[0] in kinds]
        kind, sql, arguments, tolerance = self.rng.choice(fitting)
        if not kinds and self.rng.random() < 0.1:
            return self.collected(make, name)
        any_kind = self.rng.choice(SCALARS)
        parts = [self.argument(make, of, any_kind) for of in arguments]
        text, parts = sql, parts
        if self.rng.random() < 0.15 and "WITHIN" not in sql:
            text += f" FILTER (WHERE {{{len(parts)}}})"
            parts = [*parts, make.make(BOOLEAN, 1)]
        made = any_kind if kind == "T" else kind
        return item(Node(text, parts, kind=made), name, tolerance)

    def collected(self, make: Expressions, name: str) -> Item:
        """Aggregates the values of a group in an explicit order."""
        if self.rng.random() < 0.5:
            part = make.make(TEXT, 0)
            return item(Node("string_agg({0}, ',' ORDER BY {0} NULLS LAST)", [part], kind=TEXT), name)
        kind = self.rng.choice([INT, TEXT, DATE, BOOLEAN])
        part = make.make(kind, 0)
        return item(Node("array_agg({0} ORDER BY {0} NULLS LAST)", [part], kind=array(kind)), name)

    def argument(self, make: Expressions, of: Kind | str, any_kind: Kind) -> Node:
        if of == "T":
            return make.make(any_kind, 1)
        return make.make(of, 1, "tame" if self.rng.random() < 0.9 and of != BOOLEAN else "")

    def window(self, make: Expressions, name: str) -> Item:
        kind, sql, arguments, ranked = self.rng.choice(WINDOWS)
        any_kind = self.rng.choice(SCALARS)
        parts = [self.argument(make, of, any_kind) for of in arguments]
        tolerance = 1e-9 if kind == DOUBLE or (kind != "T" and kind.name == "decimal" and "avg" in sql) else 0.0
        tolerance = 2e-6 if kind == decimal(14, 6) else tolerance
        scalars = [known for known in make.scope.columns if known.kind.is_scalar]
        over = ""
        if scalars and self.rng.random() < 0.6:
            over = f"PARTITION BY {self.rng.choice(scalars).ref}"
        keys = make.scope.keys
        if ranked and not keys:
            return item(make.make(INT, 1), name)
        distinct = "DISTINCT" in sql
        if keys and not distinct and (ranked or self.rng.random() < 0.6):
            first = [self.rng.choice(scalars).ref] if scalars and self.rng.random() < 0.5 else []
            total = [f"{ref}{self.direction()}" for ref in [*first, *keys]]
            frame = self.rng.choice(FRAMES) if "value" in sql or not ranked else ""
            over += f" ORDER BY {', '.join(dict.fromkeys(total))}{frame}"
        made = any_kind if kind == "T" else kind
        return item(Node(f"{sql} OVER ({over.strip()})", parts, kind=made), name, tolerance)


def keys_of(columns: list[Known]) -> list[str] | None:
    return [known.ref for known in columns] if all(known.kind.is_scalar for known in columns) else None
