"""Raw tables of a case: columns, rows, and the files with the rows."""

import base64
import datetime as dt
import gzip
import io
import json
import random
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from .kinds import COLUMNS, INT, TEXT, Kind, pool

SECONDS = 1_700_000_000
FORMATS = ("jsonl", "jsonl.gz", "csv", "csv.gz", "parquet")


@dataclass(frozen=True)
class Column:
    """A column of a raw table."""

    name: str
    kind: Kind
    flavour: str = ""

    @property
    def described(self) -> dict:
        return {"name": self.name, "type": self.kind.described, "description": ""}


@dataclass(frozen=True)
class RawTable:
    """A raw table. A row is a list with one value per column, and a file is a format and a number of rows."""

    name: str
    columns: list[Column]
    rows: list[list]
    files: list[tuple[str, int]] = field(default_factory=list)

    @property
    def metadata(self) -> dict:
        described = [column.described for column in self.columns]
        checks = {"minimum_rows": 0}
        shape = {"name": self.name, "description": "", "location": f"{self.name}/", "data_format": "json"}
        return {**shape, "checks": checks, "columns": described}

    def with_rows(self, rows: list[list]) -> "RawTable":
        """Replaces the rows, in one file of the first file's format."""
        return replace(self, rows=rows, files=[(self.files[0][0], len(rows))])

    def without_column(self, index: int) -> "RawTable":
        columns = self.columns[:index] + self.columns[index + 1 :]
        return replace(self, columns=columns, rows=[row[:index] + row[index + 1 :] for row in self.rows])

    def arrow(self, rows: list[list] | None = None) -> pa.Table:
        rows = self.rows if rows is None else rows
        arrays = [pa.array([row[n] for row in rows], column.kind.arrow) for n, column in enumerate(self.columns)]
        return pa.Table.from_arrays(arrays, names=[column.name for column in self.columns])

    def seconds(self) -> list[int]:
        """Returns the landing time of each row."""
        return [SECONDS + n for n, (_, count) in enumerate(self.files) for _ in range(count)]

    def write(self, raw_hist: Path) -> None:
        start = 0
        for n, (extension, count) in enumerate(self.files):
            folder = raw_hist / self.name / f"file_land_timestamp={SECONDS + n}"
            folder.mkdir(parents=True, exist_ok=True)
            content = self.content(extension, self.rows[start : start + count])
            (folder / f"{self.name}_{SECONDS + n}.{extension}").write_bytes(content)
            start += count

    def content(self, extension: str, rows: list[list]) -> bytes:
        if extension == "parquet":
            out = io.BytesIO()
            pq.write_table(self.arrow(rows), out)
            return out.getvalue()
        content = (self.csv(rows) if extension.startswith("csv") else self.jsonl(rows)).encode()
        return gzip.compress(content, mtime=0) if extension.endswith("gz") else content

    def jsonl(self, rows: list[list]) -> str:
        names = [json.dumps(column.name) for column in self.columns]
        lines = (", ".join(f"{n}: {spelt(v)}" for n, v in zip(names, row, strict=True)) for row in rows)
        return "".join(f"{{{line}}}\n" for line in lines)

    def csv(self, rows: list[list]) -> str:
        """Writes CSV: null is an empty field, and texts are quoted, so that an empty text is not null."""
        lines = [",".join(column.name for column in self.columns)]
        lines += [",".join("" if value is None else cell(value) for value in row) for row in rows]
        return "".join(line + "\n" for line in lines)


def cell(value: object) -> str:
    if isinstance(value, bool | int | float | Decimal):
        return spelt(value)
    text = spelt(value)
    text = json.loads(text) if text.startswith('"') else text
    return '"' + text.replace('"', '""') + '"'


def spelt(value: object) -> str:
    """Returns a value as JSON text."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case Decimal():
            return f"{value:f}"
        case int() | float():
            return repr(value)
        case dt.datetime():
            return json.dumps(value.isoformat(" ", "milliseconds"))
        case dt.date():
            return json.dumps(value.isoformat())
        case bytes():
            return json.dumps(base64.b64encode(value).decode())
        case list():
            return f"[{', '.join(map(spelt, value))}]"
        case dict():
            return f"{{{', '.join(f'{json.dumps(name)}: {spelt(inner)}' for name, inner in value.items())}}}"
    return json.dumps(value, ensure_ascii=False)


def raw_tables(rng: random.Random) -> list[RawTable]:
    """Returns some tables with an `id` and a key each, for joins, and columns of any kind."""
    return [raw_table(rng, f"t{n}") for n in range(1, rng.randint(2, 3) + 1)]


def raw_table(rng: random.Random, name: str) -> RawTable:
    chosen = rng.sample(COLUMNS, rng.randint(5, 12))
    columns = [Column("id", INT, "id"), Column("k", TEXT, "key")]
    columns += [Column(f"{kind.name[:2]}{n}_{name}", kind, flavour) for n, (kind, flavour) in enumerate(chosen)]
    count = rng.choice([0, 1, 2, 5, 8, 12, 20, 40])
    pools = [some(rng, pool(rng, column.kind, column.flavour)) for column in columns[1:]]
    nulls = rng.choice([0, 0.1, 0.1, 0.3])
    rows = [[n + 1, *(None if rng.random() < nulls else rng.choice(values) for values in pools)] for n in range(count)]
    return RawTable(name, columns, rows, split(rng, count))


def some(rng: random.Random, values: list) -> list:
    """Returns all values, or only a few, so that there are many duplicates."""
    return values if rng.random() < 0.6 else rng.sample(values, min(len(values), rng.randint(1, 3)))


def split(rng: random.Random, count: int) -> list[tuple[str, int]]:
    """Returns files of any format, sometimes with an empty one among them."""
    files = []
    for _ in range(rng.randint(0, 3)):
        part = rng.randint(0, count)
        files.append((rng.choice(FORMATS), part))
        count -= part
    return [*files, (rng.choice(FORMATS), count)]
