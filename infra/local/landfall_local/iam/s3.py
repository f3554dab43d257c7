"""S3: the actions and resources of a request, and its values for conditions.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""

import contextlib
import io
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, unquote_plus

from moto.s3.models import FakeBucket, FakeKey, s3_backends

from ..account import ACCOUNT_ID, PARTITION
from . import keys, policies
from .policies import Need

# Operations on a bucket whose action has a different name.
BUCKET_ACTIONS = {
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycle": "GetLifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "PutBucketCors": "PutBucketCORS",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycle": "PutLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutBucketReplication": "PutReplicationConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
}
# Operations on a bucket whose action has the same name.
BUCKET_ACTIONS |= {
    name: name
    for name in (
        "CreateBucket",
        "DeleteBucket",
        "DeleteBucketPolicy",
        "DeleteBucketWebsite",
        "GetBucketAcl",
        "GetBucketLocation",
        "GetBucketLogging",
        "GetBucketNotification",
        "GetBucketOwnershipControls",
        "GetBucketPolicy",
        "GetBucketPolicyStatus",
        "GetBucketRequestPayment",
        "GetBucketTagging",
        "GetBucketVersioning",
        "GetBucketWebsite",
        "PutBucketAcl",
        "PutBucketLogging",
        "PutBucketNotification",
        "PutBucketOwnershipControls",
        "PutBucketPolicy",
        "PutBucketRequestPayment",
        "PutBucketTagging",
        "PutBucketVersioning",
        "PutBucketWebsite",
    )
}

# Operations on an object: the action, and the one used if the request names a version.
OBJECT_ACTIONS = {
    "AbortMultipartUpload": ("AbortMultipartUpload", None),
    "CompleteMultipartUpload": ("PutObject", None),
    "CopyObject": ("PutObject", None),
    "CreateMultipartUpload": ("PutObject", None),
    "DeleteObject": ("DeleteObject", "DeleteObjectVersion"),
    "DeleteObjectTagging": ("DeleteObjectTagging", "DeleteObjectVersionTagging"),
    "GetObject": ("GetObject", "GetObjectVersion"),
    "GetObjectAttributes": ("GetObject", "GetObjectVersion"),
    "GetObjectAcl": ("GetObjectAcl", "GetObjectVersionAcl"),
    "GetObjectLegalHold": ("GetObjectLegalHold", None),
    "GetObjectRetention": ("GetObjectRetention", None),
    "GetObjectTagging": ("GetObjectTagging", "GetObjectVersionTagging"),
    "HeadObject": ("GetObject", "GetObjectVersion"),
    "ListParts": ("ListMultipartUploadParts", None),
    "PutObject": ("PutObject", None),
    "PutObjectAcl": ("PutObjectAcl", "PutObjectVersionAcl"),
    "PutObjectLegalHold": ("PutObjectLegalHold", None),
    "PutObjectRetention": ("PutObjectRetention", None),
    "PutObjectTagging": ("PutObjectTagging", "PutObjectVersionTagging"),
    "RestoreObject": ("RestoreObject", None),
    "SelectObjectContent": ("GetObject", None),
    "UploadPart": ("PutObject", None),
    "UploadPartCopy": ("PutObject", None),
}

READS = {"GetObject", "HeadObject"}
COPIES = {"CopyObject", "UploadPartCopy"}
CONDITIONAL_WRITES = {"CompleteMultipartUpload", "CopyObject", "PutObject"}
BEGINNINGS = {"CopyObject", "CreateMultipartUpload", "PutObject"}  # operations that may set tags, an ACL or a lock

HEADERS = {  # condition key -> header
    "s3:if-match": "if-match",
    "s3:if-none-match": "if-none-match",
    "s3:object-lock-legal-hold": "x-amz-object-lock-legal-hold",
    "s3:object-lock-mode": "x-amz-object-lock-mode",
    "s3:object-lock-retain-until-date": "x-amz-object-lock-retain-until-date",
    "s3:x-amz-acl": "x-amz-acl",
    "s3:x-amz-copy-source": "x-amz-copy-source",
    "s3:x-amz-metadata-directive": "x-amz-metadata-directive",
    "s3:x-amz-server-side-encryption": "x-amz-server-side-encryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id": "x-amz-server-side-encryption-aws-kms-key-id",
    "s3:x-amz-server-side-encryption-customer-algorithm": "x-amz-server-side-encryption-customer-algorithm",
    "s3:x-amz-storage-class": "x-amz-storage-class",
}
QUERY = {"s3:prefix": "prefix", "s3:delimiter": "delimiter", "s3:max-keys": "max-keys", "s3:versionid": "versionId"}
LISTS = {"ListMultipartUploads", "ListObjectVersions", "ListObjects", "ListObjectsV2"}


class UnjudgedError(Exception):
    """The permissions that a call needs are not known here."""


@dataclass
class Request:
    """The parts of a request that decide on permissions."""

    operation: str
    bucket: str
    key: str
    query: dict[str, str]
    headers: dict[str, str]  # names in lower case
    context: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, header in HEADERS.items():
            if header in self.headers:
                self.context[name] = [self.headers[header]]
        if found := self.context.get("s3:x-amz-server-side-encryption-aws-kms-key-id"):
            found[:] = map(keys.arn_of, found)  # whatever name the caller uses
        names = QUERY if self.operation in LISTS else {"s3:versionid": "versionId"}
        for name, parameter in names.items():
            if parameter in self.query:
                self.context[name] = [self.query[parameter]]
        if self.key and (tags := self.headers.get("x-amz-tagging")):
            for tag, values in parse_qs(tags, keep_blank_values=True).items():
                self.context[f"s3:requestobjecttag/{tag.lower()}"] = values[:1]
                self.context.setdefault("s3:requestobjecttagkeys", []).append(tag)
        self.context["s3:resourceaccount"] = self.context["aws:resourceaccount"] = [ACCOUNT_ID]

    @property
    def version(self) -> str | None:
        return self.query.get("versionId")


def read(environ: dict, operation: str) -> Request:
    path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
    bucket, _, key = path.lstrip("/").partition("/")
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith(("HTTP_X_AMZ_", "HTTP_IF_"))
    }
    return Request(operation, bucket, key, {name: values[0] for name, values in query.items()}, headers)


def arn(bucket: str, key: str | None = None) -> str:
    return f"arn:{PARTITION}:s3:::{bucket}" + ("" if key is None else f"/{key}")


def needs(request: Request, context: dict[str, list[str]]) -> list[Need]:
    """Returns the needs of a request. `context` is that of the caller."""
    context = context | request.context
    operation = request.operation
    if operation == "ListBuckets":
        return [Need("s3:ListAllMyBuckets", "*", context)]
    if operation in BUCKET_ACTIONS:
        return [Need(f"s3:{BUCKET_ACTIONS[operation]}", arn(request.bucket), context)]
    if operation == "DeleteObjects":
        return []  # each key separately, see deletions
    if operation not in OBJECT_ACTIONS:
        raise UnjudgedError(f"s3:{operation}")
    plain, of_version = OBJECT_ACTIONS[operation]
    if request.version and not of_version:
        raise UnjudgedError(f"s3:{operation} of a version")
    actions = [of_version if request.version else plain, *further(request)]
    found = [] if operation not in COPIES else of_source(request, context)
    return found + [
        Need(f"s3:{action}", arn(request.bucket, request.key), tagged(request, context)) for action in actions
    ]


def further(request: Request) -> list[str]:
    """Returns the additional actions of a request."""
    found, headers = [], request.headers
    if request.operation in BEGINNINGS:
        if "x-amz-tagging" in headers:
            found.append("PutObjectTagging")
        if any(name == "x-amz-acl" or name.startswith("x-amz-grant-") for name in headers):
            found.append("PutObjectAcl")
        if "x-amz-object-lock-mode" in headers or "x-amz-object-lock-retain-until-date" in headers:
            found.append("PutObjectRetention")
        if "x-amz-object-lock-legal-hold" in headers:
            found.append("PutObjectLegalHold")
    if "if-match" in headers and (request.operation == "DeleteObject" or request.operation in CONDITIONAL_WRITES):
        found.append("GetObject")
    if headers.get("x-amz-bypass-governance-retention", "").lower() == "true":
        found.append("BypassGovernanceRetention")
    if request.operation == "GetObjectAttributes":
        found.append("GetObjectVersionAttributes" if request.version else "GetObjectAttributes")
    # a copy includes the tags of its source, unless the request excludes them
    if request.operation == "CopyObject" and "PutObjectTagging" not in found and tags_of_source(request):
        found.append("PutObjectTagging")
    return found


def source(request: Request) -> tuple[str, str, str | None]:
    """Returns bucket, key and version of a copy's source."""
    path, _, query = request.headers["x-amz-copy-source"].partition("?versionId=")
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    return bucket, key, unquote_plus(query) or None


