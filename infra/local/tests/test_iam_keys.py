"""Access to encrypted data needs the key, by the caller's policies and by the key's."""

import pytest
from conftest import document, wait_for
from test_iam import allow, arn, deny, refused

EVERYTHING = allow("s3:*", on="*")
ROOT = {"AWS": "arn:aws:iam::123456789012:root"}


@pytest.fixture
def key(cloud) -> str:
    return cloud.kms.create_key()["KeyMetadata"]["Arn"]


@pytest.fixture
def bucket(cloud, key) -> str:
    name = cloud.bucket()
    encrypt(cloud, name, key)
    cloud.s3.put_object(Bucket=name, Key="a/x", Body=b"hello")
    return name


def encrypt(cloud, bucket: str, key: str) -> None:
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}
    cloud.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})


@pytest.fixture
def may(acting, key):
    """may("kms:Decrypt") is an S3 client of a role that may do everything in S3, and this with the key."""

    def make(*actions: str):
        return acting(EVERYTHING, *([allow(*actions, on=key)] if actions else []))("s3")

    return make


def test_reading_needs_decrypt(may, acting, bucket, key):
    place = {"Bucket": bucket, "Key": "a/x"}
    client = acting(EVERYTHING, allow("kms:GenerateDataKey", on=key))
    answer = refused(client("s3").get_object, **place)
    name = client.role.rsplit("/")[-1]
    assert (answer["code"], answer["status"]) == ("AccessDenied", 403)
    assert answer["message"] == (
        f"User: arn:aws:sts::123456789012:assumed-role/{name}/session is not authorized to perform: kms:Decrypt on "
        f"resource: {key} because no identity-based policy allows the kms:Decrypt action"
    )
    found = may("kms:Decrypt").get_object(**place)
    assert (found["Body"].read(), found["ServerSideEncryption"], found["SSEKMSKeyId"]) == (b"hello", "aws:kms", key)


def test_a_head_needs_the_key_for_the_checksum_alone(may, bucket):
    s3 = may()
    assert s3.head_object(Bucket=bucket, Key="a/x")["SSEKMSKeyId"]
    assert refused(s3.head_object, Bucket=bucket, Key="a/x", ChecksumMode="ENABLED")["status"] == 403
    may("kms:Decrypt").head_object(Bucket=bucket, Key="a/x", ChecksumMode="ENABLED")


def test_writing_needs_a_data_key(may, bucket):
    answer = refused(may("kms:Decrypt").put_object, Bucket=bucket, Key="a/y", Body=b"x")
    assert "kms:GenerateDataKey" in answer["message"]
    may("kms:GenerateDataKey").put_object(Bucket=bucket, Key="a/y", Body=b"x")


def test_what_is_not_encrypted_with_a_key_needs_none(may, cloud, bucket):
    may().put_object(Bucket=bucket, Key="plain", Body=b"x", ServerSideEncryption="AES256")
    assert may().get_object(Bucket=bucket, Key="plain")["ServerSideEncryption"] == "AES256"
    other = cloud.bucket()
    may().put_object(Bucket=other, Key="x", Body=b"x")
    may().get_object(Bucket=other, Key="x")
    assert "kms:GenerateDataKey" not in refused(may().get_object, Bucket=bucket, Key="none")["message"]


def test_what_was_there_before_the_key_needs_none(may, cloud, key):
    bucket = cloud.bucket()
    cloud.s3.put_object(Bucket=bucket, Key="old", Body=b"x")
    encrypt(cloud, bucket, key)
    may().get_object(Bucket=bucket, Key="old")
    assert "kms:GenerateDataKey" in refused(may().put_object, Bucket=bucket, Key="new", Body=b"x")["message"]


