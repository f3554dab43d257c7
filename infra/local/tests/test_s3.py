"""S3, as far as a pipeline relies on it: conditions, checksums, versions, locks, multipart uploads, unusual keys."""

import base64
import hashlib
import os
import zlib
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.exceptions import ClientError

MEBIBYTE = 1024 * 1024
BODY = b"hello"
WRONG_ETAG = '"deadbeef"'
SHA256 = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
CRC32 = base64.b64encode(zlib.crc32(BODY).to_bytes(4, "big")).decode()


def refused(code: str):
    """Expects S3 to refuse the block with this error code."""
    return pytest.raises(ClientError, match=rf"\({code}\)")


@pytest.fixture(scope="module")
def other(cloud) -> str:
    return cloud.bucket()


@pytest.fixture(scope="module")
def versioned(cloud) -> str:
    name = cloud.bucket()
    cloud.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@pytest.fixture(scope="module")
def locked(cloud) -> str:
    name = cloud.bucket(ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    configuration = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    cloud.s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=configuration)
    return name


@pytest.fixture
def source(s3, bucket, request) -> dict:
    """An object to copy: {"Bucket", "Key"}; its ETag is `etag(s3, source)`."""
    place = {"Bucket": bucket, "Key": f"source/{request.node.name}"}
    s3.put_object(**place, Body=BODY)
    return place


def etag(s3, place: dict) -> str:
    return s3.head_object(**place)["ETag"]


def read(s3, bucket: str, key: str, **arguments) -> bytes:
    return s3.get_object(Bucket=bucket, Key=key, **arguments)["Body"].read()


def upload(s3, bucket: str, key: str, *parts: bytes, complete: dict | None = None, **arguments) -> dict:
    place = {"Bucket": bucket, "Key": key}
    place["UploadId"] = s3.create_multipart_upload(**place, **arguments)["UploadId"]
    algorithm = {name: value for name, value in arguments.items() if name == "ChecksumAlgorithm"}
    done = []
    for number, body in enumerate(parts, 1):
        answer = s3.upload_part(**place, PartNumber=number, Body=body, **algorithm)
        part = {"PartNumber": number, "ETag": answer["ETag"]}
        done.append(part | {name: answer[name] for name in answer if algorithm and name.startswith("Checksum")})
    return s3.complete_multipart_upload(**place, MultipartUpload={"Parts": done}, **(complete or {}))


# -- conditions --------------------------------------------------------------------------------------------------------


def test_a_copy_of_another_state_of_the_source_is_refused(s3, other, source):
    with refused("PreconditionFailed"):
        s3.copy_object(Bucket=other, Key="d", CopySource=source, CopySourceIfMatch=WRONG_ETAG)
    s3.copy_object(Bucket=other, Key="d", CopySource=source, CopySourceIfMatch=etag(s3, source))


def test_a_copy_unless_the_source_is_known(s3, other, source):
    with refused("PreconditionFailed"):
        s3.copy_object(Bucket=other, Key="d", CopySource=source, CopySourceIfNoneMatch=etag(s3, source))


def test_a_copy_of_nothing(s3, other, bucket):
    with refused("NoSuchKey"):
        s3.copy_object(Bucket=other, Key="d", CopySource={"Bucket": bucket, "Key": "nope"})


def test_a_copy_only_if_absent(s3, other, source):
    s3.copy_object(Bucket=other, Key="absent", CopySource=source, IfNoneMatch="*")
    with refused("PreconditionFailed"):
        s3.copy_object(Bucket=other, Key="absent", CopySource=source, IfNoneMatch="*")


def test_a_copy_over_a_known_state(s3, other, source):
    s3.put_object(Bucket=other, Key="known", Body=b"before")
    with refused("PreconditionFailed"):
        s3.copy_object(Bucket=other, Key="known", CopySource=source, IfMatch=WRONG_ETAG)
    known = etag(s3, {"Bucket": other, "Key": "known"})
    s3.copy_object(Bucket=other, Key="known", CopySource=source, IfMatch=known)


