"""Bytes: every query gives the same files, however often it is built and with any number of threads.

In addition to the queries compared with DuckDB, there are queries with several valid answers: unordered rows, and what
is computed from them. `python -m machine.bytes`.
"""

import argparse
import random
import shutil
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .engines import Case, command, curate, run, write
from .hunt import case
from .kinds import DOUBLE, INT, TEXT
from .queries import Queries
from .tree import Node, Query, item, many

THREADS = ("1", "2", "8", "2")
# one folder per build
CURATED = "curated-{}"
COLLECT = (
    (TEXT, "string_agg({0}, ',')", TEXT),
    (TEXT, "first_value({0})", TEXT),
    (TEXT, "last_value({0})", TEXT),
    (DOUBLE, "sum({0})", DOUBLE),
    (DOUBLE, "avg({0})", DOUBLE),
    (DOUBLE, "stddev({0})", DOUBLE),
    (INT, "first_value({0})", INT),
)
LOOSE = "wild"


def loose(rng: random.Random, queries: Queries) -> Query:
    """Returns a query whose rows or values depend on the order of its input rows."""
    kinds = [INT, TEXT, DOUBLE]
    inner = queries.combined(kinds, 1) if rng.random() < 0.7 else queries.select(1, kinds)
    name = queries.alias()
    columns = [Node(f"{name}.{column.name}", kind=column.kind) for column in inner.columns]
    source = Node(f"({{0}}) AS {name}", [inner])
    shape = rng.random()
    if shape < 0.35:
        items = many([item(node, f"c{n}") for n, node in enumerate(columns)], least=1)
        return Query(f"SELECT {{0}} FROM {{1}} LIMIT {rng.randint(1, 20)}", [items, source], items=0)
    if shape < 0.75:
        chosen = rng.sample(COLLECT, 3)
        nodes = [Node(sql, [columns[kinds.index(of)]], kind=kind) for kind, sql, of in chosen]
        items = many([item(node, f"g{n}") for n, node in enumerate(nodes)], least=1)
        group = rng.choice(["", f" GROUP BY {name}.c1", f" GROUP BY {name}.c0"])
        return Query(f"SELECT {{0}} FROM {{1}}{group}", [items, source], items=0)
    windows = ["row_number() OVER ()", "first_value({0}) OVER (PARTITION BY {1})", "sum({2}) OVER (ORDER BY {0})"]
    windows += ["lag({0}) OVER (PARTITION BY {1})", "{0}"]
    nodes = [Node(sql, columns, kind=kinds[2] if "sum" in sql else INT) for sql in rng.sample(windows, 3)]
    return Query("SELECT {0} FROM {1}", [many([item(n, f"c{k}") for k, n in enumerate(nodes)], 1), source], items=0)


def with_reader(made: Case) -> Case:
    """Adds a table that reads the last one and must hold the same rows in the same order."""
    name, query = made.queries[-1]
    columns = many([item(Node(column.name, kind=column.kind), column.name) for column in query.columns], least=1)
    return Case(made.tables, [*made.queries, ("reader", Query(f"SELECT {{0}} FROM {name}", [columns], items=0))])


def cases(seed: int, number: int) -> Case:
    made = case(seed, number)
    if number % 2:
        rng = random.Random(f"{seed}/{number}/{LOOSE}")
        queries = Queries(rng, made.tables)
        made = Case(made.tables, [("q1", loose(rng, queries))])
    return with_reader(made)


def differs(binary: Path, made: Case, folder: Path) -> tuple[str, str]:
    """Returns `same`, `refused` or `DIFFERENT`, and the difference."""
    shutil.rmtree(folder, ignore_errors=True)
    write(made, folder)
    names = [name for name, _ in made.queries]
    built = []
    for n, threads in enumerate(THREADS):
        answer = curate(binary, folder, names, "--threads", threads, curated=CURATED.format(n))
        if answer.failure:
            # a refusal must not depend on the number of threads
            return ("refused", answer.message) if not built else ("DIFFERENT", f"{threads} threads: {answer.message}")
        built.append(answer)
        if answer.sha256 != built[0].sha256:
            return "DIFFERENT", f"with {threads} threads after {THREADS[0]}: {built[0].sha256}, {answer.sha256}"
    if repr(built[0].rows["reader"]) != repr(built[0].rows[names[-2]]):
        return "DIFFERENT", f"`reader` has other rows than `{names[-2]}`, which it reads"
    verified = run(command(binary, folder, "--threads", "8", what="verify", curated=CURATED.format(0)))
    if verified.returncode:
        return "DIFFERENT", f"verify: {verified.stdout}{verified.stderr}"
    return "same", ""


def prove(binary: Path, seed: int, count: int, folder: Path) -> tuple[Counter, list[str]]:
    """Builds many cases. Returns the counts by kind, and the problems."""

    def one(number: int) -> tuple[int, str, str]:
        place = folder / f"bytes-{seed}-{number}"
        kind, detail = differs(binary, cases(seed, number), place)
        if kind != "DIFFERENT":
            shutil.rmtree(place)
        return number, kind, detail

    counts: Counter = Counter()
    problems = []
    with ThreadPoolExecutor(2) as pool:
        for number, kind, detail in pool.map(one, range(count)):
            counts[kind] += 1
            if kind == "DIFFERENT":
                sql = "\n".join(f"{name}: {query.text()}" for name, query in cases(seed, number).queries)
                problems.append(f"case {number} of seed {seed} (bytes-{seed}-{number}): {detail}\n{sql}")
    return counts, problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--landfall", type=Path, required=True, help="our binary")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--folder", type=Path, default=Path(".local/compare-sql"))
    settings = parser.parse_args()
    started = time.monotonic()
    binary, folder = settings.landfall.resolve(), settings.folder.resolve()
    counts, problems = prove(binary, settings.seed, settings.queries, folder)
    print("\n\n".join(problems))
    print(f"Bytes: {dict(counts)}, seed {settings.seed}, {time.monotonic() - started:.0f} s")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
