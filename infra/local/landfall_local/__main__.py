"""The commands: `python -m landfall_local serve | deploy | run | up | invoke | land | replay`."""

import argparse
import json
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NoReturn

from .running import Refusal, running_cloud, write_whole
from .server import REPOSITORY, TEMPLATE, Cloud, PortInUseError, prepare_for_moto

DEFAULT_PORT = 4566
DEFAULT_STATE = REPOSITORY / ".local"
DEFAULT_FUNCTIONS = DEFAULT_STATE / "functions"


def parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(prog="landfall_local", description="AWS on this machine, for Landfall.")
    commands = main.add_subparsers(dest="command", required=True)

    serve = commands.add_parser("serve", help="start the cloud and deploy nothing")
    serve.add_argument("--port", type=int, default=DEFAULT_PORT, help="0: any free port")
    serve.add_argument("--functions", type=Path, default=DEFAULT_FUNCTIONS, help=argparse.SUPPRESS)
    serve.add_argument("--state", type=Path, default=DEFAULT_STATE, help="where logs go")
    serve.add_argument("--ready-file", type=Path, help='written when ready: {"endpoint", "pid"}')

    deploy = commands.add_parser("deploy", help="deploy a template into a running cloud")
    deploy.add_argument("--endpoint", required=True)
    deploy.add_argument("--stack", required=True)
    deploy.add_argument("--functions", type=Path, default=DEFAULT_FUNCTIONS)
    deploy.add_argument("--template", type=Path, default=TEMPLATE)
    deploy.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE")

    run = commands.add_parser("run", help="run the whole pipeline once (make run)")
    run.add_argument("--requests", type=int, default=10, help="requests of the extract, one row each")
    run.add_argument("--api", help="origin of the API (default: a stand-in on this machine)")
    run.add_argument("--from", dest="folder", type=Path, help="a folder of files that land in place of an extract")
    run.add_argument("--functions", type=Path, default=DEFAULT_FUNCTIONS)
    run.add_argument("--state", type=Path, default=DEFAULT_STATE / "run", help="where logs go")

    up = commands.add_parser("up", help="start the cloud with the pipeline in it (make up)")
    up.add_argument("--port", type=int, default=DEFAULT_PORT)
    up.add_argument("--api", help="origin of the API (default: a stand-in on this machine)")
    up.add_argument("--functions", type=Path, default=DEFAULT_FUNCTIONS)
    up.add_argument("--state", type=Path, default=DEFAULT_STATE, help="where logs and cloud.json go")

    invoke = commands.add_parser("invoke", help="invoke a function of the cloud that is up (make invoke)")
    invoke.add_argument("function")
    invoke.add_argument("event", help="a JSON object, or a file with one")
    invoke.add_argument("--state", type=Path, default=DEFAULT_STATE)
    invoke.add_argument("--must-have", metavar="FIELD", help="fail unless this field of the answer is true")
    invoke.add_argument("--show-lines", metavar="FIELD", help="show the lines in this field of the answer only")

    land = commands.add_parser("land", help="land a file, and wait for its verdict and its rows (make land)")
    land.add_argument("file", type=Path)
    land.add_argument("--table", help="the raw table; may be left out when the file's name begins with one's name")
    replay = commands.add_parser("replay", help="put a file back from quarantine into land (make replay)")
    replay.add_argument("key", help="the file's key in quarantine, or its s3:// address")
    schema = commands.add_parser(
        "schema", help="print another program's description of a table as JSON (make new-table)"
    )
    schema.add_argument("source", help="<database>.<table> of Glue, or a data contract in YAML")
    for command in (land, replay):
        command.add_argument("--stack", help="one of the account of your credentials, in place of `make up`'s")
        command.add_argument("--state", type=Path, default=DEFAULT_STATE)
        command.add_argument("--meta-data", type=Path, default=REPOSITORY / "meta_data", help="of the --stack")
    return main


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    if options.command == "deploy":
        return deploy(options)
    if options.command == "serve":
        leave(serve(options))
    if options.command == "invoke":
        return invoke(options)
    if options.command in ("land", "replay"):
        return land_or_replay(options)
    if options.command == "schema":
        return schema(options)
    return leave(run_or_up(options))


def complain(message: str) -> int:
    print(f"landfall_local: {message}", file=sys.stderr)
    return 1


def serve(options: argparse.Namespace) -> int:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        cloud = Cloud(options.port, options.state)
    except PortInUseError as error:
        return complain(str(error))
    print(f"ready at {cloud.endpoint}", flush=True)
    if options.ready_file:
        write_whole(options.ready_file, json.dumps({"endpoint": cloud.endpoint, "pid": os.getpid()}))
    stop.wait()
    cloud.stop()
    return 0


def leave(status: int) -> NoReturn:
    """Ends the process at once. There is no use in waiting for blocked threads and for DuckDB's shutdown."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def deploy(options: argparse.Namespace) -> int:
    parameters = dict(pair.split("=", 1) for pair in options.parameter)
    body = {
        "stack": options.stack,
        "functions": str(options.functions.resolve()),
        "template": str(options.template.resolve()),
        "parameters": parameters,
    }
    request = urllib.request.Request(f"{options.endpoint}/_local/stacks", json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request) as response:
            print(json.dumps(json.load(response), indent=2))
    except urllib.error.HTTPError as error:
        return complain(json.load(error)["error"])
    except urllib.error.URLError as error:
        return complain(f"nobody answers at {options.endpoint}: {error.reason}")
    return 0


def run_or_up(options: argparse.Namespace) -> int:
    started = time.monotonic()
    running = running_cloud(options.state) if options.command == "up" else None
    if running:
        return complain(
            f"already running at {running['endpoint']} (process {running['pid']}): "
            "use that one, or stop it with Ctrl-C in its terminal"
        )
    print("Landfall, on this machine: no AWS account, no Docker.\n", flush=True)
    try:
        prepare_for_moto()
        from . import driver  # imports moto

        if options.command == "run":
            files = files_of(options)
            return driver.run(options.requests, options.api, options.functions, options.state, started, files)
        return driver.up(options.port, options.api, options.functions, options.state, started)
    except KeyboardInterrupt:
        return complain("interrupted")
    except Refusal as error:
        return complain(str(error))
    except SystemExit as end:  # from a signal
        return int(end.code or 0)


def files_of(options: argparse.Namespace) -> dict[Path, str] | None:
    from . import driver, landing

    return landing.keys_of(options.folder, driver.metadata_of(options.functions)) if options.folder else None


def invoke(options: argparse.Namespace) -> int:
    from .invoke import invoke

    try:
        return invoke(options.function, options.event, options.state, options.must_have, options.show_lines)
    except Refusal as error:
        return complain(str(error))


def schema(options: argparse.Namespace) -> int:
    from . import schema

    try:
        print(json.dumps(schema.read(options.source), indent=2, default=str))
    except Refusal as error:
        return complain(str(error))
    return 0


def land_or_replay(options: argparse.Namespace) -> int:
    from . import landing

    try:
        if options.command == "land":
            return landing.land(options.file, options.table, options.state, options.stack, options.meta_data)
        return landing.replay(options.key, options.state, options.stack, options.meta_data)
    except KeyboardInterrupt:
        return complain("interrupted: what has landed is checked and built all the same")
    except Refusal as error:
        return complain(str(error))


if __name__ == "__main__":
    sys.exit(main())
