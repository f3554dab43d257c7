"""Generated files, valid and invalid. Each breaks one rule in one place, breaks none, or only looks wrong.

A case's kind describes the file's content. The same Python values are written in three formats. `Raw` is text that is
written unchanged, for cases about spelling.
"""

import datetime as dt
import gzip
import io
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
from mojap_metadata import Metadata
from mojap_metadata.converters.arrow_converter import ArrowConverter

TEXT = ("csv", "jsonl")
ALL = ("csv", "jsonl", "parquet")
# a valid value of any kind
ANY = object()


class Raw(str):
    """Text that is written unchanged."""

    __slots__ = ()


@dataclass
class Case:
    """A file, its metadata, and the settings of both checkers."""

    kind: str
    format: str
    columns: list[dict]
    content: bytes
    linter: dict = field(default_factory=dict)
    checks: dict = field(default_factory=dict)
    dialect: dict = field(default_factory=dict)

    @property
    def metadata(self) -> dict:
        """The table in mojap-metadata's vocabulary, which both checkers read."""
        file_format = self.format.removesuffix(".gz")
        return {"name": "t", "description": "", "file_format": file_format, "columns": self.columns}


def column(name: str, kind: str, **rules: object) -> dict:
    return {"name": name, "type": kind, "description": "", **rules}


PLAIN = [
    column("name", "string"),
    column("weight", "float64"),
    column("day", "date32"),
    column("seen", "timestamp(ms)"),
    column("open", "bool_"),
    column("count", "int32"),
]


def good(rng: random.Random, described: dict) -> object:
    """Returns a value that fits a column's type."""
    kind = described["type"]
    if kind == "string":
        return rng.choice(["Ynys Môn", "St. Mary's", "a, b", 'so "called"', "Łódź", "x"])
    if kind.startswith("int"):
        return rng.randint(1, 99)
    if kind.startswith("float"):
        return rng.randint(-4000, 4000) / 16
    if kind.startswith("decimal"):
        return Decimal(rng.randint(-9999, 9999)).scaleb(-2)
    if kind == "bool_":
        return rng.random() < 0.5
    day = dt.date(2024, 1, 1) + dt.timedelta(days=rng.randrange(800))
    if kind.startswith("date"):
        return day
    return dt.datetime.combine(day, dt.time(rng.randrange(24), rng.randrange(60), rng.randrange(60)))


# ------------------------------------------------------------------------------------------------------- three formats


def spell(value: object, described: dict) -> str | None:
    """Returns a value's text, or None for null."""
    if isinstance(value, dt.datetime):
        return value.strftime(described.get("datetime_format", "%Y-%m-%d %H:%M:%S"))
    if isinstance(value, dt.date):
        return value.strftime(described.get("datetime_format", "%Y-%m-%d"))
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def csv_field(value: object, described: dict) -> str:
    text = spell(value, described)
    if text is None:
        return ""
    if isinstance(value, Raw) or not any(c in text for c in ',"\r\n'):
        return text
    return '"' + text.replace('"', '""') + '"'


def json_value(value: object, described: dict) -> str:
    if isinstance(value, Raw):
        return value
    if isinstance(value, (dt.date, str)):
        return json.dumps(spell(value, described), ensure_ascii=False)
    return "null" if value is None else spell(value, described)


def json_row(columns: list[dict], row: dict) -> str:
    pairs = [f'"{c["name"]}": {json_value(row[c["name"]], c)}' for c in columns if c["name"] in row]
    return "{" + ", ".join(pairs) + "}"


def to_csv(columns: list[dict], rows: list[dict], header: bool = True, end: str = "\n") -> bytes:
    lines = [",".join(c["name"] for c in columns)] if header else []
    lines += [",".join(csv_field(row[c["name"]], c) for c in columns) for row in rows]
    return (end.join(lines) + end).encode()


def to_jsonl(columns: list[dict], rows: list[dict]) -> bytes:
    return "".join(json_row(columns, row) + "\n" for row in rows).encode()


def to_parquet(columns: list[dict], rows: list[dict], types: dict[str, pa.DataType] | None = None) -> bytes:
    metadata = Metadata.from_dict({"name": "t", "columns": columns})
    schema = ArrowConverter().generate_from_meta(metadata)
    for n, described in enumerate(schema):
        # the converter declares the nullability, but Parquet itself would refuse the null that the case needs
        has_null = any(row[described.name] is None for row in rows)
        kind = (types or {}).get(described.name, described.type)
        schema = schema.set(n, described.with_type(kind).with_nullable(described.nullable or has_null))
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), out)
    return out.getvalue()


