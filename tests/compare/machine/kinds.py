"""Kinds: the types of the metadata, with their names in metadata, SQL and Arrow, and with values to try."""

import datetime as dt
import random
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa


@dataclass(frozen=True)
class Kind:
    """A type of the metadata."""

    name: str
    precision: int = 0
    scale: int = 0
    item: "Kind | None" = None
    fields: tuple[tuple[str, "Kind"], ...] = ()

    @property
    def described(self) -> str:
        """The name in etl_manager's metadata."""
        match self.name:
            case "decimal":
                return f"decimal({self.precision},{self.scale})"
            case "array":
                return f"array<{self.item.described}>"
            case "struct":
                return f"struct<{','.join(f'{name}:{kind.described}' for name, kind in self.fields)}>"
        return self.name

    @property
    def sql(self) -> str:
        """The name in both engines' SQL."""
        match self.name:
            case "decimal":
                return f"DECIMAL({self.precision},{self.scale})"
            case "array":
                return f"{self.item.sql}[]"
            case "struct":
                return f"STRUCT({', '.join(f'{name} {kind.sql}' for name, kind in self.fields)})"
        return SQL[self.name]

    @property
    def arrow(self) -> pa.DataType:
        match self.name:
            case "decimal":
                return pa.decimal128(self.precision, self.scale)
            case "array":
                return pa.list_(self.item.arrow)
            case "struct":
                return pa.struct([pa.field(name, kind.arrow) for name, kind in self.fields])
        return ARROW[self.name]

    @property
    def is_number(self) -> bool:
        return self.name in NUMBERS

    @property
    def is_scalar(self) -> bool:
        """Whether values can be compared, sorted and grouped by."""
        return self.name not in ("array", "struct")


