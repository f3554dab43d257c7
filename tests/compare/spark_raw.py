"""Raw tables for the comparison with Spark: generated values, written as in raw-hist.

Values are those of JSON: a text, a number with its spelling, true, false, an object, an array, or None. The same values
are written in all three formats.
"""

import base64
import datetime as dt
import decimal
import gzip
import io
import json
import random
import re
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import types as T  # noqa: N812 (as everybody calls it)

TIMESTAMP = 1_700_000_000

# the names in both metadata formats, first the one that mojap-metadata writes
SIMPLE = {
    T.StringType: ["string", "character", "utf8", "large_string", "large_utf8"],
    T.ByteType: ["int8"],
    T.ShortType: ["int16", "uint8"],
    T.IntegerType: ["int32", "int", "uint16"],
    T.LongType: ["int64", "long", "uint32"],
    T.FloatType: ["float32", "float", "float16"],
    T.DoubleType: ["float64", "double"],
    T.DateType: ["date32", "date", "date64"],
    T.TimestampType: ["timestamp", "datetime"],
    T.BooleanType: ["bool", "boolean", "bool_"],
    T.BinaryType: ["binary", "large_binary"],
}
LISTS = ("array", "list", "list_", "large_list")


class Number(str):
    """A number with its spelling."""

    __slots__ = ()


def spark_type(text: str) -> T.DataType:
    """Returns the Spark type for a type's name in the metadata, in either format."""
    tokens = re.findall(r"\w+|[<>(),:]", text)
    parsed = _parse(tokens)
    if tokens:
        raise ValueError(f"{tokens} after the end of the type {text}")
    return parsed


def _parse(tokens: list[str]) -> T.DataType:
    """Parses a type and removes its tokens. The loops remove brackets and commas."""
    name = tokens.pop(0)
    if name in LISTS:
        tokens.pop(0)
        inner = _parse(tokens)
        tokens.pop(0)
        return T.ArrayType(inner)
    if name == "struct":
        fields = []
        while tokens.pop(0) != ">":
            field_name = tokens.pop(0)
            tokens.pop(0)
            fields.append(T.StructField(field_name, _parse(tokens)))
        return T.StructType(fields)
    arguments = []
    if tokens and tokens[0] == "(":
        while tokens.pop(0) != ")":
            arguments += [tokens.pop(0)]
    if name in ("decimal", "decimal128"):
        return T.DecimalType(*map(int, arguments))
    return next(kind for kind, names in SIMPLE.items() if name in names)()


def mojap_type(kind: T.DataType) -> str | None:
    """Returns mojap-metadata's name for a Spark type, or None if the metadata has no such type."""
    if isinstance(kind, T.TimestampType):
        return "timestamp(ms)"
    if isinstance(kind, T.DecimalType):
        return f"decimal128({kind.precision},{kind.scale})"
    if isinstance(kind, T.ArrayType):
        inner = mojap_type(kind.elementType)
        return inner and f"list<{inner}>"
    if isinstance(kind, T.StructType):
        fields = [(part.name, mojap_type(part.dataType)) for part in kind.fields]
        return None if None in dict(fields).values() else f"struct<{','.join(f'{n}:{t}' for n, t in fields)}>"
    names = SIMPLE.get(type(kind))
    return names[0] if names else None


# ------------------------------------------------------------------------------------------------------------- values