def write(file_format: str, columns: list[dict], rows: list[dict]) -> bytes:
    return {"csv": to_csv, "jsonl": to_jsonl, "parquet": to_parquet}[file_format](columns, rows)


# -------------------------------------------------------------------------------------------------------- single values

# kind; formats; column; valid values (ANY: by its type); the value under test, in one row
VALUES: list[tuple[str, tuple[str, ...], dict, object, object]] = []


def value(kind: str, formats: tuple[str, ...], described: dict, odd: object, fitting: object = ANY) -> None:
    VALUES.append((kind, formats, {**described, "name": "value"}, fitting, odd))


for width, most in ((8, 2**7 - 1), (16, 2**15 - 1), (32, 2**31 - 1), (64, 2**63 - 1)):
    whole = column("", f"int{width}")
    value(f"int{width}: greatest value", ALL, whole, most)
    value(f"int{width}: one more than the greatest", TEXT, whole, most + 1)
    value(f"int{width}: least value", ALL, whole, -most - 1)
    value(f"int{width}: a word", TEXT, whole, "many")
whole = column("", "int32")
value("int: null", ALL, whole, None)
value("int: a fraction", TEXT, whole, Raw("1.5"))
value("int: written 1.0", TEXT, whole, Raw("1.0"))
value("int: written 1e2", TEXT, whole, Raw("1e2"))
value("int: written as a JSON text", ("jsonl",), whole, "7")
value("int: written +7", ("csv",), whole, Raw("+7"))
value("int: written 007", ("csv",), whole, Raw("007"))
value("int: a space before it", ("csv",), whole, Raw(" 7"))
value("int: quoted", ("csv",), whole, Raw('"7"'))
value("int: true", ("jsonl",), whole, True)
value("int: an object", ("jsonl",), whole, Raw('{"a": 1}'))
value("int: an array", ("jsonl",), whole, Raw("[1]"))
real = column("", "float64")
value("float: null", ALL, real, None)
value("float: a whole number", TEXT, real, Raw("5"))
value("float: an exponent", TEXT, real, Raw("-1.5e-3"))
value("float: a word", TEXT, real, "heavy")
value("float: written as a JSON text", ("jsonl",), real, "1.5")
value("float: 1e400", TEXT, real, Raw("1e400"))
value("float: NaN", TEXT, real, Raw("NaN"))
value("float: inf", ("csv",), real, Raw("inf"))
value("float: with a comma for thousands", ("csv",), real, Raw('"1,000.5"'))
value("float: true", ("jsonl",), real, True)
exact = column("", "decimal128(6,2)")
value("decimal: fits", ALL, exact, Decimal("9999.99"))
value("decimal: null", ALL, exact, None)
value("decimal: too many digits before the point", TEXT, exact, Decimal("10000.00"))
value("decimal: too many digits after the point", TEXT, exact, Decimal("1.005"))
value("decimal: a word", TEXT, exact, "dear")
yes = column("", "bool_")
value("boolean: null", ALL, yes, None)
value("boolean: True", ("csv",), yes, Raw("True"))
value("boolean: yes", ("csv",), yes, Raw("yes"))
value("boolean: 1", TEXT, yes, Raw("1"))
value("boolean: 2", TEXT, yes, Raw("2"))
value("boolean: maybe", TEXT, yes, "maybe")
value("boolean: the JSON text true", ("jsonl",), yes, "true")
words = column("", "string")
value("string: null", ALL, words, None)
value("string: a number", ("jsonl",), words, Raw("5"))
value("string: an object", ("jsonl",), words, Raw('{"a": "b"}'))
value("string: line break inside", ALL, words, "a\nb")
value("string: escapes", ("jsonl",), words, Raw('"St\\u00f2r\\/\\n"'))
value("string: half of a surrogate pair", ("jsonl",), words, Raw('"\\ud800"'))
day = column("", "date32")
value("date: null", ALL, day, None)
value("date: 29 February", ALL, day, dt.date(2024, 2, 29))
value("date: 30 February", TEXT, day, "2024-02-30")
value("date: month 13", TEXT, day, "2024-13-01")
value("date: British", TEXT, day, "01/02/2024")
value("date: one digit for the month", TEXT, day, "2024-1-05")
value("date: with midnight", TEXT, day, "2024-01-05 00:00:00")
value("date: with a time", TEXT, day, "2024-01-05 10:30:00")
value("date: a number", ("jsonl",), day, Raw("20240105"))
moment = column("", "timestamp(ms)")
value("timestamp: null", ALL, moment, None)
value("timestamp: without a time", TEXT, moment, "2024-01-05")
value("timestamp: hour 25", TEXT, moment, "2024-01-05 25:00:00")
value("timestamp: with a T", TEXT, moment, "2024-01-05T10:30:00")
value("timestamp: with milliseconds", TEXT, moment, "2024-01-05 10:30:00.125")
value("timestamp: with a zone", TEXT, moment, "2024-01-05 10:30:00Z")
for described, name in ((day, "date"), (moment, "timestamp")):
    own = "%d/%m/%Y" if name == "date" else "%d/%m/%Y %H:%M"
    british = {**described, "datetime_format": own}
    value(f"datetime_format of a {name}: fits", TEXT, british, ANY)
    value(f"datetime_format of a {name}: null", TEXT, british, None)
    value(
        f"datetime_format of a {name}: another one",
        TEXT,
        british,
        "2024-01-05 00:00:00"[: 10 if name == "date" else 19],
    )
    value(f"datetime_format of a {name}: 31 April", TEXT, british, "31/04/2024" + ("" if name == "date" else " 10:30"))
    value(f"datetime_format of a {name}: text after it", TEXT, british, "30/04/2024 10:30 or so")
