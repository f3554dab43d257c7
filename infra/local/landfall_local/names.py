"""The names that a stack takes from its metadata, which are defined only in meta_data/{curated,raw}/database.json."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

CURATED = "curated/database.json"
RAW = "raw/database.json"

# The patterns of the template's parameters; a test compares them.
PATTERNS = {
    "Database": r"[a-z0-9_]{1,255}",
    "RawDatabase": r"[a-z0-9_]{1,255}",
    "BaseFolder": r"[A-Za-z0-9-][A-Za-z0-9_-]*(/[A-Za-z0-9_-]+)*",
}


class NamesError(Exception):
    """Everything that is wrong with the names."""


@dataclass
class Names:
    """Parameters of the template."""

    said: dict[str, str] = field(default_factory=dict)
    """What the metadata says: nothing else will do."""
    assumed: dict[str, str] = field(default_factory=dict)
    """What holds unless something else is asked for."""
    sources: dict[str, str] = field(default_factory=dict)
    """Where it is said."""

    def with_parameters(self, given: dict[str, str]) -> dict[str, str]:
        """Returns all parameters of a stack. Refuses those that contradict the metadata."""
        problems = [
            f"{name}={given[name]}, but {self.sources[name]} says {value}"
            for name, value in self.said.items()
            if given.get(name, value) != value
        ]
        parameters = {**self.assumed, **given, **self.said}
        for name, pattern in PATTERNS.items():
            if not re.fullmatch(pattern, parameters[name]):
                source = "" if name in given else f", from {self.sources[name]}"
                problems.append(f"{name}={parameters[name]}{source}: must match {pattern}")
        if problems:
            raise NamesError("\n".join(problems))
        return parameters


def names(metadata: Path) -> Names:
    """Reads the names. Without a raw database, its permissions apply to the curated one, and files land in a folder
    like that of the curated tables."""
    found = Names()
    curated = read(metadata / CURATED)
    found.said["Database"] = curated["name"]
    if (metadata / RAW).exists():
        raw = read(metadata / RAW)
        found.said |= {"RawDatabase": raw["name"], "BaseFolder": raw["base_folder"].strip("/")}
        raw_source = f"{metadata.name}/{RAW}"
    else:
        # curated tables may be at the top of their bucket, but landed files need a folder, because the pipeline's own
        # keys are beside it
        folder = curated["base_folder"].strip("/") or curated["name"]
        found.assumed |= {"RawDatabase": curated["name"], "BaseFolder": folder}
        raw_source = f"{metadata.name}/{CURATED}"
    found.sources = {"Database": f"{metadata.name}/{CURATED}", "RawDatabase": raw_source, "BaseFolder": raw_source}
    return found


def read(path: Path) -> dict:
    try:
        database = json.loads(path.read_bytes())
    except OSError as error:
        raise NamesError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise NamesError(f"{path}: not JSON: {error}") from error
    keys = ("name", "base_folder")
    missing = [key for key in keys if not isinstance(database, dict) or not isinstance(database.get(key), str)]
    if missing:
        raise NamesError(f"{path}: {' and '.join(missing)} must be texts")
    return database
