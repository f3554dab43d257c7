"""The rules of a table from its raw metadata, and the scripts' report of a verdict."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path


def arguments() -> tuple[str, dict]:
    """Returns the file to check, and the table: `<script> FILE TABLE.json`."""
    file, table = sys.argv[1:]
    return file, json.loads(Path(table).read_text(encoding="utf-8"))


def rules(table: dict) -> Iterator[tuple[str, str, object]]:
    """Yields each rule about a column's values: the column's name, the rule's name, and its argument."""
    for column in table["columns"]:
        for rule in ("nullable", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength"):
            # a nullable column has no such rule
            if rule in column and not (rule == "nullable" and column[rule]):
                yield column["name"], rule, column[rule]


def verdict(broken: dict[str, int | str]) -> None:
    """Prints the broken rules, with the number of rows or the error, and exits: 0 passed, 1 broken."""
    for rule, found in broken.items():
        print(f"broken: {rule}: {found}")
    print("failed" if broken else "passed")
    sys.exit(1 if broken else 0)