def test_a_put_only_if_absent(s3, bucket):
    s3.put_object(Bucket=bucket, Key="put-absent", Body=BODY, IfNoneMatch="*")
    with refused("PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="put-absent", Body=BODY, IfNoneMatch="*")


def test_a_put_over_a_known_state(s3, bucket):
    with refused("NoSuchKey"):
        s3.put_object(Bucket=bucket, Key="put-known", Body=BODY, IfMatch=WRONG_ETAG)
    known = s3.put_object(Bucket=bucket, Key="put-known", Body=BODY)["ETag"]
    with refused("PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="put-known", Body=BODY, IfMatch=WRONG_ETAG)
    s3.put_object(Bucket=bucket, Key="put-known", Body=BODY, IfMatch=known)


def test_a_multipart_upload_only_if_absent(s3, bucket):
    upload(s3, bucket, "parts-absent", BODY, complete={"IfNoneMatch": "*"})
    with refused("PreconditionFailed"):
        upload(s3, bucket, "parts-absent", BODY, complete={"IfNoneMatch": "*"})


def test_of_many_writers_one_is_the_first(s3, bucket, source):
    def write(number: int) -> bool:
        try:
            if number % 2:
                s3.put_object(Bucket=bucket, Key="contended", Body=b"%d" % number, IfNoneMatch="*")
            else:
                s3.copy_object(Bucket=bucket, Key="contended", CopySource=source, IfNoneMatch="*")
        except ClientError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(write, range(32))) == 1


def test_a_deletion_of_a_known_state(s3, bucket):
    known = s3.put_object(Bucket=bucket, Key="deleted", Body=BODY)["ETag"]
    with refused("PreconditionFailed"):
        s3.delete_object(Bucket=bucket, Key="deleted", IfMatch=WRONG_ETAG)
    assert read(s3, bucket, "deleted") == BODY
    s3.delete_object(Bucket=bucket, Key="deleted", IfMatch=known)


def test_conditional_reads(s3, bucket, source):
    with refused("PreconditionFailed"):
        s3.get_object(**source, IfMatch=WRONG_ETAG)
    with refused("304"):
        s3.get_object(**source, IfNoneMatch=etag(s3, source))


# -- checksums ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "checksum",
    [
        {"ChecksumSHA256": base64.b64encode(b"0" * 32).decode()},
        {"ChecksumSHA1": base64.b64encode(b"0" * 20).decode()},
        {"ChecksumCRC32": "AAAAAA=="},
        {"ChecksumCRC32C": "AAAAAA=="},
        {"ChecksumCRC64NVME": "AAAAAAAAAAA="},
        {"ContentMD5": base64.b64encode(b"0" * 16).decode()},
    ],
    ids=lambda checksum: next(iter(checksum)),
)
def test_a_wrong_checksum_is_refused(s3, bucket, checksum):
    with refused("BadDigest"):
        s3.put_object(Bucket=bucket, Key="wrong", Body=BODY, **checksum)


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA1", "CRC32", "CRC32C", "CRC64NVME"])
def test_a_checksum_is_computed_kept_and_copied(s3, bucket, other, algorithm):
    put = s3.put_object(Bucket=bucket, Key=f"sum/{algorithm}", Body=BODY, ChecksumAlgorithm=algorithm)
    name = f"Checksum{algorithm}"
    s3.copy_object(Bucket=other, Key=algorithm, CopySource={"Bucket": bucket, "Key": f"sum/{algorithm}"})
    for place in ({"Bucket": bucket, "Key": f"sum/{algorithm}"}, {"Bucket": other, "Key": algorithm}):
        assert s3.head_object(**place, ChecksumMode="ENABLED")[name] == put[name]


def test_right_checksums_are_accepted(s3, bucket):
    s3.put_object(Bucket=bucket, Key="right", Body=BODY, ChecksumSHA256=SHA256)
    assert s3.head_object(Bucket=bucket, Key="right", ChecksumMode="ENABLED")["ChecksumSHA256"] == SHA256
    s3.put_object(Bucket=bucket, Key="right", Body=BODY, ChecksumCRC32=CRC32)


def test_without_a_checksum_s3_adds_one(cloud, bucket):
    import urllib.request

    request = urllib.request.Request(f"{cloud.endpoint}/{bucket}/plain", BODY, method="PUT")
    request.add_header(
        "Authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/eu-west-2/s3/aws4_request, Signature=x"
    )
    urllib.request.urlopen(request).read()
    head = cloud.s3.head_object(Bucket=bucket, Key="plain", ChecksumMode="ENABLED")
    assert head["ChecksumCRC64NVME"]


def test_a_copy_may_ask_for_another_checksum(s3, other, source):
    answer = s3.copy_object(Bucket=other, Key="sha", CopySource=source, ChecksumAlgorithm="SHA256")
    assert answer["CopyObjectResult"]["ChecksumSHA256"] == SHA256


def test_object_attributes(s3, bucket):
    s3.put_object(Bucket=bucket, Key="attributes", Body=BODY, ChecksumSHA256=SHA256)
    wanted = ["Checksum", "ObjectSize", "ETag"]
    answer = s3.get_object_attributes(Bucket=bucket, Key="attributes", ObjectAttributes=wanted)
    assert answer["Checksum"]["ChecksumSHA256"] == SHA256
    assert answer["ObjectSize"] == len(BODY)


