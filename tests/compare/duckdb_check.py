"""Checks a JSON Lines file against a table's metadata with one query of DuckDB."""

import duckdb
from table import arguments, rules, verdict

TYPES = {"character": "VARCHAR", "int": "INTEGER", "long": "BIGINT", "float": "REAL", "double": "DOUBLE"}


def text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def breaks(column: str, rule: str, argument: object) -> str:
    """Returns SQL for whether a value breaks a rule, which is null if the value is."""
    value = f'"{column}"'
    match rule:
        case "nullable":
            return f"{value} IS NULL"
        case "enum":
            return f"{value} NOT IN ({', '.join(text(allowed) for allowed in argument)})"
        case "pattern":
            return f"NOT regexp_matches({value}, {text(f'^(?:{argument})')})"
        case "minimum":
            return f"{value} < {argument}"
        case "maximum":
            return f"{value} > {argument}"
        case "minLength":
            return f"length({value}) < {argument}"
        case "maxLength":
            return f"length({value}) > {argument}"
    raise ValueError(rule)


def main() -> None:
    file, table = arguments()
    columns = {column["name"]: TYPES[column["type"]] for column in table["columns"]}
    counts = [f'count(*) FILTER (WHERE {breaks(*rule)}) AS "{rule[1]} of {rule[0]}"' for rule in rules(table)]
    # `count` of every column, because otherwise columns without a rule would not be read and their types not checked
    read = [f'count("{name}") AS "read {name}"' for name in columns]
    query = f"SELECT {', '.join(counts + read)} FROM read_json(?, format = 'newline_delimited', columns = {columns})"
    try:
        found = duckdb.execute(query, [file])
    except duckdb.InvalidInputException as error:
        verdict({"type": str(error)})
    names = [name for name, *_ in found.description]
    verdict({rule: n for rule, n in zip(names, found.fetchone(), strict=True) if n and not rule.startswith("read ")})


if __name__ == "__main__":
    main()
