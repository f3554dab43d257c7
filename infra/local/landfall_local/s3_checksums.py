"""Checksums of S3: their verification, their storage, and their place in answers.

- A body that does not match its checksum, or has an impossible one, is refused. A body without one gets CRC64NVME.
- An object has one checksum: that of the whole (FULL_OBJECT), or that of its parts' checksums (COMPOSITE), followed by
  the number of parts. HeadObject and GetObject return it on request (x-amz-checksum-mode), and writes in their answers.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
"""

import base64
import binascii
import hashlib
import re

from awscrt import checksums
from moto.s3 import models, responses
from moto.s3.exceptions import S3ClientError
from moto.s3.models import FakeKey
from moto.s3.responses import S3Response
from werkzeug.datastructures import Headers

# S3 adds this one if the client sends none.
DEFAULT_ALGORITHM = "CRC64NVME"

HASHES = {
    "CRC32": lambda body: checksums.crc32(body).to_bytes(4, "big"),
    "CRC32C": lambda body: checksums.crc32c(body).to_bytes(4, "big"),
    "CRC64NVME": lambda body: checksums.crc64nvme(body).to_bytes(8, "big"),
    "SHA1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "SHA256": lambda body: hashlib.sha256(body).digest(),
}
BYTES = {algorithm: len(hashed(b"")) for algorithm, hashed in HASHES.items()}

FULL_OBJECT, COMPOSITE = "FULL_OBJECT", "COMPOSITE"

HEADER = re.compile(r"x-amz-checksum-(crc32|crc32c|crc64nvme|sha1|sha256|sha512|md5|xxhash\w+)", re.IGNORECASE)
TRAILING_CHECKSUM = re.compile(rb"x-amz-checksum-(\w+):\s*([A-Za-z0-9+/=]+)")
TRAILER_BYTES = 300


class RefusedError(S3ClientError):
    """Any error of S3: a code and its message."""

    def __init__(self, code: str, message: str, **details: object):
        super().__init__(code, message)
        for name, value in details.items():
            setattr(self, name, value)


class BadDigestError(RefusedError):
    def __init__(self, algorithm: str):
        super().__init__("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")


def install() -> None:
    models.compute_checksum = responses.compute_checksum = computed
    verify_uploads()
    tell_checksums()


def checksum(body: bytes, algorithm: str) -> str:
    return base64.b64encode(HASHES[algorithm](body)).decode()


def computed(body: bytes, algorithm: str, encode_base64: bool = True) -> bytes:
    """Replaces moto's function, which silently computes CRC32 for CRC32C, and SHA256 for unknown algorithms."""
    hashed = HASHES[supported(algorithm)](body)
    return base64.b64encode(hashed) if encode_base64 else hashed


def supported(algorithm: str) -> str:
    if algorithm.upper() not in HASHES:
        message = (
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            f"[{', '.join(sorted(HASHES))}]"
        )
        raise RefusedError("InvalidRequest", message)
    return algorithm.upper()


def with_headers(response: S3Response, extra: dict[str, str]) -> None:
    headers = Headers(response.headers)
    for name, value in extra.items():
        headers[name] = value
    response.headers = headers


def with_elements(answer: tuple, parent: str, elements: dict[str, str | None]) -> tuple:
    """Adds elements to an XML answer."""
    status, headers, body = answer
    text = body.decode() if isinstance(body, bytes) else body
    more = "".join(f"<{name}>{value}</{name}>" for name, value in elements.items() if value is not None)
    text = text.replace(f"</{parent}>", f"{more}</{parent}>")
    return status, {**headers, "content-length": str(len(text.encode()))}, text


# -- received ----------------------------------------------------------------------------------------------------------