def of_source(request: Request, context: dict[str, list[str]]) -> list[Need]:
    bucket, key, version = source(request)
    of_version = "Version" if version else ""
    actions = [f"s3:GetObject{of_version}"]
    if request.operation == "CopyObject" and tags_of_source(request):
        actions.append(f"s3:GetObject{of_version}Tagging")
    return [Need(action, arn(bucket, key), context) for action in actions]


def tags_of_source(request: Request) -> dict[str, str]:
    """Returns the tags that a copy would include."""
    if request.headers.get("x-amz-tagging-directive", "COPY").upper() != "COPY":
        return {}
    bucket, key, version = source(request)
    return tags_of(find_object(bucket, key, version))


def tagged(request: Request, context: dict[str, list[str]]) -> dict[str, list[str]]:
    """Adds the tags of the existing object."""
    tags = tags_of(find_object(request.bucket, request.key, request.version))
    return context | {f"s3:existingobjecttag/{name.lower()}": [value] for name, value in tags.items()}


def find_bucket(name: str) -> FakeBucket | None:
    return s3_backends[ACCOUNT_ID][PARTITION].buckets.get(name)


def find_object(bucket: str, key: str, version: str | None) -> FakeKey | None:
    if find_bucket(bucket) is None:
        return None
    return s3_backends[ACCOUNT_ID][PARTITION].get_object(bucket, key, version_id=version)