def test_parts_need_decrypt_too(may, bucket):
    place = {"Bucket": bucket, "Key": "parts"}
    assert "kms:GenerateDataKey" in refused(may("kms:Decrypt").create_multipart_upload, **place)["message"]
    writer, whole = may("kms:GenerateDataKey"), may("kms:GenerateDataKey", "kms:Decrypt")
    place["UploadId"] = writer.create_multipart_upload(**place)["UploadId"]
    assert "kms:Decrypt" in refused(writer.upload_part, **place, PartNumber=1, Body=b"x")["message"]
    copied = {"PartNumber": 1, "CopySource": {"Bucket": bucket, "Key": "a/x"}}
    assert "kms:Decrypt" in refused(writer.upload_part_copy, **place, **copied)["message"]
    part = {"PartNumber": 1, "ETag": whole.upload_part(**place, PartNumber=1, Body=b"x")["ETag"]}
    parts = {"MultipartUpload": {"Parts": [part]}}
    assert "kms:Decrypt" in refused(writer.complete_multipart_upload, **place, **parts)["message"]
    whole.complete_multipart_upload(**place, **parts)


def test_a_copy_needs_both_keys(may, acting, cloud, bucket, key):
    target, other = cloud.bucket(), cloud.kms.create_key()["KeyMetadata"]["Arn"]
    encrypt(cloud, target, other)
    copy = {"Bucket": target, "Key": "y", "CopySource": {"Bucket": bucket, "Key": "a/x"}}
    assert f"kms:GenerateDataKey on resource: {other}" in refused(may("kms:Decrypt").copy_object, **copy)["message"]
    writes = allow("kms:GenerateDataKey", on=other)
    assert f"kms:Decrypt on resource: {key}" in refused(acting(EVERYTHING, writes)("s3").copy_object, **copy)["message"]
    acting(EVERYTHING, writes, allow("kms:Decrypt", on=key))("s3").copy_object(**copy)
    assert cloud.s3.head_object(Bucket=target, Key="y")["SSEKMSKeyId"] == other


def test_the_keys_policy_must_let_the_account(may, acting, cloud, bucket, key):
    place = {"Bucket": bucket, "Key": "a/x"}
    client = acting(EVERYTHING)
    statement = {**allow("kms:Decrypt", on="*"), "Principal": {"AWS": client.role}}
    admin = {**allow("kms:PutKeyPolicy", on="*"), "Principal": ROOT}
    cloud.kms.put_key_policy(KeyId=key, PolicyName="default", Policy=document(statement, admin))
    client("s3").get_object(**place)
    answer = refused(may("kms:Decrypt").get_object, **place)
    assert answer["message"].endswith("because no resource-based policy allows the kms:Decrypt action")
    assert refused(cloud.s3.get_object, **place)["code"] == "AccessDenied"  # this applies to administrators too


def test_a_deny_counts_before_all(acting, bucket, key):
    s3 = acting(EVERYTHING, allow("kms:*", on=key), deny("kms:Decrypt", on=key))("s3")
    answer = refused(s3.get_object, Bucket=bucket, Key="a/x")
    assert answer["message"].endswith("with an explicit deny in an identity-based policy")


def test_a_condition_may_ask_for_the_service_and_the_bucket(acting, bucket, key):
    for service, of, allowed in [("s3", bucket, True), ("sns", bucket, False), ("s3", "other", False)]:
        condition = {
            "StringEquals": {
                "kms:ViaService": f"{service}.eu-west-2.amazonaws.com",
                "kms:EncryptionContext:aws:s3:arn": arn(of),  # the bucket's ARN, because it has a bucket key
            }
        }
        s3 = acting(EVERYTHING, allow("kms:Decrypt", on=key, Condition=condition))("s3")
        if allowed:
            s3.get_object(Bucket=bucket, Key="a/x")
        else:
            assert refused(s3.get_object, Bucket=bucket, Key="a/x")["code"] == "AccessDenied"


