"""Queries, run by DuckDB over the tables in Glue. Views are queries within them."""

import functools
import re
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa
from sqlglot import exp

from . import information_schema, trino, views
from .errors import AthenaError
from .tables import PATH_COLUMN, Catalog
from .types import result_type

# Functions that both DuckDB and Trino have, and sqlglot knows in neither. Trino has no other functions that sqlglot
# does not know in DuckDB.
OF_BOTH = {
    *("bar", "bit_count", "entropy", "geometric_mean", "histogram", "json_array", "json_array_length", "json_exists"),
    *("map_concat", "map_entries", "map_values", "millisecond", "st_asbinary", "st_astext", "timezone_hour"),
    *("timezone_minute", "to_base", "to_milliseconds", "to_timestamp", "url_decode", "url_encode"),
}

WIDE_INTEGERS = ("HUGEINT", "UHUGEINT", "UBIGINT")
DEEPEST_VIEW = 20

COLUMN = re.compile(
    r'Referenced column "(?P<name>[^"]+)" (?:was )?not found|does not have a column named "(?P<of>[^"]+)"'
)
FUNCTION = re.compile(r"Function with name (?P<name>\w+) does not exist")
TYPES = re.compile(r"Cannot (?:compare|mix) values of type|No function matches the given name and argument types")


@dataclass
class Rows:
    """The result of a query, and the names of its columns without a type (NULL)."""

    table: pa.Table
    untyped: list[str] = field(default_factory=list)


class Queries:
    def __init__(self, catalog: Catalog):
        self._catalog = catalog

    def run(self, tree: exp.Query, database: str, limit: int | None = None) -> Rows:
        """Runs a query, and fails as it would in Athena. `limit` 0 returns only names and types."""
        with self._prepared(tree, database) as (connection, prepared):
            relation = connection.sql(prepared.sql(dialect="duckdb"))
            return rows_of(relation if limit is None else relation.limit(limit))

    def plan(self, tree: exp.Query, database: str) -> str:
        """Returns the plan of a query here, which differs from AWS's."""
        with self._prepared(tree, database) as (connection, prepared):
            return connection.sql(prepared.sql(dialect="duckdb")).explain()

    def _prepared(self, tree: exp.Query, database: str) -> "Prepared":
        return Prepared(self._catalog, tree, database)


class Prepared:
    """A connection with a query's tables, and the query over them."""

    def __init__(self, catalog: Catalog, tree: exp.Query, database: str):
        self._catalog = catalog
        self._tree = tree.copy()
        self._text = tree.sql(dialect="athena")
        self._database = database
        self._count = 0

    def __enter__(self) -> tuple[duckdb.DuckDBPyConnection, exp.Query]:
        # No extension is needed, and none may be fetched from the network.
        self._connection = duckdb.connect(config={"autoinstall_known_extensions": False})
        try:
            self._connection.execute("SET TimeZone='UTC'")
            name_columns(self._tree)
            self._prepare(self._tree, self._database, 0)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self._connection, self._tree

    def __exit__(self, _kind, error, _traceback) -> None:
        self._connection.close()
        if isinstance(error, duckdb.Error):
            raise translated(error, self._text) from error

    def _prepare(self, tree: exp.Query, database: str, depth: int) -> None:
        for literal in list(tree.find_all(exp.Literal)):
            if not literal.is_string and re.fullmatch(r"\d*\.\d*", literal.name):
                literal.replace(exp.Literal.number(f"{literal.name}e0"))  # decimal literals are doubles in Athena
        for function in tree.find_all(exp.Anonymous):
            if function.name.lower() in of_duckdb() - OF_BOTH:
                raise not_registered(function.name, self._text)
        with_path = selects_of_path(tree)
        with_names = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
        for table in list(tree.find_all(exp.Table)):
            if not table.name or (not table.db and table.name.lower() in with_names):
                continue
            alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name, quoted=True))
            table.replace(self._source(table, database, table.find_ancestor(exp.Select) in with_path, depth, alias))

    def _source(self, table: exp.Table, database: str, with_path: bool, depth: int, alias) -> exp.Expression:
        schema, name = trino.name_of(table, database)
        if schema == "information_schema":
            found = information_schema.table(self._catalog, name)
        else:
            definition = None if "$" in name else self._catalog.definition(schema, name)
            if definition and views.is_view(definition):
                return self._view(schema, name, definition, depth, alias)
            found = self._catalog.dataset(schema, name, with_path)
        self._count += 1
        self._connection.register(f"__table_{self._count}", found)
        return exp.Table(this=exp.to_identifier(f"__table_{self._count}"), alias=alias.copy())

    def _view(self, schema: str, name: str, definition: dict, depth: int, alias) -> exp.Subquery:
        if depth > DEEPEST_VIEW:
            raise AthenaError(f"INVALID_VIEW: line 1:15: View is recursive: 'awsdatacatalog.{schema}.{name}'")
        view = views.decode(definition)
        tree = trino.query(view.sql)
        try:
            self._prepare(tree, view.schema, depth + 1)
            now = rows_of(self._connection.sql(tree.sql(dialect="duckdb")).limit(0)).table.schema
        except (AthenaError, duckdb.Error) as error:
            reason = str(error if isinstance(error, AthenaError) else translated(error, view.sql))
            stored = f"Failed analyzing stored view 'awsdatacatalog.{schema}.{name}'"
            raise AthenaError(f"INVALID_VIEW: line 1:15: {stored}: {reason.split(': ', 1)[-1]}") from error
        views.check_stale(schema, name, definition, now)
        return exp.Subquery(this=tree, alias=alias.copy())


