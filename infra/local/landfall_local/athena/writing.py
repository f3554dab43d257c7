"""Statements that write a query's result: CREATE TABLE AS, INSERT and UNLOAD, into Parquet."""

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlglot import exp

from ..account import ClientsOf
from . import trino, views
from .errors import AthenaError, InvalidRequestError, unsupported
from .queries import Queries, Rows, hive_columns
from .results import Result, of_written
from .tables import HIVE_NULL, PARQUET_SERDE, Catalog
from .types import arrow_type, as_text, result_type, trino_type

MOST_PARTITIONS = 100  # Athena's limit per statement
PARQUET = "org.apache.hadoop.hive.ql.io.parquet"
COMPRESSIONS = {
    "SNAPPY": "snappy",
    "GZIP": "gzip",
    "ZSTD": "zstd",
    "NONE": "none",
    "UNCOMPRESSED": "none",
    "LZ4": "lz4",
}
FORMATS = {"PARQUET", "ORC", "AVRO", "JSON", "TEXTFILE"}
OF_HIVE_TABLES = {
    "bucket_count",
    "bucketed_by",
    "compression_level",
    "external_location",
    "field_delimiter",
    "format",
    "is_external",
    "orc_compression",
    "parquet_compression",
    "partitioned_by",
    "table_type",
    "write_compression",
}
UNLOAD = re.compile(
    r"UNLOAD\s*(?P<query>\(.*\))\s*TO\s*'(?P<to>[^']*)'\s*WITH\s*\((?P<with>.*)\)", re.IGNORECASE | re.DOTALL
)
ENFORCED = (
    "The Create Table As Select query failed because it was submitted with an 'external_location' property to an "
    "Athena Workgroup that enforces a centralized output location for all queries. Please remove the "
    "'external_location' property and resubmit the query."
)