SQL = {
    "character": "STRING",
    "int": "INT",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "date": "DATE",
    "datetime": "TIMESTAMP",
    "boolean": "BOOLEAN",
    "binary": "BYTEA",
}
ARROW = {
    "character": pa.string(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "datetime": pa.timestamp("ms"),
    "boolean": pa.bool_(),
    "binary": pa.binary(),
}
NUMBERS = ("int", "long", "float", "double", "decimal")

TEXT, INT, LONG, FLOAT, DOUBLE = (Kind(name) for name in ("character", "int", "long", "float", "double"))
DATE, DATETIME, BOOLEAN, BINARY = (Kind(name) for name in ("date", "datetime", "boolean", "binary"))


def decimal(precision: int, scale: int) -> Kind:
    return Kind("decimal", precision, scale)


def array(item: Kind) -> Kind:
    return Kind("array", item=item)


def struct(**fields: Kind) -> Kind:
    return Kind("struct", fields=tuple(fields.items()))


MONEY = decimal(10, 2)
SCALARS = (TEXT, INT, LONG, DOUBLE, MONEY, DATE, DATETIME, BOOLEAN)

# Columns of raw tables: kind and flavour. Tame numbers are safe to calculate with: sums of few neither overflow nor
# lose digits. Wild ones include the extremes of their type.
COLUMNS = [
    (TEXT, "key"),
    (TEXT, "free"),
    (TEXT, "free"),
    (TEXT, "number"),
    (TEXT, "day"),
    (INT, "tame"),
    (INT, "tame"),
    (INT, "wild"),
    (LONG, "tame"),
    (LONG, "wild"),
    (DOUBLE, "tame"),
    (DOUBLE, "tame"),
    (DOUBLE, "wild"),
    (FLOAT, "tame"),
    (MONEY, "tame"),
    (MONEY, "tame"),
    (decimal(12, 4), "tame"),
    (decimal(38, 10), "tame"),
    (decimal(38, 0), "wild"),
    (decimal(5, 5), "wild"),
    (DATE, "tame"),
    (DATE, "wild"),
    (DATETIME, "tame"),
    (DATETIME, "wild"),
    (BOOLEAN, ""),
    (BOOLEAN, ""),
    (BINARY, ""),
    (array(TEXT), ""),
    (array(INT), ""),
    (array(DOUBLE), ""),
    (array(DATE), ""),
    (struct(a=INT, b=TEXT), ""),
    (struct(p=MONEY, q=struct(d=DATE, l=array(INT))), ""),
    (array(struct(a=INT, b=TEXT)), ""),
    (array(array(INT)), ""),
]

KEYS = ["x", "y", "z", "X", "", "é"]
FREE = [
    "",
    " ",
    "a",
    "abc",
    "Abc",
    "a-b-c",
    "a,b",
    "Ynys Môn",
    " padded ",
    "100% x_y",
    "日本語",
    "aaa",
    "null",
    "12kg",
    "b",
    "ab",
]
DIGITS = ["12", "-7", "0", "007", "1", "99", "+5", "-0", "123456", "2147483647"]
DAYS = ["2024-02-29", "1969-12-31", "1970-01-01", "2026-01-31", "1900-01-01", "2023-12-31"]
WILD_DATES = ["0001-01-01", "9999-12-31", "1582-10-10", "1752-09-03", "1600-01-01", "2299-12-31"]
TIMES = ["00:00:00", "23:59:59.999", "12:34:56.789", "01:02:03", "12:30:00.5", "00:00:00.001"]
DOUBLES = [
    0.0,
    -0.0,
    1e16,
    -1e16,
    1.005,
    0.285,
    1e22,
    1e300,
    -1e300,
    5e-324,
    1.7976931348623157e308,
    0.1,
    0.3,
    2.675,
    1e-7,
]


def pool(rng: random.Random, kind: Kind, flavour: str) -> list:
    """Returns values of a kind, without nulls."""
    wild = flavour == "wild"
    match kind.name:
        case "character":
            return {"key": KEYS, "number": DIGITS, "day": DAYS}.get(flavour, FREE)
        case "int" | "long":
            bits = 32 if kind.name == "int" else 64
            extremes = [2 ** (bits - 1) - 1, -(2 ** (bits - 1)), 2 ** (bits - 1) - 2, 2**24 + 1, 2 ** (bits // 2) + 1]
            return [*range(-6, 11), *(extremes if wild else [])]
        case "double":
            return [n / 4 for n in range(-20, 40)] + (DOUBLES if wild else [])
        case "float":
            return [n / 4 for n in range(-20, 40)]
        case "decimal":
            most = 10**kind.precision - 1
            few = [0, 1, -1, 5, 125, -250, 995, 1005, 12345 % 10**kind.precision]
            unscaled = few + ([most, -most, most // 3] if wild else [])
            return [number(n, kind) for n in unscaled if abs(n) <= most]
        case "date":
            return [dt.date.fromisoformat(day) for day in DAYS + (WILD_DATES if wild else [])]
        case "datetime":
            days = DAYS + (WILD_DATES if wild else [])
            return [moment(f"{day} {TIMES[(n + m) % 6]}") for n, day in enumerate(days) for m in (0, 2)]
        case "boolean":
            return [True, False]
        case "binary":
            return [b"", b"\x00", b"\xff\xfe", b"abc", "é".encode()]
        case "array":
            inner = [*pool(rng, kind.item, "tame"), None]
            return [[], [None], *([rng.choice(inner) for _ in range(rng.randint(1, 4))] for _ in range(6))]
        case "struct":
            pools = {name: [*pool(rng, part, "tame"), None] for name, part in kind.fields}
            return [{name: rng.choice(values) for name, values in pools.items()} for _ in range(6)]
    raise ValueError(f"no values for {kind.described}")


def number(unscaled: int, kind: Kind) -> Decimal:
    return Decimal((int(unscaled < 0), tuple(map(int, str(abs(unscaled)))), -kind.scale))


def moment(text: str) -> dt.datetime:
    whole, _, fraction = text.partition(".")
    return dt.datetime.fromisoformat(f"{whole}.{fraction:0<6}")
