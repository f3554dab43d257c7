"""The actions and resources of a request to the services that roles call here. For S3, see s3.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

import io
import json
import re
from urllib.parse import unquote

from moto.athena.models import athena_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from ..account import ACCOUNT_ID, PARTITION, REGION
from ..operations import form
from . import keys, s3, sse
from .policies import Need
from .s3 import UnjudgedError

Context = dict[str, list[str]]
INVOCATIONS = re.compile(r"/2015-03-31/functions/([^/]+)/invocations/?")

# Glue requires an action on an object and on everything above it. These are the lowest levels.
GLUE = {
    **dict.fromkeys(["CreateDatabase", "GetDatabase", "UpdateDatabase"], "database"),
    **dict.fromkeys(
        ["CreateTable", "UpdateTable", "DeleteTable", "GetTable", "GetTables", "BatchDeleteTable"], "table"
    ),
    **dict.fromkeys(
        ["GetPartition", "GetPartitions", "CreatePartition", "UpdatePartition", "DeletePartition"], "table"
    ),
    **dict.fromkeys(["BatchGetPartition", "BatchCreatePartition", "BatchUpdatePartition"], "table"),
    "BatchDeletePartition": "table",
    # "... you must have permission for everything in it", including functions even if there are none
    "DeleteDatabase": "userDefinedFunction",
    "GetDatabases": "database",
}
GLUE_LEVELS = ["catalog", "database", "table", "userDefinedFunction"]

ATHENA_QUERIES = {"GetQueryExecution", "GetQueryResults", "StopQueryExecution"}
ATHENA_WORKGROUPS = {
    "GetWorkGroup": "WorkGroup",
    "ListQueryExecutions": "WorkGroup",
    "StartQueryExecution": "WorkGroup",
}

# Operations that do not name a resource.
LISTS = {"athena": {"ListDataCatalogs", "ListWorkGroups"}, "states": {"ListStateMachines"}, "sns": {"ListTopics"}}

STATES = {
    "DescribeExecution": "executionArn",
    "DescribeStateMachine": "stateMachineArn",
    "GetExecutionHistory": "executionArn",
    "ListExecutions": "stateMachineArn",
    "StartExecution": "stateMachineArn",
    "StopExecution": "executionArn",
}


def body_of(environ: dict) -> dict:
    """Reads the JSON of a request. The body can be read again afterwards."""
    data = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(data)
    try:
        body = json.loads(data or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def arn(service: str, name: str) -> str:
    return f"arn:{PARTITION}:{service}:{REGION}:{ACCOUNT_ID}:{name}"


def needs(environ: dict, service: str, operation: str, context: Context) -> list[Need]:
    find = {"athena": athena, "glue": glue, "lambda": functions, "sns": topics, "sqs": queues, "states": machines}
    if operation in LISTS.get(service, ()):
        return [Need(f"{service}:{operation}", "*", context)]
    if service not in find:
        raise UnjudgedError(f"{service}:{operation}")
    found = find[service](environ, operation)
    return [Need(action, resource, context | more_of(service, action)) for action, resource in found]


def more_of(service: str, action: str) -> Context:
    return keys.asked_by("s3" if service == "athena" else service) if action.startswith("kms:") else {}


def glue(environ: dict, operation: str) -> list[tuple[str, str]]:
    level = GLUE.get(operation)
    body = body_of(environ)
    if level is None or body.get("CatalogId") not in (None, ACCOUNT_ID):
        raise UnjudgedError(f"glue:{operation}")
    if level == "table":
        database, tables = body.get("DatabaseName", ""), tables_of(operation, body)
    else:
        database = (body.get("DatabaseInput") or body).get("Name") or "*"
        tables = ["*"] if operation == "DeleteDatabase" else []
    database = database.lower()  # Glue stores names in lower case
    names = ["catalog", f"database/{database}", *(f"table/{database}/{table.lower()}" for table in tables)]
    if level == "userDefinedFunction":
        names.append(f"userDefinedFunction/{database}/*")
    return [(f"glue:{operation}", arn("glue", name)) for name in names]


def tables_of(operation: str, body: dict) -> list[str]:
    if operation == "GetTables":
        return ["*"]
    if operation == "BatchDeleteTable":
        return body.get("TablesToDelete") or []
    name = body.get("TableName") or body.get("Name") or (body.get("TableInput") or {}).get("Name")
    return [name or ""]


def athena(environ: dict, operation: str) -> list[tuple[str, str]]:
    body = body_of(environ)
    if operation in ATHENA_QUERIES:
        query = athena_backends[ACCOUNT_ID][REGION].executions.get(body.get("QueryExecutionId"))
        name = query.work_group.name if query else "primary"
        found = [(f"athena:{operation}", arn("athena", f"workgroup/{name}"))]
        if operation == "GetQueryResults" and query and query.status == "SUCCEEDED":
            # "... must also have permissions to the Amazon S3 GetObject action for the Athena query results location"
            bucket, key = query.location.removeprefix("s3://").split("/", 1)
            found.append(("s3:GetObject", s3.arn(bucket, key)))
            if encrypted := sse.of_object(bucket, key, None):
                found.append((keys.DECRYPT, encrypted.key))
        return found
    if operation in ATHENA_WORKGROUPS:
        return [(f"athena:{operation}", arn("athena", f"workgroup/{body.get('WorkGroup') or 'primary'}"))]
    raise UnjudgedError(f"athena:{operation}")


def machines(environ: dict, operation: str) -> list[tuple[str, str]]:
    if operation not in STATES:
        raise UnjudgedError(f"states:{operation}")
    return [(f"states:{operation}", str(body_of(environ).get(STATES[operation])))]


def functions(environ: dict, operation: str) -> list[tuple[str, str]]:
    found = INVOCATIONS.fullmatch(environ.get("PATH_INFO", ""))
    if not found or environ["REQUEST_METHOD"] != "POST":
        raise UnjudgedError(f"lambda: {operation}")
    name = unquote(found[1])
    return [("lambda:InvokeFunction", name if name.startswith("arn:") else arn("lambda", f"function:{name}"))]


def topics(environ: dict, operation: str) -> list[tuple[str, str]]:
    if operation != "Publish":
        raise UnjudgedError(f"sns:{operation}")
    fields = form(environ)
    name = (fields.get("TopicArn") or fields.get("TargetArn") or ["*"])[0]  # a telephone number is not a resource
    topic = sns_backends[ACCOUNT_ID][REGION].topics.get(name)
    return [("sns:Publish", name), *of_key(topic and topic.kms_master_key_id)]


def queues(environ: dict, operation: str) -> list[tuple[str, str]]:
    if operation != "SendMessage":
        raise UnjudgedError(f"sqs:{operation}")
    name = str(body_of(environ).get("QueueUrl")).rstrip("/").rpartition("/")[2]
    queue = sqs_backends[ACCOUNT_ID][REGION].queues.get(name)
    return [("sqs:SendMessage", arn("sqs", name)), *of_key(queue and queue.kms_master_key_id)]


def of_key(name: str | None) -> list[tuple[str, str]]:
    """Returns the key permissions that a sender of messages to an encrypted topic or queue needs."""
    return [(action, keys.arn_of(name)) for action in (keys.GENERATE, keys.DECRYPT)] if name else []
