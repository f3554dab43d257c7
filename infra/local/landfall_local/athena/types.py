"""The types of Hive (in Glue), Arrow (in files) and Athena's results, and the text of values in Athena's notation."""

import re
from datetime import date, datetime, time
from decimal import Decimal

import pyarrow as pa

from .errors import AthenaError

SIMPLE = {
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "real": pa.float32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "string": pa.string(),
    "binary": pa.binary(),
    "varbinary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
}

# The names of declared types in Athena's messages.
TRINO_NAMES = {"int": "integer", "string": "varchar", "float": "real", "binary": "varbinary"}


def arrow_type(hive: str) -> pa.DataType:
    """Returns the Arrow type for a Hive type such as struct<a:array<int>>."""
    text = hive.strip().lower()
    if text in SIMPLE:
        return SIMPLE[text]
    if match := re.fullmatch(r"decimal\((\d+),\s*(\d+)\)", text):
        return pa.decimal128(int(match[1]), int(match[2]))
    if text == "decimal":
        return pa.decimal128(10, 0)
    if re.fullmatch(r"(var)?char(\(\d+\))?", text):
        return pa.string()
    if match := re.fullmatch(r"array<(.*)>", text):
        return pa.list_(arrow_type(match[1]))
    if match := re.fullmatch(r"map<(.*)>", text):
        key, value = split_arguments(match[1])
        return pa.map_(arrow_type(key), arrow_type(value))
    if match := re.fullmatch(r"struct<(.*)>", text):
        fields = [field.split(":", 1) for field in split_arguments(match[1])]
        return pa.struct([(name.strip(), arrow_type(inner)) for name, inner in fields])
    raise AthenaError(f"FAILED: SemanticException unknown type {hive}")


def trino_type(hive: str) -> str:
    """Converts struct<a:array<int>> to row(a array(integer)), as in information_schema and views."""
    text = hive.strip().lower()
    if match := re.fullmatch(r"array<(.*)>", text):
        return f"array({trino_type(match[1])})"
    if match := re.fullmatch(r"map<(.*)>", text):
        return f"map({', '.join(trino_type(part) for part in split_arguments(match[1]))})"
    if match := re.fullmatch(r"struct<(.*)>", text):
        fields = [field.split(":", 1) for field in split_arguments(match[1])]
        return f"row({', '.join(f'{name.strip()} {trino_type(inner)}' for name, inner in fields)})"
    if text == "timestamp":
        return "timestamp(3)"
    return TRINO_NAMES.get(text, text)


def split_arguments(text: str) -> list[str]:
    """Splits at the commas outside brackets."""
    parts, depth = [""], 0
    for character in text:
        if character in "<(":
            depth += 1
        elif character in ">)":
            depth -= 1
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def result_type(kind: pa.DataType) -> tuple[str, str]:
    """Returns (the type in Athena's result metadata, the type in Hive's notation)."""
    if pa.types.is_decimal(kind):
        return "decimal", f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_timestamp(kind):
        return ("timestamp with time zone" if kind.tz else "timestamp"), "timestamp"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return "array", f"array<{result_type(kind.value_type)[1]}>"
    if pa.types.is_map(kind):
        return "map", f"map<{result_type(kind.key_type)[1]},{result_type(kind.item_type)[1]}>"
    if pa.types.is_struct(kind):
        fields = ",".join(f"{field.name}:{result_type(field.type)[1]}" for field in kind)
        return "row", f"struct<{fields}>"
    if is_text(kind):
        return "varchar", "string"
    if pa.types.is_integer(kind):
        return {8: ("tinyint", "tinyint"), 16: ("smallint", "smallint"), 32: ("integer", "int")}.get(
            kind.bit_width, ("bigint", "bigint")
        )
    if pa.types.is_time(kind):
        return "time", "string"
    for test, names in (
        (pa.types.is_boolean, ("boolean", "boolean")),
        (pa.types.is_float32, ("float", "float")),
        (pa.types.is_floating, ("double", "double")),
        (pa.types.is_date, ("date", "date")),
        (pa.types.is_binary, ("varbinary", "binary")),
        (pa.types.is_large_binary, ("varbinary", "binary")),
    ):
        if test(kind):
            return names
    return "varchar", "string"