class Writing:
    def __init__(self, clients: ClientsOf, catalog: Catalog, queries: Queries):
        self._clients = clients
        self._catalog = catalog
        self._queries = queries

    # -- CREATE TABLE AS -----------------------------------------------------------------------------------------------

    def create_table_as(self, tree: exp.Create, database: str, output: str, query_id: str) -> Result:
        target = tree.this if isinstance(tree.this, exp.Table) else tree.this.this
        session, (database, name) = database, trino.name_of(target, database)
        given = ctas_properties(tree)
        location = (given.get("external_location") or f"{output}tables/{query_id}").rstrip("/") + "/"
        if not self._catalog.has_database(database):
            raise AthenaError(f"SCHEMA_NOT_FOUND: line 1:1: Schema '{database}' does not exist")
        if self._exists(database, name):
            if tree.args.get("exists"):
                return of_written(0)
            message = f"Table 'awsdatacatalog.{database}.{name}' already exists"
            raise AthenaError(f"TABLE_ALREADY_EXISTS: line 1:1: {message}")
        rows = self._queries.run(tree.expression, session, limit=0 if trino.has_no_data(tree) else None)
        check_columns(rows)
        keys = partition_keys(rows.table.schema, given.get("partitioned_by") or [])
        self._must_be_empty(location, f"{database}.{name}")
        written = self._write(rows.table, keys, location, query_id, compression(given))
        self._create_glue_table(database, name, rows.table.schema, keys, location)
        self._register(database, name, keys, location, written)
        manifest = f"{output}tables/{query_id}-manifest.csv"
        self._manifest(manifest, written)
        return of_written(rows.table.num_rows, f"{output}tables/{query_id}", manifest)

    def _exists(self, database: str, name: str) -> bool:
        return any(table["Name"] == name for table in self._catalog.definitions(database))

    def _must_be_empty(self, location: str, table: str) -> None:
        if next(self._catalog.objects(location), None):
            message = f"Target directory for table '{table}' already exists: {location}"
            raise AthenaError(
                f"HIVE_PATH_ALREADY_EXISTS: {message}. You may need to manually clean the data at location "
                f"'{location}' before retrying. Athena will not delete data in your account."
            )

    def _create_glue_table(self, database: str, name: str, schema: pa.Schema, keys: list[str], location: str) -> None:
        columns = hive_columns(schema)
        definition = {
            "Name": name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"EXTERNAL": "TRUE", "has_encrypted_data": "false"},
            "PartitionKeys": [column for column in columns if column["Name"] in keys],
            "StorageDescriptor": {
                "Columns": [column for column in columns if column["Name"] not in keys],
                "Location": location,
                "InputFormat": f"{PARQUET}.MapredParquetInputFormat",
                "OutputFormat": f"{PARQUET}.MapredParquetOutputFormat",
                "SerdeInfo": {"SerializationLibrary": PARQUET_SERDE},
            },
        }
        self._catalog.glue.create_table(DatabaseName=database, TableInput=definition)

    # -- INSERT --------------------------------------------------------------------------------------------------------

    def insert(self, tree: exp.Insert, database: str, output: str, query_id: str) -> Result:
        target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
        session, (database, name) = database, trino.name_of(target, database)
        table = self._catalog.definition(database, name)
        if views.is_view(table):
            raise AthenaError("NOT_SUPPORTED: line 1:1: Inserting into views is not supported")
        descriptor = table["StorageDescriptor"]
        if (descriptor.get("SerdeInfo") or {}).get("SerializationLibrary") != PARQUET_SERDE:
            raise unsupported("inserts into tables of Parquet only")
        keys = [key["Name"].lower() for key in table.get("PartitionKeys") or []]
        declared = {
            column["Name"].lower(): column["Type"] for column in [*descriptor["Columns"], *table["PartitionKeys"]]
        }
        wanted = (
            [column.name.lower() for column in tree.this.expressions] if target is not tree.this else list(declared)
        )
        rows = self._queries.run(source_of(tree), session).table
        written = self._write(fitted(rows, wanted, declared), keys, descriptor["Location"], query_id, "snappy")
        self._register(database, name, keys, descriptor["Location"], written)
        manifest = None
        if written:
            manifest = f"{output}{query_id}-manifest.csv"
            self._manifest(manifest, written)
        return of_written(rows.num_rows, manifest=manifest)

    # -- UNLOAD --------------------------------------------------------------------------------------------------------

    def unload(self, match: re.Match, database: str, output: str, query_id: str) -> Result:
        given = unload_properties(match["with"])
        location = match["to"].rstrip("/") + "/"
        self._must_be_empty(location, f"{database}.unload")
        rows = self._queries.run(trino.query(match["query"]), database)
        check_columns(rows)
        keys = partition_keys(rows.table.schema, given.get("partitioned_by") or [])
        written = self._write(rows.table, keys, location, query_id, compression(given, "compression", "gzip"))
        manifest = f"{output}{query_id}-manifest.csv"
        self._manifest(manifest, written)
        return of_written(rows.table.num_rows, manifest=manifest)

    # -- files ---------------------------------------------------------------------------------------------------------

    def _write(self, rows: pa.Table, keys: list[str], location: str, query_id: str, codec: str) -> dict[str, list[str]]:
        """Writes files. Returns the path of each and the values of its partition."""
        files = {}
        folders = partitioned(rows, keys) if keys else ({"": ([], rows)} if rows.num_rows else {})
        if len(folders) > MOST_PARTITIONS:
            message = f"Exceeded limit of {MOST_PARTITIONS} open writers for partitions/buckets"
            raise AthenaError(f"HIVE_TOO_MANY_OPEN_PARTITIONS: {message}")
        stamp = datetime.now(UTC).strftime("%Y%m%d_%H%M%S")
        for folder, (values, part) in folders.items():
            path = f"{location.rstrip('/')}/{folder}{stamp}_00000_{query_id[:5]}_{uuid.uuid4()}"
            pq.write_table(part, path.removeprefix("s3://"), compression=codec, filesystem=self._catalog.filesystem)
            files[path] = values
        return files

    def _register(self, database: str, name: str, keys: list[str], location: str, written: dict) -> None:
        if not keys:
            return
        table = self._catalog.definition(database, name)
        known = {tuple(partition["Values"]) for partition in self._catalog.partitions(database, name)}
        for path, values in written.items():
            if tuple(values) not in known:
                descriptor = {**table["StorageDescriptor"], "Location": path.rsplit("/", 1)[0]}
                partition = {"Values": values, "StorageDescriptor": descriptor}
                self._catalog.glue.create_partition(DatabaseName=database, TableName=name, PartitionInput=partition)

    def _manifest(self, location: str, written: dict) -> None:
        bucket, key = location.removeprefix("s3://").split("/", 1)
        body = "".join(f"{path}\n" for path in written).encode()
        self._clients.get("s3").put_object(Bucket=bucket, Key=key, Body=body)


