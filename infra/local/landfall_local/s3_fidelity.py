"""What moto's S3 accepts and S3 refuses, or does otherwise, where a data pipeline relies on it.

- Conditions of a copy: CopySourceIfMatch, and If-None-Match / If-Match on the destination.
- "Only if absent" holds against writers at the same moment, too.
- A body that does not match its checksum is refused; a body without one gets CRC64NVME.
- A copy into a bucket with default retention needs no checksum header.
- A copy of a multipart object is one part: its ETag and its checksum are those of the whole.
- A multipart upload sends one event, not two, and is locked like any other object.
- A key has 1,024 bytes at most, and may have any character in it, line feeds too.
"""

import base64
import hashlib
import re
import threading
from urllib.parse import parse_qs, unquote, urlparse

from awscrt import checksums
from moto.moto_server.utilities import RegexConverter
from moto.s3 import notifications
from moto.s3.exceptions import PreconditionFailed, S3ClientError
from moto.s3.models import S3Backend
from moto.s3.responses import S3Response
from werkzeug.datastructures import Headers

# S3 adds this one where the client sends none.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
DEFAULT_ALGORITHM = "CRC64NVME"

HASHES = {
    # moto silently takes CRC32 for CRC32C when a package is missing
    "CRC32": lambda body: checksums.crc32(body).to_bytes(4, "big"),
    "CRC32C": lambda body: checksums.crc32c(body).to_bytes(4, "big"),
    "CRC64NVME": lambda body: checksums.crc64nvme(body).to_bytes(8, "big"),
    "SHA1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "SHA256": lambda body: hashlib.sha256(body).digest(),
}

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
KEY_BYTES = 1024

TRAILING_CHECKSUM = re.compile(rb"x-amz-checksum-(\w+):\s*([A-Za-z0-9+/=]+)")
TRAILER_BYTES = 300

# A few locks for all keys: a write of one key excludes other writes of it.
_locks = [threading.RLock() for _ in range(64)]


class BadDigestError(S3ClientError):
    code = "BadDigest"

    def __init__(self, algorithm: str):
        super().__init__(f"The {algorithm} you specified did not match what we received.")


class KeyTooLongError(S3ClientError):
    code = "KeyTooLongError"

    def __init__(self):
        super().__init__("Your key is too long")


def install() -> None:
    take_the_keys_that_s3_takes()
    verify_uploads()
    honour_conditions_of_copies()
    make_conditional_writes_atomic()
    complete_multipart_uploads_as_s3_does()


def checksum(body: bytes, algorithm: str) -> str:
    return base64.b64encode(HASHES[algorithm](body)).decode()


def same_etag(one: str, other: str) -> bool:
    return one.strip().strip('"') == other.strip().strip('"')


def with_headers(response: S3Response, extra: dict[str, str]) -> None:
    headers = Headers(response.headers)
    for name, value in extra.items():
        headers[name] = value
    response.headers = headers


# -- keys --------------------------------------------------------------------------------------------------------------


def take_the_keys_that_s3_takes() -> None:
    original_converter, original_response = RegexConverter.__init__, S3Response._key_response

    def converter(self, url_map, *items):
        original_converter(self, url_map, *items)
        self.regex = f"(?s:{self.regex})"  # a dot is a line feed too

    def key_response(self, *args, **kwargs):
        if len(self.parse_key_name().encode()) > KEY_BYTES:
            raise KeyTooLongError
        return original_response(self, *args, **kwargs)

    RegexConverter.__init__ = converter
    S3Response._key_response = key_response


# -- checksums ---------------------------------------------------------------------------------------------------------


def given_checksums(response: S3Response) -> dict[str, str]:
    """algorithm -> the value that the client sent, in a header or behind a streamed body."""
    given = {}
    for algorithm in HASHES:
        if value := response.headers.get(f"x-amz-checksum-{algorithm.lower()}"):
            given[algorithm] = value
    if "TRAILER" in response.headers.get("x-amz-content-sha256", "").upper():
        match = TRAILING_CHECKSUM.search((response.raw_body or b"")[-TRAILER_BYTES:])
        if match and match[1].decode().upper() in HASHES:
            given[match[1].decode().upper()] = match[2].decode()
    return given


def body_of(response: S3Response) -> bytes:
    body = response.body or b""
    return body if isinstance(body, bytes) else body.encode()


def verify(response: S3Response) -> None:
    body = body_of(response)
    md5 = response.headers.get("Content-Md5")
    if md5 and base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode() != md5:
        raise BadDigestError("Content-MD5")
    given = given_checksums(response)
    for algorithm, value in given.items():
        if checksum(body, algorithm) != value:
            raise BadDigestError(algorithm)
    # moto keeps a checksum only if it is told the algorithm by the header that SDKs, but not all clients, send.
    algorithm = next(iter(given), None) or response.headers.get("x-amz-sdk-checksum-algorithm")
    algorithm = (algorithm or DEFAULT_ALGORITHM).upper()
    if algorithm in HASHES:
        value = given.get(algorithm) or checksum(body, algorithm)
        extra = {"x-amz-sdk-checksum-algorithm": algorithm, f"x-amz-checksum-{algorithm.lower()}": value}
        with_headers(response, extra)