TEXTS = [
    "",
    " ",
    "a",
    "Ynys Môn",
    "Steòrnabhagh",
    'so "called", it\'s',
    "back\\slash",
    "tab\tand\nnew\r\nline",
    "日本語 🏴󠁧󠁢󠁷󠁬󠁳󠁿",
    "null",
    "NaN",
    "012",
    " padded ",
    "e\u0301 decomposed",
    "\u0000 NUL",
    "\ufeff mark",
    "x" * 5000,
]
FLOATS = [
    *("0", "-0.0", "1", "-1", "0.1", "0.5"),
    *("2.5", "1e10", "1E+5", "16777217", "1.00000017881393432617187499", "1.00000005960464477539062501"),
    *("3.4028235e38", "-3.4028235e38", "1.17549435e-38", "1e-45", "1.4e-45", "7.1e-46"),
    *("3.14159265358979", "123456.789"),
]
DOUBLES = [
    *("0", "-0.0", "1", "-1", "0.1", "0.30000000000000004"),
    *(
        "1e22",
        "1e23",
        "9007199254740993",
        "1.7976931348623157e308",
        "-1.7976931348623157e308",
        "2.2250738585072014e-308",
    ),
    *("2.2250738585072011e-308", "5e-324", "-5e-324", "4.9e-324", "1E-7", "123456789.125"),
    *("1e7", "9999999.999999998", "0.001", "0.0001", "2.00e0", "8.41e21"),
]
DATES = [
    *("1970-01-01", "1969-12-31", "1900-01-01", "1899-12-31", "1883-11-18", "1847-12-01"),
    *("1752-09-02", "1582-10-15", "1582-10-10", "1582-10-04", "1000-02-28", "0999-12-31"),
    *("0101-01-01", "0001-01-01", "2000-02-29", "2024-02-29", "2100-12-31", "9999-12-31"),
]
TIMES = ["00:00:00", "23:59:59", "12:30:00.5", "00:00:00.001", "23:59:59.999", "01:02:03.12"]
BYTES = [b"", b"\x00", b"\xff\xfe", b"abc", bytes(range(256)), "é".encode()]


