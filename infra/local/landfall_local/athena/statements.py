"""What a statement does: a query through DuckDB, the rest by hand.

Known to differ: date_trunc of a date is a timestamp here, and a date in Athena.
"""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot
from sqlglot import exp

from ..account import ClientsOf
from .tables import PARQUET_SERDE, Catalog
from .types import AthenaError, result_type

NAME = r'[`"]?([\w$-]+)[`"]?'
TABLE = rf"(?:{NAME}\.)?{NAME}"  # two groups: the database or nothing, the table

TERMINAL_COLOURS = re.compile(r"\x1b\[\d+m")
CTAS_PROPERTIES = {"external_location", "format", "parquet_compression", "write_compression"}


@dataclass
class Result:
    """What a statement gives back: rows (a query), or lines (anything else)."""

    kind: str
    subkind: str
    table: pa.Table | None = None
    lines: list[str] = field(default_factory=list)
    written_rows: int = 0
    location: str | None = None  # of a table that was written
    manifest: str | None = None


class Statements:
    def __init__(self, clients: ClientsOf):
        self._clients = clients
        self.catalog = Catalog(clients)
        self._forms: list[tuple[re.Pattern, Callable[[re.Match, str], Result]]] = [
            (re.compile(pattern, re.IGNORECASE), run)
            for pattern, run in (
                (rf"MSCK\s+REPAIR\s+TABLE\s+{TABLE}", self._repair),
                (rf"SHOW\s+PARTITIONS\s+{TABLE}", self._show_partitions),
                (r"SHOW\s+(?:DATABASES|SCHEMAS)", self._show_databases),
                (rf"SHOW\s+TABLES(?:\s+(?:IN|FROM)\s+{NAME})?", self._show_tables),
                (rf"DESCRIBE\s+{TABLE}", self._describe),
                (rf"CREATE\s+(?:DATABASE|SCHEMA)\s+(IF\s+NOT\s+EXISTS\s+)?{NAME}.*", self._create_database),
                (
                    rf"DROP\s+(?:DATABASE|SCHEMA)\s+(IF\s+EXISTS\s+)?{NAME}(?:\s+CASCADE)?",
                    self._drop_database,
                ),
                (rf"DROP\s+TABLE\s+(IF\s+EXISTS\s+)?{TABLE}", self._drop_table),
            )
        ]

    def execute(self, sql: str, database: str, output: str, query_id: str, parameters: list[str]) -> Result:
        """Runs one statement. `output` is the folder of results, with a / at its end."""
        sql = sql.strip().rstrip(";").strip()
        for pattern, run in self._forms:
            if match := pattern.fullmatch(sql):
                return run(match, database)
        try:
            tree = sqlglot.parse_one(sql, read="athena")
        except sqlglot.errors.SqlglotError as error:
            raise AthenaError(f"SYNTAX_ERROR: {TERMINAL_COLOURS.sub('', str(error))}") from error
        if isinstance(tree, exp.Create) and tree.kind == "TABLE" and isinstance(tree.expression, exp.Query):
            return self._create_table_as(tree, database, output, query_id)
        if not isinstance(tree, exp.Query):
            raise AthenaError(f"NOT_SUPPORTED: the local Athena does not run: {sql[:100]}")
        put_parameters(tree, parameters)
        return Result("DML", "SELECT", table=self.query(tree, database))

    # -- queries -------------------------------------------------------------------------------------------------------

    def query(self, tree: exp.Query, database: str) -> pa.Table:
        name_columns(tree)
        # No extension is needed, and none may be fetched from the network.
        connection = duckdb.connect(config={"autoinstall_known_extensions": False})
        try:
            connection.execute("SET TimeZone='UTC'")
            self._register_tables(connection, tree, database)
            return run(connection, tree.sql(dialect="duckdb"))
        except (duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException) as error:
            raise AthenaError(f"SYNTAX_ERROR: {error}") from error
        except (duckdb.ConversionException, duckdb.InvalidInputException) as error:
            raise AthenaError(f"INVALID_CAST_ARGUMENT: {error}") from error
        except duckdb.Error as error:
            raise AthenaError(f"GENERIC_INTERNAL_ERROR: {error}") from error
        finally:
            connection.close()

    def _register_tables(self, connection, tree: exp.Query, database: str) -> None:
        with_names = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
        for number, table in enumerate(list(tree.find_all(exp.Table))):
            if not table.name or (not table.db and table.name.lower() in with_names):
                continue
            if table.db.lower() == "information_schema":
                raise AthenaError("NOT_SUPPORTED: the local Athena has no information_schema; use SHOW TABLES")
            dataset = self.catalog.dataset((table.db or database).lower(), table.name.lower())
            name = f"__table_{number}"
            connection.register(name, dataset)
            alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name, quoted=True))
            table.replace(exp.Table(this=exp.to_identifier(name), alias=alias.copy()))

    # -- CREATE TABLE AS -----------------------------------------------------------------------------------------------

    def _create_table_as(self, tree: exp.Create, database: str, output: str, query_id: str) -> Result:
        target = tree.this if isinstance(tree.this, exp.Table) else tree.this.this
        database, name = (target.db or database).lower(), target.name.lower()
        properties = ctas_properties(tree)
        location = (properties.get("external_location") or f"{output}tables/{query_id}").rstrip("/") + "/"
        if next(self.catalog.objects(location), None):
            message = f"Target directory for table '{database}.{name}' already exists: {location}"
            raise AthenaError(f"HIVE_PATH_ALREADY_EXISTS: {message}")
        rows = self.query(tree.expression, database)
        written = []
        if rows.num_rows:
            stamp = datetime.now(UTC).strftime("%Y%m%d_%H%M%S")
            path = f"{location}{stamp}_00000_{query_id[:5]}_{uuid.uuid4()}"
            pq.write_table(rows, path.removeprefix("s3://"), filesystem=self.catalog.filesystem)
            written.append(path)
        self._create_glue_table(database, name, rows.schema, location)
        manifest = f"{output}tables/{query_id}-manifest.csv"
        bucket, key = manifest.removeprefix("s3://").split("/", 1)
        body = "".join(f"{path}\n" for path in written).encode()
        self._clients.get("s3").put_object(Bucket=bucket, Key=key, Body=body)
        return Result(
            "DDL",
            "CREATE_TABLE_AS_SELECT",
            written_rows=rows.num_rows,
            location=location,
            manifest=manifest,
        )

    def _create_glue_table(self, database: str, name: str, schema: pa.Schema, location: str) -> None:
        glue = self._clients.get("glue")
        parquet = "org.apache.hadoop.hive.ql.io.parquet"
        try:
            glue.create_table(
                DatabaseName=database,
                TableInput={
                    "Name": name,
                    "TableType": "EXTERNAL_TABLE",
                    "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
                    "StorageDescriptor": {
                        "Columns": [
                            {"Name": column.name.lower(), "Type": result_type(column.type)[1]} for column in schema
                        ],
                        "Location": location,
                        "InputFormat": f"{parquet}.MapredParquetInputFormat",
                        "OutputFormat": f"{parquet}.MapredParquetOutputFormat",
                        "SerdeInfo": {"SerializationLibrary": PARQUET_SERDE},
                    },
                },
            )
        except glue.exceptions.AlreadyExistsException:
            message = f"Table 'awsdatacatalog.{database}.{name}' already exists"
            raise AthenaError(f"TABLE_ALREADY_EXISTS: line 1:1: {message}") from None

    # -- the rest ------------------------------------------------------------------------------------------------------

    def _repair(self, match: re.Match, database: str) -> Result:
        lines = self.catalog.repair((match[1] or database).lower(), match[2].lower())
        return Result("DDL", "MSCK_REPAIR", lines=lines)

    def _show_partitions(self, match: re.Match, database: str) -> Result:
        database, name = (match[1] or database).lower(), match[2].lower()
        keys = [key["Name"] for key in self.catalog.definition(database, name).get("PartitionKeys") or []]
        lines = [
            "/".join(f"{key}={value}" for key, value in zip(keys, partition["Values"], strict=True))
            for partition in self.catalog.partitions(database, name)
        ]
        return Result("DDL", "SHOW_PARTITIONS", lines=lines)

    def _show_databases(self, _match: re.Match, _database: str) -> Result:
        pages = self._clients.get("glue").get_paginator("get_databases").paginate()
        names = {found["Name"] for page in pages for found in page["DatabaseList"]} | {"default"}
        return Result("DDL", "SHOW_DATABASES", lines=sorted(names))

    def _show_tables(self, match: re.Match, database: str) -> Result:
        name = (match[1] or database).lower()
        glue = self._clients.get("glue")
        try:
            pages = list(glue.get_paginator("get_tables").paginate(DatabaseName=name))
        except glue.exceptions.EntityNotFoundException:
            raise AthenaError(f"FAILED: SemanticException [Error 10072]: Database does not exist: {name}") from None
        return Result("DDL", "SHOW_TABLES", lines=sorted(t["Name"] for page in pages for t in page["TableList"]))

    def _describe(self, match: re.Match, database: str) -> Result:
        table = self.catalog.definition((match[1] or database).lower(), match[2].lower())
        columns = table["StorageDescriptor"]["Columns"] + (table.get("PartitionKeys") or [])
        lines = [f"{column['Name']:<20}\t{column['Type']:<20}\t{column.get('Comment') or '':<20}" for column in columns]
        return Result("DDL", "DESCRIBE", lines=lines)

    def _create_database(self, match: re.Match, _database: str) -> Result:
        glue = self._clients.get("glue")
        try:
            glue.create_database(DatabaseInput={"Name": match[2].lower()})
        except glue.exceptions.AlreadyExistsException:
            if not match[1]:
                message = f"Database {match[2]} already exists"
                raise AthenaError(
                    f"FAILED: Execution Error, return code 1: AlreadyExistsException({message})"
                ) from None
        return Result("DDL", "CREATE_DATABASE")

    def _drop_database(self, match: re.Match, _database: str) -> Result:
        glue = self._clients.get("glue")
        try:
            glue.delete_database(Name=match[2].lower())
        except glue.exceptions.EntityNotFoundException:
            if not match[1]:
                message = f"Database does not exist: {match[2]}"
                raise AthenaError(f"FAILED: SemanticException [Error 10072]: {message}") from None
        return Result("DDL", "DROP_DATABASE")

    def _drop_table(self, match: re.Match, database: str) -> Result:
        glue = self._clients.get("glue")
        try:
            glue.delete_table(DatabaseName=(match[2] or database).lower(), Name=match[3].lower())
        except glue.exceptions.EntityNotFoundException:
            if not match[1]:
                message = f"Table not found {match[3]}"
                raise AthenaError(f"FAILED: SemanticException [Error 10001]: {message}") from None
        return Result("DDL", "DROP_TABLE")