def test_a_key_that_nobody_can_use(cloud, bucket, key):
    place = {"Bucket": bucket, "Key": "a/x"}
    key_id = key.rpartition("/")[2]  # moto accepts only the id here
    cloud.kms.disable_key(KeyId=key_id)
    assert refused(cloud.s3.get_object, **place)["code"] == "KMS.DisabledException"
    cloud.kms.schedule_key_deletion(KeyId=key_id)
    assert refused(cloud.s3.put_object, **place, Body=b"")["code"] == "KMS.KMSInvalidStateException"
    missing = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:aws:kms:eu-west-2:123456789012:key/none"}
    answer = refused(cloud.s3.put_object, **place, Body=b"", **missing)
    assert (answer["code"], answer["status"]) == ("KMS.NotFoundException", 400)


@pytest.mark.parametrize(("service", "code"), [("sns", "KMSAccessDenied"), ("sqs", "KMS.AccessDeniedException")])
def test_messages_need_the_key_of_their_topic_or_queue(acting, cloud, key, service, code):
    if service == "sns":
        attributes = {"KmsMasterKeyId": key}
        call = {"TopicArn": cloud.sns.create_topic(Name=key[-12:], Attributes=attributes)["TopicArn"], "Message": "m"}
        action, method = "sns:Publish", "publish"
    else:
        attributes = {"KmsMasterKeyId": key}
        url = cloud.sqs.create_queue(QueueName=key[-12:], Attributes=attributes)["QueueUrl"]
        call = {"QueueUrl": url, "MessageBody": "m"}
        action, method = "sqs:SendMessage", "send_message"
    sends = allow(action, on="*")
    for half in ("kms:Decrypt", "kms:GenerateDataKey"):
        answer = refused(getattr(acting(sends, allow(half, on=key))(service), method), **call)
        assert (answer["code"], answer["status"]) == (code, 400)
    getattr(acting(sends, allow("kms:Decrypt", "kms:GenerateDataKey", on=key))(service), method)(**call)


def test_a_key_of_the_callers_own_is_not_known_here(cloud, bucket):
    customer = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
    answer = refused(cloud.s3.put_object, Bucket=bucket, Key="a/x", Body=b"", **customer)
    assert (answer["code"], answer["status"]) == ("NotImplemented", 501)


def test_results_of_queries_need_the_key_of_their_place(acting, bucket, key):
    asks = [EVERYTHING, allow("athena:*", "glue:*", on="*")]
    place = {"OutputLocation": f"s3://{bucket}/results/"}
    encrypted = {"EncryptionConfiguration": {"EncryptionOption": "SSE_KMS", "KmsKey": key}}

    def run(more: dict, *actions: str) -> tuple[dict, object, str]:
        client = acting(*asks, *([allow(*actions, on=key)] if actions else []))("athena")
        query = client.start_query_execution(QueryString="SELECT 1", ResultConfiguration=place | more)
        name = query["QueryExecutionId"]

        def ended() -> dict | None:
            status = client.get_query_execution(QueryExecutionId=name)["QueryExecution"]["Status"]
            return status if status["State"] not in ("QUEUED", "RUNNING") else None

        return wait_for(ended, "the end of the query"), client, name

    for more in ({}, encrypted):
        status, _, _ = run(more, "kms:Decrypt")
        assert status["StateChangeReason"].startswith("PERMISSION_DENIED"), status
        assert "kms:GenerateDataKey" in status["StateChangeReason"]
        status, client, name = run(more, "kms:GenerateDataKey")
        assert status["State"] == "SUCCEEDED"
        answer = refused(client.get_query_results, QueryExecutionId=name)
        assert answer["code"] == "AccessDeniedException"
        assert "kms:Decrypt" in answer["message"]
        _, client, name = run(more, "kms:GenerateDataKey", "kms:Decrypt")
        assert client.get_query_results(QueryExecutionId=name)["ResultSet"]["Rows"]
    status, _, _ = run({"EncryptionConfiguration": {"EncryptionOption": "SSE_S3"}})
    assert status["State"] == "SUCCEEDED"
