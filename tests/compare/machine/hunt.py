"""Hunts: many cases of one seed, each judged. Cases that fail are shrunk and saved."""

import random
import shutil
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice
from pathlib import Path

from .engines import Case, DuckDb, curate, write
from .found import save
from .known import LIST, Known, listed
from .queries import Queries
from .raw import raw_tables
from .shrink import shrunk
from .verdict import DIFFERENT, FAILURES, NOT_NEEDED, SAME, THEIRS_REFUSES, Verdict, verdict

# consecutive cases with the same raw tables
SHARED = 10
# Replacements for a value that only DuckDB computes. If the answer is the same with each of them, no row needs the
# value, as behind a join ON false, and curate need not compute it.
STAND_INS = ["NULL", "0", "1", "-7"]
# cases shown for each kind of refusal
SHOWN = 3


def case(seed: int, number: int) -> Case:
    """Returns a case of a seed, always the same one."""
    tables = raw_tables(random.Random(f"{seed}/{number // SHARED}"))
    rng = random.Random(f"{seed}/{number}/query")
    queries = Queries(rng, tables)
    made = []
    for n in range(rng.choice([1, 1, 1, 1, 2])):
        query = queries.query()
        made.append((f"q{n + 1}", query))
        queries.table(*made[-1])
    return Case(tables, made)


class Hunt:
    """Judges cases and counts the verdicts."""

    def __init__(self, binary: Path, seed: int, folder: Path, shrink: bool = True, known: list[Known] | None = None):
        self.binary, self.seed, self.folder, self.shrink = binary, seed, folder, shrink
        self.known = listed() if known is None else known
        self.counts: Counter = Counter()
        self.sorts: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.reports: list[str] = []
        self.lock = threading.Lock()

    @property
    def failed(self) -> bool:
        return any(self.counts[kind] for kind in FAILURES)

    def judge(self, made: Case, folder: Path) -> Verdict:
        shutil.rmtree(folder, ignore_errors=True)
        write(made, folder)
        ours = curate(self.binary, folder, [name for name, _ in made.queries])
        duckdb = DuckDb(made.tables)
        found = verdict(made, ours, duckdb.run(made.queries))
        if found.kind == THEIRS_REFUSES and "stopped" in found.detail:
            others = [verdict(made, ours, duckdb.run(made.queries, stop=value)) for value in STAND_INS]
            found = Verdict(NOT_NEEDED) if all(other.kind == SAME for other in others) else found
        # the side of a join whose other side has no rows is not computed
        elif found.kind == THEIRS_REFUSES and not any(ours.rows.values()):
            found = found if all(table.rows for table in made.tables) else Verdict(NOT_NEEDED)
        shutil.rmtree(folder, ignore_errors=True)
        return found

    def one(self, number: int) -> None:
        folder = self.folder / f"case-{self.seed}-{number}"
        made = case(self.seed, number)
        found = self.judge(made, folder)
        entry = next((entry for entry in self.known if entry.explains(made, found)), None) if found.failed else None
        with self.lock:
            if entry:
                entry.seen.append(number)
                self.counts["different for a listed reason"] += 1
                return
            self.counts[found.kind] += 1
            self.sorts[found.kind, "" if found.kind == DIFFERENT else found.about].append(number)
            repeated = len(self.sorts[found.kind, found.about]) > SHOWN
        if not found.failed or (repeated and found.kind != DIFFERENT):
            return
        if self.shrink:
            made = shrunk(made, lambda smaller: self.judge(smaller, folder).alike(found))
            found = self.judge(made, folder)
        report = save(made, found, self.binary, self.folder / "found" / f"{self.seed}-{number}")
        with self.lock:
            self.reports.append(report)
            print(f"\n{report}", flush=True)

    def run(self, first: int, cases: int, seconds: float | None = None) -> None:
        """Judges two cases at a time, as most machines have two cores."""
        deadline = time.monotonic() + seconds if seconds else None
        numbers = count(first) if deadline else islice(count(first), cases)

        def work() -> None:
            while deadline is None or time.monotonic() < deadline:
                with self.lock:
                    number = next(numbers, None)
                if number is None:
                    return
                self.one(number)

        with ThreadPoolExecutor(2) as pool:
            for worker in [pool.submit(work) for _ in range(2)]:
                worker.result()

    def summary(self) -> str:
        total = sum(self.counts.values())
        lines = [
            f"\n{total} cases of seed {self.seed}: {', '.join(f'{n} {kind}' for kind, n in self.counts.most_common())}"
        ]
        for (kind, about), numbers in sorted(self.sorts.items(), key=lambda sort: (sort[0][0], -len(sort[1]))):
            if about or kind in FAILURES:
                lines.append(f"  {len(numbers):4} {kind}: {about} ({', '.join(map(str, numbers[:SHOWN]))})")
        lines += [f"  {LIST.name}: {len(entry.seen):4} {entry.what}" for entry in self.known]
        return "\n".join(lines)
