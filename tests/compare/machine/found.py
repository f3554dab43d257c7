"""Findings, as files that show what is wrong and how to reproduce it."""

import shutil
from pathlib import Path

from .engines import Case, DuckDb, command, curate, write
from .verdict import Verdict


def save(case: Case, said: Verdict, binary: Path, folder: Path) -> str:
    """Writes the case into a folder: metadata with the SQL, raw files, and `answers.md`. Returns a text about it."""
    shutil.rmtree(folder, ignore_errors=True)
    write(case, folder)
    names = [name for name, _ in case.queries]
    ours, theirs = curate(binary, folder, names), DuckDb(case.tables).run(case.queries)
    lines = [f"# {said.kind}", "", said.detail, "", f"    {' '.join(command(binary, folder))}", ""]
    for table in case.tables:
        lines += [f"## `{table.name}`", "", f"files: {table.files}", ""]
        lines += [f"- {dict(zip([c.name for c in table.columns], row, strict=True))}" for row in table.rows] + [""]
    for name, query in case.queries:
        lines += [f"## `{name}`", "", "```sql", query.text(), "```", ""]
        lines += ["In DuckDB:", "", "```sql", query.text(duckdb=True), "```", ""]
        for engine, answer in (("curate", ours), ("DuckDB", theirs)):
            lines += [f"{engine}: {answer.message or ''}"] + [f"- {row}" for row in answer.rows.get(name, [])] + [""]
    (folder / "answers.md").write_text("\n".join(lines), encoding="utf-8")
    return "\n".join(lines)
