"""Partition projection: the partitions that a table has by its parameters."""

from datetime import UTC, datetime, timedelta

import pytest

from landfall_local.athena.projection import projected
from landfall_local.athena.types import AthenaError

ENABLED = {"projection.enabled": "true"}


def table(parameters: dict[str, str], *columns: str) -> dict:
    return {
        "Name": "t",
        "DatabaseName": "db",
        "StorageDescriptor": {"Location": "s3://b/t/run/"},
        "PartitionKeys": [{"Name": column, "Type": "string"} for column in columns],
        "Parameters": parameters,
    }


def values(column: dict[str, str]) -> list[str]:
    """Returns the projected values of a table with one partition column, c."""
    parameters = ENABLED | {f"projection.c.{name}": value for name, value in column.items()}
    return [row[0] for row in projected(table(parameters, "c")).values()]


def refused(parameters: dict[str, str], *columns: str) -> str:
    with pytest.raises(AthenaError) as error:
        projected(table(ENABLED | parameters, *columns))
    return str(error.value)


def test_partitions_are_registered_unless_projection_is_enabled():
    column = {"projection.c.type": "enum", "projection.c.values": "a"}
    assert projected(table(column, "c")) is None
    assert projected(table(column | {"projection.enabled": "false"}, "c")) is None
    assert projected(table(ENABLED)) is None  # there is no column to project
    assert projected(table(column | {"projection.enabled": "TRUE"}, "c")) == {"s3://b/t/run/c=a/": ["a"]}


def test_columns_are_combined_in_their_order():
    parameters = ENABLED | {
        "projection.day.type": "date",
        "projection.day.range": "2026-11-24,2026-11-25",
        "projection.day.format": "yyyy-MM-dd",
        "projection.area.type": "enum",
        "projection.area.values": "north,far south",
    }
    assert projected(table(parameters, "day", "area")) == {
        "s3://b/t/run/day=2026-11-24/area=north/": ["2026-11-24", "north"],
        "s3://b/t/run/day=2026-11-24/area=far south/": ["2026-11-24", "far south"],
        "s3://b/t/run/day=2026-11-25/area=north/": ["2026-11-25", "north"],
        "s3://b/t/run/day=2026-11-25/area=far south/": ["2026-11-25", "far south"],
    }
    parameters["storage.location.template"] = "s3://elsewhere/${area}/x/${day}"
    assert next(iter(projected(table(parameters, "day", "area")))) == "s3://elsewhere/north/x/2026-11-24/"


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ({"type": " Enum ", "values": "A,b, c"}, ["A", "b", " c"]),
        ({"type": "integer", "range": " 1 , 3 "}, ["1", "2", "3"]),
        ({"type": "integer", "range": "-1,1", "interval": "2"}, ["-1", "1"]),
        ({"type": "integer", "range": "0008,0010", "digits": "3"}, ["008", "009", "010"]),
        (
            {"type": "date", "range": "2024-02-28,2024-03-01", "format": "yyyy-MM-dd"},
            ["2024-02-28", "2024-02-29", "2024-03-01"],
        ),
        ({"type": "date", "range": "2023/11,2024/02", "format": "yyyy/MM", "interval": "3"}, ["2023/11", "2024/02"]),
        (
            {
                "type": "date",
                "range": "20240101T22,20240102T04",
                "format": "yyyyMMdd'T'HH",
                "interval": "3",
                "interval.unit": "HOURS",
            },
            ["20240101T22", "20240102T01", "20240102T04"],
        ),
        (
            {
                "type": "date",
                "range": "2020,2024",
                "format": "yyyy",
                "interval": "2",
                "interval.unit": "years",
            },
            ["2020", "2022", "2024"],
        ),
        (
            {
                "type": "date",
                "range": "2024-01-31,2024-03-31",
                "format": "yyyy-MM-dd",
                "interval": "1",
                "interval.unit": "MONTHS",
            },
            ["2024-01-31", "2024-02-29", "2024-03-29"],
        ),
    ],
)
def test_values_of_each_type(column, expected):
    assert values(column) == expected


def test_a_range_may_be_relative_to_now():
    before = datetime.now(UTC)
    found = values({"type": "date", "range": "NOW-2DAYS,NOW", "format": "yyyy-MM-dd"})
    after = datetime.now(UTC)
    days = [[f"{now - timedelta(days=ago):%Y-%m-%d}" for ago in (2, 1, 0)] for now in (before, after)]
    assert found in days


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"type": "injected"}, "NOT_SUPPORTED: db.t, column c: the local Athena projects enum, integer, date; not inj"),
        ({"type": "enum"}, "projection.c.values is missing"),
        ({"type": "integer", "range": "1-3"}, "projection.c.range is '1-3', expected two values with a comma between"),
        ({"type": "integer", "range": "a,b"}, "expected integers"),
        ({"type": "integer", "range": "1,3", "interval": "0"}, "projection.c.interval is '0', expected a positive"),
        ({"type": "date", "range": "2024,2025"}, "projection.c.format is missing"),
        ({"type": "date", "range": "2024,2025", "format": "yyyy"}, "projection.c.interval is missing"),
        ({"type": "date", "range": "2024,2025", "format": "yyyy-MM-dd"}, "projection.c.range has '2024'"),
        (
            {"type": "date", "range": "2024,2025", "format": "YYYY"},
            "the local Athena knows yyyy, MM, dd, HH, mm, ss; not YYYY",
        ),
        (
            {"type": "date", "range": "2024-01,2024-02", "format": "yyyy-MM", "interval.unit": "MILLIS"},
            "projection.c.interval.unit is MILLIS",
        ),
        ({"type": "integer", "range": "1,100001"}, "NOT_SUPPORTED: the local Athena lists every partition"),
    ],
)
def test_what_is_not_understood_is_an_error(column, message):
    assert message in refused({f"projection.c.{name}": value for name, value in column.items()}, "c")


def test_every_column_needs_a_projection_and_a_place_in_the_template():
    column = {"projection.c.type": "enum", "projection.c.values": "a"}
    assert refused(column, "c", "d") == (
        "INVALID_TABLE_PROPERTY: Table db.t is configured for partition projection, but the following partition "
        "columns are missing projection configuration: [d]"
    )
    assert refused(column | {"storage.location.template": "s3://b/t/"}, "c") == (
        "INVALID_TABLE_PROPERTY: The 'storage.location.template' table property must contain templates for all "
        "partition columns!"
    )
