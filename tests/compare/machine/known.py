"""Known differences of DuckDB's answers, with their reasons: disagreements-duckdb.md."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from .engines import Case
from .verdict import Verdict

LIST = Path(__file__).parents[1] / "disagreements-duckdb.md"
HEADER = "| SQL of the case | what is seen | why |"


@dataclass
class Known:
    """A known difference: a pattern for the case's SQL and one for the verdict."""

    what: str
    seen_as: str
    seen: list[int] = field(default_factory=list)

    def explains(self, case: Case, found: Verdict) -> bool:
        sql = "\n".join(query.text() for _, query in case.queries)
        return bool(re.search(self.what, sql) and re.search(self.seen_as, f"{found.kind}: {found.detail}"))


def listed() -> list[Known]:
    known = []
    for line in LIST.read_text(encoding="utf-8").splitlines():
        if line.startswith("|") and not line.startswith(("|---", HEADER)):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
            if len(cells) != 3 or not cells[2]:
                raise SystemExit(f"{LIST.name}: expected three cells, the last of them a reason: {line}")
            known.append(Known(*(cell.strip("`").replace("\\|", "|") for cell in cells[:2])))
    return known
