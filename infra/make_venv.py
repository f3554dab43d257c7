"""Creates a virtual environment, or adds to one, for the Makefile: `make_venv.py <stamp> <requirements> [--onto]`.

The stamp's folder is the environment. If several makes run at once, one does the work, and the others wait for it. The
stamp is written last, so an incomplete environment is made again.
"""

import argparse
import fcntl
import shutil
import subprocess
import sys
import venv
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stamp", type=Path)
    parser.add_argument("requirements", type=Path)
    parser.add_argument("--onto", action="store_true", help="install into the environment that is there")
    options = parser.parse_args()
    folder: Path = options.stamp.parent
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_new(options.stamp, options.requirements):
            return 0
        if not options.onto:
            print(f"making {folder}", flush=True)
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=True, symlinks=True)
        pip = (folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check")
        status = subprocess.call((*pip, "-r", options.requirements))
        if status == 0:
            options.stamp.touch()
        return status


def is_new(stamp: Path, requirements: Path) -> bool:
    """Whether the environment was made from these requirements, for example by another make while this one waited."""
    return stamp.exists() and stamp.stat().st_mtime >= requirements.stat().st_mtime


if __name__ == "__main__":
    sys.exit(main())
