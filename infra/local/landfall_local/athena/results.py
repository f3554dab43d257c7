"""A statement's result: its columns, its rows as text, and its file.

Details that Athena's manual omits follow measurements on AWS: github.com/aoyagikouhei/athena-local,
docs/dev/measurements.
"""

import io
from dataclasses import dataclass, field

import pyarrow as pa

from .types import as_text, precision, result_type

Row = list[str | None]

DDL, DML, UTILITY = "DDL", "DML", "UTILITY"
CSV, TXT, NOTHING = "csv", "txt", ""


@dataclass
class Column:
    """ColumnInfo of a result."""

    name: str
    type: str
    precision: int = 0
    scale: int = 0
    case_sensitive: bool = False

    def to_json(self) -> dict:
        return {
            "CatalogName": "hive",
            "SchemaName": "",
            "TableName": "",
            "Name": self.name,
            "Label": self.name,
            "Type": self.type,
            "Precision": self.precision,
            "Scale": self.scale,
            "Nullable": "UNKNOWN",
            "CaseSensitive": self.case_sensitive,
        }


@dataclass
class Result:
    columns: list[Column] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    update_count: int | None = None
    location: str | None = None  # replaces the usual location of the result file
    manifest: str | None = None


def of_table(table: pa.Table) -> Result:
    """Returns the result of a query."""
    columns = [of_field(found) for found in table.schema]
    values = [column.to_pylist() for column in table.columns]
    rows = [[as_text(value) for value in row] for row in zip(*values, strict=True)]
    return Result(columns, rows, update_count=0)


def of_field(found: pa.Field) -> Column:
    kind = result_type(found.type)[0]
    return Column(found.name, kind, *precision(found.type), case_sensitive=kind == "varchar")


def of_lines(names: list[str], lines: list[str], kind: str = "string", update_count: int | None = 0) -> Result:
    """Returns an answer of Hive: each line is one value, whatever the number of columns."""
    return Result([Column(name, kind) for name in names], [[line] for line in lines], update_count)


def of_written(count: int, location: str | None = None, manifest: str | None = None) -> Result:
    """Returns the result of a statement that wrote rows."""
    return Result([Column("rows", "bigint", 19)], [], count, location, manifest)


def as_file(result: Result, suffix: str) -> str:
    if suffix == TXT:
        return "\n".join(row[0] or "" for row in result.rows)
    return as_csv([[column.name for column in result.columns], *result.rows])


def as_csv(rows: list[Row]) -> str:
    """Formats CSV with every value in quotes. A null is empty, so that it differs from an empty text."""
    text = io.StringIO()
    for row in rows:
        cells = ["" if value is None else '"' + value.replace('"', '""') + '"' for value in row]
        text.write(",".join(cells) + "\n")
    return text.getvalue()
