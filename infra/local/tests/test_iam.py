"""IAM is enforced: functions may do what their roles allow, and no more."""

import pytest
from botocore.exceptions import ClientError
from conftest import TRUST, document


def allow(*actions: str, on: str | list[str], **more) -> dict:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on, **more}


def deny(*actions: str, on: str | list[str], **more) -> dict:
    return {"Effect": "Deny", "Action": list(actions), "Resource": on, **more}


@pytest.fixture
def bucket(cloud) -> str:
    name = cloud.bucket()
    cloud.s3.put_object(Bucket=name, Key="a/x", Body=b"hello")
    return name


def refused(call, **arguments) -> dict:
    """Returns code, status and message of a call's refusal."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    answer = error.value.response
    message = answer["Error"].get("Message", "")
    return {"code": answer["Error"]["Code"], "status": answer["ResponseMetadata"]["HTTPStatusCode"], "message": message}


def arn(bucket: str, key: str | None = None) -> str:
    return f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else "")


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_s3_refuses_as_s3_does(acting, bucket):
    client = acting(allow("s3:GetObject", on=arn(bucket, "b/*")))
    answer = refused(client("s3").get_object, Bucket=bucket, Key="a/x")
    name = client.role.rsplit("/")[-1]
    assert answer["code"] == "AccessDenied"
    assert answer["status"] == 403
    assert answer["message"] == (
        f"User: arn:aws:sts::123456789012:assumed-role/{name}/session is not authorized to perform: s3:GetObject on "
        f'resource: "arn:aws:s3:::{bucket}/a/x" because no identity-based policy allows the s3:GetObject action'
    )


@pytest.mark.parametrize(
    ("service", "method", "arguments", "code", "status", "action"),
    [
        ("glue", "get_table", {"DatabaseName": "d", "Name": "t"}, "AccessDeniedException", 400, "glue:GetTable"),
        (
            "athena",
            "start_query_execution",
            {"QueryString": "SELECT 1"},
            "AccessDeniedException",
            400,
            "athena:StartQueryExecution",
        ),
        (
            "stepfunctions",
            "start_execution",
            {"stateMachineArn": "arn:aws:states:eu-west-2:123456789012:stateMachine:m"},
            "AccessDeniedException",
            400,
            "states:StartExecution",
        ),
        (
            "sns",
            "publish",
            {"TopicArn": "arn:aws:sns:eu-west-2:123456789012:t", "Message": "m"},
            "AuthorizationError",
            403,
            "sns:Publish",
        ),
        (
            "sqs",
            "send_message",
            {"QueueUrl": "http://sqs/123456789012/q", "MessageBody": "m"},
            "AccessDeniedException",
            403,
            "sqs:SendMessage",
        ),
        ("lambda", "invoke", {"FunctionName": "f"}, "AccessDeniedException", 403, "lambda:InvokeFunction"),
    ],
)
def test_other_services_refuse_in_their_own_way(acting, service, method, arguments, code, status, action):
    client = acting(allow("s3:GetObject", on="*"))(service)
    if service == "sqs":
        arguments = arguments | {"QueueUrl": f"{client.meta.endpoint_url}/123456789012/q"}
    answer = refused(getattr(client, method), **arguments)
    assert (answer["code"], answer["status"]) == (code, status)
    assert f"is not authorized to perform: {action} on resource: arn:aws:" in answer["message"]


def test_a_call_that_nobody_knows_the_permissions_of_stops(acting):
    answer = refused(acting(allow("*", on="*"))("glue").get_jobs)
    assert (answer["code"], answer["status"]) == ("NotImplemented", 501)
    assert "glue:GetJobs" in answer["message"]


def test_a_function_has_its_role_and_no_more(cloud, stack, invoke):
    land, history = stack["LandBucketName"], stack["RawHistBucketName"]
    key = "open_data/postcodes_example/t/x"
    calls = [["s3", "put_object", {"Bucket": name, "Key": key, "Body": "x"}] for name in (land, history)]
    calls.append(["s3", "put_object", {"Bucket": land, "Key": "elsewhere", "Body": "x"}])
    assert invoke("extract", {"aws": calls})[1]["aws"] == ["ok", "AccessDenied", "AccessDenied"]


def test_nobody_but_validate_writes_history_and_nobody_changes_its_rules(cloud, stack):
    history, key = stack["RawHistBucketName"], "open_data/postcodes_example/t/x"
    for call, arguments in [
        (cloud.s3.put_object, {"Key": key, "Body": b"x"}),
        (cloud.s3.create_multipart_upload, {"Key": key}),
        (cloud.s3.delete_object, {"Key": key}),
        (cloud.s3.put_bucket_lifecycle_configuration, {"LifecycleConfiguration": {"Rules": []}}),
        (cloud.s3.delete_bucket_lifecycle, {}),
        (cloud.s3.put_object_lock_configuration, {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}),
    ]:
        answer = refused(call, Bucket=history, **arguments)
        assert answer["message"].endswith("with an explicit deny in a resource-based policy"), arguments
    role = cloud.control("POST", "functions/fake-validate/credentials")["access_key_id"]
    cloud.clients.get("s3", role).put_object(Bucket=history, Key=key, Body=b"x")


def test_an_administrator_may_do_everything_that_no_bucket_denies(cloud, bucket):
    assert cloud.s3.get_object(Bucket=bucket, Key="a/x")["Body"].read() == b"hello"
    cloud.s3.put_bucket_policy(
        Bucket=bucket, Policy=document({**deny("s3:GetObject", on=arn(bucket, "*")), "Principal": "*"})
    )
    answer = refused(cloud.s3.get_object, Bucket=bucket, Key="a/x")
    assert answer["message"].endswith("with an explicit deny in a resource-based policy")


def test_credentials_that_nobody_gave_out_are_unknown(cloud, bucket):
    s3 = cloud.clients.get("s3", "ASIAUNKNOWN000000000")
    assert refused(s3.get_object, Bucket=bucket, Key="a/x")["code"] == "InvalidAccessKeyId"


def test_a_role_is_assumed_only_by_whom_it_trusts(cloud, stack, acting):
    with pytest.raises(ClientError, match="sts:AssumeRole"):
        acting(allow("s3:*", on="*"), trust={**TRUST, "Principal": {"Service": "lambda.amazonaws.com"}})
    role = cloud.functions.get_function_configuration(FunctionName="fake-validate")["Role"]
    with pytest.raises(ClientError, match="sts:AssumeRole"):
        cloud.sts.assume_role(RoleArn=role, RoleSessionName="session")


# -- policies ----------------------------------------------------------------------------------------------------------


def test_an_explicit_deny_counts_before_every_allow(acting, bucket):
    s3 = acting(allow("s3:*", on="*"), deny("s3:GetObj*", on=arn(bucket, "a/*")))("s3")
    answer = refused(s3.get_object, Bucket=bucket, Key="a/x")
    assert answer["message"].endswith("with an explicit deny in an identity-based policy")
    s3.put_object(Bucket=bucket, Key="b/x", Body=b"")
    assert s3.get_object(Bucket=bucket, Key="b/x")["ContentLength"] == 0


def test_a_bucket_may_allow_what_the_role_does_not(acting, cloud, bucket):
    client = acting(allow("sns:Publish", on="*"))
    assert refused(client("s3").get_object, Bucket=bucket, Key="a/x")["code"] == "AccessDenied"
    statement = {**allow("s3:GetObject", on=arn(bucket, "*")), "Principal": {"AWS": client.role}}
    cloud.s3.put_bucket_policy(Bucket=bucket, Policy=document(statement))
    assert client("s3").get_object(Bucket=bucket, Key="a/x")["ContentLength"] == 5


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"Bool": {"aws:SecureTransport": "true"}}, True),  # the endpoint represents AWS's
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
        ({"StringEquals": {"aws:PrincipalAccount": "123456789012"}}, True),
        ({"StringNotEquals": {"aws:PrincipalAccount": "123456789012"}}, False),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/r-*"}}, True),
        ({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::*:role/other"}}, False),
        ({"ArnNotLike": {"aws:PrincipalArn": ["arn:aws:iam::*:role/a", "arn:aws:iam::*:role/b"]}}, True),
        ({"StringLike": {"s3:prefix": "a/*"}}, False),  # a GET has no prefix
        ({"StringLikeIfExists": {"s3:prefix": "a/*"}}, True),
        ({"StringNotLike": {"s3:prefix": "a/*"}}, True),
        ({"Null": {"s3:prefix": "true"}}, True),
        ({"Null": {"aws:PrincipalArn": "true"}}, False),
        ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, True),
        ({"StringEquals": {"s3:ExistingObjectTag/kind": ["a", "b"]}}, True),
        ({"StringEqualsIgnoreCase": {"s3:ExistingObjectTag/kind": "A"}, "Bool": {"aws:ViaAWSService": "true"}}, False),
        ({"ForAllValues:StringEquals": {"aws:CalledVia": "athena.amazonaws.com"}}, True),  # there are no values
        ({"ForAnyValue:StringEquals": {"aws:CalledVia": "athena.amazonaws.com"}}, False),
    ],
)
def test_conditions(acting, cloud, bucket, condition, allowed):
    cloud.s3.put_object_tagging(Bucket=bucket, Key="a/x", Tagging={"TagSet": [{"Key": "kind", "Value": "a"}]})
    s3 = acting(allow("s3:GetObject", on=arn(bucket, "*"), Condition=condition))("s3")
    if allowed:
        s3.get_object(Bucket=bucket, Key="a/x")
    else:
        assert refused(s3.get_object, Bucket=bucket, Key="a/x")["code"] == "AccessDenied"


@pytest.mark.parametrize(
    "condition", [{"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}, {"StringEquals": {"aws:Nope": "x"}}]
)
def test_a_condition_that_is_not_known_allows_nothing(acting, bucket, condition):
    s3 = acting(allow("s3:GetObject", on=arn(bucket, "*"), Condition=condition))("s3")
    answer = refused(s3.get_object, Bucket=bucket, Key="a/x")
    assert (answer["code"], answer["status"]) == ("NotImplemented", 501)


def test_a_bucket_policy_that_is_not_known_is_refused(cloud, bucket):
    condition = {"StringEquals": {"aws:Nope": "x"}}
    policy = document({**deny("s3:GetObject", on=arn(bucket, "*"), Condition=condition), "Principal": "*"})
    answer = refused(cloud.s3.put_bucket_policy, Bucket=bucket, Policy=policy)
    assert (answer["code"], answer["status"]) == ("NotImplemented", 501)
    assert "aws:Nope" in answer["message"]
    cloud.s3.get_object(Bucket=bucket, Key="a/x")


def test_a_listing_is_for_its_prefix(acting, bucket):
    s3 = acting(allow("s3:ListBucket", on=arn(bucket), Condition={"StringLike": {"s3:prefix": "a/*"}}))("s3")
    assert s3.list_objects_v2(Bucket=bucket, Prefix="a/")["KeyCount"] == 1
    for other in ({}, {"Prefix": ""}, {"Prefix": "b/"}):
        assert refused(s3.list_objects_v2, Bucket=bucket, **other)["code"] == "AccessDenied"


# -- S3, call by call --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "status"),
    [(None, 404), ({"StringLike": {"s3:prefix": "a/*"}}, 403)],  # a HEAD has no prefix that could match
)
def test_what_is_missing_is_403_to_whom_may_not_list(acting, bucket, condition, status):
    lists = allow("s3:ListBucket", on=arn(bucket), **({"Condition": condition} if condition else {}))
    s3 = acting(allow("s3:GetObject", on=arn(bucket, "*")), lists)("s3")
    assert refused(s3.head_object, Bucket=bucket, Key="a/none")["status"] == status
    answer = refused(s3.get_object, Bucket=bucket, Key="a/none")
    assert answer["status"] == status
    assert answer["code"] == ("NoSuchKey" if status == 404 else "AccessDenied")
    assert ("s3:ListBucket" in answer["message"]) == (status == 403)
    assert s3.head_object(Bucket=bucket, Key="a/x")["ContentLength"] == 5


def test_a_version_is_another_permission(acting, cloud, bucket):
    cloud.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = cloud.s3.put_object(Bucket=bucket, Key="a/x", Body=b"x")["VersionId"]
    current = acting(allow("s3:GetObject", "s3:DeleteObject", on=arn(bucket, "*")))("s3")
    versions = acting(allow("s3:GetObjectVersion", "s3:DeleteObjectVersion", on=arn(bucket, "*")))("s3")
    place = {"Bucket": bucket, "Key": "a/x"}
    assert "s3:GetObjectVersion" in refused(current.get_object, **place, VersionId=version)["message"]
    assert "s3:DeleteObjectVersion" in refused(current.delete_object, **place, VersionId=version)["message"]
    assert "s3:GetObject " in refused(versions.get_object, **place)["message"]
    assert "s3:DeleteObject " in refused(versions.delete_object, **place)["message"]
    versions.get_object(**place, VersionId=version)
    versions.delete_object(**place, VersionId=version)
    assert refused(versions.get_object, **place, VersionId=version)["status"] == 403


def test_a_copy_takes_source_target_and_tags(acting, cloud, bucket):
    target = cloud.bucket()
    copy = {"Bucket": target, "Key": "y", "CopySource": {"Bucket": bucket, "Key": "a/x"}}
    reads, writes = allow("s3:GetObject", on=arn(bucket, "*")), allow("s3:PutObject", on=arn(target, "*"))
    assert "s3:PutObject" in refused(acting(reads)("s3").copy_object, **copy)["message"]
    assert "s3:GetObject" in refused(acting(writes)("s3").copy_object, **copy)["message"]
    s3 = acting(reads, writes)("s3")
    s3.copy_object(**copy)
    cloud.s3.put_object_tagging(Bucket=bucket, Key="a/x", Tagging={"TagSet": [{"Key": "kind", "Value": "a"}]})
    assert "s3:GetObjectTagging" in refused(s3.copy_object, **copy)["message"]
    s3.copy_object(**copy, TaggingDirective="REPLACE")
    more = allow("s3:GetObjectTagging", on=arn(bucket, "*"))
    assert "s3:PutObjectTagging" in refused(acting(reads, writes, more)("s3").copy_object, **copy)["message"]
    acting(reads, writes, more, allow("s3:PutObjectTagging", on=arn(target, "*")))("s3").copy_object(**copy)
    missing = {**copy, "CopySource": {"Bucket": bucket, "Key": "a/none"}}
    assert refused(s3.copy_object, **missing)["status"] == 403


def test_a_conditional_write_or_deletion_reads(acting, cloud, bucket):
    etag = cloud.s3.head_object(Bucket=bucket, Key="a/x")["ETag"]
    place = {"Bucket": bucket, "Key": "a/x", "IfMatch": etag}
    s3 = acting(allow("s3:PutObject", "s3:DeleteObject", on=arn(bucket, "*")))("s3")
    assert "s3:GetObject" in refused(s3.put_object, **place, Body=b"hello")["message"]
    assert "s3:GetObject" in refused(s3.delete_object, **place)["message"]
    s3.put_object(Bucket=bucket, Key="a/new", Body=b"", IfNoneMatch="*")
    s3.delete_object(Bucket=bucket, Key="a/x")


def test_an_upload_in_parts(acting, bucket):
    s3 = acting(allow("s3:PutObject", on=arn(bucket, "*")))("s3")
    place = {"Bucket": bucket, "Key": "a/parts"}
    place["UploadId"] = s3.create_multipart_upload(**place)["UploadId"]
    part = s3.upload_part(**place, PartNumber=1, Body=b"hello")
    assert "s3:ListMultipartUploadParts" in refused(s3.list_parts, **place)["message"]
    assert "s3:AbortMultipartUpload" in refused(s3.abort_multipart_upload, **place)["message"]
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})


def test_of_many_deletions_each_is_judged(acting, cloud, bucket):
    cloud.s3.put_object(Bucket=bucket, Key="b/x", Body=b"")
    s3 = acting(allow("s3:DeleteObject", on=arn(bucket, "b/*")))("s3")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a/x"}, {"Key": "b/x"}]})
    assert [error["Key"] for error in answer["Errors"]] == ["a/x"]
    assert [deleted["Key"] for deleted in answer["Deleted"]] == ["b/x"]
    assert [found["Key"] for found in cloud.s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["a/x"]
