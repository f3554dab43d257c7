"""Package the pipeline, or deploy a package: `make package` and `make deploy`.

A package is a folder with the template, the state machine, a zip for each function, and package.json, which records
their origin. It is the same for every account, region and stack; everything that differs is specified on deployment.
"""

import argparse
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from landfall_local.names import Names, NamesError, names

ROOT = Path(__file__).resolve().parents[1]
INFRA = ROOT / "infra"
BUILD = ROOT / "build"
FUNCTIONS = ("extract", "validate", "curate", "catalog")
MANIFEST = "package.json"
# A bucket's name has up to 63 characters, of which -quarantine-<account>-<region> takes up to 39.
STACK = r"[a-z][a-z0-9-]{0,23}"
SWITCHES = {"confirm_changeset", "disable_rollback", "fail_on_empty_changeset"}  # sam options with a --no-… form


class RefusedError(Exception):
    """The reason why nothing is deployed."""


# ------------------------------------------------------------------------------------------------------------- package


def package(arch: str, folder: Path) -> None:
    """Copies the output of `make build`, and the files to deploy it with, into a folder."""
    metadata = names(BUILD / "functions" / FUNCTIONS[0] / "meta_data")
    template = (INFRA / "template.yaml").read_text()
    for function in FUNCTIONS:
        built, packed = f"CodeUri: ../build/functions/{function}/\n", f"CodeUri: {function}.zip\n"
        if template.count(built) != 1:
            raise RefusedError(f"infra/template.yaml: {template.count(built)} times {built.strip()}, expected once")
        template = template.replace(built, packed)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "template.yaml").write_text(template)
    shutil.copy(INFRA / "pipeline.asl.json", folder)
    for function in FUNCTIONS:
        shutil.copy(BUILD / "zips" / f"{function}.zip", folder)
    manifest = {
        "commit": commit(),
        "parameters": {"Architecture": arch, **metadata.said},
        "unless_asked": metadata.assumed,
        "files": digests(folder),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    print(f"{shown(folder)}: {len(manifest['files'])} files of {manifest['commit']}")


def commit() -> str:
    """Returns the commit of the working tree, for people to read."""
    try:
        command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "no commit"
    return done.stdout.strip()


def digests(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of each file of a package, except its manifest."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@dataclass
class Package:
    """A package whose files are unchanged since it was made."""

    commit: str
    names: Names

    @classmethod
    def at(cls, folder: Path) -> Self:
        try:
            manifest = json.loads((folder / MANIFEST).read_text())
            packaged, said, assumed = manifest["files"], manifest["parameters"], manifest["unless_asked"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RefusedError(f"{shown(folder)} is no package: {error!r}; `make package` makes one") from error
        found = digests(folder)
        changed = sorted(name for name in packaged.keys() | found.keys() if packaged.get(name) != found.get(name))
        if changed:
            raise RefusedError(f"{shown(folder)} is not as it was packaged: {', '.join(changed)}")
        sources = dict.fromkeys([*said, *assumed], f"{shown(folder)}/{MANIFEST}")
        return cls(manifest["commit"], Names(said, assumed, sources))


# -------------------------------------------------------------------------------------------------------------- deploy


def settings(environment: str | None) -> dict:
    """Returns the options of `sam deploy`: samconfig.toml's [default], overridden by the environment's."""
    config = tomllib.loads((INFRA / "samconfig.toml").read_text())
    known = {name: body["deploy"]["parameters"] for name, body in config.items() if isinstance(body, dict)}
    if environment and environment not in known:
        raise RefusedError(f"ENV={environment}: infra/samconfig.toml has {', '.join(known)}")
    return known["default"] | known.get(environment or "default", {})


def split(parameters: str) -> dict[str, str]:
    """Splits the PARAMETERS of a command, which are quoted like a shell's words."""
    try:
        words = shlex.split(parameters)
    except ValueError as error:
        raise RefusedError(f"PARAMETERS={parameters}: {error}") from error
    if wrong := [word for word in words if not re.match(r"[A-Za-z0-9]+=", word)]:
        raise RefusedError(f"PARAMETERS: not Name=value: {', '.join(wrong)}")
    return dict(word.split("=", 1) for word in words)


def wanted(asked: Callable[[str], str | None], is_terminal: bool) -> tuple[dict, dict[str, str]]:
    """Returns the requested options and parameters."""
    options = settings(asked("DEPLOY_ENV"))
    parameters = split(options.pop("parameter_overrides", "")) | split(asked("PARAMETERS") or "")
    for name, variable in (("stack_name", "STACK"), ("region", "REGION")):
        if value := asked(variable):
            options[name] = value
    if asked("CONFIRM"):
        options["confirm_changeset"] = asked("CONFIRM") != "0"
    if not re.fullmatch(STACK, options["stack_name"]):
        raise RefusedError(
            f"STACK={options['stack_name']}: a part of every bucket's name, so at most 24 lower case letters, digits "
            "and hyphens, with a letter first"
        )
    if options["confirm_changeset"] and not is_terminal:
        raise RefusedError("no terminal to ask on whether the changes are right: CONFIRM=0 makes them without asking")
    return options, parameters


def command_line(sam: str, folder: Path, options: dict, parameters: dict[str, str], more: str) -> list[str]:
    command = [sam, "deploy", "--template-file", str(folder / "template.yaml")]
    for name, value in options.items():
        option = name.replace("_", "-")
        if value is True:
            command.append(f"--{option}")
        elif value is False:
            command += [f"--no-{option}"] if name in SWITCHES else []
        else:
            command += [f"--{option}", value]
    return [*command, *shlex.split(more), "--parameter-overrides", *map(quoted, parameters.items())]


def quoted(parameter: tuple[str, str]) -> str:
    """Quotes a value with spaces as sam requires. sam takes a backslash literally."""
    name, value = parameter
    escaped = value.replace('"', '\\"')
    return f'{name}="{escaped}"'


def check(asked: Callable[[str], str | None], arch: str, folder: Path | None, is_terminal: bool) -> None:
    """Refuses a deployment that cannot succeed, before minutes go into building it."""
    _, parameters = wanted(asked, is_terminal)
    if folder:
        Package.at(folder).names.with_parameters(parameters)
        return
    found = names(ROOT / "meta_data")
    found.said["Architecture"], found.sources["Architecture"] = arch, "ARCH"
    found.with_parameters(parameters)


def deploy(sam: str, asked: Callable[[str], str | None], folder: Path, is_terminal: bool) -> int:
    packaged = Package.at(folder)
    options, parameters = wanted(asked, is_terminal)
    parameters = packaged.names.with_parameters(parameters)
    command = command_line(sam, folder, options, parameters, asked("DEPLOY_OPTIONS") or "")
    print(f"deploying {shown(folder)} ({packaged.commit}) as stack {options['stack_name']}", flush=True)
    return subprocess.run(command).returncode


def shown(path: Path) -> str:
    path = path.resolve()
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("check", "package", "deploy"):
        command = commands.add_parser(name)
        if name != "deploy":
            command.add_argument("--arch", default="x86_64")
        if name == "deploy":
            command.add_argument("--sam", default="sam")
        command.add_argument("folder", type=Path, nargs="?" if name == "check" else None)
    given = parser.parse_args()
    try:
        if given.command == "package":
            package(given.arch, given.folder)
        elif given.command == "check":
            check(os.environ.get, given.arch, given.folder, sys.stdin.isatty())
        else:
            return deploy(given.sam, os.environ.get, given.folder, sys.stdin.isatty())
    except (RefusedError, NamesError) as error:
        print(f"not deployed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
