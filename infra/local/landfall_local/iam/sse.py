"""SSE-KMS: the permissions for a key that S3 needs on a caller's behalf.

Reading an object encrypted with a key needs kms:Decrypt, and writing one needs kms:GenerateDataKey. Parts, and the
completion of an upload, need kms:Decrypt. A HEAD needs none unless it requests the checksum. Everybody may use the key
aws/s3.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html (and each operation's reference)
"""

from dataclasses import dataclass

from . import keys, s3
from .policies import Need
from .s3 import UnjudgedError

KMS = ("aws:kms", "aws:kms:dsse")
PARTS = {"CompleteMultipartUpload", "UploadPart", "UploadPartCopy"}
SSE_C = "x-amz-server-side-encryption-customer-algorithm"


@dataclass(frozen=True)
class Encryption:
    """The encryption of an existing or a new object, if its key has a policy."""

    key: str
    context: str  # the value of S3's aws:s3:arn


def of_s3(request: s3.Request, context: dict[str, list[str]]) -> list[Need]:
    operation, wanted = request.operation, []
    if SSE_C in request.headers and operation in s3.OBJECT_ACTIONS:
        raise UnjudgedError(f"s3:{operation} with a key of the caller's own (SSE-C)")
    if operation in ("GetObject", "GetObjectAttributes") or (
        operation == "HeadObject" and request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED"
    ):
        wanted.append((keys.DECRYPT, of_object(request.bucket, request.key, request.version)))
    if operation in s3.COPIES:
        wanted.append((keys.DECRYPT, of_object(*s3.source(request))))
    if operation in s3.BEGINNINGS:
        wanted.append((keys.GENERATE, of_write(request)))
    if operation in PARTS:
        wanted.append((keys.DECRYPT, of_upload(request)))
    return [need(action, found, context) for action, found in wanted if found]


def need(action: str, encryption: Encryption, context: dict[str, list[str]]) -> Need:
    more = {**keys.asked_by("s3"), "kms:encryptioncontext:aws:s3:arn": [encryption.context]}
    return Need(action, encryption.key, context | more)


def of_object(bucket: str, key: str, version: str | None) -> Encryption | None:
    found = s3.find_object(bucket, key, version)
    kind, name = getattr(found, "encryption", None), getattr(found, "kms_key_id", None)
    with_bucket_key = str(getattr(found, "bucket_key_enabled", "")).lower() == "true"
    return encryption(kind, name, bucket, None if with_bucket_key else key)


def of_write(request: s3.Request) -> Encryption | None:
    """Returns the encryption of a write. A header overrides the bucket's default, and one without a key means
    aws/s3."""
    headers = request.headers
    return chosen(
        request,
        headers.get("x-amz-server-side-encryption"),
        headers.get("x-amz-server-side-encryption-aws-kms-key-id"),
    )


def of_upload(request: s3.Request) -> Encryption | None:
    bucket = s3.find_bucket(request.bucket)
    upload = bucket.multiparts.get(request.query.get("uploadId")) if bucket else None
    return chosen(request, upload.sse_encryption, upload.kms_key_id) if upload else None


def chosen(request: s3.Request, kind: str | None, name: str | None) -> Encryption | None:
    bucket = s3.find_bucket(request.bucket)
    rule = (bucket.encryption or {}).get("Rule", {}) if bucket else {}
    default = rule.get("ApplyServerSideEncryptionByDefault", {})
    if not kind:
        kind, name = default.get("SSEAlgorithm"), default.get("KMSMasterKeyID")
    with_bucket_key = str(rule.get("BucketKeyEnabled", "")).lower() == "true"
    return encryption(kind, name, request.bucket, None if with_bucket_key else request.key)


def encryption(kind: str | None, name: str | None, bucket: str, key: str | None) -> Encryption | None:
    return Encryption(keys.arn_of(name), s3.arn(bucket, key)) if kind in KMS and name else None