# -- multipart uploads -------------------------------------------------------------------------------------------------


def test_parts_below_five_mebibytes(s3, bucket):
    with refused("EntityTooSmall"):
        upload(s3, bucket, "tiny", b"x", b"x")


def test_a_copy_of_a_multipart_object_is_one_part(s3, bucket, other):
    body = os.urandom(5 * MEBIBYTE) + b"end"
    answer = upload(s3, bucket, "parts", body[: 5 * MEBIBYTE], body[5 * MEBIBYTE :], ChecksumAlgorithm="SHA256")
    assert answer["ETag"].endswith('-2"')
    s3.copy_object(Bucket=other, Key="whole", CopySource={"Bucket": bucket, "Key": "parts"})
    head = s3.head_object(Bucket=other, Key="whole", ChecksumMode="ENABLED")
    assert head["ETag"].strip('"') == hashlib.md5(body).hexdigest()
    assert head["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert read(s3, other, "whole") == body


def test_parts_can_be_copied_under_a_condition(s3, bucket, other):
    body = os.urandom(6 * MEBIBYTE)
    known = s3.put_object(Bucket=bucket, Key="six", Body=body)["ETag"]
    place = {"Bucket": other, "Key": "joined"}
    place["UploadId"] = s3.create_multipart_upload(**place)["UploadId"]
    source = {"CopySource": {"Bucket": bucket, "Key": "six"}}
    with refused("PreconditionFailed"):
        s3.upload_part_copy(**place, **source, PartNumber=1, CopySourceIfMatch=WRONG_ETAG)
    parts = []
    for number, (first, last) in enumerate([(0, 5 * MEBIBYTE - 1), (5 * MEBIBYTE, 6 * MEBIBYTE - 1)], 1):
        asked = {"CopySourceRange": f"bytes={first}-{last}", "CopySourceIfMatch": known}
        answer = s3.upload_part_copy(**place, **source, PartNumber=number, **asked)
        parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    assert read(s3, other, "joined") == body


# -- versions and locks ------------------------------------------------------------------------------------------------


def test_versions_and_delete_markers(s3, versioned):
    first = s3.put_object(Bucket=versioned, Key="v", Body=b"1")["VersionId"]
    second = s3.put_object(Bucket=versioned, Key="v", Body=b"2")["VersionId"]
    assert first != second
    assert read(s3, versioned, "v", VersionId=first) == b"1"
    marker = s3.delete_object(Bucket=versioned, Key="v")
    assert marker["DeleteMarker"] is True
    with refused("NoSuchKey"):
        read(s3, versioned, "v")
    listed = s3.list_object_versions(Bucket=versioned, Prefix="v")
    assert (len(listed["Versions"]), len(listed["DeleteMarkers"])) == (2, 1)
    s3.delete_object(Bucket=versioned, Key="v", VersionId=marker["VersionId"])
    assert read(s3, versioned, "v") == b"2"


def test_one_version_can_be_copied_and_deleted(s3, versioned, other):
    first = s3.put_object(Bucket=versioned, Key="w", Body=b"1")["VersionId"]
    s3.put_object(Bucket=versioned, Key="w", Body=b"2")
    source = {"Bucket": versioned, "Key": "w", "VersionId": first}
    assert s3.copy_object(Bucket=other, Key="w", CopySource=source)["CopySourceVersionId"] == first
    assert read(s3, other, "w") == b"1"
    s3.delete_object(Bucket=versioned, Key="w", VersionId=first)
    assert read(s3, versioned, "w") == b"2"


@pytest.mark.parametrize("how", ["put", "copy", "multipart"])
def test_a_locked_version_stays(s3, locked, source, how):
    if how == "put":
        s3.put_object(Bucket=locked, Key=how, Body=BODY)
    elif how == "copy":
        s3.copy_object(Bucket=locked, Key=how, CopySource=source, IfNoneMatch="*")
    else:
        upload(s3, locked, how, BODY)
    head = s3.head_object(Bucket=locked, Key=how)
    assert head["ObjectLockMode"] == "GOVERNANCE"
    with refused("AccessDenied"):
        s3.delete_object(Bucket=locked, Key=how, VersionId=head["VersionId"])


def test_the_immutable_history_cannot_be_deleted_from(s3, stack, cloud):
    role = cloud.control("POST", "functions/fake-validate/credentials")["access_key_id"]
    validate = cloud.clients.get("s3", role)  # no other role may write
    place = {"Bucket": stack["RawHistBucketName"], "Key": "open_data/postcodes_example/kept"}
    validate.put_object(**place, Body=BODY)
    for client in (validate, s3):
        with refused("AccessDenied"):
            client.delete_object(**place)
    upload_id = validate.create_multipart_upload(**place)["UploadId"]
    s3.abort_multipart_upload(**place, UploadId=upload_id)


# -- keys, listings, ranges --------------------------------------------------------------------------------------------


def test_listings_come_in_pages(s3, cloud):
    bucket = cloud.bucket()
    keys = [f"p/{number:05d}" for number in range(25)]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    first = s3.list_objects_v2(Bucket=bucket, Prefix="p/", MaxKeys=10)
    assert (len(first["Contents"]), first["IsTruncated"]) == (10, True)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 10})
    assert [found["Key"] for page in pages for found in page["Contents"]] == keys
    assert s3.list_objects_v2(Bucket=bucket, Delimiter="/")["CommonPrefixes"] == [{"Prefix": "p/"}]
    assert len(s3.list_objects_v2(Bucket=bucket, StartAfter="p/00014")["Contents"]) == 10
    objects = [{"Key": key} for key in keys]
    assert len(s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})["Deleted"]) == 25