INTEGER_DIGITS = {8: 3, 16: 5, 32: 10, 64: 19}
VARCHAR_LENGTH = 2**31 - 1
VARBINARY_LENGTH = 2**30


def precision(kind: pa.DataType) -> tuple[int, int]:
    """Returns (precision, scale) for a result's ColumnInfo."""
    if pa.types.is_decimal(kind):
        return kind.precision, kind.scale
    if pa.types.is_integer(kind):
        return INTEGER_DIGITS[kind.bit_width], 0
    if pa.types.is_floating(kind):
        return 17, 0
    if pa.types.is_timestamp(kind):
        return 3, 0
    if is_text(kind):
        return VARCHAR_LENGTH, 0
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return VARBINARY_LENGTH, 0
    return 0, 0


def as_text(value: object, nested: bool = False) -> str | None:
    """Formats a value as in GetQueryResults and the result file."""
    if value is None:
        return "null" if nested else None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        zone = " UTC" if value.tzinfo else ""
        return f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03d}{zone}"
    if isinstance(value, bytes):
        return " ".join(f"{byte:02x}" for byte in value)
    if isinstance(value, list) and value and isinstance(value[0], tuple):  # a map
        return "{" + ", ".join(f"{key}={as_text(inner, True)}" for key, inner in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(str(as_text(inner, True)) for inner in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={as_text(inner, True)}" for key, inner in value.items()) + "}"
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def float_text(value: float) -> str:
    """Formats a double as Java does: 1.0E7 where Python has 10000000.0."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    digits = repr(value)
    mantissa, _, exponent = f"{Decimal(digits):E}".partition("E")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    if "." not in mantissa:
        mantissa += ".0"
    return f"{mantissa}E{int(exponent)}"


# -- Parquet types against declared types ------------------------------------------------------------------------------


def parquet_name(kind: pa.DataType) -> str:
    """Returns the physical type of a Parquet column, as in Athena's messages."""
    if pa.types.is_boolean(kind):
        return "BOOLEAN"
    if pa.types.is_float32(kind):
        return "FLOAT"
    if pa.types.is_float64(kind):
        return "DOUBLE"
    if is_text(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return "BINARY"
    if pa.types.is_date(kind) or (pa.types.is_integer(kind) and kind.bit_width <= 32):
        return "INT32"
    if pa.types.is_integer(kind) or pa.types.is_timestamp(kind):
        return "INT64"
    return str(kind).split("<")[0].split("(")[0].upper()


def readable_as(found: pa.DataType, declared: pa.DataType) -> bool:
    """Whether Athena reads a Parquet column of one type as a column declared with another."""
    if pa.types.is_integer(found) and pa.types.is_integer(declared):
        return found.bit_width <= declared.bit_width or (found.bit_width <= 32 and declared.bit_width <= 32)
    if pa.types.is_decimal(found) and pa.types.is_decimal(declared):
        return found.scale == declared.scale and found.precision <= declared.precision
    if pa.types.is_timestamp(found) and pa.types.is_timestamp(declared):
        return True
    if parquet_name(found) == "BINARY" and parquet_name(declared) == "BINARY":
        return True
    if pa.types.is_nested(found) and pa.types.is_nested(declared):
        return nested_readable_as(found, declared)
    return found == declared


def nested_readable_as(found: pa.DataType, declared: pa.DataType) -> bool:
    if pa.types.is_struct(found) and pa.types.is_struct(declared):
        have = {field.name.lower(): field.type for field in found}
        return all(field.name not in have or readable_as(have[field.name], field.type) for field in declared)
    if pa.types.is_map(found) and pa.types.is_map(declared):
        keys = readable_as(found.key_type, declared.key_type)
        return keys and readable_as(found.item_type, declared.item_type)
    lists = (pa.types.is_list, pa.types.is_large_list)
    if any(test(found) for test in lists) and any(test(declared) for test in lists):
        return readable_as(found.value_type, declared.value_type)
    return False
