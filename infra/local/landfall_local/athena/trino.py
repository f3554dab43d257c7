"""A statement of Trino as a tree. A statement that Athena's parser refuses is refused before its start."""

import logging
import re

import sqlglot
from sqlglot import exp
from sqlglot.tokens import TokenType

from .errors import MALFORMED_QUERY, AthenaError, InvalidRequestError, unsupported

TERMINAL_CODES = re.compile(r"\x1b\[\d+m")
COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
QUOTED_OR_COMMENT = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|--[^\n]*|/\*.*?\*/", re.DOTALL)
CATALOG = "awsdatacatalog"

# Syntax that sqlglot reads and Trino's grammar does not have.
FOREIGN = {
    exp.ILike: "ILIKE",
    exp.Qualify: "QUALIFY",
    exp.Pivot: "PIVOT",
}

STATEMENTS = re.compile(
    "ALTER|ANALYZE|CALL|COMMENT|COMMIT|CREATE|DEALLOCATE|DELETE|DENY|DESC|DESCRIBE|DROP|EXECUTE|EXPLAIN|GRANT|INSERT|MERGE|"
    "OPTIMIZE|PREPARE|REFRESH|RESET|REVOKE|ROLLBACK|SELECT|SET|SHOW|START|TABLE|TRUNCATE|UNLOAD|UPDATE|USE|VACUUM|VALUES|"
    "WITH",
    re.IGNORECASE,
)

# sqlglot warns about statements that it does not know, which are expected here.
logging.getLogger("sqlglot").setLevel(logging.ERROR)


def without_comments(sql: str) -> str:
    """Replaces each comment with a space. Quoted text is unchanged."""
    return QUOTED_OR_COMMENT.sub(lambda found: " " if COMMENT.fullmatch(found[0]) else found[0], sql).strip()


def without_leading_comments(sql: str) -> str:
    return re.sub(rf"^(?:\s|{COMMENT.pattern})+", "", sql, flags=re.DOTALL)


def parse(sql: str) -> exp.Expression:
    if (place_of := outside_of_quotes(sql).find("`")) >= 0:
        line, column = place(sql, place_of)
        message = "backquoted identifiers are not supported; use double quotes to quote identifiers"
        raise InvalidRequestError(f"line {line}:{column}: {message}", MALFORMED_QUERY)
    word = re.match(r"\(*\s*(\w*)", without_comments(sql))[1]
    if not STATEMENTS.fullmatch(word):
        raise at(sql, word) if word else mismatched_at(sql, 0, sql[:1] or "<EOF>")
    try:
        tree = sqlglot.parse_one(sql, read="athena")
    except sqlglot.errors.ParseError as error:
        found = error.errors[0]
        first = found["col"] - len(found["highlight"]) + 1
        raise mismatched(found["line"], first, found["highlight"]) from error
    except sqlglot.errors.SqlglotError as error:
        raise InvalidRequestError(TERMINAL_CODES.sub("", str(error)), MALFORMED_QUERY) from error
    if isinstance(tree, exp.Block):
        raise InvalidRequestError("Only one sql statement is allowed. Got: " + sql)
    refuse_foreign(tree, sql)
    return tree


def query(sql: str) -> exp.Query:
    """Parses a text that must be a query: one that is explained, unloaded or stored as a view."""
    tree = parse(sql)
    while isinstance(tree, exp.Subquery) and not tree.alias:
        tree = tree.this
    if not isinstance(tree, exp.Query):
        raise InvalidRequestError("Queries of this type are not supported", MALFORMED_QUERY)
    return tree


def refuse_foreign(tree: exp.Expression, sql: str) -> None:
    for kind, word in FOREIGN.items():
        if tree.find(kind):
            raise at(sql, word)
    for select in tree.find_all(exp.Select):
        distinct = select.args.get("distinct")
        if distinct and distinct.args.get("on"):
            raise at(sql, "ON")
    for star in tree.find_all(exp.Star):
        for word in ("except_", "replace", "rename"):
            if star.args.get(word):
                raise at(sql, word.rstrip("_").upper())
    if (found := outside_of_quotes(sql).find("::")) >= 0:
        raise mismatched_at(sql, found, ":")


def outside_of_quotes(sql: str) -> str:
    """Replaces comments and quoted text, except in backticks, with spaces, so that positions are unchanged."""
    return QUOTED_OR_COMMENT.sub(lambda found: found[0] if found[0][0] == "`" else " " * len(found[0]), sql)