def selects_of_path(tree: exp.Query) -> list[exp.Select]:
    """Returns the SELECTs that name "$path" themselves, and excludes it from their *."""
    found = []
    for column in tree.find_all(exp.Column):
        select = column.find_ancestor(exp.Select)
        if column.name == PATH_COLUMN and select is not None and not any(select is known for known in found):
            found.append(select)
            for star in select.expressions:
                if isinstance(star, exp.Star):
                    star.set("except_", [exp.column(PATH_COLUMN, quoted=True)])
    return found


def name_columns(tree: exp.Query) -> None:
    """Names each unnamed expression _col0, _col1, ... by its position, as Athena does."""
    if not isinstance(tree, exp.Select):
        return
    for place, column in enumerate(tree.expressions):
        if not column.alias and not isinstance(column, exp.Column | exp.Star | exp.Dot):
            tree.expressions[place].replace(exp.alias_(column.copy(), f"_col{place}", quoted=True))


def rows_of(relation: duckdb.DuckDBPyRelation) -> Rows:
    rows = relation.to_arrow_table()
    kinds = [str(kind) for kind in relation.types]
    # DuckDB sums integers into 128 bits, Athena into a bigint.
    fields = [
        pa.field(column.name, pa.int64()) if kind in WIDE_INTEGERS else column
        for column, kind in zip(rows.schema, kinds, strict=True)
    ]
    untyped = [column.name for column, kind in zip(rows.schema, kinds, strict=True) if kind in ("NULL", '"NULL"')]
    return Rows(rows.cast(pa.schema(fields)), untyped)


def translated(error: duckdb.Error, sql: str) -> AthenaError:
    """Translates an error into Athena's words, if these are known."""
    text = str(error)
    if isinstance(error, duckdb.BinderException | duckdb.CatalogException | duckdb.ParserException):
        if found := COLUMN.search(text):
            name = found["name"] or found["of"]
            message = "cannot be resolved or requester is not authorized to access requested resources"
            return AthenaError(f"COLUMN_NOT_FOUND: {trino.position(sql, name)}: Column '{name}' {message}")
        if found := FUNCTION.search(text):
            return not_registered(found["name"], sql)
        name = "TYPE_MISMATCH" if TYPES.search(text) else "SYNTAX_ERROR"
        return AthenaError(f"{name}: {text}")
    if isinstance(error, duckdb.ConversionException | duckdb.InvalidInputException):
        return AthenaError(f"INVALID_CAST_ARGUMENT: {text}")
    return AthenaError(f"GENERIC_INTERNAL_ERROR: {text}")


def not_registered(function: str, sql: str) -> AthenaError:
    place = trino.position(sql, function)
    return AthenaError(f"FUNCTION_NOT_FOUND: {place}: Function '{function.lower()}' not registered")


@functools.cache
def of_duckdb() -> frozenset[str]:
    with duckdb.connect() as connection:
        return frozenset(name for (name,) in connection.sql("SELECT function_name FROM duckdb_functions()").fetchall())


def hive_columns(schema: pa.Schema) -> list[dict]:
    """Returns the columns as Glue stores them."""
    return [{"Name": column.name.lower(), "Type": result_type(column.type)[1]} for column in schema]