def name_columns(tree: exp.Query) -> None:
    """Athena calls an unnamed expression _col0, _col1, ... by its place."""
    if not isinstance(tree, exp.Select):
        return
    for place, column in enumerate(tree.expressions):
        if not column.alias and not isinstance(column, exp.Column | exp.Star | exp.Dot):
            tree.expressions[place].replace(exp.alias_(column.copy(), f"_col{place}", quoted=True))


def put_parameters(tree: exp.Query, parameters: list[str]) -> None:
    """Replaces each ? by the text of its ExecutionParameter, which is a literal in SQL."""
    places = sorted(tree.find_all(exp.Placeholder), key=lambda place: place.meta.get("start", 0))
    if len(places) != len(parameters):
        message = f"Incorrect number of parameters: expected {len(places)} but found {len(parameters)}"
        raise AthenaError(f"INVALID_PARAMETER_USAGE: {message}")
    for place, text in zip(places, parameters, strict=True):
        place.replace(sqlglot.parse_one(text, read="athena"))


def run(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    relation = connection.sql(sql)
    rows = relation.to_arrow_table()
    # DuckDB sums integers into 128 bits, Athena into a bigint.
    fields = [
        pa.field(column.name, pa.int64()) if str(kind) in ("HUGEINT", "UHUGEINT", "UBIGINT") else column
        for column, kind in zip(rows.schema, relation.types, strict=True)
    ]
    return rows.cast(pa.schema(fields))


def ctas_properties(tree: exp.Create) -> dict[str, str]:
    """What stands in WITH (...)."""
    given = {}
    for found in (tree.args.get("properties") or exp.Properties()).expressions:
        if isinstance(found, exp.FileFormatProperty):
            name, value = "format", found.this
        elif isinstance(found, exp.LocationProperty):
            name, value = "external_location", found.this
        elif type(found) is exp.Property:
            name, value = found.name.lower(), found.args["value"]
        else:
            name, value = type(found).__name__.removesuffix("Property").lower(), found.this
        given[name] = value.name if isinstance(value, exp.Expression) else str(value)
    unknown = set(given) - CTAS_PROPERTIES
    if unknown:
        raise AthenaError(f"NOT_SUPPORTED: the local Athena's CREATE TABLE AS has no {', '.join(sorted(unknown))}")
    if given.get("format", "PARQUET").upper() != "PARQUET":
        raise AthenaError("NOT_SUPPORTED: the local Athena's CREATE TABLE AS writes Parquet only")
    return given