def edges(kind: T.DataType) -> list:
    """Returns values of a type that have caused errors somewhere."""
    match kind:
        case T.StringType():
            return list(TEXTS)
        case T.ByteType() | T.ShortType() | T.IntegerType() | T.LongType():
            bits = {"tinyint": 8, "smallint": 16, "int": 32, "bigint": 64}[kind.simpleString()]
            least, greatest = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
            return [Number(n) for n in (0, 1, -1, 99, least, least + 1, greatest, greatest - 1)]
        case T.FloatType():
            return [Number(text) for text in FLOATS]
        case T.DoubleType():
            return [Number(text) for text in DOUBLES]
        case T.DecimalType():
            most = 10**kind.precision - 1
            unscaled = [0, 1, -1, most, -most, most // 7, -(most // 3), 5 * 10 ** (kind.precision - 1)]
            numbers = [Number(f"{decimal.Decimal(n).scaleb(-kind.scale, _EXACT):f}") for n in unscaled]
            # a text that holds a number, and numbers with fewer digits than allowed
            return numbers + [str(numbers[3]), *([Number("0.5"), Number("-0.50")] if kind.scale > 1 else [])]
        case T.DateType():
            return list(DATES)
        case T.TimestampType():
            times = [f"{date} {TIMES[n % len(TIMES)]}" for n, date in enumerate(DATES)]
            return times + [f"{date}T{TIMES[(n + 3) % len(TIMES)]}" for n, date in enumerate(DATES)]
        case T.BooleanType():
            return [True, False]
        case T.BinaryType():
            return [base64.b64encode(content).decode() for content in BYTES]
        case T.ArrayType():
            inner = edges(kind.elementType)
            return [[], [None], inner, inner[:1], [None, inner[0], None], inner[::-1][:3]]
        case T.StructType():
            pools = [(part.name, edges(part.dataType)) for part in kind.fields]
            full = [{name: pool[n % len(pool)] for name, pool in pools} for n in range(12)]
            nulls = [{**full[0], name: None} for name, _ in pools]
            absent = {name: pool[1 % len(pool)] for name, pool in pools[:1]}
            return [*full, *nulls, {name: None for name, _ in pools}, absent]
    raise ValueError(f"no values for {kind.simpleString()}")


_EXACT = decimal.Context(prec=60)


@dataclass
class RawTable:
    """A raw table: its metadata and its files."""

    name: str
    metadata: dict
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def schema(self) -> T.StructType:
        return schema(self.metadata["columns"])

    def add(self, seconds: int, extension: str, content: bytes) -> None:
        self.files[f"file_land_timestamp={seconds}/{self.name}_{seconds}.{extension}"] = content

    def write(self, raw_hist: Path) -> None:
        for path, content in self.files.items():
            file = raw_hist / self.name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


def schema(columns: list[dict]) -> T.StructType:
    """Returns the Spark schema of a table's columns."""
    return T.StructType([T.StructField(column["name"], spark_type(column["type"])) for column in columns])


def rows(rng: random.Random, kinds: T.StructType, count: int) -> list[dict]:
    """Returns rows, numbered by `id`, with every edge value of every column at least once. Values are shuffled, with
    nulls in between."""
    pools = {part.name: edges(part.dataType) for part in kinds.fields if part.name != "id"}
    count = max(count, 2 * max(len(pool) for pool in pools.values()))
    made = [{"id": Number(n)} for n in range(count)]
    for name, pool in pools.items():
        values = (pool * (count // len(pool) + 1))[: count - count // 8] + [None] * (count // 8)
        rng.shuffle(values)
        for row, value in zip(made, values, strict=True):
            row[name] = value
    return made


def json_text(value: object) -> str:
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {json_text(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(json_text(inner) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def jsonl(made: list[dict]) -> bytes:
    return "".join(json_text(row) + "\n" for row in made).encode()


def jsonl_gz(made: list[dict]) -> bytes:
    return gzip.compress(jsonl(made), mtime=0)


def csv_file(made: list[dict]) -> bytes:
    """Writes CSV: null is an empty field, texts are quoted, so that the empty text is `""`, and nested values are
    JSON."""

    def cell(value: object) -> str:
        if value is None:
            return ""
        if isinstance(value, Number | bool):
            return json_text(value)
        text = value if isinstance(value, str) else json_text(value)
        return '"' + text.replace('"', '""') + '"'

    lines = [",".join(made[0]), *(",".join(map(cell, row.values())) for row in made)]
    return "".join(line + "\n" for line in lines).encode()


def parquet_file(kinds: T.StructType, made: list[dict]) -> bytes:
    """Writes Parquet as pyarrow does: with timestamps in milliseconds without a zone."""
    fields = [pa.field(part.name, arrow_type(part.dataType)) for part in kinds.fields]
    columns = [
        pa.array([typed(part.dataType, row[part.name]) for row in made], kind.type)
        for part, kind in zip(kinds.fields, fields, strict=True)
    ]
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, schema=pa.schema(fields)), out)
    return out.getvalue()


ARROW = {
    T.StringType: pa.string(),
    T.ByteType: pa.int8(),
    T.ShortType: pa.int16(),
    T.IntegerType: pa.int32(),
    T.LongType: pa.int64(),
    T.FloatType: pa.float32(),
    T.DoubleType: pa.float64(),
    T.DateType: pa.date32(),
    T.TimestampType: pa.timestamp("ms"),
    T.BooleanType: pa.bool_(),
    T.BinaryType: pa.binary(),
}


def arrow_type(kind: T.DataType) -> pa.DataType:
    if isinstance(kind, T.DecimalType):
        return pa.decimal128(kind.precision, kind.scale)
    if isinstance(kind, T.ArrayType):
        return pa.list_(arrow_type(kind.elementType))
    if isinstance(kind, T.StructType):
        return pa.struct([pa.field(part.name, arrow_type(part.dataType)) for part in kind.fields])
    return ARROW[type(kind)]


def typed(kind: T.DataType, value: object) -> object:
    """Converts a value for pyarrow."""
    if value is None:
        return None
    match kind:
        case T.ByteType() | T.ShortType() | T.IntegerType() | T.LongType():
            return int(value)
        case T.FloatType() | T.DoubleType():
            return float(value)
        case T.DecimalType():
            return decimal.Decimal(value).quantize(decimal.Decimal(1).scaleb(-kind.scale), context=_EXACT)
        case T.DateType():
            return dt.date.fromisoformat(value)
        case T.TimestampType():
            whole, _, fraction = value.partition(".")
            return dt.datetime.fromisoformat(f"{whole}.{fraction:0<6}")
        case T.BinaryType():
            return base64.b64decode(value)
        case T.ArrayType():
            return [typed(kind.elementType, inner) for inner in value]
        case T.StructType():
            return {part.name: typed(part.dataType, value.get(part.name)) for part in kind.fields}
    return value
