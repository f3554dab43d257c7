"""Partition projection: Athena computes a table's partitions from its parameters and ignores registered ones.

https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
https://docs.aws.amazon.com/athena/latest/ug/partition-projection-setting-up.html

Values are inserted into locations unchanged. The type `injected` and dates with fractions of seconds are not supported.
"""

import itertools
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from .errors import AthenaError

ENABLED = "projection.enabled"
TEMPLATE = "storage.location.template"

# All partitions are listed, while AWS looks only for those that a query needs.
MAXIMUM_PARTITIONS = 100_000

# Fields of Java's DateTimeFormatter -> of strptime, from the coarsest on.
DATE_FIELDS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
DATE_TOKEN = re.compile(r"'(?P<text>[^']*)'|(?P<field>([A-Za-z])\3*)|(?P<other>[^A-Za-z'])")
# The default interval units of ranges of days or months.
DEFAULT_UNITS = {"dd": "DAYS", "MM": "MONTHS"}

FIXED_UNITS = {
    "WEEKS": timedelta(weeks=1),
    "DAYS": timedelta(days=1),
    "HOURS": timedelta(hours=1),
    "MINUTES": timedelta(minutes=1),
    "SECONDS": timedelta(seconds=1),
}
MONTHS = {"YEARS": 12, "MONTHS": 1}
RELATIVE = re.compile(rf"NOW(?:\s*([+-])\s*(\d+)\s*({'|'.join([*FIXED_UNITS, *MONTHS])}))?")


def projected(table: dict) -> dict[str, list[str]] | None:
    """Returns location, with a / at its end, -> values, of each partition of a Glue table, or None if they are
    registered."""
    parameters = {name.lower(): value for name, value in (table.get("Parameters") or {}).items()}
    columns = [key["Name"].lower() for key in table.get("PartitionKeys") or []]
    if parameters.get(ENABLED, "").strip().lower() != "true" or not columns:
        return None
    name = f"{table.get('DatabaseName')}.{table['Name']}"
    missing = [column for column in columns if f"projection.{column}.type" not in parameters]
    if missing:
        raise invalid(
            f"Table {name} is configured for partition projection, but the following partition columns are missing "
            f"projection configuration: [{', '.join(missing)}]"
        )
    values = [Column(name, column, parameters).values() for column in columns]
    count = math.prod(len(some) for some in values)
    if count > MAXIMUM_PARTITIONS:
        message = f"the local Athena lists every partition, and {name} has {count:,}, over {MAXIMUM_PARTITIONS:,}"
        raise AthenaError(f"NOT_SUPPORTED: {message}")
    template = template_of(table, columns, parameters)
    return {located(template, columns, row): list(row) for row in itertools.product(*values)}


def invalid(message: str) -> AthenaError:
    return AthenaError(f"INVALID_TABLE_PROPERTY: {message}")


def template_of(table: dict, columns: list[str], parameters: dict[str, str]) -> str:
    template = parameters.get(TEMPLATE)
    if template is None:
        folders = "".join(f"{column}=${{{column}}}/" for column in columns)
        return f"{table['StorageDescriptor']['Location'].rstrip('/')}/{folders}"
    if any(f"${{{column}}}" not in template for column in columns):
        raise invalid(f"The '{TEMPLATE}' table property must contain templates for all partition columns!")
    return template.rstrip("/") + "/"


def located(template: str, columns: list[str], row: tuple[str, ...]) -> str:
    for column, value in zip(columns, row, strict=True):
        template = template.replace(f"${{{column}}}", value)
    return template


