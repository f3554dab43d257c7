"""Text files with a row per line, as Athena's SerDes read them: JSON, CSV and regular expressions.

Values follow Trino's lib/trino-hive-formats, which Athena engine version 3 uses; its openxjson/README.md describes the
OpenX SerDe. OpenCSVSerde is Athena's own and follows Athena's manual.
"""

import csv
import gzip
import json
import re
import struct
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

import pyarrow as pa

from .errors import AthenaError

OPENX_JSON = "org.openx.data.jsonserde.JsonSerDe"
HIVE_JSON = "org.apache.hive.hcatalog.data.JsonSerDe"
LAZY_CSV = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
OPEN_CSV = "org.apache.hadoop.hive.serde2.OpenCSVSerde"
REGEX = "org.apache.hadoop.hive.serde2.RegexSerDe"

EPOCH = date(1970, 1, 1)
BARE = "-+.0123456789"
ZONED = re.compile(r".+[+-]\d{2}:?\d{2}$")

Row = list[object]


class BadValueError(ValueError):
    """A value that does not fit its column. Depending on the SerDe, it becomes NULL or ends the query."""


class Bare(str):
    """A number in JSON, as text: it has no quotes."""


def read(body: bytes, path: str, table: dict, columns: list[tuple[str, pa.DataType]]) -> list[Row]:
    """Reads the rows of a file, with a value for each column. Fails as the query would."""
    serde = table["StorageDescriptor"]["SerdeInfo"]
    reader = READERS[serde["SerializationLibrary"]](serde.get("Parameters") or {}, columns)
    try:
        text = (gzip.decompress(body) if path.endswith(".gz") else body).decode(errors="replace")
    except (OSError, EOFError) as error:
        raise AthenaError(f"HIVE_CANNOT_OPEN_SPLIT: Error opening Hive split s3://{path}: {error}") from error
    lines = text.split("\n")
    if lines[-1] == "":
        del lines[-1]
    skipped = int((table.get("Parameters") or {}).get("skip.header.line.count") or 0)
    rows = []
    for number, line in enumerate(lines[skipped:], skipped + 1):
        try:
            rows.append(reader(line.removesuffix("\r")))
        except BadValueError as error:
            raise AthenaError(f"HIVE_BAD_DATA: {error}, line {number} of s3://{path}") from error
    return rows


# -- JSON --------------------------------------------------------------------------------------------------------------


def openx_json(parameters: dict[str, str], columns: list[tuple[str, pa.DataType]]) -> Callable[[str], Row]:
    """A line that is not an object becomes a row of NULLs. A value that does not fit becomes NULL."""
    keys = [parameters.get(f"mapping.{name}", name).lower() for name, _ in columns]
    tolerant = parameters.get("ignore.malformed.json", "false").lower() == "true"
    decoder = json.JSONDecoder(parse_int=Bare, parse_float=Bare, parse_constant=Bare, strict=False)

    def row(line: str) -> Row:
        text = line.lstrip()
        if not text.startswith(("{", "[")):
            return [None] * len(columns)
        try:
            found, _ = decoder.raw_decode(text)  # any text after it is ignored
        except ValueError as error:
            if tolerant:
                return [None] * len(columns)
            raise BadValueError(f"Error Parsing a JSON row: {error}") from error
        if isinstance(found, list):
            values = [*found, *[None] * len(columns)][: len(columns)]
        else:
            lower = {key.lower(): value for key, value in found.items()}
            values = [lower.get(key) for key in keys]
        return [from_json(value, kind) for value, (_, kind) in zip(values, columns, strict=True)]

    return row


def hive_json(_parameters: dict[str, str], columns: list[tuple[str, pa.DataType]]) -> Callable[[str], Row]:
    """A line that is not an object ends the query, and so does a value that does not fit."""
    decoder = json.JSONDecoder(parse_int=Bare, parse_float=Bare, parse_constant=Bare, strict=False)

    def row(line: str) -> Row:
        try:
            found = decoder.decode(line)
        except ValueError as error:
            raise BadValueError(f"Error Parsing a JSON row: {error}") from error
        if not isinstance(found, dict):
            raise BadValueError("Error Parsing a JSON row: it is no object")
        lower = {key.lower(): value for key, value in found.items()}
        return [from_json(lower.get(name), kind, strict=True) for name, kind in columns]

    return row