def at(sql: str, word: str) -> InvalidRequestError:
    found = re.search(rf"\b{word}\b", outside_of_quotes(sql), re.IGNORECASE)
    return mismatched_at(sql, found.start() if found else 0, word)


def mismatched_at(sql: str, offset: int, text: str) -> InvalidRequestError:
    return mismatched(*place(sql, offset), text)


def place(sql: str, offset: int) -> tuple[int, int]:
    """Returns (line, column), from 1."""
    return sql.count("\n", 0, offset) + 1, offset - sql.rfind("\n", 0, offset)


def mismatched(line: int, column: int, text: str) -> InvalidRequestError:
    """Returns the error. Athena also adds the expected tokens."""
    return InvalidRequestError(f"line {line}:{column}: mismatched input '{text}'", MALFORMED_QUERY)


def position(sql_or_tree: exp.Expression | str, name: str) -> str:
    """Returns the position of a name's first occurrence in a statement, such as `line 1:8`."""
    text = sql_or_tree if isinstance(sql_or_tree, str) else sql_or_tree.sql(dialect="athena")
    found = re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", text, re.IGNORECASE)
    line, column = place(text, found.start() if found else 0)
    return f"line {line}:{column}"


def name_of(table: exp.Table, database: str) -> tuple[str, str]:
    """Returns (database, table), in lower case."""
    if table.catalog and table.catalog.lower() != CATALOG:
        raise AthenaError(f"CATALOG_NOT_FOUND: line 1:15: Catalog '{table.catalog}' not found")
    return (table.db or database).lower(), table.name.lower()


def bind(sql: str, parameters: list[str]) -> str:
    """Replaces each ? with its ExecutionParameter. Athena ignores parameters if there is no ?."""
    try:
        tokens = sqlglot.tokenize(sql, read="trino")  # with "athena", a whole UNLOAD is one token
    except sqlglot.errors.SqlglotError:
        return sql  # parse reports the error
    places = [token for token in tokens if token.token_type == TokenType.PLACEHOLDER]
    if not places:
        return sql
    if len(places) != len(parameters):
        message = f"Incorrect number of parameters: expected {len(places)} but found {len(parameters)}"
        raise AthenaError(f"INVALID_PARAMETER_USAGE: line 1:1: {message}")
    for place, text in reversed(list(zip(places, parameters, strict=True))):
        sql = f"{sql[: place.start]}{parameter(text)}{sql[place.end + 1 :]}"
    return sql


def parameter(text: str) -> str:
    """Returns a parameter as SQL: an expression without columns unchanged, anything else as a text literal."""
    try:
        value = sqlglot.parse_one(text, read="athena")
    except sqlglot.errors.SqlglotError:
        value = None
    if value is None or value.find(exp.Column, exp.Query, exp.Command, exp.Block):
        return exp.Literal.string(text).sql(dialect="athena")
    return text


def properties(tree: exp.Create) -> dict[str, str | list[str]]:
    """Returns the properties in WITH (...)."""
    given = {}
    for found in (tree.args.get("properties") or exp.Properties()).expressions:
        if isinstance(found, exp.FileFormatProperty):
            name, value = "format", found.this
        elif isinstance(found, exp.LocationProperty):
            name, value = "location", found.this
        elif isinstance(found, exp.PartitionedByProperty):
            name, value = "partitioned_by", found.this
        elif type(found) is exp.Property:
            name, value = found.name.lower(), found.args["value"]
        elif isinstance(found, exp.WithDataProperty):
            continue
        else:
            name, value = type(found).__name__.removesuffix("Property").lower(), found.this
        given[name] = value_of(value)
    return given


def value_of(value: object) -> str | list[str]:
    if isinstance(value, exp.Array | exp.Schema | exp.Tuple):
        return [item.name for item in value.expressions]
    if isinstance(value, exp.Boolean):
        return str(value.this).lower()
    return value.name if isinstance(value, exp.Expression) else str(value)


def has_no_data(tree: exp.Create) -> bool:
    found = tree.find(exp.WithDataProperty)
    return bool(found and found.args.get("no"))


def not_run(sql: str) -> AthenaError:
    return unsupported(f"does not run: {sql[:100]}")
