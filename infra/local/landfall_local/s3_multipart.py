"""Multipart uploads by S3's rules: the parts that an upload accepts, its completion, and the checksum of the whole.

- An upload has an algorithm only if CreateMultipartUpload names one. Then each part must use it, and a COMPOSITE upload
  is completed only with the checksum of every part. Without an algorithm, S3 echoes the parts' checksums but does not
  keep them. A completion that names them then fails, as if the parts did not exist (InvalidPart).
- A FULL_OBJECT checksum is that of the whole. The completion may name the expected value.
- Parts are numbered from 1 to 10,000, named in ascending order, and have at least 5 MiB, except for the last.
- A multipart upload sends one event, not two, and is locked like any other object.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

import base64
import hashlib
import itertools
import threading
from dataclasses import dataclass
from xml.dom import minidom
from xml.parsers.expat import ExpatError

from moto.s3 import notifications
from moto.s3.exceptions import InvalidPartOrder, MalformedXML, MissingKey, NoSuchUpload, PreconditionFailed
from moto.s3.models import FakeMultipart, S3Backend
from moto.s3.responses import S3Response

from .s3_checksums import (
    COMPOSITE,
    DEFAULT_ALGORITHM,
    FULL_OBJECT,
    HASHES,
    BadDigestError,
    RefusedError,
    checksum,
    described,
    given_checksums,
    supported,
    verify,
    with_elements,
)

PARTS = 10_000
PART_BYTES = 5 * 1024 * 1024  # minimum

# The first one is the default of an upload with the algorithm.
TYPES = {
    "CRC32": (COMPOSITE, FULL_OBJECT),
    "CRC32C": (COMPOSITE, FULL_OBJECT),
    "CRC64NVME": (FULL_OBJECT,),
    "SHA1": (COMPOSITE,),
    "SHA256": (COMPOSITE,),
}

# moto treats these as an object's metadata.
OF_UPLOADS = ("x-amz-checksum-algorithm", "x-amz-checksum-type")

_completing = threading.local()


@dataclass(frozen=True)
class Part:
    number: int
    etag: str
    checksums: dict[str, str]


@dataclass(frozen=True)
class Completion:
    """The content of a CompleteMultipartUpload."""

    parts: list[Part]
    checksums: dict[str, str]  # of the whole object
    checksum_type: str | None
    size: int | None


class InvalidPartError(RefusedError):
    def __init__(self, upload: FakeMultipart, part: Part):
        message = (
            "One or more of the specified parts could not be found.  The part may not have been uploaded, "
            "or the specified entity tag may not match the part's entity tag."
        )
        super().__init__("InvalidPart", message, etag=part.etag, part_number=part.number, upload_id=upload.id)


def install() -> None:
    create_uploads()
    take_parts()
    complete_uploads()
    send_one_event()


def upload_of(response: S3Response) -> FakeMultipart:
    upload_id = response._get_param("uploadId")
    upload = response.backend.get_bucket(response.bucket_name).multiparts.get(upload_id)
    if upload is None or upload.key_name != response.parse_key_name():
        raise NoSuchUpload(upload_id=upload_id)
    return upload


# -- created -----------------------------------------------------------------------------------------------------------


def create_uploads() -> None:
    original = S3Response._key_response_post

    def post(self, request, body, bucket_name, query, key_name):
        if "uploads" in query and body == b"":
            algorithm, kind = chosen(self)
            answer = original(self, request, body, bucket_name, query, key_name)
            return created(self, answer, algorithm, kind)
        if "uploadId" not in query:
            return original(self, request, body, bucket_name, query, key_name)
        check_destination(self, key_name)
        answer = original(self, request, body, bucket_name, query, key_name)
        key = self.backend.get_object(bucket_name, key_name)
        return with_elements(answer, "CompleteMultipartUploadResult", described(key))

    S3Response._key_response_post = post


def chosen(response: S3Response) -> tuple[str | None, str | None]:
    """Returns the algorithm and the type of checksum that a CreateMultipartUpload names."""
    algorithm = response.headers.get("x-amz-checksum-algorithm")
    kind = response.headers.get("x-amz-checksum-type")
    if algorithm is None:
        if kind is not None:
            message = "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
            raise RefusedError("InvalidRequest", message)
        return None, None
    algorithm = supported(algorithm)
    kind = kind or TYPES[algorithm][0]
    if kind not in (COMPOSITE, FULL_OBJECT):
        raise RefusedError("InvalidRequest", "Value for x-amz-checksum-type header is invalid.")
    if kind not in TYPES[algorithm]:
        message = f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum algorithm."
        raise RefusedError("InvalidRequest", message)
    return algorithm, kind


def created(response: S3Response, answer: tuple, algorithm: str | None, kind: str | None) -> tuple:
    status, headers, body = answer
    document = minidom.parseString(body)
    upload_id = document.getElementsByTagName("UploadId")[0].firstChild.data
    upload = response.backend.get_bucket(response.bucket_name).multiparts[upload_id]
    upload.checksum_algorithm, upload.checksum_type = algorithm, kind
    if algorithm:
        chosen = dict(zip(OF_UPLOADS, (algorithm, kind), strict=True))
        upload.metadata.update(chosen)  # returned by ListMultipartUploads
        headers = {**headers, **chosen}
    return status, headers, body


def check_destination(response: S3Response, key_name: str) -> None:
    """Checks If-Match. moto itself checks If-None-Match."""
    if wanted := response.headers.get("If-Match"):
        current = response.backend.get_object(response.bucket_name, key_name)
        if current is None:
            raise MissingKey(key=key_name)
        if wanted.strip('"') != current.etag.strip('"'):
            raise PreconditionFailed("If-Match")


# -- parts -------------------------------------------------------------------------------------------------------------


def take_parts() -> None:
    original_part, original_copy = S3Response.upload_part, S3Response.upload_part_copy

    def upload_part(self):
        upload, number = upload_of(self), part_number(self)
        check_algorithm(upload, next(iter(given_checksums(self)), None))
        _, value = verify(self)
        answer = original_part(self)
        if upload.checksum_algorithm:
            upload.parts[number].checksum_value = value
        return answer

    def upload_part_copy(self):
        upload, number = upload_of(self), part_number(self)
        answer = original_copy(self)
        if answer[0] != 200 or not upload.checksum_algorithm:
            return answer
        part = upload.parts[number]
        part.checksum_value = checksum(part.value, upload.checksum_algorithm)
        return with_elements(answer, "CopyPartResult", {f"Checksum{upload.checksum_algorithm}": part.checksum_value})

    S3Response.upload_part = upload_part
    S3Response.upload_part_copy = upload_part_copy


def part_number(response: S3Response) -> int:
    text = response._get_param("partNumber")
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= PARTS:
        message = f"Part number must be an integer between 1 and {PARTS}, inclusive"
        raise RefusedError("InvalidArgument", message, argument_name="partNumber", argument_value=text)
    return number


def check_algorithm(upload: FakeMultipart, given: str | None) -> None:
    expected = upload.checksum_algorithm
    if expected and given != expected:
        message = (
            f"Checksum Type mismatch occurred, expected checksum Type: {expected.lower()}, "
            f"actual checksum Type: {(given or 'null').lower()}"
        )
        raise RefusedError("InvalidRequest", message)


# -- completed ---------------------------------------------------------------------------------------------------------


def complete_uploads() -> None:
    original = S3Backend.complete_multipart_upload

    def completion(self, body: bytes) -> Completion:
        upload_of(self)
        size = self.headers.get("x-amz-mp-object-size")
        return Completion(
            parts=named_parts(body),
            checksums=given_checksums(self, of_parts=True),
            checksum_type=self.headers.get("x-amz-checksum-type"),
            size=int(size) if size else None,
        )

    def complete_multipart_upload(self, bucket_name, multipart_id, wanted: Completion):
        bucket = self.get_bucket(bucket_name)
        upload = bucket.multiparts[multipart_id]
        _completing.now = True
        try:
            key = original(self, bucket_name, multipart_id, wanted)
        finally:
            _completing.now = False
        for name in OF_UPLOADS:
            key.metadata.pop(name, None)
        key.checksum_algorithm = upload.checksum_algorithm or DEFAULT_ALGORITHM
        if bucket.has_default_lock and not key.lock_mode:
            key.lock_mode = bucket.default_lock_mode
            key.lock_until = bucket.default_retention()
        return key

    S3Response._complete_multipart_body = completion
    FakeMultipart.complete = complete
    S3Backend.complete_multipart_upload = complete_multipart_upload


def named_parts(body: bytes) -> list[Part]:
    """Returns the parts that the body of a CompleteMultipartUpload names."""
    try:
        found = [named_part(element) for element in minidom.parseString(body).getElementsByTagName("Part")]
    except (ExpatError, IndexError, AttributeError, ValueError):
        raise MalformedXML from None
    if not found:
        raise MalformedXML
    for part in found:
        if not 1 <= part.number <= PARTS:
            message = f"Part number must be an integer between 1 and {PARTS}, inclusive"
            raise RefusedError("InvalidArgument", message, argument_name="partNumber", argument_value=part.number)
    numbers = [part.number for part in found]
    if any(later <= earlier for earlier, later in itertools.pairwise(numbers)):
        raise InvalidPartOrder
    return found


def named_part(element: minidom.Element) -> Part:
    fields = {child.tagName: child.firstChild.wholeText.strip() for child in element.childNodes if child.nodeType == 1}
    checksums = {
        name.removeprefix("Checksum").upper(): value for name, value in fields.items() if name.startswith("Checksum")
    }
    return Part(int(fields.get("PartNumber", "")), fields.get("ETag", "").strip('"'), checksums)


def complete(upload: FakeMultipart, wanted: Completion) -> tuple[bytes, str, tuple[str, str, int]]:
    """Returns the object, its ETag, and its checksum: type, value, number of parts."""
    last = wanted.parts[-1]
    for part in wanted.parts:
        check_part(upload, part)
        size = upload.parts[part.number].contentsize
        if part is not last and size < PART_BYTES:
            message = "Your proposed upload is smaller than the minimum allowed size"
            sizes = {"proposed_size": size, "min_size_allowed": PART_BYTES}
            raise RefusedError("EntityTooSmall", message, etag=part.etag, part_number=part.number, **sizes)
    kind = upload.checksum_type or FULL_OBJECT
    if wanted.checksum_type not in (None, kind):
        message = (
            f"The upload was created using the {upload.checksum_type or 'null'} checksum mode. "
            "The complete request must use the same checksum mode."
        )
        raise RefusedError("InvalidRequest", message)
    parts = [upload.parts[part.number] for part in wanted.parts]
    whole = b"".join(part.value for part in parts)
    if wanted.size not in (None, len(whole)):
        message = (
            f"The provided 'x-amz-mp-object-size' header value {wanted.size} "
            f"does not match what was computed: {len(whole)}"
        )
        raise RefusedError("InvalidRequest", message)
    value = checksum_of(upload, kind, whole, parts)
    check_whole(upload, wanted, {value, f"{value}-{len(parts)}"} if kind == COMPOSITE else {value})
    md5s = b"".join(bytes.fromhex(part.etag.strip('"')) for part in parts)
    etag = f"{hashlib.md5(md5s, usedforsecurity=False).hexdigest()}-{len(parts)}"
    return whole, etag, (kind, value, len(parts))


def check_part(upload: FakeMultipart, part: Part) -> None:
    """Checks that a part is the uploaded one, by everything that the request states about it."""
    uploaded = upload.parts.get(part.number)
    if uploaded is None or uploaded.etag.strip('"') != part.etag:
        raise InvalidPartError(upload, part)
    algorithm = upload.checksum_algorithm
    if algorithm is None:
        if part.checksums:  # S3 does not keep them
            raise InvalidPartError(upload, part)
        return
    if algorithm in part.checksums:
        if part.checksums[algorithm] != uploaded.checksum_value:
            raise InvalidPartError(upload, part)
        return
    for other in part.checksums:
        message = f"The {other.lower()} you specified for part {part.number} did not match what we received."
        raise RefusedError("BadDigest", message)
    if upload.checksum_type == COMPOSITE:
        message = (
            f"The upload was created using a {algorithm.lower()} checksum. The complete request must include the "
            f"checksum for each part. It was missing for part {part.number} in the request."
        )
        raise RefusedError("InvalidRequest", message)


def checksum_of(upload: FakeMultipart, kind: str, whole: bytes, parts: list) -> str:
    algorithm = upload.checksum_algorithm or DEFAULT_ALGORITHM
    if kind == FULL_OBJECT:
        return checksum(whole, algorithm)
    of_parts = b"".join(base64.b64decode(part.checksum_value) for part in parts)
    return base64.b64encode(HASHES[algorithm](of_parts)).decode()


def check_whole(upload: FakeMultipart, wanted: Completion, values: set[str]) -> None:
    for algorithm, given in wanted.checksums.items():
        if algorithm != (upload.checksum_algorithm or DEFAULT_ALGORITHM) or given not in values:
            raise BadDigestError(algorithm.lower())


def send_one_event() -> None:
    original = notifications.send_event

    def send_event(account_id, event_name, bucket, key) -> None:
        is_put = event_name == notifications.S3NotificationEvent.OBJECT_CREATED_PUT_EVENT
        if not (is_put and getattr(_completing, "now", False)):
            original(account_id, event_name, bucket, key)

    notifications.send_event = send_event
