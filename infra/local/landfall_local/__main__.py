"""The commands: `python -m landfall_local serve | deploy | run | up | invoke`."""

import argparse
import json
import os
import signal
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import NoReturn

from .server import REPOSITORY, TEMPLATE, Cloud, PortInUseError

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
    return main


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        return {"serve": serve, "deploy": deploy}[options.command](options)
    except PortInUseError as error:
        return complain(str(error))


def complain(message: str) -> int:
    print(f"landfall_local: {message}", file=sys.stderr)
    return 1


def serve(options: argparse.Namespace) -> int:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    cloud = Cloud(options.port, options.state)
    print(f"ready at {cloud.endpoint}", flush=True)
    if options.ready_file:
        write_whole(options.ready_file, json.dumps({"endpoint": cloud.endpoint, "pid": os.getpid()}))
    stop.wait()
    cloud.stop()
    leave(0)


def leave(status: int) -> NoReturn:
    """Ends the process at once: threads that still wait for something, and DuckDB's farewell, help nobody."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def write_whole(path: Path, text: str) -> None:
    """A reader sees the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(path)


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


if __name__ == "__main__":
    sys.exit(main())