timed = {**day, "datetime_format": "%Y-%m-%d %H:%M:%S"}
value("date with time part: midnight", TEXT, timed, "2024-01-05 00:00:00")
value("date with time part: half past ten", TEXT, timed, "2024-01-05 10:30:00")
month = {**day, "datetime_format": "%d %b %y"}
value("datetime_format of a date: names of months", TEXT, month, dt.date(2024, 9, 1))
value("datetime_format of a date: no such month", TEXT, month, "01 Foo 24")

for described in (whole, real, words, day, moment, yes):
    name = described["type"]
    value(f"nullable: a value in {name}", ALL, {**described, "nullable": False}, ANY)
    value(f"nullable: null in {name}", ALL, {**described, "nullable": False}, None)
needed = {**words, "nullable": False}
value("nullable: an empty text", ("jsonl", "parquet"), needed, "")
value("nullable: an empty text in quotes", ("csv",), needed, Raw('""'))
for text in ("NA", "null", "None", "nan"):
    value(f"nullable: the text {text}", ALL, needed, text)

countries = {**words, "enum": ["England", "Wales", "Steòrnabhagh"]}
value("enum: one of it", ALL, countries, "Wales", ["England", "Steòrnabhagh"])
value("enum: another", ALL, countries, "Narnia", ["England", "Wales"])
value("enum: other case", ALL, countries, "wales", ["England", "Wales"])
value("enum: a space after it", ALL, countries, "Wales ", ["England", "Wales"])
value("enum: null", ALL, countries, None, ["England", "Wales"])
value("enum: null where null may not be", ALL, {**countries, "nullable": False}, None, ["England", "Wales"])
numbers = {**whole, "enum": [1, 2, 30]}
value("enum of numbers: one of it", ALL, numbers, 30, [1, 2])
value("enum of numbers: another", ALL, numbers, 3, [1, 2])
value("enum of numbers: null", ALL, numbers, None, [1, 2])

coded = {**words, "pattern": "[A-Z]{2}[0-9]"}
value("pattern: fits", ALL, coded, "XY7", ["AB1", "CD2"])
value("pattern: more text after it", ALL, coded, "XY7 and more", ["AB1", "CD2"])
value("pattern: text before it", ALL, coded, "xXY7", ["AB1", "CD2"])
value("pattern: does not fit", ALL, coded, "X7", ["AB1", "CD2"])
value("pattern: empty text", ("jsonl", "parquet"), coded, "", ["AB1", "CD2"])
value("pattern: null", ALL, coded, None, ["AB1", "CD2"])
either = {**words, "pattern": "a|bc"}
value("pattern with alternatives: the second", ALL, either, "bcd", ["a", "ab"])
value("pattern with alternatives: the second, later", ALL, either, "cbc", ["a", "ab"])
ended = {**words, "pattern": "^[a-z]+$"}
value("pattern with an end: fits", ALL, ended, "abc", ["x", "yz"])
value("pattern with an end: more text after it", ALL, ended, "abc1", ["x", "yz"])
value("pattern with an end: a line break after it", ALL, ended, "abc\n", ["x", "yz"])
value("pattern: letters beyond ASCII", ALL, {**words, "pattern": r"^\w+$"}, "Łódź", ["x", "yz"])
leading = {**words, "pattern": "^[0-9]{3}$"}
value("pattern on digits: leading zeros", ALL, leading, "012", ["001", "002"])
value("pattern on digits: no leading zeros", ALL, leading, "123", ["345", "678"])