def given_checksums(response: S3Response, of_parts: bool = False) -> dict[str, str]:
    """Returns algorithm -> the value that the client sent, in a header or after a streamed body.

    With `of_parts`, a value may be followed by the number of parts.
    """
    given = {}
    for name, value in response.headers.items():
        if match := HEADER.fullmatch(name):
            given[supported(match[1])] = value
    if "TRAILER" in response.headers.get("x-amz-content-sha256", "").upper():
        match = TRAILING_CHECKSUM.search((response.raw_body or b"")[-TRAILER_BYTES:])
        if match:
            given[supported(match[1].decode())] = match[2].decode()
    if len(given) > 1:
        message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        raise RefusedError("InvalidRequest", message)
    for algorithm, value in given.items():
        if not well_formed(algorithm, value.partition("-")[0] if of_parts else value):
            message = f"Value for x-amz-checksum-{algorithm.lower()} header is invalid."
            raise RefusedError("InvalidRequest", message)
    return given


def well_formed(algorithm: str, value: str) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == BYTES[algorithm]
    except binascii.Error:
        return False


def body_of(response: S3Response) -> bytes:
    body = response.body or b""
    return body if isinstance(body, bytes) else body.encode()


def verify(response: S3Response) -> tuple[str | None, str]:
    """Returns the client's algorithm, and the body's checksum by that algorithm or by the default one."""
    body = body_of(response)
    md5 = response.headers.get("Content-Md5")
    if md5 and base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode() != md5:
        raise RefusedError("BadDigest", "The Content-MD5 you specified did not match what we received.")
    given = given_checksums(response)
    if response.headers.get("x-amz-sdk-checksum-algorithm") and not given:
        message = (
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* "
            "or x-amz-trailer headers were found."
        )
        raise RefusedError("InvalidRequest", message)
    chosen = next(iter(given), None)
    algorithm = chosen or DEFAULT_ALGORITHM
    value = checksum(body, algorithm)
    if chosen and given[chosen] != value:
        raise BadDigestError(algorithm)
    # moto keeps a checksum only if a header names its algorithm. SDKs send that header, but other clients may not.
    extra = {"x-amz-sdk-checksum-algorithm": algorithm, f"x-amz-checksum-{algorithm.lower()}": value}
    with_headers(response, extra)
    return chosen, value


def verify_uploads() -> None:
    original_put = S3Response.put_object

    def put_object(self):
        verify(self)
        status, headers, body = original_put(self)
        headers["x-amz-checksum-type"] = FULL_OBJECT
        return status, headers, body

    S3Response.put_object = put_object


# -- returned ----------------------------------------------------------------------------------------------------------


def type_of(key: FakeKey) -> str:
    return getattr(key, "checksum_type", None) or FULL_OBJECT


def shown(key: FakeKey) -> str:
    """Returns an object's checksum in S3's notation."""
    return f"{key.checksum_value}-{key.checksum_parts}" if type_of(key) == COMPOSITE else key.checksum_value


def described(key: FakeKey) -> dict[str, str]:
    """Returns an object's checksum as elements of an answer."""
    return {f"Checksum{key.checksum_algorithm}": shown(key), "ChecksumType": type_of(key)}


def tell_checksums() -> None:
    original_get, original_head, original_copy = (
        S3Response.get_object,
        S3Response.head_object,
        S3Response.copy_object,
    )

    def get_object(self):
        status, headers, body = original_get(self)
        if any(name.startswith("x-amz-checksum-") for name in headers):
            headers.setdefault("x-amz-checksum-type", FULL_OBJECT)
        return status, headers, body

    def head_object(self, bucket_name, query, key_name, headers):
        status, answered, body = original_head(self, bucket_name, query, key_name, headers)
        if any(name.startswith("x-amz-checksum-") for name in answered):
            version = query.get("versionId", [None])[0]
            key = self.backend.head_object(bucket_name, key_name, version_id=version)
            answered[f"x-amz-checksum-{key.checksum_algorithm.lower()}"] = shown(key)
            answered["x-amz-checksum-type"] = type_of(key)
        return status, answered, body

    def copy_object(self):
        if algorithm := self.headers.get("x-amz-checksum-algorithm"):
            with_headers(self, {"x-amz-checksum-algorithm": supported(algorithm)})
        answer = original_copy(self)
        return with_elements(answer, "CopyObjectResult", {"ChecksumType": FULL_OBJECT})

    S3Response.get_object = get_object
    S3Response.head_object = head_object
    S3Response.copy_object = copy_object
