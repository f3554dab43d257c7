"""The judge: WSGI in front of moto, which refuses callers without permission, as AWS does."""

import threading
from collections.abc import Callable

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

from ..account import ACCOUNT_ID, HOST, REGION
from ..errors import drain, refusal
from ..operations import Signature, form, operation, signature
from . import keys, needs, policies, principals, s3, sse
from .conditions import UnsupportedPolicyError
from .policies import Decision, Need
from .principals import NotTrustedError, Principal, Sessions, UnknownKeyError
from .usage import Usage

# For services whose own code and status differ from AccessDeniedException and 400.
CODES = {"s3": ("AccessDenied", 403), "sns": ("AuthorizationError", 403), "sts": ("AccessDenied", 403)}
CODES |= {"sqs": ("AccessDeniedException", 403), "lambda": ("AccessDeniedException", 403)}

# Each service's codes for a key that it may not, or cannot, use.
KEY_CODES = {
    "s3": {
        "AccessDenied": ("AccessDenied", 403),
        "NotFound": ("KMS.NotFoundException", 400),
        "Disabled": ("KMS.DisabledException", 400),
        "InvalidState": ("KMS.KMSInvalidStateException", 400),
    },
    "sns": {kind: (f"KMS{kind}", 400) for kind in ("AccessDenied", "NotFound", "Disabled", "InvalidState")},
    "sqs": {kind: (f"KMS.{kind}Exception", 400) for kind in ("AccessDenied", "NotFound", "Disabled", "InvalidState")},
}


class DeniedError(Exception):
    def __init__(self, message: str, action: str):
        super().__init__(message)
        self.action = action


