"""ALTER TABLE, as far as Athena supports it for Hive tables."""

import re

from .errors import AthenaError, unsupported
from .tables import DDL_TASK, Catalog
from .types import arrow_type, split_arguments

TEXT = re.compile(r"'((?:[^'\\]|\\.|'')*)'")
PAIR = re.compile(rf"{TEXT.pattern}\s*=\s*{TEXT.pattern}")
PARTITION = re.compile(r"PARTITION\s*\(([^)]*)\)(?:\s+LOCATION\s+'([^']*)')?", re.IGNORECASE)
VALUE = re.compile(r"`?(\w+)`?\s*=\s*(?:'([^']*)'|\"([^\"]*)\"|([\w.-]+))")
INPUT = {
    "Name",
    "Description",
    "Owner",
    "LastAccessTime",
    "LastAnalyzedTime",
    "Retention",
    "StorageDescriptor",
    "PartitionKeys",
    "ViewOriginalText",
    "ViewExpandedText",
    "TableType",
    "Parameters",
}


def update(catalog: Catalog, table: dict, **changes) -> None:
    definition = {name: value for name, value in {**table, **changes}.items() if name in INPUT}
    catalog.glue.update_table(DatabaseName=table["DatabaseName"], TableInput=definition)


def set_properties(catalog: Catalog, table: dict, text: str) -> None:
    given = {unescaped(name): unescaped(value) for name, value in PAIR.findall(text)}
    update(catalog, table, Parameters={**(table.get("Parameters") or {}), **given})


def unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text).replace("''", "'")


def set_location(catalog: Catalog, table: dict, location: str) -> None:
    update(catalog, table, StorageDescriptor={**table["StorageDescriptor"], "Location": location})


def add_columns(catalog: Catalog, table: dict, text: str) -> None:
    descriptor = table["StorageDescriptor"]
    known = [column["Name"].lower() for column in [*descriptor["Columns"], *(table.get("PartitionKeys") or [])]]
    new = columns(text)
    for column in new:
        if column["Name"] in known:
            raise AthenaError(f"{DDL_TASK}. Duplicate column name: {column['Name']}")
    update(catalog, table, StorageDescriptor={**descriptor, "Columns": [*descriptor["Columns"], *new]})


def replace_columns(catalog: Catalog, table: dict, text: str) -> None:
    update(catalog, table, StorageDescriptor={**table["StorageDescriptor"], "Columns": columns(text)})


def columns(text: str) -> list[dict]:
    found = []
    for part in split_arguments(text):
        name, _, rest = part.strip().partition(" ")
        kind, _, comment = re.sub(r"\s+COMMENT\s+", "\0", rest.strip(), flags=re.IGNORECASE).partition("\0")
        arrow_type(kind)  # fails if there is no such type
        column = {"Name": name.strip("`").lower(), "Type": kind.strip().lower()}
        found.append({**column, "Comment": comment.strip("'")} if comment else column)
    return found


def partitions(table: dict, text: str) -> list[tuple[list[str], str | None]]:
    """Returns (values, location) of each PARTITION (...)."""
    keys = [key["Name"].lower() for key in table.get("PartitionKeys") or []]
    found = []
    for given, location in PARTITION.findall(text):
        values = {name.lower(): a or b or c for name, a, b, c in VALUE.findall(given)}
        if sorted(values) != sorted(keys):
            raise AthenaError(
                "FAILED: SemanticException partition spec "
                f"{{{', '.join(f'{name}={value}' for name, value in values.items())}}} doesn't contain all "
                f"({len(keys)}) partition columns"
            )
        found.append(([values[key] for key in keys], location or None))
    return found


def add_partitions(catalog: Catalog, table: dict, if_not_exists: str | None, text: str) -> None:
    keys = [key["Name"] for key in table.get("PartitionKeys") or []]
    descriptor = table["StorageDescriptor"]
    names = {"DatabaseName": table["DatabaseName"], "TableName": table["Name"]}
    for values, location in partitions(table, text):
        folder = "/".join(f"{key}={value}" for key, value in zip(keys, values, strict=True))
        where = location or f"{descriptor['Location'].rstrip('/')}/{folder}"
        partition = {"Values": values, "StorageDescriptor": {**descriptor, "Location": where}}
        try:
            catalog.glue.create_partition(**names, PartitionInput=partition)
        except catalog.glue.exceptions.AlreadyExistsException:
            if not if_not_exists:
                message = f"AlreadyExistsException(message:Partition already exists. [{', '.join(values)}])"
                raise AthenaError(f"{DDL_TASK}. {message}") from None


def drop_partitions(catalog: Catalog, table: dict, if_exists: str | None, text: str) -> None:
    names = {"DatabaseName": table["DatabaseName"], "TableName": table["Name"]}
    for values, _ in partitions(table, text):
        try:
            catalog.glue.delete_partition(**names, PartitionValues=values)
        except catalog.glue.exceptions.EntityNotFoundException:
            if not if_exists:
                raise AthenaError(
                    f"FAILED: SemanticException [Error 10006]: Partition not found ({', '.join(values)})"
                ) from None


def rename(_catalog: Catalog, _table: dict, _text: str) -> None:
    raise AthenaError(f"{DDL_TASK}. Unable to alter table. Table rename is not supported")


def other(_catalog: Catalog, _table: dict, text: str) -> None:
    raise unsupported(f"does not run ALTER TABLE … {text[:60]}")


# Patterns of the text after ALTER TABLE and the table's name. Their groups are passed to the function.
FORMS = (
    ("ALTER_TABLE_PROPERTIES", r"SET\s+TBLPROPERTIES\s*\((.*)\)", set_properties),
    ("ALTER_TABLE_SET_LOCATION", r"SET\s+LOCATION\s*'([^']*)'", set_location),
    ("ALTER_TABLE_ADD_COLUMN", r"ADD\s+COLUMNS\s*\((.*)\)", add_columns),
    ("ALTER_TABLE_REPLACE_COLUMN", r"REPLACE\s+COLUMNS\s*\((.*)\)", replace_columns),
    ("ALTER_TABLE_ADD_PARTITION", r"ADD\s+(IF\s+NOT\s+EXISTS\s+)?(PARTITION.*)", add_partitions),
    ("ALTER_TABLE_DROP_PARTITION", r"DROP\s+(IF\s+EXISTS\s+)?(PARTITION.*)", drop_partitions),
    ("ALTER_TABLE_RENAME", r"RENAME\s+TO\s+(.*)", rename),
    ("ALTER_TABLE", r"(.*)", other),
)
