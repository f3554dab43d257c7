"""Operations: which one of an AWS service's operations a request is, under the name that AWS gives it.

Read from the services' own models, as botocore ships them; of the services that the functions call.
"""

import difflib
import functools
import io
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

import botocore.session
from botocore.model import OperationModel, ServiceModel

# What requests are signed for -> botocore's name of that service.
SERVICES = {"athena": "athena", "glue": "glue", "s3": "s3", "sns": "sns", "states": "stepfunctions"}
# Of other services, how they speak; JSON where nothing is said.
PROTOCOLS = {"iam": "query", "sts": "query"}

# In the Authorization header or, presigned, in the query.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
CREDENTIAL = re.compile(r"Credential=(?P<key>\w+)/\d+/[\w-]+/(?P<service>[\w-]+)/aws4_request")


@dataclass(frozen=True)
class Signature:
    """Whose request it is, and to which service."""

    access_key: str
    service: str


def signature(environ: dict) -> Signature | None:
    signed = environ.get("HTTP_AUTHORIZATION") or unquote(environ.get("QUERY_STRING", ""))
    found = CREDENTIAL.search(signed)
    return Signature(found["key"], found["service"]) if found else None


def operation(environ: dict, service: str) -> str:
    """The name of the operation; method and path where the service is none of SERVICES."""
    if target := environ.get("HTTP_X_AMZ_TARGET"):  # AWSGlue.UpdateTable
        return target.rpartition(".")[2]
    if protocol(service) == "query":
        return form(environ).get("Action", ["?"])[0]
    if service in SERVICES:
        return operation_at(environ, service)
    return f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}"


def known_operation(name: str) -> str:
    """The name itself; ValueError if no service has such an operation."""
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
    """The fields of a form; whoever comes next can read the body again."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return parse_qs(body.decode(errors="replace"))


# -- services with paths (S3) ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """What a request must have to be of an operation."""

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
    """Of the operations whose conditions a request meets, that with the most."""
    method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
    query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", ""), True).items()}
    bucket, _, key = path.lstrip("/").partition("/")
    shape = "/{Bucket}/{Key+}" if key else "/{Bucket}" if bucket else "/"
    fitting = [place for place in places(service).get((method, shape), []) if place.has(environ, query)]
    return max(fitting, key=lambda place: place.conditions).name if fitting else f"{method} {path}"


@functools.cache
def places(service: str) -> dict[tuple[str, str], list[Place]]:
    """(method, path) -> operations."""
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
