"""What Athena refuses: a query that fails, and a request that never becomes a query."""

MALFORMED_QUERY = "MALFORMED_QUERY"
INVALID_INPUT = "INVALID_INPUT"

SYSTEM, USER = 1, 2  # categories
# Of the names that a reason begins with; 1000 of others.
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
    """Why a query fails, as Athena would put it: StateChangeReason."""


class InvalidRequestError(Exception):
    """Why StartQueryExecution answers InvalidRequestException."""

    def __init__(self, message: str, code: str = INVALID_INPUT):
        super().__init__(message)
        self.code = code


def athena_error(reason: str) -> dict:
    """AthenaError of a failed query's status."""
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
    """What Athena does and this one does not."""
    return AthenaError(f"NOT_SUPPORTED: the local Athena {what}")
