"""Determines what a statement does, and whether Hive or Trino runs it. It checks statements before they start, as
Athena does.

A known difference: date_trunc of a date is a timestamp here, and a date in Athena.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from ..account import ClientsOf
from . import trino, views
from .errors import AthenaError, unsupported
from .hive import Hive, is_hive
from .queries import Queries, hive_columns
from .results import CSV, DDL, DML, NOTHING, TXT, UTILITY, Column, Result, of_lines, of_table
from .tables import Catalog
from .writing import UNLOAD, Writing, check_columns, refuse_location

EXPLAIN = re.compile(
    r"EXPLAIN\s*(?P<analyze>ANALYZE\b)?\s*(?:\((?P<options>[^)]*)\))?\s*(?P<query>.*)", re.IGNORECASE | re.DOTALL
)
VIEW_TEXT = re.compile(r"CREATE\s+(?:OR\s+REPLACE\s+)?VIEW\s+.*?\bAS\b\s*(?P<query>.*)", re.IGNORECASE | re.DOTALL)
SHOW_CREATE_VIEW = re.compile(r"SHOW\s+CREATE\s+VIEW\s+(?P<name>.*)", re.IGNORECASE | re.DOTALL)


@dataclass
class Request:
    """A statement and its context."""

    sql: str
    database: str
    output: str  # the location of results, with a / at its end
    id: str
    parameters: list[str]


@dataclass
class Statement:
    kind: str
    subkind: str
    suffix: str  # of the result file
    run: Callable[[], Result]
    of_hive: bool = False


class Statements:
    def __init__(self, clients: ClientsOf):
        self.catalog = Catalog(clients)
        self._hive = Hive(self.catalog)
        self._queries = Queries(self.catalog)
        self._writing = Writing(clients, self.catalog, self._queries)

    def statement(self, request: Request, enforced: bool = False) -> Statement:
        """Parses a statement. Fails with an InvalidRequestError if Athena does not start the query. `enforced` means
        that the workgroup determines the location of results."""
        sql = trino.without_leading_comments(request.sql).rstrip("; \n\t")
        bare = trino.without_comments(sql)
        if is_hive(bare):
            return self._of_hive(bare, request)
        if found := SHOW_CREATE_VIEW.fullmatch(bare):
            return Statement(UTILITY, "SHOW_CREATE_VIEW", TXT, lambda: self._show_create_view(found["name"], request))
        if found := UNLOAD.fullmatch(bare):
            trino.query(found["query"])
            run = self._bound(request, bare, lambda text: self._unload(text, request))
            return Statement(DML, "UNLOAD", NOTHING, run)
        if found := EXPLAIN.fullmatch(bare):
            trino.query(found["query"])
            return Statement(DML, "EXPLAIN", TXT, lambda: self._explain(found, request))
        return self._of_trino(trino.parse(sql), sql, request, enforced)

    def _of_hive(self, sql: str, request: Request) -> Statement:
        try:
            form, match = self._hive.form(sql)
        except AthenaError as error:  # perhaps known to Athena; here it fails when it runs
            return Statement(DDL, "", TXT, failing(error), of_hive=True)
        subkind = self._hive.check(form, match, request.database)
        return Statement(form.kind, subkind, TXT, lambda: form.run(match, request.database), of_hive=True)

    def _of_trino(self, tree: exp.Expression, sql: str, request: Request, enforced: bool) -> Statement:
        writes = self._writing
        if isinstance(tree, exp.Create) and tree.kind == "TABLE" and isinstance(tree.expression, exp.Query):
            if enforced:
                refuse_location(tree)
            return Statement(DDL, "CREATE_TABLE_AS_SELECT", NOTHING, self._tree(request, sql, writes.create_table_as))
        if isinstance(tree, exp.Create) and tree.kind == "VIEW":
            return Statement(DDL, "CREATE_VIEW", TXT, lambda: self._create_view(tree, sql, request))
        if isinstance(tree, exp.Drop) and tree.kind == "VIEW":
            return Statement(DDL, "DROP_VIEW", TXT, lambda: self._drop_view(tree, request))
        if isinstance(tree, exp.Insert):
            return Statement(DML, "INSERT", NOTHING, self._tree(request, sql, writes.insert))
        if isinstance(tree, exp.Query):
            return Statement(DML, "SELECT", CSV, self._bound(request, sql, lambda text: self._select(text, request)))
        return Statement(DML, type(tree).__name__.upper(), CSV, failing(trino.not_run(sql)))

    def _bound(self, request: Request, sql: str, run: Callable[[str], Result]) -> Callable[[], Result]:
        return lambda: run(trino.bind(sql, request.parameters))

    def _tree(self, request: Request, sql: str, run: Callable) -> Callable[[], Result]:
        return self._bound(
            request, sql, lambda text: run(trino.parse(text), request.database, request.output, request.id)
        )

    # -- queries -------------------------------------------------------------------------------------------------------

    def _select(self, sql: str, request: Request) -> Result:
        return of_table(self._queries.run(trino.query(sql), request.database).table)

    def _unload(self, sql: str, request: Request) -> Result:
        return self._writing.unload(UNLOAD.fullmatch(sql), request.database, request.output, request.id)

    def _explain(self, found: re.Match, request: Request) -> Result:
        options = re.sub(r"\s+", " ", (found["options"] or "").strip().upper())
        tree = trino.query(found["query"])
        if found["analyze"] or options not in ("", "TYPE VALIDATE", "FORMAT TEXT", "TYPE LOGICAL", "TYPE DISTRIBUTED"):
            raise unsupported("explains by EXPLAIN, and by EXPLAIN (TYPE VALIDATE)")
        if options == "TYPE VALIDATE":
            self._queries.run(tree, request.database, limit=0)
            return Result([Column("Valid", "boolean")], [["true"]], update_count=None)
        plan = self._queries.plan(tree, request.database)
        return Result([Column("Query Plan", "varchar", len(plan), case_sensitive=True)], lines(plan), None)

    # -- views ---------------------------------------------------------------------------------------------------------

    def _create_view(self, tree: exp.Create, sql: str, request: Request) -> Result:
        database, name = trino.name_of(tree.this, request.database)
        glue, full = self.catalog.glue, f"awsdatacatalog.{database}.{name}"
        if not self.catalog.has_database(database):
            raise AthenaError(f"SCHEMA_NOT_FOUND: line 1:1: Schema '{database}' does not exist")
        found = self._found(database, name)
        if found and not views.is_view(found):
            raise AthenaError(f"TABLE_ALREADY_EXISTS: line 1:1: Table already exists: '{full}'")
        if found and not tree.args.get("replace"):
            raise AthenaError(f"TABLE_ALREADY_EXISTS: line 1:1: View already exists: '{full}'")
        text = VIEW_TEXT.match(sql)["query"]
        rows = self._queries.run(trino.query(text), request.database, limit=0)
        check_columns(rows)
        definition = views.encode(name, text, request.database, hive_columns(rows.table.schema))
        if found:
            glue.update_table(DatabaseName=database, TableInput=definition)
        else:
            glue.create_table(DatabaseName=database, TableInput=definition)
        return Result()

    def _drop_view(self, tree: exp.Drop, request: Request) -> Result:
        target = tree.this if isinstance(tree.this, exp.Table) else tree.args["tables"][0]
        database, name = trino.name_of(target, request.database)
        found = self._found(database, name)
        full = f"awsdatacatalog.{database}.{name}"
        if found and not views.is_view(found):
            message = (
                f"View '{full}' does not exist, but a table with that name exists. Did you mean DROP TABLE {full}?"
            )
            raise AthenaError(f"GENERIC_USER_ERROR: line 1:1: {message}")
        if found:
            self.catalog.glue.delete_table(DatabaseName=database, Name=name)
        elif not tree.args.get("exists"):
            raise AthenaError(f"TABLE_NOT_FOUND: line 1:1: View '{full}' does not exist")
        return Result()

    def _show_create_view(self, name: str, request: Request) -> Result:
        database, name = trino.name_of(trino.query(f"SELECT * FROM {name}").find(exp.Table), request.database)
        found = self._found(database, name)
        full = f"awsdatacatalog.{database}.{name}"
        if found is None:
            raise AthenaError(f"TABLE_NOT_FOUND: line 1:1: View '{full}' does not exist")
        if not views.is_view(found):
            message = f"Relation '{full}' is a table, not a view"
            raise AthenaError(f"NOT_SUPPORTED: line 1:1: {message}")
        text = f"CREATE VIEW {full} AS\n{views.decode(found).sql}"
        return of_lines(["create view"], text.split("\n"), kind="varchar")

    def _found(self, database: str, name: str) -> dict | None:
        return next((table for table in self.catalog.definitions(database) if table["Name"] == name), None)


def failing(error: AthenaError) -> Callable[[], Result]:
    def run() -> Result:
        raise error

    return run


def lines(text: str) -> list[list[str]]:
    return [[line] for line in text.rstrip("\n").split("\n")]