class Judge:
    def __init__(self, aws: Callable, sessions: Sessions, usage: Usage):
        self._aws = aws
        self._sessions = sessions
        self._usage = usage
        self._kept = threading.local()  # objects that a DeleteObjects may not delete

    def install(self) -> None:
        """Replaces moto's own evaluation of bucket policies, which ignores conditions."""
        kept = self._kept

        def get_permission(_self: FakeBucket, _action: str, resource: str) -> PermissionResult:
            denied = resource in getattr(kept, "resources", ())
            return PermissionResult.DENIED if denied else PermissionResult.NEUTRAL

        FakeBucket.get_permission = get_permission

    def __call__(self, environ: dict, start_response: Callable):
        signed = signature(environ)
        if signed is None:
            return self._aws(environ, start_response)
        try:
            principal = self._sessions.of(signed.access_key)
            if signed.service == "s3":
                return self._judge_s3(environ, start_response, principal)
            if signed.service == "sts":
                self._judge_sts(environ, principal)
            elif principal.role is not None:
                name = operation(environ, signed.service)
                for need in needs.needs(environ, signed.service, name, self._context(principal)):
                    self.check(principal, need)
            with principals.calling(principal):
                return self._aws(environ, start_response)
        except UnknownKeyError:
            code = "InvalidAccessKeyId" if signed.service == "s3" else "UnrecognizedClientException"
            message = "The security token included in the request is invalid."
            return self._refuse(environ, start_response, signed, code, 403, message)
        except DeniedError as error:
            code, status = CODES.get(signed.service, ("AccessDeniedException", 400))
            if error.action.startswith("kms:") and signed.service in KEY_CODES:
                code, status = KEY_CODES[signed.service]["AccessDenied"]
            return self._refuse(environ, start_response, signed, code, status, str(error))
        except keys.UnusableKeyError as error:
            code, status = KEY_CODES.get(signed.service, KEY_CODES["s3"])[error.kind]
            return self._refuse(environ, start_response, signed, code, status, str(error))
        except (s3.UnjudgedError, UnsupportedPolicyError) as error:
            message = f"the local cloud cannot tell who may do that: {error}"
            print(f"landfall_local: {principal.arn}: {message}", flush=True)
            return self._refuse(environ, start_response, signed, "NotImplemented", 501, message)

    def _refuse(
        self, environ: dict, start_response: Callable, signed: Signature, code: str, status: int, message: str
    ) -> list[bytes]:
        drain(environ)
        line, headers, body = refusal(environ, signed.service, status, code, message)
        start_response(line, list(headers.items()))
        return [body]

    def check_in_name_of(self, principal: Principal, *wanted: tuple[str, str]) -> None:
        """Checks that a service may do something on behalf of its caller."""
        for action, resource in wanted:
            self.check(principal, Need(action, resource, self._context(principal)))

    def check(self, principal: Principal, need: Need) -> None:
        """Checks that a principal may do something, and records the use if it counts."""
        decision = decide(principal, need)
        if not decision.allowed:
            raise DeniedError(denial(principal, need, decision), need.action)
        if principal.counts and principal.role:
            self._usage.add(principal.role, decision.grants)

    def _context(self, principal: Principal) -> dict[str, list[str]]:
        # The endpoint here is plain HTTP. It represents AWS's endpoints, to which the SDKs use TLS.
        return {
            **principal.context(),
            "aws:requestedregion": [REGION],
            "aws:securetransport": ["true"],
            "aws:sourceip": [HOST],
        }

    # S3

    def _judge_s3(self, environ: dict, start_response: Callable, principal: Principal):
        context = self._context(principal)
        request = s3.read(environ, operation(environ, "s3"))
        for need in s3.needs(request, context):
            self.check(principal, need)
        for need in sse.of_s3(request, context):  # S3 checks the key after the caller's permission
            self.check(principal, need)
        if request.operation == "PutBucketPolicy":
            s3.check_policy(environ)
        if request.operation == "DeleteObjects":
            return self._delete_objects(environ, start_response, principal, request, context)
        tells = s3.if_missing(request, context) if principal.role else None
        if tells is None:
            return self._aws(environ, start_response)
        answered: list = []

        def hold(*arguments) -> Callable:
            answered[:] = arguments
            return lambda _data: None

        answer = self._aws(environ, hold)
        if answered[0].startswith("404"):
            try:
                self.check(principal, tells)
            except DeniedError:
                if hasattr(answer, "close"):
                    answer.close()
                raise
        start_response(*answered)
        return answer

    def _delete_objects(
        self, environ: dict, start_response: Callable, principal: Principal, request: s3.Request, context: dict
    ):
        """Checks each key separately. The answer lists the keys that may not be deleted, and the others are deleted."""
        kept = set()
        for key, wanted in s3.deletions(environ, request, context):
            try:
                for need in wanted:
                    self.check(principal, need)
            except DeniedError:
                kept.add(s3.arn(request.bucket, key))
        self._kept.resources = kept
        try:
            return list(self._aws(environ, start_response))
        finally:
            self._kept.resources = ()

    # STS

    def _judge_sts(self, environ: dict, principal: Principal) -> None:
        name = operation(environ, "sts")
        if name != "AssumeRole":
            if principal.role is not None and name != "GetCallerIdentity":
                raise s3.UnjudgedError(f"sts:{name}")
            return
        role_arn = form(environ).get("RoleArn", [""])[0]
        context = self._context(principal)
        if principal.role is not None:
            self.check(principal, Need("sts:AssumeRole", role_arn, context))
        try:
            principals.check_trust(role_arn, principal.names, context)
        except NotTrustedError:
            need = Need("sts:AssumeRole", role_arn, context)
            raise DeniedError(denial(principal, need, Decision(False)), need.action) from None


def decide(principal: Principal, need: Need) -> Decision:
    identity = principals.statements_of(principal.role) if principal.role else None
    if need.action.startswith("kms:"):
        account = frozenset([principals.ROOT, ACCOUNT_ID])
        return keys.decide(need, identity, principal.names - account, account)
    document = s3.bucket_policy(need.resource) if need.action.startswith("s3:") else None
    resource = policies.parse("bucket", document) if document else ()
    return policies.decide(need, identity, resource, principal.names)


def denial(principal: Principal, need: Need, decision: Decision) -> str:
    resource = f'"{need.resource}"' if need.action.startswith("s3:") else need.resource
    text = f"User: {principal.arn} is not authorized to perform: {need.action} on resource: {resource}"
    return f"{text} {decision.reason}".rstrip()
