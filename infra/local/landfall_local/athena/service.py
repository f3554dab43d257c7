"""Athena's API: queries run in threads of their own, and their results go to S3, as in AWS."""

import json
import threading
import time
import uuid
from dataclasses import dataclass, field, replace

from moto.athena.models import AthenaBackend, WorkGroup, athena_backends
from moto.athena.responses import AthenaResponse

from ..account import ACCOUNT_ID, REGION
from ..iam import needs, principals, s3
from ..iam.judge import DeniedError, Judge
from ..iam.principals import Principal, Sessions
from .engine import Engine, EngineEndedError

ROWS_PER_PAGE = 1000  # Athena's most
ENGINE = "Athena engine version 3"


@dataclass
class Query:
    sql: str
    database: str
    work_group: WorkGroup
    output: str  # the folder of results, with a / at its end
    parameters: list[str]
    caller: Principal  # Athena does all that it does in its name
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "QUEUED"
    reason: str | None = None
    submitted: float = field(default_factory=time.time)
    completed: float | None = None
    kind: str = "DML"
    subkind: str = "SELECT"
    location: str = ""
    manifest: str | None = None
    written_rows: int = 0
    header: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    rows: list[list[str | None]] = field(default_factory=list)

    @property
    def workgroup(self) -> WorkGroup:  # moto's name for it
        return self.work_group


class Athena:
    def __init__(self, engine: Engine, judge: Judge, sessions: Sessions):
        self._engine = engine
        self._judge = judge
        self._sessions = sessions
        self._held: set[str] = set()  # names of workgroups
        self._changed = threading.Condition()  # of that set, and of a query's status

    def install(self) -> None:
        athena = self

        def start_query_execution(self, query, context, config, workgroup, execution_parameters):
            return athena._start(self, query, context or {}, config or {}, workgroup, execution_parameters or [])

        def get_query_execution(self):
            return athena._answer(self, describe)

        def get_query_results(self):
            return athena._answer(self, results)

        def stop_query_execution(self):
            return athena._answer(self, athena._cancel)

        AthenaBackend.start_query_execution = start_query_execution
        AthenaResponse.get_query_execution = get_query_execution
        AthenaResponse.get_query_results = get_query_results
        AthenaResponse.stop_query_execution = stop_query_execution
        AthenaResponse.batch_get_query_execution = athena._batch_get()

    def _start(
        self,
        backend: AthenaBackend,
        sql: str,
        context: dict,
        config: dict,
        work_group_name: str | None,
        parameters: list[str],
    ) -> str:
        work_group = backend.work_groups[work_group_name or "primary"]
        query = Query(
            sql=sql,
            database=(context.get("Database") or "default").strip('`"'),
            work_group=work_group,
            output=output_folder(work_group, config),
            parameters=parameters,
            caller=replace(principals.caller(), via="athena.amazonaws.com"),
        )
        backend.executions[query.id] = query
        if query.output:
            query.location = f"{query.output}{query.id}.csv"
            threading.Thread(target=self._run, args=(query,), daemon=True).start()
        else:
            fail(
                query,
                "No output location provided. An output location is required either through the Workgroup "
                "result configuration setting or as an API input.",
            )
        return query.id

    def hold(self, work_group: str) -> None:
        """Keeps the queries of a workgroup queued, as when its capacity is used up, until it is released."""
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
        request = {
            "id": query.id,
            "sql": query.sql,
            "database": query.database,
            "output": query.output,
            "parameters": query.parameters,
            "access_key": self._sessions.key_of(query.caller),
        }
        try:
            self._check(query)
            answer = self._engine.execute(request)
        except EngineEndedError as error:
            answer = {"error": f"GENERIC_INTERNAL_ERROR: {error}"}
        except DeniedError as error:
            answer = {"error": f"PERMISSION_DENIED: {error}"}
        with self._changed:
            if query.status == "CANCELLED":
                return
            if "error" in answer:
                fail(query, answer["error"])
                return
            for name, value in answer.items():
                setattr(query, name, value)
            query.completed = time.time()
            query.status = "SUCCEEDED"

    def _check(self, query: Query) -> None:
        """What Athena asks for before it begins, besides what the engine's own calls need."""
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
            return response.error(f"QueryExecution {query_id} was not found", 400)
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


def output_folder(work_group: WorkGroup, config: dict) -> str:
    """Where results go. A workgroup that enforces its configuration decides; otherwise the client may."""
    configured = (work_group.configuration.get("ResultConfiguration") or {}).get("OutputLocation")
    enforced = work_group.configuration.get("EnforceWorkGroupConfiguration")
    chosen = configured if enforced and configured else config.get("OutputLocation") or configured
    return chosen.rstrip("/") + "/" if chosen else ""


def fail(query: Query, reason: str) -> None:
    query.status, query.reason, query.completed = "FAILED", reason, time.time()


def execution(query: Query) -> dict:
    status: dict = {"State": query.status, "SubmissionDateTime": query.submitted}
    if query.completed:
        status["CompletionDateTime"] = query.completed
    if query.reason:
        status["StateChangeReason"] = query.reason
        status["AthenaError"] = {
            "ErrorCategory": 2,
            "ErrorType": 1,
            "Retryable": False,
            "ErrorMessage": query.reason,
        }
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
    if query.status == "FAILED":
        return response.error("Query did not finish successfully. Final query state: FAILED", 400)
    if query.status != "SUCCEEDED":
        return response.error(f"Query has not yet finished. Current state: {query.status}", 400)
    rows = ([query.header] if query.header else []) + query.rows
    size = min(int(response._get_param("MaxResults") or ROWS_PER_PAGE), ROWS_PER_PAGE)
    start = int(response._get_param("NextToken") or 0)
    columns = [
        {
            "CatalogName": "hive",
            "SchemaName": "",
            "TableName": "",
            "Name": name,
            "Label": name,
            "Type": kind,
            "Precision": 0,
            "Scale": 0,
            "Nullable": "UNKNOWN",
            "CaseSensitive": kind == "varchar",
        }
        for name, kind in zip(query.header, query.types, strict=True)
    ]
    page = [
        {"Data": [{} if value is None else {"VarCharValue": value} for value in row]}
        for row in rows[start : start + size]
    ]
    answer: dict = {
        "UpdateCount": query.written_rows,
        "ResultSet": {"Rows": page, "ResultSetMetadata": {"ColumnInfo": columns}},
    }
    if start + size < len(rows):
        answer["NextToken"] = str(start + size)
    return json.dumps(answer)
