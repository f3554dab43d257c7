"""Athena's API: queries run in threads of their own, and their results go to S3, as in AWS."""

import json
import threading
import time
import uuid
from dataclasses import dataclass, field, replace

from moto.athena.models import WorkGroup, athena_backends
from moto.athena.responses import AthenaResponse

from ..account import ACCOUNT_ID, REGION
from ..iam import needs, principals, s3
from ..iam.judge import DeniedError, Judge
from ..iam.principals import Principal, Sessions
from . import metadata
from .engine import Engine, EngineEndedError
from .errors import INVALID_INPUT, athena_error

ROWS_PER_PAGE = 1000  # Athena's limit
ENGINE = "Athena engine version 3"
MIN_TOKEN, MAX_TOKEN = 32, 128
STATE = "INVALID_QUERY_EXECUTION_STATE"
WITH_HEADER = ("SELECT", "EXPLAIN")  # their first row has the names of the columns
CATALOG = "awsdatacatalog"


@dataclass
class Query:
    sql: str
    database: str
    work_group: WorkGroup
    output: str  # the location of results, with a / at its end
    encryption: dict[str, str] | None  # arguments of PutObject for results
    parameters: list[str]
    caller: Principal  # Athena does everything on its behalf
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "QUEUED"
    reason: str | None = None
    submitted: float = field(default_factory=time.time)
    completed: float | None = None
    kind: str = "DML"
    subkind: str = "SELECT"
    of_hive: bool = False
    location: str = ""
    manifest: str | None = None
    update_count: int | None = None
    columns: list[dict] = field(default_factory=list)  # ColumnInfo
    rows: list[list[str | None]] = field(default_factory=list)

    @property
    def workgroup(self) -> WorkGroup:  # moto's name for it
        return self.work_group