def from_json(value: object, kind: pa.DataType, strict: bool = False) -> object:
    if value is None:
        return None
    if pa.types.is_struct(kind):
        if isinstance(value, str) and not value.strip():
            return None
        if not isinstance(value, dict):
            raise BadValueError(f"{json_text(value)} is no object")
        lower = {key.lower(): inner for key, inner in value.items()}
        return {field.name: from_json(lower.get(field.name), field.type, strict) for field in kind}
    if pa.types.is_map(kind):
        if not isinstance(value, dict):
            raise BadValueError(f"{json_text(value)} is no object")
        return [
            (from_json(Bare(key), kind.key_type, strict), from_json(inner, kind.item_type, strict))
            for key, inner in value.items()
        ]
    if pa.types.is_list(kind):
        if value == "":
            return None
        items = value if isinstance(value, list) else [value]
        return [from_json(item, kind.value_type, strict) for item in items]
    if pa.types.is_string(kind):
        return str(value) if isinstance(value, str) else json_text(value)
    if pa.types.is_boolean(kind):
        return json_text(value).lower() == "true" if not isinstance(value, str) else value.lower() == "true"
    if isinstance(value, dict | list):
        raise BadValueError(f"{json_text(value)} cannot be coerced to {kind}")
    text = value if isinstance(value, str) else json_text(value)
    if pa.types.is_binary(kind):
        return or_null(lambda: b64decode(text, validate=True), strict) if not isinstance(value, Bare) else None
    return or_null(lambda: scalar(text, kind), strict)


def json_text(value: object) -> str:
    """Formats a value as JSON without superfluous spaces."""
    if isinstance(value, Bare):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{json_text(v)}" for key, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(json_text(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def or_null(parse: Callable[[], object], strict: bool = False) -> object:
    try:
        return parse()
    except (ValueError, InvalidOperation, OverflowError, struct.error) as error:
        if strict:
            raise BadValueError(str(error)) from error
        return None


def scalar(text: str, kind: pa.DataType) -> object:
    """Parses a text as a number, date or timestamp. Fails with a ValueError or an error of decimal."""
    if pa.types.is_integer(kind):
        return within(integer(text), kind)
    if pa.types.is_decimal(kind):
        number = Decimal(text).quantize(Decimal(1).scaleb(-kind.scale), rounding=ROUND_HALF_UP)
        if len(number.as_tuple().digits) > kind.precision:
            raise ValueError(f"{text} is too large for {kind}")
        return number
    if pa.types.is_floating(kind):
        number = float(text)
        # to the nearest float, as Java parses it
        return struct.unpack("f", struct.pack("f", number))[0] if pa.types.is_float32(kind) else number
    if pa.types.is_date(kind):
        try:
            return date.fromisoformat(text.split(" ", 1)[0])
        except ValueError:
            return EPOCH + timedelta(days=integer(text))
    return timestamp(text)


def integer(text: str) -> int:
    """Parses an integer. Hexadecimal and octal are allowed, and digits after a point are cut off."""
    if text[:2].lower() == "0x":
        return int(text[2:], 16)
    if len(text) > 1 and text[0] == "0" and text.isdigit():
        return int(text, 8)
    return int(Decimal(text))


def within(number: int, kind: pa.DataType) -> int:
    if not -(1 << (kind.bit_width - 1)) <= number < 1 << (kind.bit_width - 1):
        raise ValueError(f"{number} is too large for {kind}")
    return number


def timestamp(text: str) -> datetime:
    """Parses a date and a time if there is a colon, and otherwise seconds (or, from 13 digits on, milliseconds) since
    1970."""
    if ":" in text:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
    if set(text) - set(BARE):
        raise ValueError(f"{text} is no timestamp")
    milliseconds = int(Decimal(text) * 1000) if "." in text or len(text) < 13 else int(text)
    return datetime(1970, 1, 1) + timedelta(milliseconds=milliseconds)


# -- CSV and regular expressions ---------------------------------------------------------------------------------------