for described, name, odd in ((whole, "int", 1), (real, "float", 0.25)):
    bounded = {**described, "minimum": 10, "maximum": 20}
    fitting = [11, 12] if name == "int" else [11.5, 12.25]
    value(f"minimum and maximum of {name}: at the minimum", ALL, bounded, type(odd)(10), fitting)
    value(f"minimum and maximum of {name}: at the maximum", ALL, bounded, type(odd)(20), fitting)
    value(f"minimum and maximum of {name}: below", ALL, bounded, 10 - odd, fitting)
    value(f"minimum and maximum of {name}: above", ALL, bounded, 20 + odd, fitting)
    value(f"minimum and maximum of {name}: null", ALL, bounded, None, fitting)
    value(f"minimum of {name}: below", ALL, {**described, "minimum": 10}, 10 - odd, fitting)
    value(f"maximum of {name}: above", ALL, {**described, "maximum": 20}, 20 + odd, fitting)
value("maximum of float: 0.1", ALL, {**real, "maximum": 0.1}, 0.1, [0.05])
value("minimum of a decimal: at it", ALL, {**exact, "minimum": 0.1}, Decimal("0.10"), [Decimal("0.25")])
value("minimum of a decimal: below", ALL, {**exact, "minimum": 0.1}, Decimal("0.09"), [Decimal("0.25")])

sized = {**words, "minLength": 2, "maxLength": 4}
value("minLength and maxLength: shortest", ALL, sized, "ab", ["abc"])
value("minLength and maxLength: longest", ALL, sized, "abcd", ["abc"])
value("minLength and maxLength: too short", ALL, sized, "a", ["abc"])
value("minLength and maxLength: too long", ALL, sized, "abcde", ["abc"])
value("minLength and maxLength: null", ALL, sized, None, ["abc"])
value("minLength and maxLength: four letters of two bytes", ALL, sized, "ŁÓDŹ", ["abc"])
value("minLength: an empty text", ("jsonl", "parquet"), {**words, "minLength": 1}, "", ["abc"])
value("maxLength: too long", ALL, {**words, "maxLength": 3}, "abcd", ["abc"])


def of_values(rng: random.Random) -> Iterator[Case]:
    for kind, formats, described, fitting, odd in VALUES:
        for file_format in formats:
            columns, rows = table(rng, described)
            for row in rows:
                row["value"] = good(rng, described) if fitting is ANY else rng.choice(fitting)
            if odd is not ANY:
                rng.choice(rows)["value"] = odd
            content = write(file_format, columns, rows)
            if file_format != "parquet" and rng.random() < 0.25:
                yield Case(kind, f"{file_format}.gz", columns, gzip.compress(content, mtime=0))
            else:
                yield Case(kind, file_format, columns, content)


def table(rng: random.Random, *described: dict, nulls: float = 0.1) -> tuple[list[dict], list[dict]]:
    """Returns the tested columns among plain ones, and rows of valid values."""
    plain = [dict(other) for other in rng.sample(PLAIN, rng.randint(2, 4))]
    columns = [column("id", "int64", nullable=False), *plain, *(dict(d) for d in described)]
    rng.shuffle(columns)
    rows = []
    for n in range(rng.randint(3, 30)):
        row = {c["name"]: good(rng, c) for c in columns}
        row |= {c["name"]: None for c in plain if rng.random() < nulls}
        row["id"] = n + 1
        rows.append(row)
    return columns, rows


# ------------------------------------------------------------------------------------------- the file and its columns

# columns and bytes; data_linter's settings and our checks; our dialect
Made = tuple[list[dict], bytes] | tuple[list[dict], bytes, dict, dict] | tuple[list[dict], bytes, dict, dict, dict]
FILES: list[tuple[str, tuple[str, ...], Callable[[random.Random, str], Made]]] = []


def whole_file(kind: str, formats: tuple[str, ...]) -> Callable[[Callable], Callable]:
    def add(make: Callable[[random.Random, str], Made]) -> Callable:
        FILES.append((kind, formats, make))
        return make

    return add


def of_files(rng: random.Random) -> Iterator[Case]:
    for kind, formats, make in FILES:
        for file_format in formats:
            columns, content, *settings = make(rng, file_format)
            yield Case(kind, file_format, columns, content, *settings)


