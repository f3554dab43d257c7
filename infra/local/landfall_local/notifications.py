"""S3 event notifications, as S3 sends them.

moto invokes the function inside the PutObject and swallows its errors. Its events lack fields that typed readers
require (userIdentity) or that exactness needs (versionId, sequencer). Here events have all fields of real ones, and a
function gets them from its asynchronous queue, with retries.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

import json
import time
import uuid
from datetime import UTC, datetime
from urllib.parse import quote_plus

from moto.awslambda.exceptions import LambdaClientError
from moto.s3 import notifications
from moto.s3.exceptions import S3ClientError
from moto.s3.models import S3Backend

from .account import ACCOUNT_ID, HOST
from .functions import Functions
from .iam import policies, s3
from .iam.policies import Need


def install(functions: Functions) -> None:
    original_put = S3Backend.put_bucket_notification_configuration

    def invoke(_account_id, event_body, function_arn, _region_name) -> None:
        bucket_arn = event_body["Records"][0]["s3"]["bucket"]["arn"]
        if may_invoke(functions, bucket_arn, function_arn):
            functions.submit(function_arn, json.dumps(event_body).encode())
        else:
            print(f"landfall_local: {bucket_arn} may not invoke {function_arn}: the event is lost", flush=True)

    def put_bucket_notification_configuration(self, bucket_name, notification_config) -> None:
        for configuration in notification_config.get("CloudFunctionConfiguration") or []:
            if not may_invoke(functions, s3.arn(bucket_name), configuration["CloudFunction"]):
                raise DestinationError
        original_put(self, bucket_name, notification_config)

    S3Backend.put_bucket_notification_configuration = put_bucket_notification_configuration

    notifications._invoke_awslambda = invoke
    notifications._get_s3_event = event


class DestinationError(S3ClientError):
    code = "InvalidArgument"

    def __init__(self) -> None:
        super().__init__("Unable to validate the following destination configurations")


def may_invoke(functions: Functions, bucket_arn: str, function_arn: str) -> bool:
    """Whether the function's own policy allows S3 to invoke it for this bucket."""
    try:
        policy = functions.find(function_arn).policy
    except LambdaClientError:
        return False
    context = {"aws:sourcearn": [bucket_arn], "aws:sourceaccount": [ACCOUNT_ID], "aws:securetransport": ["true"]}
    need = Need("lambda:InvokeFunction", function_arn, context)
    document = json.dumps({"Statement": policy.statements})
    return policies.decide(need, (), policies.parse("function", document), frozenset(["s3.amazonaws.com"])).allowed


def form_encoded(key: str) -> str:
    """Encodes a key as an event does: a space is a plus, and all but a few characters are %-encoded, so = is %3D."""
    return quote_plus(key, safe="/-_.*")


def event(event_name, bucket, key, notification_id: str) -> dict:
    s3_object = {
        "key": form_encoded(key.name),
        "size": key.size,
        "eTag": key.etag.strip('"'),
        "sequencer": f"{time.time_ns():016X}",  # a later event for the same key has a greater one
    }
    if bucket.is_versioned:
        s3_object["versionId"] = key.version_id
    name = getattr(event_name, "value", event_name).removeprefix("s3:")
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": bucket.region_name,
                "eventTime": now,
                "eventName": name,
                "userIdentity": {"principalId": "AWS:LOCAL"},
                "requestParameters": {"sourceIPAddress": HOST},
                "responseElements": {
                    "x-amz-request-id": uuid.uuid4().hex[:16].upper(),
                    "x-amz-id-2": uuid.uuid4().hex,
                },
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": notification_id,
                    "bucket": {
                        "name": bucket.name,
                        "ownerIdentity": {"principalId": "LOCAL"},
                        "arn": bucket.arn,
                    },
                    "object": s3_object,
                },
            }
        ]
    }
