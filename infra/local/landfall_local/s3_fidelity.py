"""Differences between S3 and moto's S3 that matter to a data pipeline. Mostly, moto accepts what S3 refuses.

- Conditions of a copy: CopySourceIfMatch, and If-None-Match / If-Match on the destination.
- "Only if absent" also holds against simultaneous writers.
- If-Match of a deletion may be *, which matches any object.
- A copy into a bucket with default retention needs no checksum header.
- A copy of a multipart object has one part: its ETag and its checksum are those of the whole.
- A key has 1,024 bytes at most, and may contain any character, including line feeds.
- One request carries 5 GiB at most, including a copy or a part of one.

For checksums and multipart uploads, see s3_checksums and s3_multipart.
"""

import re
import threading
import uuid
from urllib.parse import parse_qs, unquote, urlparse

from moto.moto_server.utilities import RegexConverter
from moto.s3.exceptions import PreconditionFailed
from moto.s3.models import S3Backend
from moto.s3.responses import S3Response

from . import s3_checksums, s3_multipart
from .s3_checksums import DEFAULT_ALGORITHM, RefusedError, checksum, with_headers

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
KEY_BYTES = 1024

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html
REQUEST_BYTES = 5 * 1024**3

RANGE = re.compile(r"bytes=(\d+)-(\d+)")

# A few locks for all keys: a write to a key excludes other writes to it.
_locks = [threading.RLock() for _ in range(64)]


class KeyTooLongError(RefusedError):
    def __init__(self):
        super().__init__("KeyTooLongError", "Your key is too long")


def install() -> None:
    take_the_keys_that_s3_takes()
    refuse_what_is_too_large()
    s3_checksums.install()
    honour_conditions_of_copies()
    s3_multipart.install()
    honour_conditions_of_deletions()
    make_conditional_writes_atomic()


def same_etag(one: str, other: str) -> bool:
    return one.strip().strip('"') == other.strip().strip('"')


# -- keys --------------------------------------------------------------------------------------------------------------


def take_the_keys_that_s3_takes() -> None:
    original_converter, original_response = RegexConverter.__init__, S3Response._key_response

    def converter(self, url_map, *items):
        original_converter(self, url_map, *items)
        self.regex = f"(?s:{self.regex})"  # a dot matches a line feed too

    def key_response(self, *args, **kwargs):
        if len(self.parse_key_name().encode()) > KEY_BYTES:
            raise KeyTooLongError
        return original_response(self, *args, **kwargs)

    RegexConverter.__init__ = converter
    S3Response._key_response = key_response


# -- sizes -------------------------------------------------------------------------------------------------------------


def refuse_what_is_too_large() -> None:
    original = S3Response.key_response

    def key_response(self, request, full_url, headers):
        # before the body is read
        length = request.headers.get("x-amz-decoded-content-length") or request.headers.get("Content-Length") or 0
        if request.method == "PUT" and int(length) > REQUEST_BYTES:
            return too_large(int(length))
        return original(self, request, full_url, headers)

    S3Response.key_response = key_response


def too_large(size: int) -> tuple[int, dict[str, str], str]:
    request_id = uuid.uuid4().hex[:16].upper()
    body = (
        "<Error><Code>EntityTooLarge</Code><Message>Your proposed upload exceeds the maximum allowed size</Message>"
        f"<ProposedSize>{size}</ProposedSize><MaxSizeAllowed>{REQUEST_BYTES}</MaxSizeAllowed>"
        f"<RequestId>{request_id}</RequestId></Error>"
    )
    return 400, {"Content-Type": "application/xml", "x-amz-request-id": request_id}, body


def check_size_of_copy(size: int) -> None:
    if size > REQUEST_BYTES:
        message = (
            f"The specified copy source is larger than the maximum allowable size for a copy source: {REQUEST_BYTES}"
        )
        raise RefusedError("InvalidRequest", message)


def size_of_range(asked: str | None, size: int) -> int:
    """Returns the number of bytes that an UploadPartCopy copies from a source of that size."""
    if asked is None:
        return size
    match = RANGE.fullmatch(asked)
    if match is None or int(match[1]) > int(match[2]):
        message = (
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy"
        )
        details = {"argument_name": "x-amz-copy-source-range", "argument_value": asked}
        raise RefusedError("InvalidArgument", message, **details)
    first, last = int(match[1]), int(match[2])
    if last >= size:
        message = f"Range specified is not valid for source object of size: {size}"
        details = {"argument_name": "x-amz-copy-source-range", "argument_value": asked}
        raise RefusedError("InvalidArgument", message, **details)
    return last - first + 1


# -- copies ------------------------------------------------------------------------------------------------------------


def source_of_copy(response: S3Response):
    source = urlparse(response.headers["x-amz-copy-source"])
    bucket, key = unquote(source.path).lstrip("/").split("/", 1)
    version_id = parse_qs(source.query).get("versionId", [None])[0]
    return response.backend.get_object(bucket, key, version_id=version_id)


def check_source(response: S3Response):
    """Returns the source of a copy if it exists, and checks the copy's condition on it."""
    source = source_of_copy(response)
    wanted = response.headers.get("x-amz-copy-source-if-match")
    if source is not None and wanted and not same_etag(wanted, source.etag):
        raise PreconditionFailed("x-amz-copy-source-If-Match")
    return source


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
        source = check_source(self)
        check_destination(self)
        if source is not None:
            check_size_of_copy(source.size)
        return original_copy(self)

    def upload_part_copy(self):
        source = check_source(self)
        if source is not None:
            check_size_of_copy(size_of_range(self.headers.get("x-amz-copy-source-range"), source.size))
        return original_part_copy(self)

    def dispatch(self, *args, **kwargs):
        # moto requires a checksum of uploads into a locked bucket, and treats a copy, which has no body, as an upload.
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
    """A multipart object as CopyObject sees it: the same object, in one part."""

    def __init__(self, key):
        self._key = key
        self.multipart = None
        self.checksum_algorithm = key.checksum_algorithm or DEFAULT_ALGORITHM
        self.checksum_value = checksum(key.value, self.checksum_algorithm)

    def __getattr__(self, name: str):
        return getattr(self._key, name)


def in_one_part(key) -> OnePart:
    return OnePart(key)


# -- deletions ---------------------------------------------------------------------------------------------------------


def honour_conditions_of_deletions() -> None:
    original = S3Response.delete_object

    def delete_object(self):
        current = self.backend.get_object(self.bucket_name, self.parse_key_name())
        if self.headers.get("If-Match") == "*" and current is not None:
            with_headers(self, {"If-Match": current.etag})
        return original(self)

    S3Response.delete_object = delete_object


# -- writers at the same moment ----------------------------------------------------------------------------------------


def make_conditional_writes_atomic() -> None:
    """Locks a key, because moto checks a condition and then writes, and another thread may write in between."""

    def excluding(original):
        def handler(self, *args, **kwargs):
            with _locks[hash((self.bucket_name, self.parse_key_name())) % len(_locks)]:
                return original(self, *args, **kwargs)

        return handler

    # The last one completes multipart uploads.
    for name in ("put_object", "copy_object", "delete_object", "_key_response_post"):
        setattr(S3Response, name, excluding(getattr(S3Response, name)))
