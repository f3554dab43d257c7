"""Statements that Hive runs for Athena: SHOW, DESCRIBE, MSCK, ALTER, and databases.

Hive accepts names in backticks, not in double quotes, and answers with lines of text.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from . import alter, trino, views
from .ddl_text import create_table
from .errors import MALFORMED_QUERY, AthenaError, InvalidRequestError, unsupported
from .results import DDL, UTILITY, Result, of_lines
from .tables import DDL_TASK, Catalog
from .types import trino_type

NAME = r"`?([\w$-]+)`?"
TABLE = rf"(?:`?awsdatacatalog`?\s*\.\s*)?(?:{NAME}\s*\.\s*)?{NAME}"  # two groups: the database or None, the table
LIKE = r"(?:\s+(?:LIKE\s+)?'([^']*)')?"
WIDTH = 20  # of a column in text output

HEADS = re.compile(
    r"(?:DESC(?:RIBE)?(?:\s+(?:EXTENDED|FORMATTED))?|SHOW\s+(?:COLUMNS|TABLES|VIEWS)\s+(?:IN|FROM)"
    r"|SHOW\s+(?P<whole>CREATE\s+TABLE)|SHOW\s+(?:PARTITIONS|TBLPROPERTIES)|MSCK\s+REPAIR\s+TABLE"
    r"|DROP\s+TABLE(?:\s+IF\s+EXISTS)?|ALTER\s+TABLE|(?:CREATE|DROP)\s+(?:DATABASE|SCHEMA)(?:\s+IF(?:\s+NOT)?\s+EXISTS)?"
    r"|CREATE\s+(?:EXTERNAL\s+)?TABLE(?:\s+IF\s+NOT\s+EXISTS)?)"
    r"(?P<between>\s*)(?P<before>(?:[`\w-]+\s*\.\s*)*)(?P<quoted>\"[^\"]*\")",
    re.IGNORECASE,
)
FROM_THE_START = re.compile(r"DESC|ALTER|CREATE\s+(?:EXTERNAL\s+)?TABLE", re.IGNORECASE)
WORDS = re.compile(
    r"(?:MSCK|SHOW|DESC|DESCRIBE|ALTER|USE|GRANT|REVOKE|LOCK|UNLOCK|EXPORT|IMPORT)\b"
    r"|(?:CREATE|DROP)\s+(?:DATABASE|SCHEMA|TABLE|EXTERNAL|FUNCTION|INDEX|ROLE)\b",
    re.IGNORECASE,
)
OF_TRINO = re.compile(
    r"CREATE\s+TABLE\b.*\bAS\s*\(?\s*(?:SELECT|WITH|VALUES|TABLE)\b|SHOW\s+CREATE\s+VIEW\b", re.I | re.S
)


@dataclass
class Form:
    """A supported statement of Hive."""

    kind: str
    subkind: str
    pattern: re.Pattern
    run: Callable[[re.Match, str], Result]
    of_known_table: bool = False  # refused before its start if there is no such table


def is_hive(sql: str) -> bool:
    return bool(WORDS.match(sql)) and not OF_TRINO.match(sql)


class Hive:
    def __init__(self, catalog: Catalog):
        self._catalog = catalog
        self._forms = [
            Form(kind, subkind, re.compile(pattern, re.IGNORECASE | re.DOTALL), run, known)
            for kind, subkind, pattern, run, known in (
                (DDL, "MSCK_REPAIR", rf"MSCK\s+REPAIR\s+TABLE\s+{TABLE}", self._repair, False),
                (UTILITY, "SHOW_PARTITIONS", rf"SHOW\s+PARTITIONS\s+{TABLE}", self._show_partitions, False),
                (UTILITY, "SHOW_DATABASES", rf"SHOW\s+(?:DATABASES|SCHEMAS){LIKE}", self._show_databases, False),
                (UTILITY, "SHOW_TABLES", rf"SHOW\s+TABLES(?:\s+(?:IN|FROM)\s+{NAME})?{LIKE}", self._show_tables, False),
                (UTILITY, "SHOW_VIEWS", rf"SHOW\s+VIEWS(?:\s+(?:IN|FROM)\s+{NAME})?{LIKE}", self._show_views, False),
                (UTILITY, "SHOW_COLUMNS", rf"SHOW\s+COLUMNS\s+(?:IN|FROM)\s+{TABLE}", self._show_columns, True),
                (UTILITY, "SHOW_CREATE_TABLE", rf"SHOW\s+CREATE\s+TABLE\s+{TABLE}", self._show_create_table, False),
                (UTILITY, "SHOW_TABLE_PROPERTIES", rf"SHOW\s+TBLPROPERTIES\s+{TABLE}", self._show_properties, False),
                (UTILITY, "DESCRIBE_TABLE", rf"DESC(?:RIBE)?\s+{TABLE}", self._describe, True),
                (
                    DDL,
                    "CREATE_DATABASE",
                    rf"CREATE\s+(?:DATABASE|SCHEMA)\s+(IF\s+NOT\s+EXISTS\s+)?{NAME}(?:\s.*)?",
                    self._create_database,
                    False,
                ),
                (
                    DDL,
                    "DROP_DATABASE",
                    rf"DROP\s+(?:DATABASE|SCHEMA)\s+(IF\s+EXISTS\s+)?{NAME}(\s+CASCADE)?(?:\s+RESTRICT)?",
                    self._drop_database,
                    False,
                ),
                *(
                    (DDL, subkind, rf"ALTER\s+TABLE\s+{TABLE}\s+{rest}", self._alter(change), False)
                    for subkind, rest, change in alter.FORMS
                ),
                (DDL, "DROP_TABLE", rf"DROP\s+TABLE\s+(IF\s+EXISTS\s+)?{TABLE}(?:\s+PURGE)?", self._drop_table, False),
            )
        ]

    def form(self, sql: str) -> tuple[Form, re.Match]:
        refuse_double_quotes(sql)
        for form in self._forms:
            if match := form.pattern.fullmatch(sql):
                return form, match
        raise trino.not_run(sql)

    def check(self, form: Form, match: re.Match, database: str) -> str:
        """Returns a statement's kind. Fails if Athena does not start it."""
        if not form.of_known_table:
            return form.subkind
        try:
            table = self._definition(match, database)
        except AthenaError:
            raise InvalidRequestError(
                "Entity Not Found (Service: AmazonDataCatalog; Status Code: 400; Error Code: EntityNotFoundException; "
                "Request ID: local; Proxy: null)"
            ) from None
        return "DESC_VIEW" if views.is_view(table) else form.subkind

    def _definition(self, match: re.Match, database: str) -> dict:
        database, name = (match[1] or database).lower(), match[2].lower()
        glue = self._catalog.glue
        try:
            return glue.get_table(DatabaseName=database, Name=name)["Table"]
        except glue.exceptions.EntityNotFoundException:
            raise not_found(f"{database}.{name}") from None

    # -- listings ------------------------------------------------------------------------------------------------------

    def _show_databases(self, match: re.Match, _database: str) -> Result:
        names = self._catalog.databases()
        if match[1] and match[1] != "*":  # a Java regular expression, while SHOW TABLES has Hive's
            names = [name for name in names if re.fullmatch(match[1], name)]
        return of_lines(["database_name"], names)

    def _show_tables(self, match: re.Match, database: str) -> Result:
        return of_lines(["tab_name"], [table["Name"] for table in self._tables(match, database)])

    def _show_views(self, match: re.Match, database: str) -> Result:
        names = [table["Name"] for table in self._tables(match, database) if views.is_view(table)]
        return of_lines(["views"], names, kind="varchar")

    def _tables(self, match: re.Match, database: str) -> list[dict]:
        name = (match[1] or database).lower()
        if not self._catalog.has_database(name):
            raise AthenaError(f"FAILED: SemanticException [Error 10072]: Database does not exist: {name}")
        pattern = re.compile((match[2] or "*").replace("*", ".*"), re.IGNORECASE)
        return [table for table in self._catalog.definitions(name) if pattern.fullmatch(table["Name"])]

    def _show_partitions(self, match: re.Match, database: str) -> Result:
        table = self._definition(match, database)
        keys = [key["Name"] for key in table.get("PartitionKeys") or []]
        if not keys:
            raise AthenaError(f"{DDL_TASK}. Table {table['Name']} is not a partitioned table")
        lines = [
            "/".join(f"{key}={value}" for key, value in zip(keys, partition["Values"], strict=True))
            for partition in self._catalog.partitions(table["DatabaseName"], table["Name"])
        ]
        return of_lines(["partition"], lines)

    def _show_columns(self, match: re.Match, database: str) -> Result:
        table = self._definition(match, database)
        if views.is_view(table):
            return of_view(table)
        columns = [*table["StorageDescriptor"]["Columns"], *(table.get("PartitionKeys") or [])]
        return of_lines(["field"], [column["Name"].ljust(WIDTH) for column in columns])

    def _describe(self, match: re.Match, database: str) -> Result:
        table = self._definition(match, database)
        if views.is_view(table):
            return of_view(table)
        keys = table.get("PartitionKeys") or []
        lines = [padded(column) for column in [*table["StorageDescriptor"]["Columns"], *keys]]
        if keys:
            heading = {"Name": "# col_name", "Type": "data_type", "Comment": "comment"}
            name, kind, comment = padded(heading).split("\t")
            lines += ["\t \t ", "# Partition Information\t \t ", f"{name}  \t{kind}\t{comment}", "\t \t "]
            lines += [padded(key) for key in keys]
        return of_lines(["col_name", "data_type", "comment"], lines, update_count=None)

    def _show_create_table(self, match: re.Match, database: str) -> Result:
        table = self._definition(match, database)
        if views.is_view(table):
            raise unsupported("shows a view by SHOW CREATE VIEW")
        return of_lines(["createtab_stmt"], create_table(table).split("\n"))

    def _show_properties(self, match: re.Match, database: str) -> Result:
        parameters = self._definition(match, database).get("Parameters") or {}
        lines = [line for name, value in parameters.items() for line in f"{name}\t{value}".split("\n")]
        return of_lines(["prpt_name", "prpt_value"], lines)

    # -- changes -------------------------------------------------------------------------------------------------------

    def _repair(self, match: re.Match, database: str) -> Result:
        database, name = (match[1] or database).lower(), match[2].lower()
        self._definition(match, database)
        lines = self._catalog.repair(database, name)
        return Result(rows=[[line] for line in lines])

    def _create_database(self, match: re.Match, _database: str) -> Result:
        glue, name = self._catalog.glue, match[2].lower()
        try:
            glue.create_database(DatabaseInput={"Name": name})
        except glue.exceptions.AlreadyExistsException:
            if not match[1]:
                raise AthenaError(f"{DDL_TASK}. Database {name} already exists") from None
        return Result()

    def _drop_database(self, match: re.Match, _database: str) -> Result:
        glue, name = self._catalog.glue, match[2].lower()
        if self._catalog.definitions(name) and not match[3]:
            message = f"Database {name} is not empty. One or more tables exist."
            raise AthenaError(f"{DDL_TASK}. InvalidOperationException(message:{message})")
        try:
            glue.delete_database(Name=name)
        except glue.exceptions.EntityNotFoundException:
            if not match[1]:
                message = f"Database does not exist: {name}"
                raise AthenaError(f"FAILED: SemanticException [Error 10072]: {message}") from None
        return Result()

    def _alter(self, change: Callable) -> Callable[[re.Match, str], Result]:
        def run(match: re.Match, database: str) -> Result:
            table = self._definition(match, database)
            if views.is_view(table):
                message = "To alter a view you need to use the ALTER VIEW command."
                raise AthenaError(f"FAILED: SemanticException [Error 10131]: {message}")
            change(self._catalog, table, *match.groups()[2:])
            return Result()

        return run

    def _drop_table(self, match: re.Match, database: str) -> Result:
        database, name = (match[2] or database).lower(), match[3].lower()
        glue = self._catalog.glue
        try:
            if views.is_view(glue.get_table(DatabaseName=database, Name=name)["Table"]):
                if match[1]:
                    return Result()
                raise AthenaError(f"{DDL_TASK}. Cannot drop a view with DROP TABLE")
            glue.delete_table(DatabaseName=database, Name=name)
        except glue.exceptions.EntityNotFoundException:
            if not match[1]:
                raise not_found(f"{database}.{name}") from None
        return Result()


