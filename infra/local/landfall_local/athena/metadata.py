"""The part of Athena's API that lists workgroups, catalogs, databases and tables."""

import json
import re
from collections.abc import Callable, Iterable

from moto.athena.responses import AthenaResponse
from moto.glue.models import glue_backends

from ..account import ACCOUNT_ID, REGION
from .errors import INVALID_INPUT

CATALOG = "AwsDataCatalog"
MOST = 50  # items per page
NOT_FOUND = (
    "Entity Not Found (Service: AmazonDataCatalog; Status Code: 400; Error Code: EntityNotFoundException; "
    "Request ID: local; Proxy: null)"
)


class RefusalError(Exception):
    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind


def install() -> None:
    for operation in (
        get_work_group,
        list_data_catalogs,
        get_data_catalog,
        list_databases,
        get_database,
        list_table_metadata,
        get_table_metadata,
    ):
        setattr(AthenaResponse, operation.__name__, answering(operation))


def invalid(message: str) -> RefusalError:
    return RefusalError("InvalidRequestException", message)


def answering(operation: Callable[[AthenaResponse], dict]) -> Callable:
    def answer(response: AthenaResponse):
        try:
            return json.dumps(operation(response), default=lambda moment: moment.timestamp())
        except RefusalError as error:
            body = {"__type": error.kind, "Message": str(error)}
            if error.kind == "InvalidRequestException":
                body |= {"AthenaErrorCode": INVALID_INPUT, "ErrorCode": INVALID_INPUT}
            return json.dumps(body), {"status": 400}

    return answer


def get_work_group(response: AthenaResponse) -> dict:
    found = response.athena_backend.get_work_group(response._get_param("WorkGroup"))
    if found is None:
        raise invalid("WorkGroup is not found.")
    return {"WorkGroup": found}


def list_data_catalogs(response: AthenaResponse) -> dict:
    summary = [{"CatalogName": CATALOG, "Type": "GLUE", "Status": "CREATE_COMPLETE"}]
    return page(response, "DataCatalogsSummary", summary)


def get_data_catalog(response: AthenaResponse) -> dict:
    check_catalog(response._get_param("Name"))
    catalog = {"Name": CATALOG, "Type": "GLUE", "Parameters": {"catalog-id": ACCOUNT_ID}, "Status": "CREATE_COMPLETE"}
    return {"DataCatalog": catalog}


def list_databases(response: AthenaResponse) -> dict:
    check_catalog(response._get_param("CatalogName"))
    return page(response, "DatabaseList", (database_of(name) for name in sorted({"default", *databases()})))


def get_database(response: AthenaResponse) -> dict:
    check_catalog(response._get_param("CatalogName"))
    return {"Database": database_of(known(response._get_param("DatabaseName")))}


def list_table_metadata(response: AthenaResponse) -> dict:
    check_catalog(response._get_param("CatalogName"))
    database = known(response._get_param("DatabaseName"))
    try:
        pattern = re.compile(response._get_param("Expression") or ".*", re.IGNORECASE)
    except re.error as error:
        raise invalid(f"Invalid expression: {error}") from error
    found = [table for name, table in sorted(tables(database).items()) if pattern.fullmatch(name)]
    return page(response, "TableMetadataList", (metadata_of(table) for table in found))


def get_table_metadata(response: AthenaResponse) -> dict:
    check_catalog(response._get_param("CatalogName"))
    table = tables(known(response._get_param("DatabaseName"))).get(response._get_param("TableName").lower())
    if table is None:
        raise RefusalError("MetadataException", NOT_FOUND)
    return {"TableMetadata": metadata_of(table)}


def databases() -> dict:
    return glue_backends[ACCOUNT_ID][REGION].databases


def check_catalog(name: str) -> None:
    if name.lower() != CATALOG.lower():
        raise invalid(f"Catalog {name} is not found")


def known(database: str) -> str:
    if database.lower() not in {*databases(), "default"}:
        raise RefusalError("MetadataException", NOT_FOUND)
    return database.lower()


def database_of(name: str) -> dict:
    found = databases()[name].as_dict() if name in databases() else {"Description": "Default Hive database"}
    described = {"Name": name, "Description": found.get("Description"), "Parameters": found.get("Parameters")}
    return {key: value for key, value in described.items() if value}


def tables(database: str) -> dict[str, dict]:
    found = databases().get(database)
    return {name: table.as_dict() for name, table in found.tables.items()} if found else {}


def metadata_of(table: dict) -> dict:
    """Returns a table's TableMetadata. The contents of Glue's StorageDescriptor are parameters in it."""
    descriptor = table.get("StorageDescriptor") or {}
    serde = descriptor.get("SerdeInfo") or {}
    stored = {
        "inputformat": descriptor.get("InputFormat"),
        "location": descriptor.get("Location"),
        "outputformat": descriptor.get("OutputFormat"),
        "serde.serialization.lib": serde.get("SerializationLibrary"),
        **{f"serde.param.{name}": value for name, value in (serde.get("Parameters") or {}).items()},
    }
    metadata = {
        "Name": table["Name"],
        "CreateTime": table.get("CreateTime"),
        "LastAccessTime": table.get("LastAccessTime"),
        "TableType": table.get("TableType"),
        "Columns": [column_of(column) for column in descriptor.get("Columns") or []],
        "PartitionKeys": [column_of(column) for column in table.get("PartitionKeys") or []],
        "Parameters": {**(table.get("Parameters") or {}), **{name: value for name, value in stored.items() if value}},
    }
    return {name: value for name, value in metadata.items() if value is not None}


def column_of(column: dict) -> dict:
    return {name: column[name] for name in ("Name", "Type", "Comment") if column.get(name)}


def page(response: AthenaResponse, name: str, found: Iterable[dict]) -> dict:
    size, token = response._get_param("MaxResults") or MOST, response._get_param("NextToken")
    if size > MOST:
        raise invalid(f"MaxResults is more than maximum allowed length {MOST}")
    if token and not token.isdigit():
        raise invalid(f"Malformed nextPageToken {token}")
    rows, start = list(found), int(token or 0)
    answer: dict = {name: rows[start : start + size]}
    if start + size < len(rows):
        answer["NextToken"] = str(start + size)
    return answer
