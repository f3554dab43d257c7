"""A stack with a key: everything is encrypted with it, and the roles' permissions for it are sufficient."""

import json
import uuid
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from conftest import LocalCloud, document, wait_for
from moto.kms.models import kms_backends
from test_iam import deny

from landfall_local.account import ACCOUNT_ID, REGION
from landfall_local.driver import StandIn
from landfall_local.iam import keys
from landfall_local.iam.report import TEMPLATE, permissions, used
from landfall_local.iam.usage import FOLDER

ROOT = Path(__file__).resolve().parents[3]
FUNCTIONS = ROOT / ".local" / "functions"
POLICY = (ROOT / "docs" / "kms-key-policy.json").read_text()
ROWS = 20
MINUTES = 120


def key_for(cloud, stack: str, policy: str = POLICY) -> str:
    """Creates a key with the policy in the documentation."""
    for name, value in {"ACCOUNT": "123456789012", "REGION": "eu-west-2", "STACK": stack}.items():
        policy = policy.replace(name, value)
    return cloud.kms.create_key(Policy=policy)["KeyMetadata"]["Arn"]


class Stack:
    """The pipeline itself, with a key."""

    def __init__(self, cloud: LocalCloud, source: str):
        self.cloud = cloud
        self.key = key_for(cloud, "keyed")
        parameters = {"KmsKeyArn": self.key, "RebuildWindowSeconds": "1", "SourceOrigin": source.rstrip("/")}
        parameters["LakeFormation"] = "true"  # the functions expect existing databases
        body = {"stack": "keyed", "functions": str(FUNCTIONS), "parameters": parameters}
        self.outputs = cloud.control("POST", "stacks", body)["outputs"]

    def buckets(self) -> list[str]:
        return [value for name, value in self.outputs.items() if name.endswith("BucketName")]

    def execution(self, **given) -> dict:
        """Starts an execution and returns it when it has ended."""
        machine = self.outputs["StateMachineArn"]
        arn = self.cloud.stepfunctions.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]
        return self.ended(arn)

    def ended(self, arn: str) -> dict:
        def found() -> dict | None:
            execution = self.cloud.stepfunctions.describe_execution(executionArn=arn)
            return execution if execution["status"] != "RUNNING" else None

        return wait_for(found, "the end of the execution", MINUTES)

    def executions(self) -> list[dict]:
        machine = self.outputs["StateMachineArn"]
        return self.cloud.stepfunctions.list_executions(stateMachineArn=machine)["executions"]

    def count(self) -> str:
        athena = self.cloud.athena
        sql = f"SELECT COUNT(*) FROM {self.outputs['DatabaseName']}.random_postcodes"
        group = self.outputs["WorkGroupName"]
        query = athena.start_query_execution(QueryString=sql, WorkGroup=group)["QueryExecutionId"]

        def state() -> dict:
            return athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]

        wait_for(lambda: state()["State"] not in ("QUEUED", "RUNNING"), "the end of the query")
        assert state()["State"] == "SUCCEEDED", state()
        return athena.get_query_results(QueryExecutionId=query)["ResultSet"]["Rows"][1]["Data"][0]["VarCharValue"]