def tags_of(found: FakeKey | None) -> dict[str, str]:
    return s3_backends[ACCOUNT_ID][PARTITION].tagger.get_tag_dict_for_resource(found.arn) if found else {}


def bucket_policy(resource: str) -> str | None:
    """Returns the policy of the bucket that an ARN names, or that contains the named object."""
    found = find_bucket(resource.split(":::", 1)[-1].split("/", 1)[0])
    policy = found.policy if found else None
    return policy.decode() if isinstance(policy, bytes) else policy


def body_of(environ: dict) -> bytes:
    """Reads a request's body. It can be read again afterwards."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def check_policy(environ: dict) -> None:
    """Checks that a bucket's new policy can be judged. Otherwise nobody could call the bucket any more."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):  # not a policy at all: S3 refuses it
        policies.parse("bucket", body_of(environ).decode())


def deletions(environ: dict, request: Request, context: dict[str, list[str]]) -> list[tuple[str, list[Need]]]:
    """Returns (key, the needs of its deletion) for each key of a DeleteObjects."""
    found = []
    for entry in ET.fromstring(body_of(environ)).iter():
        if entry.tag.rpartition("}")[2] != "Object":
            continue
        fields = {child.tag.rpartition("}")[2]: child.text or "" for child in entry}
        query = {"versionId": fields["VersionId"]} if fields.get("VersionId") else {}
        headers = request.headers | ({"if-match": fields["ETag"]} if fields.get("ETag") else {})
        one = Request("DeleteObject", request.bucket, fields.get("Key", ""), query, headers)
        found.append((one.key, needs(one, context)))
    return found


def if_missing(request: Request, context: dict[str, list[str]]) -> Need | None:
    """Returns the need that allows a caller to learn that an object is missing, instead of a denial."""
    if request.operation in READS:
        bucket, version = request.bucket, request.version
    elif request.operation in COPIES:
        bucket, _, version = source(request)
    else:
        return None
    action = "s3:ListBucketVersions" if version else "s3:ListBucket"
    return Need(action, arn(bucket), context) if find_bucket(bucket) else None
