"""The AWS calls of functions: attributed, named, counted, and made to fail."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import wait_for

from landfall_local.operations import Signature, operation, signature

GET_DATABASES = ["glue", "get_databases", {}]
GET_WORK_GROUP = ["athena", "get_work_group", {"WorkGroup": "primary"}]


@pytest.fixture
def bucket(cloud) -> str:
    return cloud.bucket()


def put(bucket: str, key: str) -> list:
    return ["s3", "put_object", {"Bucket": bucket, "Key": key, "Body": "x" * 10}]


def keys(cloud, bucket: str) -> list[str]:
    return [entry["Key"] for entry in cloud.s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_line", "headers", "name"),
    [
        ("GET /b/k/with/slashes", {}, "GetObject"),
        ("HEAD /b/k", {}, "HeadObject"),
        ("HEAD /b", {}, "HeadBucket"),
        ("PUT /b/k?x-id=PutObject", {}, "PutObject"),
        ("PUT /b/k", {"x-amz-copy-source": "b/other"}, "CopyObject"),
        ("PUT /b/k?partNumber=1&uploadId=u", {}, "UploadPart"),
        ("PUT /b/k?partNumber=1&uploadId=u", {"x-amz-copy-source": "b/other"}, "UploadPartCopy"),
        ("POST /b/k?uploads", {}, "CreateMultipartUpload"),
        ("POST /b/k?uploadId=u", {}, "CompleteMultipartUpload"),
        ("DELETE /b/k?uploadId=u", {}, "AbortMultipartUpload"),
        ("DELETE /b/k?versionId=v", {}, "DeleteObject"),
        ("POST /b?delete", {}, "DeleteObjects"),
        ("GET /b/?list-type=2&prefix=p", {}, "ListObjectsV2"),
        ("GET /b?versions", {}, "ListObjectVersions"),
        ("GET /b", {}, "ListObjects"),
        ("GET /b/k?tagging", {}, "GetObjectTagging"),
        ("GET /b/k?attributes", {"x-amz-object-attributes": "ETag"}, "GetObjectAttributes"),
        ("GET /", {}, "ListBuckets"),
    ],
)
def test_a_request_to_s3_has_the_name_that_aws_gives_it(request_line, headers, name):
    method, _, target = request_line.partition(" ")
    path, _, query = target.partition("?")
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query}
    environ |= {f"HTTP_{key.upper().replace('-', '_')}": value for key, value in headers.items()}
    assert operation(environ, "s3") == name


def test_the_caller_is_in_the_header_or_in_the_query():
    header = "AWS4-HMAC-SHA256 Credential=ASIA1/20261125/eu-west-2/states/aws4_request, SignedHeaders=host, Signature=a"
    assert signature({"HTTP_AUTHORIZATION": header}) == Signature("ASIA1", "states")
    query = "X-Amz-Credential=ASIA2%2F20261125%2Feu-west-2%2Fs3%2Faws4_request&X-Amz-Expires=60"
    assert signature({"QUERY_STRING": query}) == Signature("ASIA2", "s3")
    assert signature({"QUERY_STRING": "list-type=2"}) is None


# -- counts ------------------------------------------------------------------------------------------------------------


def test_calls_are_counted_by_function_and_operation(cloud, stack, control, made, invoke, bucket):
    topic = cloud.sns.create_topic(Name="calls")["TopicArn"]
    machine = {"stateMachineArn": stack["StateMachineArn"]}
    calls = [put(bucket, "a"), GET_DATABASES, GET_DATABASES, GET_WORK_GROUP]
    calls += [["stepfunctions", "list_executions", machine], ["sns", "publish", {"TopicArn": topic, "Message": "m"}]]
    assert made(*calls) == ["ok"] * 6
    cloud.glue.get_databases()  # not a function's
    invoke("curate", {"aws": [GET_DATABASES]})  # another function's
    counts = {"GetDatabases": 2, "GetWorkGroup": 1, "ListExecutions": 1, "Publish": 1, "PutObject": 1}
    assert control("GET", "calls") == counts
    control("DELETE", "calls")
    assert control("GET", "calls") == {}


def test_each_process_has_the_account_but_keys_of_its_own(invoke):
    _, one = invoke("validate", {})
    _, other = invoke("curate", {})
    keys = [answer["environment"]["AWS_ACCESS_KEY_ID"] for answer in (one, other)]
    assert keys[0] != keys[1]
    assert all(len(key) == 20 and key.isupper() for key in keys)


# -- crashes -----------------------------------------------------------------------------------------------------------


def test_a_process_dies_before_its_nth_call(cloud, control, made, bucket):
    control("POST", "crash", {"at_call": 2})
    assert control("GET", "crash")["struck"] is None
    assert made(put(bucket, "a"), put(bucket, "b"), put(bucket, "c")) == "Runtime.ExitError"
    struck = control("GET", "crash")["struck"]
    assert (struck["operation"], struck["call"]) == ("PutObject", 2)
    assert struck["request_id"] == cloud.invocations("fake-validate")[-1]["request_id"]
    assert keys(cloud, bucket) == ["a"]
    # once
    assert made(put(bucket, "a"), put(bucket, "b"), put(bucket, "c")) == ["ok"] * 3


def test_a_process_dies_after_its_nth_call(cloud, control, made, bucket):
    control("POST", "crash", {"at_call": 2, "when": "after"})
    assert made(put(bucket, "a"), put(bucket, "b"), put(bucket, "c")) == "Runtime.ExitError"
    assert keys(cloud, bucket) == ["a", "b"]


def test_calls_are_counted_within_one_invocation(control, made):
    control("POST", "crash", {"at_call": 3})
    assert made(GET_DATABASES, GET_DATABASES) == ["ok"] * 2
    assert made(GET_DATABASES, GET_DATABASES) == ["ok"] * 2
    assert control("GET", "crash")["struck"] is None
    assert made(GET_DATABASES, GET_DATABASES, GET_DATABASES) == "Runtime.ExitError"


def test_a_crash_may_be_of_one_operation(cloud, control, made, bucket):
    control("POST", "crash", {"at_call": 2, "operation": "PutObject"})
    assert made(GET_DATABASES, put(bucket, "a"), GET_DATABASES, put(bucket, "b")) == "Runtime.ExitError"
    struck = control("GET", "crash")["struck"]
    assert (struck["operation"], struck["call"]) == ("PutObject", 4)
    assert keys(cloud, bucket) == ["a"]


def test_a_call_is_held_until_others_have_made_theirs(cloud, control, made, bucket):
    control("POST", "crash", {"at_call": 2, "when": "hold"})
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(made, put(bucket, "a"), put(bucket, "b"), put(bucket, "c"))
        struck = wait_for(lambda: control("GET", "crash")["struck"], "the held call")
        assert (struck["operation"], struck["call"]) == ("PutObject", 2)
        assert made(put(bucket, "d")) == ["ok"]
        assert keys(cloud, bucket) == ["a", "d"]
        control("DELETE", "crash")
        assert held.result() == ["ok"] * 3
    assert keys(cloud, bucket) == ["a", "b", "c", "d"]


def test_an_event_that_crashed_is_tried_again(cloud, control, bucket):
    control("POST", "crash", {"at_call": 1, "when": "after"})
    payload = json.dumps({"aws": [put(bucket, "a")]}).encode()
    before = len(cloud.invocations("fake-validate"))
    cloud.functions.invoke(FunctionName="fake-validate", InvocationType="Event", Payload=payload)
    attempts = wait_for(lambda: cloud.invocations("fake-validate")[before + 1 :], "a second attempt")
    assert attempts[0]["ok"], attempts
    assert attempts[0]["attempt"] == 2


# -- held queries ------------------------------------------------------------------------------------------------------


def test_queries_of_a_held_workgroup_stay_queued(cloud):
    output = {"OutputLocation": f"s3://{cloud.bucket()}/"}
    for name in ("held", "free"):
        cloud.athena.create_work_group(Name=name, Configuration={"ResultConfiguration": output})

    def started(work_group: str) -> str:
        query = cloud.athena.start_query_execution(QueryString="SELECT 1", WorkGroup=work_group)
        return query["QueryExecutionId"]

    def state(query: str) -> str:
        return cloud.athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]["State"]

    cloud.control("POST", "athena/held/hold")
    waiting, stopped, other = started("held"), started("held"), started("free")
    wait_for(lambda: state(other) == "SUCCEEDED", "the other workgroup's query")
    assert (state(waiting), state(stopped)) == ("QUEUED", "QUEUED")
    cloud.athena.stop_query_execution(QueryExecutionId=stopped)
    assert state(stopped) == "CANCELLED"
    cloud.control("POST", "athena/held/release")
    wait_for(lambda: state(waiting) == "SUCCEEDED", "the released query")
    assert state(stopped) == "CANCELLED"