@pytest.mark.parametrize("key", ["a b/c=d+é&%25.txt", "日本/ü", "x//y", "trail/", "a=1/b=2/../c"])
def test_odd_keys(s3, bucket, other, key):
    s3.put_object(Bucket=bucket, Key=key, Body=BODY)
    s3.copy_object(Bucket=other, Key=key, CopySource={"Bucket": bucket, "Key": key})
    assert read(s3, other, key) == BODY
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=other)
    assert key in [found["Key"] for page in pages for found in page.get("Contents", [])]


def test_ranges(s3, bucket):
    body = os.urandom(1000)
    s3.put_object(Bucket=bucket, Key="ranges", Body=body)
    assert read(s3, bucket, "ranges", Range="bytes=100-199") == body[100:200]
    assert read(s3, bucket, "ranges", Range="bytes=-8") == body[-8:]
    with refused("InvalidRange"):
        read(s3, bucket, "ranges", Range="bytes=9999-")


def test_metadata_and_tags_go_with_a_copy(s3, bucket, other):
    place = {"Bucket": bucket, "Key": "described"}
    s3.put_object(**place, Body=BODY, Metadata={"run-id": "r1"}, ContentType="application/gzip", Tagging="a=b")
    s3.copy_object(Bucket=other, Key="described", CopySource=place)
    head = s3.head_object(Bucket=other, Key="described")
    assert (head["Metadata"], head["ContentType"]) == ({"run-id": "r1"}, "application/gzip")
    tags = s3.get_object_tagging(Bucket=other, Key="described")["TagSet"]
    assert tags == [{"Key": "a", "Value": "b"}]


def test_a_bucket_that_is_not_there(s3):
    with refused("NoSuchBucket"):
        s3.list_objects_v2(Bucket="not-there-at-all")


def test_any_credentials_do(cloud):
    keys = {"aws_access_key_id": "anyone", "aws_secret_access_key": "anything"}
    client = boto3.client("s3", endpoint_url=cloud.endpoint, region_name="eu-west-2", **keys)
    client.list_buckets()


# -- keys --------------------------------------------------------------------------------------------------------------


def test_a_key_has_1024_bytes_at_most(s3, bucket, source):
    longest = "é" * 511 + "xy"
    s3.put_object(Bucket=bucket, Key=longest, Body=BODY)
    assert s3.get_object(Bucket=bucket, Key=longest)["Body"].read() == BODY
    for key in ("x" * 1025, "é" * 511 + "xyz"):
        with refused("KeyTooLongError") as error:
            s3.put_object(Bucket=bucket, Key=key, Body=BODY)
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        with refused("KeyTooLongError"):
            s3.create_multipart_upload(Bucket=bucket, Key=key)
        with refused("KeyTooLongError"):
            s3.copy_object(Bucket=bucket, Key=key, CopySource=source)
        with refused("KeyTooLongError"):
            s3.get_object(Bucket=bucket, Key=key)
        with refused("400"):
            s3.head_object(Bucket=bucket, Key=key)
    s3.delete_object(Bucket=bucket, Key=longest)


@pytest.mark.parametrize("key", ["line\nfeed", "\n", "a/b\r\nc/d\n", "tab\there"])
def test_a_key_may_hold_line_feeds(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=BODY)
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == BODY
    assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == len(BODY)
    s3.copy_object(Bucket=bucket, Key=f"{key}2", CopySource={"Bucket": bucket, "Key": key})
    listed = [found["Key"] for found in s3.list_objects_v2(Bucket=bucket, Prefix=key[:1])["Contents"]]
    assert {key, f"{key}2"} <= set(listed)
    for done in (key, f"{key}2"):
        s3.delete_object(Bucket=bucket, Key=done)
    assert not s3.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents")
