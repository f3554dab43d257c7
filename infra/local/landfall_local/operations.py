"""Operations: the AWS operation of a request, under the name that AWS gives it.

They come from the services' models in botocore, for the services that the functions call.
"""

import difflib
import functools
import io
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

import botocore.session
from botocore.model import OperationModel, ServiceModel

# The signing name of a service -> botocore's name of it.
SERVICES = {"athena": "athena", "glue": "glue", "s3": "s3", "sns": "sns", "states": "stepfunctions"}
# The protocols of other services. The default is JSON.
PROTOCOLS = {"iam": "query", "sts": "query"}

# In the Authorization header or, if presigned, in the query.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
CREDENTIAL = re.compile(r"Credential=(?P<key>\w+)/\d+/[\w-]+/(?P<service>[\w-]+)/aws4_request")


@dataclass(frozen=True)
class Signature:
    """The caller of a request, and the service that it is for."""

    access_key: str
    service: str


def signature(environ: dict) -> Signature | None:
    signed = environ.get("HTTP_AUTHORIZATION") or unquote(environ.get("QUERY_STRING", ""))
    found = CREDENTIAL.search(signed)
    return Signature(found["key"], found["service"]) if found else None


def operation(environ: dict, service: str) -> str:
    """Returns the name of the operation, or method and path if the service is not one of SERVICES."""
    if target := environ.get("HTTP_X_AMZ_TARGET"):  # AWSGlue.UpdateTable
        return target.rpartition(".")[2]
    if protocol(service) == "query":
        return form(environ).get("Action", ["?"])[0]
    if service in SERVICES:
        return operation_at(environ, service)
    return f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}"


def known_operation(name: str) -> str:
    """Returns the name itself. Raises ValueError if no service has such an operation."""
    names = {name for service in SERVICES for name in model(service).operation_names}
    if name in names:
        return name
    near = difflib.get_close_matches(name, sorted(names), 1)
    hint = f", did you mean {near[0]}?" if near else ""
    raise ValueError(f"no operation {name} of {', '.join(SERVICES)}{hint}")


def protocol(service: str) -> str:
    return model(service).protocol if service in SERVICES else PROTOCOLS.get(service, "")


@functools.cache
def model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(SERVICES[service])


def form(environ: dict) -> dict[str, list[str]]:
    """Parses the fields of a form. The body can be read again afterwards."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return parse_qs(body.decode(errors="replace"))


# -- services with paths (S3) ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """The conditions that a request of an operation meets."""

    name: str
    query: frozenset[tuple[str, str]]  # with a value of "": any value
    headers: frozenset[str]

    @property
    def conditions(self) -> int:
        return len(self.query) + len(self.headers)

    def has(self, environ: dict, query: dict[str, str]) -> bool:
        return all(name in query and value in ("", query[name]) for name, value in self.query) and all(
            f"HTTP_{name.upper().replace('-', '_')}" in environ for name in self.headers
        )


def operation_at(environ: dict, service: str) -> str:
    """Returns the operation with the most conditions among those whose conditions the request meets."""
    method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
    query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", ""), True).items()}
    bucket, _, key = path.lstrip("/").partition("/")
    shape = "/{Bucket}/{Key+}" if key else "/{Bucket}" if bucket else "/"
    fitting = [place for place in places(service).get((method, shape), []) if place.has(environ, query)]
    return max(fitting, key=lambda place: place.conditions).name if fitting else f"{method} {path}"


@functools.cache
def places(service: str) -> dict[tuple[str, str], list[Place]]:
    """Returns (method, path) -> operations."""
    found: dict[tuple[str, str], list[Place]] = {}
    for name in model(service).operation_names:
        described = model(service).operation_model(name)
        path, _, query = described.http["requestUri"].partition("?")
        fixed = {(parameter, values[0]) for parameter, values in parse_qs(query, True).items()}
        place = Place(
            name,
            query=frozenset(fixed | {(parameter, "") for parameter in required(described, "querystring")}),
            headers=frozenset(required(described, "header")),
        )
        found.setdefault((described.http["method"], path), []).append(place)
    return found


def required(described: OperationModel, location: str) -> list[str]:
    shape = described.input_shape
    members = [shape.members[name].serialization for name in shape.required_members] if shape else []
    return [member["name"] for member in members if member.get("location") == location]