def lazy_csv(parameters: dict[str, str], columns: list[tuple[str, pa.DataType]]) -> Callable[[str], Row]:
    """CSV without quotes. `\\N` becomes NULL, and so do values that do not fit or are missing."""
    delimiter = parameters.get("field.delim", "\x01")
    escape = parameters.get("escape.delim")
    nothing = parameters.get("serialization.null.format", "\\N")
    plain_columns(columns, "LazySimpleSerDe")

    def row(line: str) -> Row:
        cells = list(split(line, delimiter, escape))
        cells = [*cells, *[None] * len(columns)][: len(columns)]
        return [
            None if cell is None or cell == nothing else lazy_value(unescape(cell, escape), kind)
            for cell, (_, kind) in zip(cells, columns, strict=True)
        ]

    return row


def split(line: str, delimiter: str, escape: str | None) -> Iterator[str]:
    start = at = 0
    while at < len(line):
        if escape and line[at] == escape:
            at += 1
        elif line[at] == delimiter:
            yield line[start:at]
            start = at + 1
        at += 1
    yield line[start:]


def unescape(cell: str, escape: str | None) -> str:
    return re.sub(re.escape(escape) + "(.)", r"\1", cell) if escape else cell


def lazy_value(text: str, kind: pa.DataType) -> object:
    if pa.types.is_string(kind):
        return text
    if pa.types.is_boolean(kind):
        return {"true": True, "false": False}.get(text.lower())
    if pa.types.is_binary(kind):
        return or_null(lambda: b64decode(text, validate=True))
    if pa.types.is_integer(kind):
        return or_null(lambda: within(int(text), kind))
    if pa.types.is_date(kind):
        return or_null(lambda: date.fromisoformat(text))
    if pa.types.is_timestamp(kind):
        return or_null(lambda: datetime.strptime(text.ljust(26, "0") if "." in text else f"{text}.0", TIMESTAMP))
    return or_null(lambda: scalar(text, kind))


TIMESTAMP = "%Y-%m-%d %H:%M:%S.%f"


def open_csv(parameters: dict[str, str], columns: list[tuple[str, pa.DataType]]) -> Callable[[str], Row]:
    """CSV with quotes, within a line. Dates are days, and timestamps milliseconds, since 1970. An empty value is
    NULL."""
    options = {
        "delimiter": parameters.get("separatorChar", ","),
        "quotechar": parameters.get("quoteChar", '"'),
        "escapechar": parameters.get("escapeChar", "\\"),
    }
    plain_columns(columns, "OpenCSVSerde")

    def row(line: str) -> Row:
        cells = next(csv.reader([line], doublequote=True, **options), [])
        cells = [*cells, *[None] * len(columns)][: len(columns)]
        values = []
        for place, (cell, (_, kind)) in enumerate(zip(cells, columns, strict=True)):
            try:
                values.append(None if cell is None else open_value(cell, kind))
            except (ValueError, InvalidOperation, OverflowError, struct.error) as error:
                raise BadValueError(f"Error parsing field value '{cell}' for field {place}: {error}") from error
        return values

    return row


def open_value(text: str, kind: pa.DataType) -> object:
    if pa.types.is_string(kind):
        return text
    if pa.types.is_boolean(kind):
        return text.lower() == "true"
    if pa.types.is_integer(kind):
        return within(int(text), kind)
    if pa.types.is_date(kind):
        return EPOCH + timedelta(days=int(text))
    if pa.types.is_timestamp(kind):
        return datetime(1970, 1, 1) + timedelta(milliseconds=int(text))
    return scalar(text, kind)


def regex(parameters: dict[str, str], columns: list[tuple[str, pa.DataType]]) -> Callable[[str], Row]:
    """One group per column. A line that does not match as a whole becomes a row of NULLs."""
    pattern = re.compile(parameters.get("input.regex", ""), re.DOTALL)
    if any(not pa.types.is_string(kind) for _, kind in columns):
        raise AthenaError("HIVE_INVALID_METADATA: RegexSerDe reads columns of the type string only")

    def row(line: str) -> Row:
        found = pattern.fullmatch(line)
        groups = found.groups() if found else ()
        return [*groups, *[None] * len(columns)][: len(columns)]

    return row


def plain_columns(columns: list[tuple[str, pa.DataType]], serde: str) -> None:
    for name, kind in columns:
        if pa.types.is_nested(kind):
            raise AthenaError(f"NOT_SUPPORTED: the local Athena reads no {kind} with {serde}: column {name}")


READERS = {
    OPENX_JSON: openx_json,
    HIVE_JSON: hive_json,
    LAZY_CSV: lazy_csv,
    OPEN_CSV: open_csv,
    REGEX: regex,
}
