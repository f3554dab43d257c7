"""A landing object invokes a function with the event that S3 would send."""

from conftest import wait_for

FOLDER = "open_data/postcodes_example/random_postcodes"


def landed(cloud, before: int) -> list[dict]:
    events = cloud.invocations("fake-validate")[before:]
    return [i["response"]["event"]["Records"][0] for i in events if "Records" in i["response"].get("event", {})]


def land(cloud, stack, key: str, put=None) -> list[dict]:
    before = len(cloud.invocations("fake-validate"))
    if put is None:
        cloud.s3.put_object(Bucket=stack["LandBucketName"], Key=key, Body=b"hello")
    else:
        put()
    wait_for(lambda: landed(cloud, before), "a notification")
    cloud.settled()
    return landed(cloud, before)


def test_keys_are_form_encoded(cloud, stack):
    (record,) = land(cloud, stack, f"{FOLDER}/file_land_timestamp=1/a b+è.jsonl")
    assert record["s3"]["object"]["key"] == f"{FOLDER}/file_land_timestamp%3D1/a+b%2B%C3%A8.jsonl"


def test_the_fields_that_readers_need_are_there(cloud, stack):
    key = f"{FOLDER}/fields"
    (record,) = land(cloud, stack, key)
    head = cloud.s3.head_object(Bucket=stack["LandBucketName"], Key=key)
    assert record["eventSource"] == "aws:s3"
    assert record["eventName"] == "ObjectCreated:Put"
    assert record["awsRegion"] == "eu-west-2"
    assert record["userIdentity"]["principalId"]
    assert record["s3"]["bucket"]["name"] == stack["LandBucketName"]
    found = record["s3"]["object"]
    assert found["versionId"] == head["VersionId"]
    assert found["eTag"] == head["ETag"].strip('"')
    assert found["size"] == 5


def test_a_later_event_has_a_greater_sequencer(cloud, stack):
    key = f"{FOLDER}/twice"
    (first,) = land(cloud, stack, key)
    (second,) = land(cloud, stack, key)
    assert second["s3"]["object"]["sequencer"] > first["s3"]["object"]["sequencer"]


def test_a_multipart_upload_is_one_event(cloud, stack):
    bucket, key = stack["LandBucketName"], f"{FOLDER}/parts"

    def put() -> None:
        upload = cloud.s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        place = {"Bucket": bucket, "Key": key, "UploadId": upload}
        part = cloud.s3.upload_part(**place, PartNumber=1, Body=b"hello")
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        cloud.s3.complete_multipart_upload(**place, MultipartUpload=parts)

    (record,) = land(cloud, stack, key, put)
    assert record["eventName"] == "ObjectCreated:CompleteMultipartUpload"


def test_a_copy_is_an_event_of_its_own_kind(cloud, stack):
    bucket, key = stack["LandBucketName"], f"{FOLDER}/copied"
    source = {"Bucket": cloud.bucket(), "Key": "source"}
    cloud.s3.put_object(**source, Body=b"hello")
    (record,) = land(cloud, stack, key, lambda: cloud.s3.copy_object(Bucket=bucket, Key=key, CopySource=source))
    assert record["eventName"] == "ObjectCreated:Copy"


def test_other_folders_notify_nobody(cloud, stack):
    before = len(cloud.invocations("fake-validate"))
    cloud.s3.put_object(Bucket=stack["LandBucketName"], Key="elsewhere/x", Body=b"hello")
    cloud.settled()
    assert len(cloud.invocations("fake-validate")) == before
