"""Multipart uploads are refused as in S3, and completed objects have the checksum that S3 gives them."""

import base64
import hashlib
import http.client
import os
from urllib.parse import urlparse

import pytest
from awscrt import checksums
from botocore.exceptions import ClientError
from test_s3 import refused

from landfall_local.s3_checksums import RefusedError
from landfall_local.s3_fidelity import REQUEST_BYTES, check_size_of_copy, size_of_range

MEBIBYTE = 1024 * 1024
PART = os.urandom(5 * MEBIBYTE)
END = b"the end"
LOST = "One or more of the specified parts could not be found"


def crc64(body: bytes) -> str:
    return base64.b64encode(checksums.crc64nvme(body).to_bytes(8, "big")).decode()


def crc32(body: bytes) -> str:
    return base64.b64encode(checksums.crc32(body).to_bytes(4, "big")).decode()


def sha256(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


class Upload:
    """A multipart upload, step by step."""

    def __init__(self, s3, bucket: str, key: str, **arguments):
        self.s3 = s3
        self.place = {"Bucket": bucket, "Key": key}
        self.created = s3.create_multipart_upload(**self.place, **arguments)
        self.id = {"UploadId": self.created["UploadId"]}
        self.parts: list[dict] = []

    def part(self, body: bytes, number: int | None = None, **arguments) -> dict:
        number = number or len(self.parts) + 1
        answer = self.s3.upload_part(**self.place, **self.id, PartNumber=number, Body=body, **arguments)
        self.parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        return answer

    def complete(self, *parts: dict, **arguments) -> dict:
        named = {"Parts": list(parts) or self.parts}
        return self.s3.complete_multipart_upload(**self.place, **self.id, MultipartUpload=named, **arguments)

    def head(self) -> dict:
        return self.s3.head_object(**self.place, ChecksumMode="ENABLED")


@pytest.fixture
def begin(s3, bucket, request):
    return lambda **arguments: Upload(s3, bucket, request.node.name, **arguments)


# -- without an algorithm ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC64NVME", "SHA256"])
def test_checksums_of_parts_of_an_upload_without_an_algorithm_are_not_kept(begin, algorithm):
    upload = begin()
    answer = upload.part(PART, ChecksumAlgorithm=algorithm)
    with_checksum = {**upload.parts[0], f"Checksum{algorithm}": answer[f"Checksum{algorithm}"]}
    with refused("InvalidPart") as error:
        upload.complete(with_checksum)
    assert LOST in str(error.value)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    done = upload.complete(*upload.parts)  # the upload still exists
    assert (done["ChecksumCRC64NVME"], done["ChecksumType"]) == (crc64(PART), "FULL_OBJECT")


def test_an_upload_without_an_algorithm_gets_the_default_one(begin):
    upload = begin()
    assert "ChecksumAlgorithm" not in upload.created
    upload.part(PART)
    upload.part(END)
    upload.complete()
    head = upload.head()
    assert (head["ChecksumCRC64NVME"], head["ChecksumType"]) == (crc64(PART + END), "FULL_OBJECT")


# -- with an algorithm -------------------------------------------------------------------------------------------------


def test_a_full_object_checksum_is_that_of_the_whole(begin, s3, cloud):
    upload = begin(ChecksumAlgorithm="CRC64NVME", ChecksumType="FULL_OBJECT")
    assert (upload.created["ChecksumAlgorithm"], upload.created["ChecksumType"]) == ("CRC64NVME", "FULL_OBJECT")
    for body in (PART, END):
        answer = upload.part(body, ChecksumAlgorithm="CRC64NVME")
        assert answer["ChecksumCRC64NVME"] == crc64(body)
        upload.parts[-1]["ChecksumCRC64NVME"] = answer["ChecksumCRC64NVME"]
    expected = {"ChecksumCRC64NVME": crc64(PART + END), "ChecksumType": "FULL_OBJECT"}
    done = upload.complete(**expected, MpuObjectSize=len(PART + END))
    read = s3.get_object(**upload.place, ChecksumMode="ENABLED")
    copied = s3.copy_object(Bucket=cloud.bucket(), Key="k", CopySource=upload.place)["CopyObjectResult"]
    for answer in (done, upload.head(), read, copied):
        assert {name: answer.get(name) for name in expected} == expected
    assert "ChecksumCRC64NVME" not in s3.head_object(**upload.place)  # not requested


def test_parts_of_a_full_object_need_no_checksum_when_it_is_completed(begin):
    upload = begin(ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    upload.part(PART)
    upload.part(END)
    assert upload.complete()["ChecksumCRC32"] == crc32(PART + END)


def test_a_full_object_that_is_another_is_refused(begin):
    upload = begin(ChecksumAlgorithm="CRC64NVME")
    upload.part(PART, ChecksumAlgorithm="CRC64NVME")
    with refused("BadDigest"):
        upload.complete(ChecksumCRC64NVME=crc64(END))
    with refused("InvalidRequest"):
        upload.complete(MpuObjectSize=1)
    with refused("InvalidRequest"):
        upload.complete(ChecksumType="COMPOSITE")
    upload.complete(ChecksumCRC64NVME=crc64(PART))


def test_a_composite_checksum_is_that_of_the_parts_checksums(begin, s3):
    upload = begin(ChecksumAlgorithm="SHA256")
    assert upload.created["ChecksumType"] == "COMPOSITE"
    for body in (PART, END):
        upload.part(body, ChecksumAlgorithm="SHA256")
    with refused("InvalidRequest") as error:
        upload.complete()
    assert "must include the checksum for each part" in str(error.value)
    for part, body in zip(upload.parts, (PART, END), strict=True):
        part["ChecksumSHA256"] = sha256(body)
    of_parts = b"".join(hashlib.sha256(body).digest() for body in (PART, END))
    expected = (f"{sha256(of_parts)}-2", "COMPOSITE")
    done, head = upload.complete(ChecksumSHA256=expected[0]), upload.head()
    read = s3.get_object(**upload.place, ChecksumMode="ENABLED")
    for answer in (done, head, read):
        assert (answer["ChecksumSHA256"], answer["ChecksumType"]) == expected


def test_a_part_that_is_another_is_refused(begin):
    upload = begin(ChecksumAlgorithm="SHA256")
    upload.part(PART, ChecksumAlgorithm="SHA256")
    with refused("InvalidPart"):
        upload.complete({**upload.parts[0], "ChecksumSHA256": sha256(END)})
    with refused("InvalidPart"):
        upload.complete({"PartNumber": 1, "ETag": '"another"', "ChecksumSHA256": sha256(PART)})
    with refused("InvalidPart"):
        upload.complete({"PartNumber": 2, "ETag": upload.parts[0]["ETag"]})
    with refused("BadDigest"):
        upload.complete({**upload.parts[0], "ChecksumCRC32": crc32(PART)})


@pytest.mark.parametrize(
    ("created", "sent"), [("CRC64NVME", "CRC32"), ("CRC32", "CRC64NVME"), ("CRC32C", "CRC32"), ("SHA256", "SHA1")]
)
def test_a_part_with_another_algorithm_is_refused(begin, created, sent):
    upload = begin(ChecksumAlgorithm=created)
    with refused("InvalidRequest") as error:
        upload.part(END, ChecksumAlgorithm=sent)
    expected = f"expected checksum Type: {created.lower()}, actual checksum Type: {sent.lower()}"
    assert f"Checksum Type mismatch occurred, {expected}" in str(error.value)


def test_an_algorithm_has_its_types(begin):
    for algorithm, kind in [("CRC64NVME", "COMPOSITE"), ("SHA256", "FULL_OBJECT"), ("SHA1", "FULL_OBJECT")]:
        with refused("InvalidRequest") as error:
            begin(ChecksumAlgorithm=algorithm, ChecksumType=kind)
        assert f"The {kind} checksum type cannot be used with the {algorithm.lower()}" in str(error.value)
    with refused("InvalidRequest"):
        begin(ChecksumType="FULL_OBJECT")
    for algorithm in ("CRC32", "CRC32C"):
        for kind in ("COMPOSITE", "FULL_OBJECT"):
            assert begin(ChecksumAlgorithm=algorithm, ChecksumType=kind).created["ChecksumType"] == kind


def test_a_copied_part_gets_a_checksum_of_the_uploads_algorithm(begin, s3, bucket):
    s3.put_object(Bucket=bucket, Key="to-copy", Body=PART)
    upload = begin(ChecksumAlgorithm="CRC64NVME")
    source = {"CopySource": {"Bucket": bucket, "Key": "to-copy"}, "PartNumber": 1}
    answer = s3.upload_part_copy(**upload.place, **upload.id, **source)["CopyPartResult"]
    assert answer["ChecksumCRC64NVME"] == crc64(PART)
    part = {"PartNumber": 1, "ETag": answer["ETag"], "ChecksumCRC64NVME": answer["ChecksumCRC64NVME"]}
    assert upload.complete(part)["ChecksumCRC64NVME"] == crc64(PART)


# -- parts -------------------------------------------------------------------------------------------------------------


def test_only_the_last_part_may_be_small(begin):
    upload = begin()
    upload.part(PART[:-1])
    upload.part(END)
    with refused("EntityTooSmall"):
        upload.complete()
    upload.complete(upload.parts[0])


def test_parts_are_named_in_ascending_order(begin):
    upload = begin()
    upload.part(PART)
    upload.part(PART)
    for parts in (upload.parts[::-1], upload.parts[:1] * 2):
        with refused("InvalidPartOrder"):
            upload.complete(*parts)
    upload.complete()


@pytest.mark.parametrize("number", [-1, 10_001])
def test_parts_are_numbered_up_to_10000(begin, number):
    upload = begin()
    with refused("InvalidArgument") as error:
        upload.part(END, number)
    assert "Part number must be an integer between 1 and 10000, inclusive" in str(error.value)
    upload.part(END, 10_000)
    with refused("InvalidArgument"):
        upload.complete({"PartNumber": number, "ETag": upload.parts[0]["ETag"]})
    upload.complete()


def test_what_an_upload_was_created_with_is_the_uploads(cloud, s3):
    upload = Upload(s3, cloud.bucket(), "k", ChecksumAlgorithm="CRC32")
    (listed,) = s3.list_multipart_uploads(Bucket=upload.place["Bucket"])["Uploads"]
    assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == ("CRC32", "COMPOSITE")
    answer = upload.part(END, ChecksumAlgorithm="CRC32")
    upload.complete({**upload.parts[0], "ChecksumCRC32": answer["ChecksumCRC32"]})
    assert "x-amz-checksum-algorithm" not in s3.head_object(**upload.place)["ResponseMetadata"]["HTTPHeaders"]


def test_an_upload_that_is_not_there(begin, s3, bucket):
    upload = begin()
    upload.part(END)
    s3.abort_multipart_upload(**upload.place, **upload.id)
    with refused("NoSuchUpload") as error:
        upload.part(END)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    with refused("NoSuchUpload"):
        upload.complete()
    with refused("NoSuchUpload"):
        s3.upload_part(Bucket=bucket, Key="another key", **begin().id, PartNumber=1, Body=END)


def test_an_upload_is_completed_once_but_its_answer_may_be_asked_for_again(begin):
    upload = begin(ChecksumAlgorithm="CRC64NVME")
    upload.part(PART, ChecksumAlgorithm="CRC64NVME")
    first, second = upload.complete(), upload.complete()
    for name in ("ETag", "ChecksumCRC64NVME", "ChecksumType"):
        assert first[name] == second[name]


def test_an_upload_over_a_known_state(begin, s3):
    upload = begin()
    upload.part(END)
    with refused("NoSuchKey"):
        upload.complete(IfMatch='"anything"')
    known = s3.put_object(**upload.place, Body=b"before")["ETag"]
    with refused("PreconditionFailed"):
        upload.complete(IfMatch='"anything"')
    upload.complete(IfMatch=known)


def raw(cloud, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlparse(cloud.endpoint).netloc, timeout=10)
    connection.putrequest(method, path)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        connection.putheader(name.replace("_", "-"), value)
    signed = "AWS4-HMAC-SHA256 Credential=local/20260101/eu-west-2/s3/aws4_request, Signature=x"
    connection.putheader("Authorization", signed)
    connection.endheaders(body)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<CompleteMultipartUpload/>",
        b"<CompleteMultipartUpload><Part><ETag>x</ETag></Part></CompleteMultipartUpload>",
        b"<CompleteMultipartUpload><Part>",
    ],
)
def test_a_malformed_completion(cloud, begin, body):
    upload = begin()
    path = f"/{upload.place['Bucket']}/{upload.place['Key'].partition('[')[0]}"
    upload = Upload(cloud.s3, upload.place["Bucket"], path.rpartition("/")[2])
    status, answer = raw(cloud, "POST", f"{path}?uploadId={upload.id['UploadId']}", body)
    assert (status, "MalformedXML" in answer) == (400, True), answer


