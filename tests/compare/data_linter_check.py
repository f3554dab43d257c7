"""Checks a JSON Lines file against a table's metadata with data_linter's pandas validator."""

from data_linter.validators import PandasValidator
from table import arguments, verdict

# mojap-metadata's names for etl_manager's types
TYPES = {"character": "string", "int": "int32", "long": "int64", "float": "float32", "double": "float64"}


def main() -> None:
    file, table = arguments()
    columns = [{**column, "type": TYPES[column["type"]]} for column in table["columns"]]
    validator = PandasValidator(file, {}, {"name": table["name"], "file_format": "json", "columns": columns})
    validator.read_data_and_validate()
    found = validator.get_response_dict()
    broken = {}
    for column, tests in found.items():
        if column == "valid" or tests["valid"]:
            continue
        for test, result in tests.items():
            if test == "traceback":
                broken[column] = result.strip().splitlines()[-1]
            elif test != "valid" and not result["valid"]:
                broken[f"{test} of {column}"] = f"{result['percentage_of_column_is_error']} %"
    verdict(broken)


if __name__ == "__main__":
    main()
