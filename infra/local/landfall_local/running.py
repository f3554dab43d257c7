"""The cloud that `make up` keeps running, and its description for others (cloud.json in its state folder)."""

import json
import urllib.request
from pathlib import Path


class Refusal(Exception):  # noqa: N818 (no fault of the program, but something that the user can put right)
    """The reason why a command cannot do what was requested."""


def shown(path: Path) -> str:
    """Returns a path in its shortest form."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def write_whole(path: Path, text: str) -> None:
    """Writes a file atomically: a reader sees the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text)
    partial.replace(path)


def running_cloud(state: Path) -> dict | None:
    """Returns {"endpoint", "pid", "stack", "outputs", "api", "meta_data"} of the cloud of `up`, if it still answers."""
    try:
        description = json.loads((state / "cloud.json").read_text())
        with urllib.request.urlopen(f"{description['endpoint']}/_local/health", timeout=5) as answer:
            alive = json.load(answer)
    except (OSError, ValueError, KeyError):
        return None
    return description if alive.get("pid") == description["pid"] else None