@whole_file("good", ("csv", "csv.gz", "jsonl", "jsonl.gz", "parquet"))
def _(rng: random.Random, file_format: str) -> Made:
    columns, rows = table(rng)
    content = write(file_format.removesuffix(".gz"), columns, rows)
    return columns, gzip.compress(content, mtime=0) if file_format.endswith(".gz") else content


@whole_file("columns: in another order", ALL)
def _(rng: random.Random, file_format: str) -> Made:
    columns, rows = table(rng)
    return columns, write(file_format, columns[::-1], rows)


def lacking(rng: random.Random, file_format: str) -> tuple[list[dict], bytes]:
    columns, rows = table(rng)
    return columns, write(file_format, [c for c in columns if c["name"] != "id"], [without(row, "id") for row in rows])


def without(row: dict, name: str) -> dict:
    return {key: found for key, found in row.items() if key != name}


def with_another(rng: random.Random, file_format: str) -> tuple[list[dict], bytes]:
    columns, rows = table(rng, column("another", "string"))
    return [c for c in columns if c["name"] != "another"], write(file_format, columns, rows)


@whole_file("columns: one is missing", ALL)
def _(rng: random.Random, file_format: str) -> Made:
    return lacking(rng, file_format)


@whole_file("columns: one is missing, which it may", ALL)
def _(rng: random.Random, file_format: str) -> Made:
    columns, content = lacking(rng, file_format)
    columns = [without(c, "nullable") for c in columns]
    return columns, content, {"allow-missing-cols": True}, {"allow_missing_columns": True}


@whole_file("columns: one is missing, which it may, and may not be null", ALL)
def _(rng: random.Random, file_format: str) -> Made:
    return *lacking(rng, file_format), {"allow-missing-cols": True}, {"allow_missing_columns": True}


@whole_file("columns: one is unexpected", ALL)
def _(rng: random.Random, file_format: str) -> Made:
    return with_another(rng, file_format)


@whole_file("columns: one is unexpected, which it may be", ALL)
def _(rng: random.Random, file_format: str) -> Made:
    return *with_another(rng, file_format), {"allow-unexpected-data": True}, {"allow_unexpected_columns": True}


@whole_file("columns: one may be unexpected, and another is missing", ALL)
def _(rng: random.Random, file_format: str) -> Made:
    return *lacking(rng, file_format), {"allow-unexpected-data": True}, {"allow_unexpected_columns": True}


@whole_file("columns: none is of the table", ALL)
def _(rng: random.Random, file_format: str) -> Made:
    columns, rows = table(rng)
    other = [column("x", "int64")]
    content = write(file_format, other, [{"x": 1} for _ in rows])
    settings = {"allow-missing-cols": True, "allow-unexpected-data": True}
    columns = [without(c, "nullable") for c in columns]
    return columns, content, settings, {"allow_missing_columns": True, "allow_unexpected_columns": True}