class Column:
    """The projection of a partition column's values."""

    def __init__(self, table: str, column: str, parameters: dict[str, str]):
        self._where = f"{table}, column {column}"
        self._prefix = f"projection.{column}."
        self._parameters = parameters

    def values(self) -> list[str]:
        kind = self._required("type").strip().lower()
        kinds = {"enum": self._enum, "integer": self._integers, "date": self._dates}
        if kind not in kinds:
            known = ", ".join(kinds)
            raise AthenaError(f"NOT_SUPPORTED: {self._where}: the local Athena projects {known}; not {kind}")
        return list(itertools.islice(kinds[kind](), MAXIMUM_PARTITIONS + 1))

    def _get(self, name: str) -> str | None:
        return self._parameters.get(self._prefix + name)

    def _required(self, name: str) -> str:
        value = self._get(name)
        if value is None:
            raise self._invalid(name, "is missing")
        return value

    def _invalid(self, name: str, what: str) -> AthenaError:
        return invalid(f"{self._where}: {self._prefix}{name} {what}")

    def _positive(self, name: str) -> int | None:
        text = self._get(name)
        if text is None:
            return None
        if not re.fullmatch(r"\s*[1-9]\d*\s*", text):
            raise self._invalid(name, f"is '{text}', expected a positive integer")
        return int(text)

    def _range(self) -> list[str]:
        ends = [end.strip() for end in self._required("range").split(",")]
        if len(ends) != 2:
            raise self._invalid("range", f"is '{self._required('range')}', expected two values with a comma between")
        return ends

    def _enum(self) -> Iterator[str]:
        yield from self._required("values").split(",")

    def _integers(self) -> Iterator[str]:
        try:
            first, last = (int(end) for end in self._range())
        except ValueError as error:
            raise self._invalid("range", f"is '{self._required('range')}', expected integers") from error
        digits = self._positive("digits") or 1
        for number in range(first, last + 1, self._positive("interval") or 1):
            yield f"{number:0{digits}d}"

    def _dates(self) -> Iterator[str]:
        form, finest = self._date_format()
        moment, last = (self._moment(end, form) for end in self._range())
        interval, unit = self._positive("interval"), self._get("interval.unit")
        if (interval is None or unit is None) and finest not in DEFAULT_UNITS:
            missing = "interval" if interval is None else "interval.unit"
            raise self._invalid(missing, "is missing; only a range of days or months can do without")
        unit = (unit or DEFAULT_UNITS[finest]).strip().upper()
        if unit not in FIXED_UNITS and unit not in MONTHS:
            known = ", ".join([*MONTHS, *FIXED_UNITS])
            raise self._invalid("interval.unit", f"is {unit}, the local Athena knows {known}")
        while moment <= last:
            yield moment.strftime(form)
            moment = later(moment, interval or 1, unit)

    def _date_format(self) -> tuple[str, str]:
        """Returns the format for strptime, and the finest of its fields."""
        pattern, form, fields = self._required("format").strip(), "", []
        for token in DATE_TOKEN.finditer(pattern):
            field = token["field"]
            if field is None:
                form += (token["text"] or token["other"] or "'").replace("%", "%%")
                continue
            if field not in DATE_FIELDS:
                known = ", ".join(DATE_FIELDS)
                raise self._invalid("format", f"is '{pattern}', the local Athena knows {known}; not {field}")
            form += DATE_FIELDS[field]
            fields.append(field)
        if not fields:
            raise self._invalid("format", f"is '{pattern}', expected a date such as yyyy-MM-dd")
        return form, max(fields, key=list(DATE_FIELDS).index)

    def _moment(self, text: str, form: str) -> datetime:
        if relative := RELATIVE.fullmatch(text):
            sign, count, unit = relative.groups()
            now = datetime.now(UTC).replace(tzinfo=None)
            if unit:
                now = later(now, int(count) * (-1 if sign == "-" else 1), unit)
            text = now.strftime(form)
        try:
            return datetime.strptime(text, form)
        except ValueError as error:
            expected = f"expected dates like '{self._required('format')}', or NOW with an offset such as NOW-3YEARS"
            raise self._invalid("range", f"has '{text}', {expected}") from error


def later(moment: datetime, count: int, unit: str) -> datetime:
    """Returns the moment that many units later, on the last day of a month that is too short."""
    if unit in FIXED_UNITS:
        return moment + count * FIXED_UNITS[unit]
    years, month = divmod(moment.month - 1 + count * MONTHS[unit], 12)
    first = moment.replace(year=moment.year + years, month=month + 1, day=1)
    days = ((first + timedelta(days=31)).replace(day=1) - first).days
    return first.replace(day=min(moment.day, days))
