"""Failures of queries, and requests that never become a query."""

MALFORMED_QUERY = "MALFORMED_QUERY"
INVALID_INPUT = "INVALID_INPUT"

SYSTEM, USER = 1, 2  # error categories
# By the name at the beginning of a reason. Other names have 1000.
ERROR_TYPES = {
    "TABLE_NOT_FOUND": 1301,
    "SCHEMA_NOT_FOUND": 1301,
    "COLUMN_NOT_FOUND": 1006,
    "TYPE_MISMATCH": 1002,
    "FUNCTION_NOT_FOUND": 1303,
    "DIVISION_BY_ZERO": 1001,
    "INVALID_CAST_ARGUMENT": 1100,
    "NOT_SUPPORTED": 1200,
}


class AthenaError(Exception):
    """The reason why a query fails, in Athena's words: StateChangeReason."""


class InvalidRequestError(Exception):
    """The reason for an InvalidRequestException of StartQueryExecution."""

    def __init__(self, message: str, code: str = INVALID_INPUT):
        super().__init__(message)
        self.code = code


def athena_error(reason: str) -> dict:
    """Returns the AthenaError of a failed query's status."""
    name = reason.split(":", 1)[0]
    category, kind = USER, ERROR_TYPES.get(name, 1000)
    if name == "GENERIC_INTERNAL_ERROR":
        category, kind = SYSTEM, 200
    elif "[Error 10001]" in reason or "[Error 10072]" in reason:
        kind = ERROR_TYPES["TABLE_NOT_FOUND"]
    elif reason.startswith("FAILED: Execution Error"):
        kind = 1006
    return {"ErrorCategory": category, "ErrorType": kind, "Retryable": False, "ErrorMessage": reason}


def unsupported(what: str) -> AthenaError:
    """Returns the error for something that Athena supports and this one does not."""
    return AthenaError(f"NOT_SUPPORTED: the local Athena {what}")