class Athena:
    def __init__(self, engine: Engine, judge: Judge, sessions: Sessions):
        self._engine = engine
        self._judge = judge
        self._sessions = sessions
        self._held: set[str] = set()  # names of held workgroups
        self._tokens: dict[str, tuple] = {}  # client request token -> the request, and its query
        self._changed = threading.Condition()  # of `_held`, and of a query's status

    def install(self) -> None:
        athena = self

        def start_query_execution(self):
            return athena._start(self)

        def get_query_execution(self):
            return athena._answer(self, describe)

        def get_query_results(self):
            return athena._answer(self, results)

        def stop_query_execution(self):
            return athena._answer(self, athena._cancel)

        AthenaResponse.start_query_execution = start_query_execution
        AthenaResponse.get_query_execution = get_query_execution
        AthenaResponse.get_query_results = get_query_results
        AthenaResponse.stop_query_execution = stop_query_execution
        metadata.install()
        AthenaResponse.batch_get_query_execution = athena._batch_get()

    def _start(self, response: AthenaResponse):
        work_group = response.athena_backend.work_groups.get(response._get_param("WorkGroup") or "primary")
        if work_group is None:
            return invalid("WorkGroup is not found.")
        context = response._get_param("QueryExecutionContext") or {}
        token = response._get_param("ClientRequestToken") or ""
        if not MIN_TOKEN <= len(token) <= MAX_TOKEN:
            return invalid("clientRequestToken is null or empty, or not of 32 to 128 characters")
        query = Query(
            sql=response._get_param("QueryString"),
            database=(context.get("Database") or "default").strip('`"'),
            work_group=work_group,
            output=output_folder(work_group, response._get_param("ResultConfiguration") or {}),
            encryption=encryption(work_group, response._get_param("ResultConfiguration") or {}),
            parameters=response._get_param("ExecutionParameters") or [],
            caller=replace(principals.caller(), via="athena.amazonaws.com"),
        )
        if query.encryption is None:
            return invalid("results that the client encrypts (CSE_KMS) are not known locally")
        if not query.output:
            return invalid(
                "No output location provided. An output location is required either through the Workgroup result "
                "configuration setting or as an API input."
            )
        if (context.get("Catalog") or CATALOG).lower() != CATALOG:
            return invalid(f"Catalog {context['Catalog']} is not found")
        if problem := self._check(query):
            return problem
        same = (query.sql, context.get("Database"), response._get_param("ResultConfiguration"))
        first, query_id = self._tokens.setdefault(token, (same, query.id))
        if first != same:
            return invalid("Idempotent parameters do not match", "IDEMPOTENT_PARAMETER_MISMATCH")
        if query_id != query.id:  # a retry
            return json.dumps({"QueryExecutionId": query_id})
        response.athena_backend.executions[query.id] = query
        threading.Thread(target=self._run, args=(query,), daemon=True).start()
        return json.dumps({"QueryExecutionId": query.id})

    def _check(self, query: Query):
        """Returns the answer to a statement that Athena does not start; otherwise sets the statement's kind."""
        try:
            answer = self._engine.execute(
                {**self._asked(query), "id": f"check {query.id}", "check": enforced(query.work_group)}
            )
        except EngineEndedError:
            return None  # the query will fail with this error
        if "invalid" in answer:
            return invalid(answer["invalid"], answer["code"])
        suffix = answer.pop("suffix", "csv")
        if "error" not in answer:
            take(query, answer)
        query.location = f"{query.output}{query.id}" + (f".{suffix}" if suffix else "")
        return None

    def _asked(self, query: Query) -> dict:
        """Returns the description of a query for the engine."""
        told = {name: getattr(query, name) for name in ("id", "sql", "database", "output", "encryption", "parameters")}
        return {**told, "access_key": self._sessions.key_of(query.caller)}

    def hold(self, work_group: str) -> None:
        """Keeps the queries of a workgroup queued until it is released, as if its capacity were used up."""
        with self._changed:
            self._held.add(self._known(work_group))

    def release(self, work_group: str) -> None:
        with self._changed:
            self._held.discard(self._known(work_group))
            self._changed.notify_all()

    def _known(self, work_group: str) -> str:
        if work_group not in athena_backends[ACCOUNT_ID][REGION].work_groups:
            raise ValueError(f"no workgroup {work_group}")
        return work_group

    def _run(self, query: Query) -> None:
        with self._changed:
            self._changed.wait_for(lambda: query.status != "QUEUED" or query.work_group.name not in self._held)
            if query.status != "QUEUED":
                return
            query.status = "RUNNING"
        try:
            self._may_begin(query)
            answer = self._engine.execute(self._asked(query))
        except EngineEndedError as error:
            answer = {"error": f"GENERIC_INTERNAL_ERROR: {error}"}
        except DeniedError as error:
            answer = {"error": f"PERMISSION_DENIED: {error}"}
        with self._changed:
            if query.status == "CANCELLED":
                return
            if "error" in answer or "invalid" in answer:
                fail(query, answer.get("error") or f"SYNTAX_ERROR: {answer['invalid']}")
                return
            answer["location"] = answer["location"] or query.location
            take(query, answer)
            query.completed = time.time()
            query.status = "SUCCEEDED"

    def _may_begin(self, query: Query) -> None:
        """Checks the permissions that Athena needs before it begins, in addition to those of the engine's own calls."""
        bucket = query.output.removeprefix("s3://").split("/")[0]
        needed = [("s3:GetBucketLocation", s3.arn(bucket))]
        # "access to the default database and catalog per region": https://docs.aws.amazon.com/athena/latest/ug/
        # fine-grained-access-to-glue-resources.html
        needed += [("glue:GetDatabase", needs.arn("glue", name)) for name in ("catalog", "database/default")]
        self._judge.check_in_name_of(query.caller, *needed)

    def _cancel(self, _response: AthenaResponse, query: Query) -> str:
        with self._changed:
            if query.status in ("QUEUED", "RUNNING"):
                query.status, query.reason, query.completed = "CANCELLED", "Query cancelled by user", time.time()
                self._changed.notify_all()
        return "{}"

    def _answer(self, response: AthenaResponse, answer):
        query_id = response._get_param("QueryExecutionId")
        query = response.athena_backend.executions.get(query_id)
        if query is None:
            return invalid(f"QueryExecution {query_id} was not found", "QUERY_EXECUTION_NOT_FOUND")
        return answer(response, query)

    def _batch_get(self):
        def batch_get_query_execution(response: AthenaResponse) -> str:
            found, missing = [], []
            for query_id in response._get_param("QueryExecutionIds"):
                query = response.athena_backend.executions.get(query_id)
                if query is None:
                    missing.append({"QueryExecutionId": query_id})
                else:
                    found.append(execution(query))
            return json.dumps({"QueryExecutions": found, "UnprocessedQueryExecutionIds": missing})

        return batch_get_query_execution


def invalid(message: str, code: str = INVALID_INPUT) -> tuple[str, dict]:
    body = {"__type": "InvalidRequestException", "AthenaErrorCode": code, "ErrorCode": code, "Message": message}
    return json.dumps(body), {"status": 400}


