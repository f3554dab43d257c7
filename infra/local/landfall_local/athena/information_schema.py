"""information_schema: the catalog's content as tables."""

import pyarrow as pa

from . import views
from .errors import AthenaError
from .tables import Catalog
from .trino import CATALOG
from .types import trino_type

TABLE = ["table_catalog", "table_schema", "table_name"]
COLUMNS = {
    "schemata": ["catalog_name", "schema_name"],
    "tables": [*TABLE, "table_type"],
    "views": [*TABLE, "view_definition"],
    "columns": [
        *TABLE,
        "column_name",
        "ordinal_position",
        "column_default",
        "is_nullable",
        "data_type",
        "comment",
        "extra_info",
    ],
}


def table(catalog: Catalog, name: str) -> pa.Table:
    if name not in COLUMNS:
        message = f"Table '{CATALOG}.information_schema.{name}' does not exist"
        raise AthenaError(f"TABLE_NOT_FOUND: line 1:15: {message}")
    rows = list(ROWS[name](catalog))
    names = COLUMNS[name]
    kinds = [pa.int64() if column == "ordinal_position" else pa.string() for column in names]
    arrays = [pa.array([row[place] for row in rows], kind) for place, kind in enumerate(kinds)]
    return pa.table(arrays, names=names)


def definitions(catalog: Catalog):
    for database in catalog.databases():
        for found in catalog.definitions(database):
            yield database, found["Name"], found


def schemata(catalog: Catalog):
    for database in sorted({*catalog.databases(), "information_schema"}):
        yield CATALOG, database


def tables(catalog: Catalog):
    for database, name, found in definitions(catalog):
        yield CATALOG, database, name, "VIEW" if views.is_view(found) else "BASE TABLE"
    for name in COLUMNS:
        yield CATALOG, "information_schema", name, "BASE TABLE"


def view_rows(catalog: Catalog):
    for database, name, found in definitions(catalog):
        if views.is_view(found):
            yield CATALOG, database, name, views.decode(found).sql


def columns(catalog: Catalog):
    for database, name, found in definitions(catalog):
        keys = found.get("PartitionKeys") or []
        for place, column in enumerate([*found["StorageDescriptor"].get("Columns", []), *keys], 1):
            extra = "partition key" if place > len(found["StorageDescriptor"].get("Columns", [])) else None
            kind = trino_type(column.get("Type", "string"))
            yield CATALOG, database, name, column["Name"], place, None, "YES", kind, column.get("Comment"), extra
    for name, names in COLUMNS.items():
        for place, column in enumerate(names, 1):
            kind = "bigint" if column == "ordinal_position" else "varchar"
            yield CATALOG, "information_schema", name, column, place, None, "YES", kind, None, None


ROWS = {"schemata": schemata, "tables": tables, "views": view_rows, "columns": columns}