# -- sizes and headers -------------------------------------------------------------------------------------------------


def test_a_request_carries_five_gibibytes_at_most(cloud, bucket):
    status, answer = raw(cloud, "PUT", f"/{bucket}/large", Content_Length=str(REQUEST_BYTES + 1))
    assert (status, "EntityTooLarge" in answer) == (400, True), answer


def test_a_copy_of_more_than_five_gibibytes():
    check_size_of_copy(REQUEST_BYTES)
    with pytest.raises(RefusedError, match="larger than the maximum allowable size for a copy source: 5368709120"):
        check_size_of_copy(REQUEST_BYTES + 1)
    assert size_of_range(None, 7) == 7
    assert size_of_range("bytes=2-6", 7) == 5


@pytest.mark.parametrize("asked", ["bytes=0-7", "bytes=3-2", "bytes=3-", "0-3"])
def test_a_range_that_the_source_has_not(begin, s3, bucket, asked):
    s3.put_object(Bucket=bucket, Key="seven", Body=b"1234567")
    upload = begin()
    source = {"CopySource": {"Bucket": bucket, "Key": "seven"}, "PartNumber": 1}
    with refused("InvalidArgument"):
        s3.upload_part_copy(**upload.place, **upload.id, **source, CopySourceRange=asked)
    s3.upload_part_copy(**upload.place, **upload.id, **source, CopySourceRange="bytes=0-6")