def verify_uploads() -> None:
    original_put, original_part = S3Response.put_object, S3Response.upload_part

    def put_object(self):
        verify(self)
        return original_put(self)

    def upload_part(self):
        verify(self)
        return original_part(self)

    S3Response.put_object = put_object
    S3Response.upload_part = upload_part


# -- copies ------------------------------------------------------------------------------------------------------------


def source_of_copy(response: S3Response):
    source = urlparse(response.headers["x-amz-copy-source"])
    bucket, key = unquote(source.path).lstrip("/").split("/", 1)
    version_id = parse_qs(source.query).get("versionId", [None])[0]
    return response.backend.get_object(bucket, key, version_id=version_id)


def check_source(response: S3Response) -> None:
    source = source_of_copy(response)
    wanted = response.headers.get("x-amz-copy-source-if-match")
    if source is not None and wanted and not same_etag(wanted, source.etag):
        raise PreconditionFailed("x-amz-copy-source-If-Match")


def check_destination(response: S3Response) -> None:
    current = response.backend.get_object(response.bucket_name, response.parse_key_name())
    if response.headers.get("If-None-Match") == "*" and current is not None:
        raise PreconditionFailed("If-None-Match")
    wanted = response.headers.get("If-Match")
    if wanted and (current is None or not same_etag(wanted, current.etag)):
        raise PreconditionFailed("If-Match")


def honour_conditions_of_copies() -> None:
    original_copy, original_part_copy = S3Response.copy_object, S3Response.upload_part_copy
    original_dispatch, original_backend_copy = S3Response._key_response_put, S3Backend.copy_object

    def copy_object(self):
        check_source(self)
        check_destination(self)
        return original_copy(self)

    def upload_part_copy(self):
        check_source(self)
        return original_part_copy(self)

    def dispatch(self, *args, **kwargs):
        # moto wants an upload into a locked bucket to carry a checksum, and takes a copy, which has no body, for one.
        is_copy = self.headers.get("x-amz-copy-source")
        if is_copy and not self.headers.get("x-amz-sdk-checksum-algorithm"):
            with_headers(self, {"Content-Md5": self.headers.get("Content-Md5") or "none: a copy"})
        return original_dispatch(self, *args, **kwargs)

    def backend_copy(self, src_key, *args, **kwargs):
        if src_key.multipart is None:
            return original_backend_copy(self, src_key, *args, **kwargs)
        return original_backend_copy(self, in_one_part(src_key), *args, **kwargs)

    S3Response.copy_object = copy_object
    S3Response.upload_part_copy = upload_part_copy
    S3Response._key_response_put = dispatch
    S3Backend.copy_object = backend_copy


class OnePart:
    """A multipart object as CopyObject sees it: the same, but whole."""

    def __init__(self, key):
        self._key = key
        self.multipart = None
        self.checksum_algorithm = key.checksum_algorithm or DEFAULT_ALGORITHM
        self.checksum_value = checksum(key.value, self.checksum_algorithm)

    def __getattr__(self, name: str):
        return getattr(self._key, name)


def in_one_part(key) -> OnePart:
    return OnePart(key)


# -- writers at the same moment ----------------------------------------------------------------------------------------


def make_conditional_writes_atomic() -> None:
    """moto checks a condition and then writes; between the two another thread may write."""

    def excluding(original):
        def handler(self, *args, **kwargs):
            with _locks[hash((self.bucket_name, self.parse_key_name())) % len(_locks)]:
                return original(self, *args, **kwargs)

        return handler

    # The last one is what completes a multipart upload.
    for name in ("put_object", "copy_object", "delete_object", "_key_response_post"):
        setattr(S3Response, name, excluding(getattr(S3Response, name)))


# -- multipart uploads -------------------------------------------------------------------------------------------------


def complete_multipart_uploads_as_s3_does() -> None:
    original_complete, original_send = S3Backend.complete_multipart_upload, notifications.send_event
    completing = threading.local()

    def complete_multipart_upload(self, bucket_name, *args, **kwargs):
        completing.now = True
        try:
            key = original_complete(self, bucket_name, *args, **kwargs)
        finally:
            completing.now = False
        bucket = self.get_bucket(bucket_name)
        if key is not None and bucket.has_default_lock and not key.lock_mode:
            key.lock_mode = bucket.default_lock_mode
            key.lock_until = bucket.default_retention()
        return key

    def send_event(account_id, event_name, bucket, key) -> None:
        is_put = event_name == notifications.S3NotificationEvent.OBJECT_CREATED_PUT_EVENT
        if not (is_put and getattr(completing, "now", False)):
            original_send(account_id, event_name, bucket, key)

    S3Backend.complete_multipart_upload = complete_multipart_upload
    notifications.send_event = send_event