def not_found(name: str) -> AthenaError:
    return AthenaError(f"FAILED: SemanticException [Error 10001]: Table not found {name}")


def padded(column: dict) -> str:
    cells = (column["Name"], column.get("Type") or "", column.get("Comment") or "")
    return "\t".join(cell.ljust(WIDTH).split("\t")[0] for cell in cells)


def of_view(table: dict) -> Result:
    """Describes a view. Trino answers for views."""
    columns = table["StorageDescriptor"]["Columns"]
    lines = [f"{column['Name']}\t{trino_type(column['Type'])}" for column in columns]
    return of_lines(["column", "type"], lines, kind="varchar")


def refuse_double_quotes(sql: str) -> None:
    found = HEADS.match(sql)
    if not found:
        return
    if found["whole"]:
        raise InvalidRequestError("Queries of this type are not supported", MALFORMED_QUERY)
    if FROM_THE_START.match(sql) and (not found["before"] or not sql.upper().startswith("DESC")):
        read = sql[: found.end("quoted")]
    elif found["before"]:
        read = sql[found.start("before") : found.end("quoted")]
    else:
        raise trino.mismatched_at(sql, found.start("quoted"), found["quoted"])
    line, column = trino.place(sql, found.start("quoted"))
    raise InvalidRequestError(f"line {line}:{column}: no viable alternative at input '{read}'", MALFORMED_QUERY)
