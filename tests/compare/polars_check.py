"""Checks a JSON Lines file against a table's metadata with Polars, streaming."""

import polars as pl
from table import arguments, rules, verdict

TYPES = {"character": pl.String, "int": pl.Int32, "long": pl.Int64, "float": pl.Float32, "double": pl.Float64}


def breaks(column: str, rule: str, argument: object) -> pl.Expr:
    """Returns whether a value breaks a rule, which is null if the value is."""
    value = pl.col(column)
    match rule:
        case "nullable":
            return value.is_null()
        case "enum":
            return ~value.is_in(argument)
        case "pattern":
            return ~value.str.contains(f"^(?:{argument})")
        case "minimum":
            return value < argument
        case "maximum":
            return value > argument
        case "minLength":
            return value.str.len_chars() < argument
        case "maxLength":
            return value.str.len_chars() > argument
    raise ValueError(rule)


def main() -> None:
    file, table = arguments()
    schema = {column["name"]: TYPES[column["type"]] for column in table["columns"]}
    counts = [breaks(*rule).sum().alias(f"{rule[1]} of {rule[0]}") for rule in rules(table)]
    # nulls of every column, because otherwise columns without a rule would not be read and their types not checked
    read = [pl.col(name).null_count().alias(f"read {name}") for name in schema]
    try:
        found = pl.scan_ndjson(file, schema=schema).select(counts + read).collect(engine="streaming")
    except pl.exceptions.ComputeError as error:
        verdict({"type": str(error)})
    verdict({rule: n for rule, n in found.row(0, named=True).items() if n and not rule.startswith("read ")})


if __name__ == "__main__":
    main()
