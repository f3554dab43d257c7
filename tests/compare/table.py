"""The rules of a table as its raw metadata gives them, and how the scripts tell a verdict."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path


def arguments() -> tuple[str, dict]:
    """The file to check, and the table: `<script> FILE TABLE.json`."""
    file, table = sys.argv[1:]
    return file, json.loads(Path(table).read_text(encoding="utf-8"))


def rules(table: dict) -> Iterator[tuple[str, str, object]]:
    """Each rule about the values of a column: the column's name, the rule's, and its argument."""
    for column in table["columns"]:
        for rule in ("nullable", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength"):
            # a column that may be null has no rule about it
            if rule in column and not (rule == "nullable" and column[rule]):
                yield column["name"], rule, column[rule]


def verdict(broken: dict[str, int | str]) -> None:
    """Prints the rules that are broken, with how many rows or what else is known, and ends: 0 passed, 1 broken."""
    for rule, found in broken.items():
        print(f"broken: {rule}: {found}")
    print("failed" if broken else "passed")
    sys.exit(1 if broken else 0)
