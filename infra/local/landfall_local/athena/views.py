"""Views: in Glue they are tables whose text contains the query, in Presto's format."""

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass

import pyarrow as pa

from .errors import AthenaError
from .types import arrow_type, result_type, trino_type

PREFIX, SUFFIX = "/* Presto View: ", " */"
VIEW_TYPE = "VIRTUAL_VIEW"
WIDER = [["tinyint", "smallint", "int", "bigint"], ["float", "double"]]


@dataclass
class View:
    sql: str
    schema: str


def is_view(definition: dict) -> bool:
    return definition.get("TableType") == VIEW_TYPE


def decode(definition: dict) -> View:
    name = f"{definition['DatabaseName']}.{definition['Name']}"
    text = definition.get("ViewOriginalText") or ""
    if not text.startswith(PREFIX):
        raise AthenaError(f"NOT_SUPPORTED: Hive view {name}: the local Athena reads only its own kind of views")
    try:
        kept = json.loads(b64decode(text.removeprefix(PREFIX).removesuffix(SUFFIX)))
        return View(kept["originalSql"], kept["schema"])
    except (ValueError, KeyError) as error:
        raise AthenaError(f"HIVE_INVALID_VIEW_DATA: Invalid view JSON: {name}") from error


def encode(name: str, sql: str, database: str, columns: list[dict]) -> dict:
    """Returns the TableInput of a view. Its columns have Hive types."""
    kept = {
        "originalSql": sql,
        "catalog": "awsdatacatalog",
        "schema": database,
        "columns": [{"name": column["Name"], "type": trino_type(column["Type"])} for column in columns],
    }
    return {
        "Name": name,
        "TableType": VIEW_TYPE,
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "ViewOriginalText": f"{PREFIX}{b64encode(json.dumps(kept).encode()).decode()}{SUFFIX}",
        "ViewExpandedText": "/* Presto View */",
        "PartitionKeys": [],
        "StorageDescriptor": {"Columns": columns, "Location": "", "SerdeInfo": {}},
    }


def check_stale(database: str, name: str, definition: dict, now: pa.Schema) -> None:
    """Refuses a view whose query now has other columns than at its creation."""
    stale = f"VIEW_IS_STALE: line 1:15: View 'awsdatacatalog.{database}.{name}' is stale or in invalid state: "
    stored = definition["StorageDescriptor"]["Columns"]
    if len(stored) != len(now):
        message = f"stored view column count ({len(stored)}) does not match column count derived from the view query"
        raise AthenaError(f"{stale}{message} analysis ({len(now)})")
    for place, (kept, found) in enumerate(zip(stored, now, strict=True)):
        kind = result_type(found.type)[1]
        if found.name.lower() != kept["Name"] or not coerced(kind, kept["Type"]):
            raise AthenaError(
                f"{stale}column [{found.name.lower()}] of type {trino_type(kind)} projected from query view at "
                f"position {place} cannot be coerced to column [{kept['Name']}] of type {trino_type(kept['Type'])} "
                "stored in view definition"
            )


def coerced(found: str, stored: str) -> bool:
    if arrow_type(found) == arrow_type(stored):
        return True
    return any(found in row and stored in row and row.index(found) <= row.index(stored) for row in WIDER)
