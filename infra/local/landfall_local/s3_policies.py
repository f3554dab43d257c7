"""Bucket policies: moto enforces them, in a way of its own.

- It ignores conditions. "Deny everything that does not come by TLS" would then deny everything: statements with a
  condition are left out. The others hold, so nobody deletes from the immutable history here either.
- It answers with an empty body, where S3 says AccessDenied.
- It takes the end of a multipart upload for the deletion of an object.
"""

import functools
import json
from urllib.parse import parse_qs, urlparse

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.exceptions import BucketAccessDeniedError
from moto.s3.models import FakeBucket
from moto.s3.responses import S3Response

DENIED = (403, {}, "")


def install() -> None:
    original = S3Response._key_response

    def key_response(self, request, full_url):
        bucket = self.parse_bucket_name_from_url(request, full_url)
        query = parse_qs(urlparse(full_url).query, keep_blank_values=True)
        if request.method == "DELETE" and "uploadId" in query:
            return self._key_response_delete(bucket, query, self.parse_key_name())
        answer = original(self, request, full_url)
        if answer == DENIED:
            raise BucketAccessDeniedError(bucket=bucket)
        return answer

    FakeBucket.get_permission = unconditional_permission
    S3Response._key_response = key_response


def unconditional_permission(bucket: FakeBucket, action: str, resource: str) -> PermissionResult:
    policy = unconditional(bucket.policy) if bucket.policy is not None else None
    return policy.is_action_permitted(action, resource) if policy else PermissionResult.NEUTRAL


@functools.cache
def unconditional(policy: bytes | str) -> IAMPolicy | None:
    """The policy without what has a condition; each request asks."""
    document = json.loads(policy)
    statements = document["Statement"]
    statements = statements if isinstance(statements, list) else [statements]
    document["Statement"] = [found for found in statements if "Condition" not in found]
    return IAMPolicy(json.dumps(document)) if document["Statement"] else None