@whole_file("columns: a key is missing in one row", ("jsonl",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng, column("value", "string"))
    del rng.choice(rows)["value"]
    return columns, to_jsonl(columns, rows)


@whole_file("columns: a key is unexpected in one row", ("jsonl",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng, column("value", "string"))
    lines = [json_row(columns, without(row, "value")) for row in rows]
    n = rng.randrange(len(rows))
    lines[n] = json_row(columns, rows[n])
    return [c for c in columns if c["name"] != "value"], ("\n".join(lines) + "\n").encode()


@whole_file("columns: a key comes twice in one row", ("jsonl",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng)
    lines = [json_row(columns, row) for row in rows]
    n = rng.randrange(len(rows))
    lines[n] = lines[n].replace("{", '{"id": 5, ', 1)
    return columns, ("\n".join(lines) + "\n").encode()


@whole_file("columns: a name comes twice in the header", ("csv",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng)
    return columns, to_csv([*columns, columns[0]], rows)


def shouting(rng: random.Random, file_format: str) -> tuple[list[dict], bytes]:
    columns, rows = table(rng)
    loud = [{**c, "name": c["name"].upper()} for c in columns]
    return columns, write(file_format, loud, [{name.upper(): found for name, found in row.items()} for row in rows])


@whole_file("header: in capitals", ALL)
def _(rng: random.Random, file_format: str) -> Made:
    return shouting(rng, file_format)


@whole_file("header: in capitals, which it may be", ALL)
def _(rng: random.Random, file_format: str) -> Made:
    return (
        *shouting(rng, file_format),
        {"headers-ignore-case": True, "expect-header": True},
        {"ignore_header_case": True},
    )


@whole_file("header: none, and none expected", ("csv", "csv.gz"))
def _(rng: random.Random, file_format: str) -> Made:
    columns, rows = table(rng)
    content = to_csv(columns, rows, header=False)
    content = gzip.compress(content, mtime=0) if file_format == "csv.gz" else content
    return columns, content, {"expect-header": False}, {"header": False}


@whole_file("header: none expected, but there is one", ("csv",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng)
    return columns, to_csv(columns, rows), {"expect-header": False}, {"header": False}


@whole_file("header: none expected, and a column too few", ("csv",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng, column("value", "string"))
    content = to_csv([c for c in columns if c["name"] != "value"], rows, header=False)
    return columns, content, {"expect-header": False}, {"header": False}


@whole_file("header: none, but one expected", ("csv",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng)
    return columns, to_csv(columns, rows, header=False)


@whole_file("header: a space after a name", ("csv",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng)
    spaced = [{**columns[0], "name": columns[0]["name"] + " "}, *columns[1:]]
    first = columns[0]["name"]
    return columns, to_csv(spaced, [{**row, f"{first} ": row[first]} for row in rows])


@whole_file("byte order mark", TEXT)
def _(rng: random.Random, file_format: str) -> Made:
    columns, rows = table(rng)
    return columns, b"\xef\xbb\xbf" + write(file_format, columns, rows)


@whole_file("byte order mark, no header", ("csv",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng)
    return columns, b"\xef\xbb\xbf" + to_csv(columns, rows, header=False), {"expect-header": False}, {"header": False}


# ------------------------------------------------------------------------------------------------------------ dialects


def delimited(columns: list[dict], rows: list[dict], delimiter: str = ",", quote: str = '"') -> str:
    def written(value: object, described: dict) -> str:
        text = spell(value, described)
        if text is None:
            return ""
        if isinstance(value, Raw) or not any(c in text for c in (delimiter, quote, "\n")):
            return text
        return quote + text.replace(quote, quote * 2) + quote

    lines = [delimiter.join(c["name"] for c in columns)]
    lines += [delimiter.join(written(row[c["name"]], c) for c in columns) for row in rows]
    return "\n".join(lines) + "\n"


def pandas(**settings: object) -> dict:
    return {"pandas-kwargs": settings}


SEPARATED = [("a semicolon", ";"), ("a tab", "\t"), ("a pipe", "|")]
for what, separator in SEPARATED:

    @whole_file(f"separator: {what}", ("csv",))
    def _(rng: random.Random, _: str, separator: str = separator) -> Made:
        columns, rows = table(rng, column("text", "string"))
        content = delimited(columns, rows, separator).encode()
        return columns, content, pandas(sep=separator), {}, {"delimiter": separator}


@whole_file("separator: a semicolon described, and commas in the file", ("csv",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng)
    return columns, to_csv(columns, rows), pandas(sep=";"), {}, {"delimiter": ";"}


@whole_file("separator: a semicolon in the file, and none described", ("csv",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng)
    return columns, delimited(columns, rows, ";").encode()


@whole_file("separator: a semicolon, and a value that does not fit", ("csv",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng, column("value", "int64"))
    rng.choice(rows)["value"] = Raw("x1")
    return columns, delimited(columns, rows, ";").encode(), pandas(sep=";"), {}, {"delimiter": ";"}


@whole_file("quotes: apostrophes", ("csv",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng, column("text", "string"))
    content = delimited(columns, rows, quote="'").encode()
    return columns, content, pandas(quotechar="'"), {}, {"quoteChar": "'"}


WESTERN = column("town", "string", enum=["Köln", "Orléans", "Mons", "5 €"])


def western(rng: random.Random) -> tuple[list[dict], str]:
    columns, rows = table(rng, WESTERN)
    for row in rows:
        row["town"] = rng.choice(WESTERN["enum"])
    rows[0]["town"] = "5 €"
    return columns, to_csv(columns, rows).decode().replace("Łódź", "Zoë")


@whole_file("encoding: windows-1252", ("csv", "jsonl"))
def _(rng: random.Random, file_format: str) -> Made:
    columns, text = western(rng)
    if file_format == "jsonl":
        columns, rows = table(rng, WESTERN)
        for row in rows:
            row["town"] = "5 €"
        text = to_jsonl(columns, rows).decode().replace("Łódź", "Zoë")
    return columns, text.encode("windows-1252"), pandas(encoding="cp1252"), {}, {"encoding": "windows-1252"}


@whole_file("encoding: windows-1252 described, and UTF-8 in the file", ("csv",))
def _(rng: random.Random, _: str) -> Made:
    columns, text = western(rng)
    return columns, text.encode(), pandas(encoding="cp1252"), {}, {"encoding": "windows-1252"}


@whole_file("encoding: windows-1252 in the file, and none described", ("csv",))
def _(rng: random.Random, _: str) -> Made:
    columns, text = western(rng)
    return columns, text.encode("windows-1252")


@whole_file("encoding: UTF-16", ("csv",))
def _(rng: random.Random, _: str) -> Made:
    columns, text = western(rng)
    return columns, text.encode("utf-16"), pandas(encoding="utf-16"), {}, {"encoding": "utf-16le"}


def with_nulls(rng: random.Random, nullable: bool) -> tuple[list[dict], bytes]:
    columns, rows = table(rng, column("value", "float64", nullable=nullable))
    rng.choice(rows)["value"] = Raw("missing")
    return columns, to_csv(columns, rows)


@whole_file("nulls: by a word of their own", ("csv",))
def _(rng: random.Random, _: str) -> Made:
    return *with_nulls(rng, True), pandas(na_values=["missing"]), {}, {"nullValues": ["missing"]}


@whole_file("nulls: by a word of their own, where none may be", ("csv",))
def _(rng: random.Random, _: str) -> Made:
    return *with_nulls(rng, False), pandas(na_values=["missing"]), {}, {"nullValues": ["missing"]}


@whole_file("nulls: by a word that nobody described", ("csv",))
def _(rng: random.Random, _: str) -> Made:
    return with_nulls(rng, True)


@whole_file("numbers: with a comma for the point", ("csv",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng, column("value", "float64"))
    for row in rows:
        for described in columns:
            if described["type"] == "float64" and row[described["name"]] is not None:
                row[described["name"]] = Raw(str(row[described["name"]]).replace(".", ","))
    dialect = {"delimiter": ";", "decimalChar": ","}
    return columns, delimited(columns, rows, ";").encode(), pandas(sep=";", decimal=","), {}, dialect


@whole_file("lines: comments among them", ("csv",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng)
    content = b"# made by a program\n" + to_csv(columns, rows) + b"# the end\n"
    return columns, content, pandas(comment="#"), {}, {"commentChar": "#"}


# ------------------------------------------------------------------------------------------------------ lines and bytes


@whole_file("lines: ended by CRLF", ("csv",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng)
    return columns, to_csv(columns, rows, end="\r\n")


@whole_file("lines: the last one not ended", TEXT)
def _(rng: random.Random, file_format: str) -> Made:
    columns, rows = table(rng)
    return columns, write(file_format, columns, rows)[:-1]


@whole_file("lines: a blank one", TEXT)
def _(rng: random.Random, file_format: str) -> Made:
    columns, rows = table(rng)
    lines = write(file_format, columns, rows).splitlines(keepends=True)
    lines.insert(2, b"\n")
    return columns, b"".join(lines)


@whole_file("lines: one with a field too many", ("csv",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng)
    lines = to_csv(columns, rows).splitlines()
    lines[2] += b",surplus"
    return columns, b"\n".join(lines) + b"\n"


@whole_file("lines: one with a field too few", ("csv",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng)
    columns = [*columns, column("value", "string")]
    rows = [{**row, "value": "x"} for row in rows]
    lines = to_csv(columns, rows).splitlines()
    lines[2] = lines[2].removesuffix(b",x")
    return columns, b"\n".join(lines) + b"\n"


@whole_file("lines: a quote that is not closed", ("csv",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng)
    return columns, to_csv(columns, rows)[:-1] + b',"open\n'


@whole_file("lines: one is not JSON", ("jsonl",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng)
    lines = to_jsonl(columns, rows).splitlines()
    lines[1] = lines[1][:-1]
    return columns, b"\n".join(lines) + b"\n"


@whole_file("lines: one is an array", ("jsonl",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng)
    return columns, to_jsonl(columns, rows) + b"[1, 2]\n"


@whole_file("lines: two objects on one", ("jsonl",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng)
    return columns, to_jsonl(columns, rows).replace(b"}\n{", b"} {", 1)


@whole_file("bytes: not UTF-8", TEXT)
def _(rng: random.Random, file_format: str) -> Made:
    columns, rows = table(rng, column("value", "string"))
    rng.choice(rows)["value"] = "Steornabhagh"
    return columns, write(file_format, columns, rows).replace(b"Steornabhagh", b"Ste\xf2rnabhagh")


@whole_file("bytes: gzip that is cut off", ("csv.gz", "jsonl.gz"))
def _(rng: random.Random, file_format: str) -> Made:
    columns, rows = table(rng)
    return columns, gzip.compress(write(file_format.removesuffix(".gz"), columns, rows), mtime=0)[:-9]


@whole_file("bytes: gzip in two members", ("csv.gz", "jsonl.gz"))
def _(rng: random.Random, file_format: str) -> Made:
    columns, rows = table(rng)
    content = write(file_format.removesuffix(".gz"), columns, rows)
    half = len(content) // 2
    return columns, gzip.compress(content[:half], mtime=0) + gzip.compress(content[half:], mtime=0)


@whole_file("bytes: not gzip", ("csv.gz", "jsonl.gz"))
def _(rng: random.Random, file_format: str) -> Made:
    columns, rows = table(rng)
    return columns, write(file_format.removesuffix(".gz"), columns, rows)


@whole_file("bytes: none", ALL)
def _(rng: random.Random, _: str) -> Made:
    return table(rng)[0], b""


def no_rows(file_format: str) -> tuple[list[dict], bytes]:
    columns = [column("id", "int64", nullable=False), column("name", "string"), column("weight", "float64")]
    return columns, write(file_format, columns, [])


@whole_file("rows: none", ("csv", "parquet"))
def _(_: random.Random, file_format: str) -> Made:
    return no_rows(file_format)


@whole_file("rows: none, which may be", ("csv", "parquet"))
def _(_: random.Random, file_format: str) -> Made:
    return *no_rows(file_format), {}, {"minimum_rows": 0}


# -------------------------------------------------------------------------------------------------------------- Parquet


def stored(described: dict, kind: pa.DataType, odd: object, rng: random.Random) -> Made:
    columns, rows = table(rng, described)
    for row in rows:
        row[described["name"]] = odd
    return columns, to_parquet(columns, rows, {described["name"]: kind})


@whole_file("Parquet: int32 stored as int64", ("parquet",))
def _(rng: random.Random, _: str) -> Made:
    return stored(column("value", "int32"), pa.int64(), 5, rng)


@whole_file("Parquet: int64 stored as int32", ("parquet",))
def _(rng: random.Random, _: str) -> Made:
    return stored(column("value", "int64"), pa.int32(), 5, rng)


@whole_file("Parquet: int32 stored as int64, out of range", ("parquet",))
def _(rng: random.Random, _: str) -> Made:
    return stored(column("value", "int32"), pa.int64(), 2**40, rng)


@whole_file("Parquet: int32 stored as string", ("parquet",))
def _(rng: random.Random, _: str) -> Made:
    return stored(column("value", "int32"), pa.string(), "5", rng)


@whole_file("Parquet: string stored as int64", ("parquet",))
def _(rng: random.Random, _: str) -> Made:
    return stored(column("value", "string"), pa.int64(), 5, rng)


@whole_file("Parquet: float64 stored as float32", ("parquet",))
def _(rng: random.Random, _: str) -> Made:
    return stored(column("value", "float64"), pa.float32(), 0.5, rng)


@whole_file("Parquet: date stored as timestamp at midnight", ("parquet",))
def _(rng: random.Random, _: str) -> Made:
    return stored(column("value", "date32"), pa.timestamp("ms"), dt.datetime(2024, 1, 5), rng)


@whole_file("Parquet: date stored as timestamp with a time", ("parquet",))
def _(rng: random.Random, _: str) -> Made:
    return stored(column("value", "date32"), pa.timestamp("ms"), dt.datetime(2024, 1, 5, 10, 30), rng)


@whole_file("Parquet: timestamp in milliseconds for seconds", ("parquet",))
def _(rng: random.Random, _: str) -> Made:
    return stored(column("value", "timestamp(s)"), pa.timestamp("ms"), dt.datetime(2024, 1, 5, 10, 30), rng)


@whole_file("Parquet: decimal of another scale", ("parquet",))
def _(rng: random.Random, _: str) -> Made:
    return stored(column("value", "decimal128(6,2)"), pa.decimal128(6, 3), Decimal("1.005"), rng)


@whole_file("Parquet: not Parquet", ("parquet",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng)
    return columns, to_jsonl(columns, rows)


@whole_file("Parquet: cut off", ("parquet",))
def _(rng: random.Random, _: str) -> Made:
    columns, rows = table(rng)
    return columns, to_parquet(columns, rows)[:-20]


def cases(seed: int) -> list[Case]:
    """Returns all cases. They depend only on the seed."""
    rng = random.Random(seed)
    return [*of_values(rng), *of_files(rng)]