def partitioned(rows: pa.Table, keys: list[str]) -> dict[str, tuple[list[str], pa.Table]]:
    """Returns folder -> (partition values, the partition's rows without these columns)."""
    found = {}
    for group in rows.select(keys).group_by(keys).aggregate([]).to_pylist():
        chosen = pa.array([True] * rows.num_rows)
        for key, value in group.items():
            same = (
                pc.is_null(rows[key])
                if value is None
                else pc.equal(rows[key], pa.scalar(value, rows.schema.field(key).type))
            )
            chosen = pc.and_(chosen, pc.fill_null(same, False))
        values = [HIVE_NULL if group[key] is None else as_text(group[key]) for key in keys]
        folder = "".join(f"{key}={quote(value, safe=' -_.')}/" for key, value in zip(keys, values, strict=True))
        found[folder] = values, rows.filter(chosen).drop_columns(keys)
    return found


def partition_keys(schema: pa.Schema, keys: list[str]) -> list[str]:
    names = [name.lower() for name in schema.names]
    keys = [key.lower() for key in keys]
    if missing := [key for key in keys if key not in names]:
        raise AthenaError(f"INVALID_TABLE_PROPERTY: Partition columns [{', '.join(missing)}] not present in schema")
    if keys and len(keys) == len(names):
        raise AthenaError("INVALID_TABLE_PROPERTY: Table contains only partition columns")
    if keys and names[-len(keys) :] != keys:
        message = "Partition keys must be the last columns in the table and in the same order as the table properties"
        raise AthenaError(f"HIVE_COLUMN_ORDER_MISMATCH: {message}: [{', '.join(keys)}]")
    return keys


def check_columns(rows: Rows) -> None:
    """Refuses columns that a table cannot have."""
    names = [name.lower() for name in rows.table.schema.names]
    for place, name in enumerate(names):
        if re.fullmatch(r"_col\d+", name):
            raise AthenaError(f"MISSING_COLUMN_NAME: line 1:1: Column name not specified at position {place + 1}")
        if name in names[:place]:
            raise AthenaError(f"DUPLICATE_COLUMN_NAME: line 1:1: Column name '{name}' specified more than once")
    for name in rows.untyped:
        raise AthenaError(f"COLUMN_TYPE_UNKNOWN: line 1:1: Column type is unknown: {name}")
    for column in rows.table.schema:
        if pa.types.is_time(column.type):
            raise AthenaError("NOT_SUPPORTED: Unsupported Hive type: time(0)")
        if pa.types.is_timestamp(column.type) and column.type.tz:
            raise AthenaError("NOT_SUPPORTED: Unsupported Hive type: timestamp(3) with time zone")
        if pa.types.is_interval(column.type) or pa.types.is_duration(column.type):
            raise AthenaError("NOT_SUPPORTED: Unsupported Hive type: interval day to second")


def source_of(tree: exp.Insert) -> exp.Query:
    source = tree.expression
    while isinstance(source, exp.Subquery) and not source.alias:
        source = source.this
    if isinstance(source, exp.Values):
        return exp.select("*").from_(exp.alias_(source.copy(), "v", table=True))
    return source