@pytest.fixture(scope="module")
def usage(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("usage")


@pytest.fixture(scope="module")
def stack(tmp_path_factory, usage):
    assert (FUNCTIONS / "curate" / "bootstrap").exists(), "this test runs the functions themselves: make functions"
    source = StandIn()
    cloud = LocalCloud(tmp_path_factory.mktemp("keyed"), **{FOLDER: str(usage)})
    yield Stack(cloud, source.url())
    cloud.stop()
    source.stop()


@pytest.fixture(scope="module")
def published(stack) -> Stack:
    """The stack after one extract has been published."""
    stack.cloud.control("POST", "schedules/keyed-extract/fire", {"input": {"requests": ROWS}})
    stack.cloud.settled()
    failed = [found for found in stack.cloud.control("GET", "invocations")["invocations"] if not found["ok"]]
    assert failed == []
    started = wait_for(stack.executions, "a rebuild")
    assert stack.ended(started[0]["executionArn"])["status"] == "SUCCEEDED"
    return stack


def test_the_pipeline_runs_and_all_that_it_writes_is_encrypted_with_the_key(published):
    assert published.count() == str(ROWS)
    s3, seen = published.cloud.s3, {}
    for bucket in published.buckets():
        for found in s3.list_object_versions(Bucket=bucket).get("Versions", []):
            place = {"Bucket": bucket, "Key": found["Key"]}
            if found["VersionId"] != "null":
                place["VersionId"] = found["VersionId"]
            head = s3.head_object(**place)
            assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", published.key), found
            assert head["BucketKeyEnabled"], found
            seen[bucket] = seen.get(bucket, 0) + 1
    areas = {bucket.removeprefix("keyed-").partition("-123456789012")[0] for bucket in seen}
    assert areas >= {"raw-hist", "curated", "reports", "athena"}


def test_logs_alerts_dead_letters_and_results_have_the_key(stack):
    cloud, key = stack.cloud, stack.key
    groups = cloud.logs.describe_log_groups()["logGroups"]
    assert [group["kmsKeyId"] for group in groups] == [key] * 5
    topic = cloud.sns.get_topic_attributes(TopicArn=stack.outputs["AlertsTopicArn"])["Attributes"]
    assert topic["KmsMasterKeyId"] == key
    url = stack.outputs["DeadLettersQueueUrl"]
    queue = cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (queue["KmsMasterKeyId"], queue["SqsManagedSseEnabled"]) == (key, "false")
    for name in ("keyed", "keyed-review"):
        group = cloud.athena.get_work_group(WorkGroup=name)["WorkGroup"]["Configuration"]["ResultConfiguration"]
        assert group["EncryptionConfiguration"] == {"EncryptionOption": "SSE_KMS", "KmsKey": key}


def test_a_rejected_file_and_a_failed_rebuild_are_told(published):
    cloud, land = published.cloud, published.outputs["LandBucketName"]
    place = "open_data/postcodes_example/random_postcodes"
    cloud.s3.put_object(Bucket=land, Key=f"{place}/random_postcodes_1.jsonl", Body=b"no JSON\n")
    cloud.settled()
    quarantined = cloud.s3.list_objects_v2(Bucket=published.outputs["QuarantineBucketName"])["KeyCount"]
    assert quarantined == 2  # the file and its report
    failed = published.execution(tables=["nope"])
    assert failed["status"] == "FAILED"
    history = cloud.stepfunctions.get_execution_history(executionArn=failed["executionArn"])["events"]
    published_by = [event for event in history if event["type"] == "TaskSucceeded"]
    assert "MessageId" in published_by[-1]["taskSucceededEventDetails"]["output"]


def test_no_role_has_more_of_the_key_than_it_uses(published, usage):
    test_a_rejected_file_and_a_failed_rebuild_are_told(published)
    wanted = {
        permission.grant
        for permission in permissions(TEMPLATE.read_text())
        if permission.action.startswith("kms:") and "Timer" not in permission.role
    }
    assert len(wanted) == 2 * 5
    wait_for(lambda: wanted <= used(usage), f"the use of {wanted - used(usage)}", 10)


def test_without_the_key_a_function_reads_nothing(published):
    role = published.cloud.functions.get_function_configuration(FunctionName="keyed-curate")["Role"].rpartition("/")[2]
    refusal = document(deny("kms:Decrypt", on=published.key))
    published.cloud.iam.put_role_policy(RoleName=role, PolicyName="none", PolicyDocument=refusal)
    try:
        failed = published.execution()
    finally:
        published.cloud.iam.delete_role_policy(RoleName=role, PolicyName="none")
    assert failed["status"] == "FAILED"
    assert "kms:Decrypt" in json.dumps(failed, default=str)


# -- the key itself ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change", [("logs.REGION", "logs.us-east-1"), ("/STACK-*", "/other-*"), ("ReEncrypt*", "Sign")]
)
def test_a_key_that_logs_may_not_use_stops_the_deployment(cloud, functions, change):
    name = f"unlogged-{uuid.uuid4().hex[:8]}"
    key = key_for(cloud, name, POLICY.replace(*change))
    body = {"stack": name, "functions": str(functions), "parameters": {"KmsKeyArn": key}}
    with pytest.raises(AssertionError, match="KMS key does not exist or is not allowed"):
        cloud.control("POST", "stacks", body)


@pytest.mark.parametrize("name", ["alias/mine", "arn:aws:kms:eu-west-2:123456789012:alias/mine", "1234"])
def test_a_key_is_named_by_its_arn(cloud, functions, name):
    body = {"stack": "aliased", "functions": str(functions), "parameters": {"KmsKeyArn": name}}
    with pytest.raises(AssertionError, match="empty, or the ARN of a key"):
        cloud.control("POST", "stacks", body)


