"""Starts the local cloud: moto's AWS on one port, with parts replaced by this package's."""

import functools
import logging
import os
import shutil
import socket
import threading
import warnings
from pathlib import Path

import boto3

from .account import ACCOUNT_ID, HOST, Clients, environment, forget_the_real_account
from .athena.engine import Engine

REPOSITORY = Path(__file__).resolve().parents[3]
TEMPLATE = REPOSITORY / "infra" / "template.yaml"

# Objects up to this size stay in memory, larger ones go to temporary files.
S3_OBJECT_BUFFER_BYTES = 64 * 1024 * 1024

POLL_SECONDS = 0.05  # the longest delay until a server stops

# The environment variables that functions receive from this process.
PASSED_ON = ("PATH", "HOME", "RUST_BACKTRACE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LLVM_PROFILE_FILE")


class PortInUseError(Exception):
    pass


class Cloud:
    """A running local cloud. A process can have only one, because moto keeps its state in modules."""

    def __init__(self, port: int, state: Path, template: Path = TEMPLATE):
        self.state = state.resolve()
        self.template = template
        self._socket = listen(port)
        self.port = self._socket.getsockname()[1]
        self.endpoint = f"http://{HOST}:{self.port}"
        prepare_environment(self.port)
        prepare_state(self.state)
        self._engine = Engine(self.endpoint)
        self._engine.start()  # in parallel with the rest
        self._start()

    def _start(self) -> None:
        prepare_for_moto()
        # Everything below imports moto, which takes a second or two, so it is imported only now.
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        from . import calls, control, glue_fidelity, notifications, s3_fidelity, snapshots, step_functions
        from .athena.service import Athena
        from .cloudformation import resources
        from .functions import Functions
        from .iam.judge import Judge
        from .iam.principals import Sessions
        from .iam.usage import Usage
        from .lambda_host import LambdaHost

        remember_backends()
        self.clients = Clients(self.endpoint)
        self.sessions = Sessions()
        self.usage = Usage()
        self.judge = Judge(DomainDispatcherApplication(create_backend_app), self.sessions, self.usage)
        self.judge.install()
        self.host = LambdaHost(self.state, function_environment(self.endpoint), self.sessions)
        self.functions = Functions(self.host, self.clients)
        self.functions.install()
        s3_fidelity.install()
        glue_fidelity.install()
        notifications.install(self.functions)
        self.executions = step_functions.install(self.clients, self.sessions)
        self.athena = Athena(self._engine, self.judge, self.sessions)
        self.athena.install()
        resources.install(self.clients, self.usage)

        self.snapshots = snapshots.Snapshots()
        self.calls = calls.Calls(self.host, self.judge)
        self._server = make_server(
            HOST,
            self.port,
            control.Control(self, self.calls),
            threaded=True,
            request_handler=request_handler(),
            fd=self._socket.fileno(),
        )
        threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,), daemon=True).start()

    def stop(self) -> None:
        """Ends all processes of functions and stops answering."""
        self.host.stop()
        self._engine.stop()
        self.usage.write()
        self._server.shutdown()
        self._server.server_close()
        self._socket.close()


def listen(port: int) -> socket.socket:
    """Binds the port at once, so that no other process can take it between choosing and using it."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise PortInUseError(f"port {port} is in use: {error}") from error
    listener.listen(512)
    return listener


def prepare_environment(port: int) -> None:
    forget_the_real_account()
    os.environ["MOTO_PORT"] = str(port)
    os.environ["MOTO_ACCOUNT_ID"] = ACCOUNT_ID
    os.environ["VALIDATE_LAMBDA_S3"] = "0"  # the code of functions is not in S3 (functions.CODE_BUCKET)
    os.environ["MOTO_S3_DEFAULT_KEY_BUFFER_SIZE"] = str(S3_OBJECT_BUFFER_BYTES)
    warnings.filterwarnings("ignore", module="moto")


@functools.cache
def prepare_for_moto() -> None:
    """Makes settings that must precede the import of moto. They save a second per start, and a little per request."""
    os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"  # there are no calls from browsers

    # moto creates a boto3 session to get each service's regions, and each session reads the same large file.
    session = boto3.session.Session()
    original = boto3.session.Session.get_available_regions

    @functools.cache
    def regions(service_name, partition_name="aws", allow_non_regional=False) -> list[str]:
        return original(session, service_name, partition_name, allow_non_regional)

    def get_available_regions(_self, *args, **kwargs) -> list[str]:
        return list(regions(*args, **kwargs))

    boto3.session.Session.get_available_regions = get_available_regions


def remember_backends() -> None:
    """Caches lookups: for each request, moto searches its own folder and some 200 patterns for the backend."""
    from moto import backends
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    modules = tuple(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: modules
    found = DomainDispatcherApplication.get_backend_for_host
    if not hasattr(found, "cache_info"):
        DomainDispatcherApplication.get_backend_for_host = functools.lru_cache(maxsize=4096)(found)


def prepare_state(state: Path) -> None:
    """Empties the state folder. The state lasts as long as the cloud, so that of an earlier cloud is useless."""
    for name in ("logs", "tmp"):
        shutil.rmtree(state / name, ignore_errors=True)
        (state / name).mkdir(parents=True)
    # Most of moto's warnings do not concern the user, but they may help to explain something odd.
    logging.basicConfig(
        filename=state / "logs" / "cloud.log", level="WARNING", format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )


def function_environment(endpoint: str) -> dict[str, str]:
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {
        **passed_on,
        **environment(endpoint),
        "AWS_EXECUTION_ENV": "AWS_Lambda_provided.al2023",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
    }


def request_handler() -> type:
    from moto.moto_server.werkzeug_app import MotoRequestHandler

    class Handler(MotoRequestHandler):
        # Headers and body are two writes. Without this, each answer may wait 40 ms for an acknowledgement.
        disable_nagle_algorithm = True

        def connection_dropped(self, error, environ=None) -> None:
            self.close_connection = True  # also if this side drops it (faults.AnswerLostError)

        def log(self, type, message, *args) -> None:
            """Prints nothing, because an access log of every S3 call is of no use."""

    return Handler