def fitted(rows: pa.Table, wanted: list[str], declared: dict[str, str]) -> pa.Table:
    """Returns the rows with the table's columns: in its order and types, with NULL for missing ones."""
    if unknown := [name for name in wanted if name not in declared]:
        raise AthenaError(
            f"COLUMN_NOT_FOUND: line 1:1: Insert column name does not exist in target table: {unknown[0]}"
        )
    found = [trino_type(result_type(kind)[1]) for kind in rows.schema.types]
    table = [trino_type(declared[name]) for name in wanted]
    mismatch = (
        f"TYPE_MISMATCH: line 1:1: Insert query has mismatched column types: Table: [{', '.join(table)}], "
        f"Query: [{', '.join(found)}]"
    )
    if len(found) != len(table):
        raise AthenaError(mismatch)
    given = dict(zip(wanted, rows.columns, strict=True))
    columns = []
    for name, hive in declared.items():
        kind = arrow_type(hive)
        if name not in given:
            columns.append(pa.nulls(rows.num_rows, kind))
            continue
        if not widens(given[name].type, kind):
            raise AthenaError(mismatch)
        columns.append(given[name].cast(kind))
    return pa.table(columns, names=list(declared))


def widens(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether Trino implicitly converts values of one type into a column of another."""
    tests: list[Callable] = [pa.types.is_string, pa.types.is_decimal, pa.types.is_timestamp]
    if pa.types.is_integer(found):
        if pa.types.is_integer(wanted):
            return found.bit_width <= wanted.bit_width
        return pa.types.is_floating(wanted) or pa.types.is_decimal(wanted)
    if pa.types.is_floating(found) and pa.types.is_floating(wanted):
        return found.bit_width <= wanted.bit_width
    return pa.types.is_null(found) or found == wanted or any(test(found) and test(wanted) for test in tests)


# -- WITH (...) --------------------------------------------------------------------------------------------------------


def ctas_properties(tree: exp.Create) -> dict[str, str | list[str]]:
    given = trino.properties(tree)
    if str(given.get("table_type", "hive")).lower() == "iceberg":
        raise unsupported("has no Iceberg tables")
    for name in given:
        if name not in OF_HIVE_TABLES:
            message = f"Catalog 'awsdatacatalog' table property '{name}' does not exist"
            raise AthenaError(f"INVALID_TABLE_PROPERTY: line 1:1: {message}")
    if given.get("table_type", "hive").lower() != "hive":
        raise AthenaError(f"INVALID_TABLE_PROPERTY: Unsupported table type: {given['table_type']}")
    if given.get("is_external", "true") != "true":
        raise unsupported("makes external tables only")
    if "bucketed_by" in given or "bucket_count" in given:
        raise unsupported("writes no buckets")
    check_format(given.get("format", "PARQUET"))
    return given


def unload_properties(text: str) -> dict[str, str | list[str]]:
    tree = trino.parse(f"CREATE TABLE unloaded WITH ({text}) AS SELECT 1 AS one")
    given = trino.properties(tree)
    if "format" not in given:
        raise AthenaError("INVALID_PROPERTY: UNLOAD needs a format")
    known = {"format", "compression", "compression_level", "field_delimiter", "partitioned_by"}
    if unknown := set(given) - known:
        raise AthenaError(f"INVALID_PROPERTY: Unknown property of UNLOAD: {', '.join(sorted(unknown))}")
    check_format(given["format"])
    return given


def check_format(name: str) -> None:
    if name.upper() not in FORMATS:
        raise AthenaError(f"INVALID_TABLE_PROPERTY: line 1:1: Unable to set catalog property 'format' to ['{name}']")
    if name.upper() != "PARQUET":
        raise unsupported(f"writes Parquet only, not {name.upper()}")


def compression(given: dict, name: str = "write_compression", default: str = "gzip") -> str:
    chosen = str(given.get(name) or given.get("parquet_compression") or default).upper()
    if chosen not in COMPRESSIONS:
        raise AthenaError(f"INVALID_TABLE_PROPERTY: line 1:1: Unable to set catalog property '{name}' to ['{chosen}']")
    return COMPRESSIONS[chosen]


def refuse_location(tree: exp.Create) -> None:
    """Refuses a location if the workgroup enforces its own location for results."""
    if "external_location" in trino.properties(tree):
        raise InvalidRequestError(ENFORCED)