def test_alarms_may_use_the_key_and_no_other_service():
    backend = kms_backends[ACCOUNT_ID][REGION]
    policy = POLICY.replace("ACCOUNT", ACCOUNT_ID).replace("REGION", REGION).replace("STACK", "s")
    key = backend.create_key(policy, "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", "", [], multi_region=False).arn
    to_a_topic = ("kms:Decrypt", "kms:GenerateDataKey")
    assert keys.lets_service(key, "cloudwatch.amazonaws.com", *to_a_topic)
    assert not keys.lets_service(key, "cloudwatch.amazonaws.com", *to_a_topic, **{"aws:SourceAccount": "999999999999"})
    assert not keys.lets_service(key, "cloudwatch.amazonaws.com", "kms:Encrypt")
    assert not keys.lets_service(key, "s3.amazonaws.com", "kms:Decrypt")
    assert keys.lets_logs(key, f"arn:aws:logs:{REGION}:{ACCOUNT_ID}:log-group:/aws/lambda/s-extract")
    assert not keys.lets_logs(key, f"arn:aws:logs:{REGION}:{ACCOUNT_ID}:log-group:/aws/lambda/other")


# -- encryption by suppliers -------------------------------------------------------------------------------------------

FOLDER_OF_FILES = "open_data/postcodes_example/random_postcodes"
CUSTOMER = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}


def supplied(cloud, bucket: str, **encryption) -> str:
    """Returns land's answer to an upload: "ok", or the reason for the refusal. Multipart uploads must get the same
    answer."""
    place = {"Bucket": bucket, "Key": f"{FOLDER_OF_FILES}/supplied-{uuid.uuid4()}", **encryption}
    answers = set()
    for call in (cloud.s3.put_object, cloud.s3.create_multipart_upload):
        try:
            call(**place)
            answers.add("ok")
        except ClientError as error:
            answers.add(error.response["Error"]["Message"].partition(" with ")[2] or str(error))
    assert len(answers) == 1, answers
    return answers.pop()


@pytest.fixture
def land_of(cloud, functions):
    """land_of("name", KmsKeyArn=...) is the land bucket of another stack."""

    def deploy(name: str, **parameters: str) -> str:
        body = {"stack": name, "functions": str(functions), "parameters": parameters}
        return cloud.control("POST", "stacks", body)["outputs"]["LandBucketName"]

    return deploy


@pytest.fixture
def other_key(cloud) -> str:
    return cloud.kms.create_key()["KeyMetadata"]["Arn"]


DENIED = "an explicit deny in a resource-based policy"


def test_land_takes_no_upload_that_could_not_be_read(cloud, land_of, other_key):
    land = land_of(f"s-{uuid.uuid4().hex[:8]}")
    assert supplied(cloud, land) == "ok"
    assert supplied(cloud, land, ServerSideEncryption="AES256") == "ok"
    assert supplied(cloud, land, ServerSideEncryption="aws:kms") == DENIED
    assert supplied(cloud, land, ServerSideEncryption="aws:kms", SSEKMSKeyId=other_key) == DENIED
    assert supplied(cloud, land, ServerSideEncryption="aws:kms:dsse", SSEKMSKeyId=other_key) == DENIED
    assert supplied(cloud, land, **CUSTOMER) == DENIED


def test_land_takes_the_key_of_the_stack_and_no_other(cloud, land_of, other_key):
    name = f"s-{uuid.uuid4().hex[:8]}"
    key = key_for(cloud, name)
    land = land_of(name, KmsKeyArn=key)
    assert supplied(cloud, land) == "ok"
    assert supplied(cloud, land, ServerSideEncryption="AES256") == "ok"
    for called in (key, key.rpartition("/")[2]):
        assert supplied(cloud, land, ServerSideEncryption="aws:kms", SSEKMSKeyId=called) == "ok"
    assert supplied(cloud, land, ServerSideEncryption="aws:kms", SSEKMSKeyId=other_key) == DENIED
    assert supplied(cloud, land, ServerSideEncryption="aws:kms") == DENIED  # the key aws/s3
    assert supplied(cloud, land, ServerSideEncryption="aws:kms:dsse", SSEKMSKeyId=key) == DENIED
    assert supplied(cloud, land, **CUSTOMER) == DENIED