def take(query: Query, answer: dict) -> None:
    for name, value in answer.items():
        setattr(query, name, value)


def enforced(work_group: WorkGroup) -> bool:
    """Whether the workgroup determines the location of results."""
    configured = (work_group.configuration.get("ResultConfiguration") or {}).get("OutputLocation")
    return bool(work_group.configuration.get("EnforceWorkGroupConfiguration") and configured)


def output_folder(work_group: WorkGroup, config: dict) -> str:
    """Returns the location of results: the workgroup's if it enforces its configuration, otherwise the client's if
    given."""
    configured = (work_group.configuration.get("ResultConfiguration") or {}).get("OutputLocation")
    chosen = configured if enforced(work_group) else config.get("OutputLocation") or configured
    return chosen.rstrip("/") + "/" if chosen else ""


def encryption(work_group: WorkGroup, config: dict) -> dict[str, str] | None:
    """Returns the encryption of results: {} for the bucket's default, or None for an unsupported option."""
    configured = (work_group.configuration.get("ResultConfiguration") or {}).get("EncryptionConfiguration")
    given = config.get("EncryptionConfiguration")
    chosen = (configured if enforced(work_group) else given or configured) or {}
    option = chosen.get("EncryptionOption")
    if option == "SSE_KMS":
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": chosen["KmsKey"]}
    return {"ServerSideEncryption": "AES256"} if option == "SSE_S3" else {} if option is None else None


def fail(query: Query, reason: str) -> None:
    query.status, query.reason, query.completed = "FAILED", reason, time.time()


def execution(query: Query) -> dict:
    status: dict = {"State": query.status, "SubmissionDateTime": query.submitted}
    if query.completed:
        status["CompletionDateTime"] = query.completed
    if query.reason:
        status["StateChangeReason"] = query.reason
        if query.status == "FAILED":
            status["AthenaError"] = athena_error(query.reason)
    milliseconds = int(((query.completed or time.time()) - query.submitted) * 1000)
    statistics: dict = {
        "EngineExecutionTimeInMillis": milliseconds,
        "DataScannedInBytes": 0,
        "TotalExecutionTimeInMillis": milliseconds,
        "QueryQueueTimeInMillis": 0,
    }
    if query.manifest:
        statistics["DataManifestLocation"] = query.manifest
    described = {
        "QueryExecutionId": query.id,
        "Query": query.sql,
        "StatementType": query.kind,
        "SubstatementType": query.subkind,
        "ResultConfiguration": {"OutputLocation": query.location},
        "QueryExecutionContext": {"Database": query.database, "Catalog": "awsdatacatalog"},
        "Status": status,
        "Statistics": statistics,
        "WorkGroup": query.work_group.name,
        "EngineVersion": {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": ENGINE},
    }
    if query.parameters:
        described["ExecutionParameters"] = query.parameters
    return described


def describe(_response: AthenaResponse, query: Query) -> str:
    return json.dumps({"QueryExecution": execution(query)})


def results(response: AthenaResponse, query: Query):
    if query.status == "FAILED" and query.of_hive:
        return json.dumps({"ResultSet": {"Rows": [], "ResultSetMetadata": {"ColumnInfo": []}}})
    if query.status == "CANCELLED":
        return invalid("Could not find results", "RESULT_NOT_FOUND")
    if query.status == "FAILED":
        return invalid("Query did not finish successfully. Final query state: FAILED", STATE)
    if query.status != "SUCCEEDED":
        return invalid(f"Query has not yet finished. Current state: {query.status}", STATE)
    header = [[column["Name"] for column in query.columns]] if query.subkind in WITH_HEADER else []
    rows = header + query.rows
    size = int(response._get_param("MaxResults") or ROWS_PER_PAGE)
    if size > ROWS_PER_PAGE:
        return invalid(f"MaxResults is more than maximum allowed length {ROWS_PER_PAGE}")
    start = int(response._get_param("NextToken") or 0)
    page = [
        {"Data": [{} if value is None else {"VarCharValue": value} for value in row]}
        for row in rows[start : start + size]
    ]
    answer: dict = {"ResultSet": {"Rows": page, "ResultSetMetadata": {"ColumnInfo": query.columns}}}
    if query.update_count is not None:
        answer["UpdateCount"] = query.update_count
    if start + size < len(rows):
        answer["NextToken"] = str(start + size)
    return json.dumps(answer)