@pytest.mark.parametrize(
    "headers",
    [
        {"x_amz_checksum_crc32": "AAAA"},
        {"x_amz_checksum_crc32": "not base64"},
        {"x_amz_sdk_checksum_algorithm": "CRC32"},
        {"x_amz_checksum_crc32": crc32(END), "x_amz_checksum_crc64nvme": crc64(END)},
        {"x_amz_checksum_xxhash64": "AAAAAAAAAAA="},
    ],
    ids=str,
)
def test_a_checksum_that_cannot_be(cloud, bucket, headers):
    status, answer = raw(cloud, "PUT", f"/{bucket}/odd", END, **headers)
    assert (status, "InvalidRequest" in answer) == (400, True), answer


def test_answers_to_a_put_tell_the_type(s3, bucket):
    answer = s3.put_object(Bucket=bucket, Key="typed", Body=END, ChecksumAlgorithm="CRC64NVME")
    assert (answer["ChecksumCRC64NVME"], answer["ChecksumType"]) == (crc64(END), "FULL_OBJECT")
    read = s3.get_object(Bucket=bucket, Key="typed", ChecksumMode="ENABLED")
    assert (read["ChecksumCRC64NVME"], read["ChecksumType"]) == (crc64(END), "FULL_OBJECT")


def test_a_deletion_of_whatever_is_there(s3, bucket):
    s3.put_object(Bucket=bucket, Key="any", Body=END)
    s3.delete_object(Bucket=bucket, Key="any", IfMatch="*")
    with pytest.raises(ClientError):
        s3.head_object(Bucket=bucket, Key="any")
