"""The virtual environments of the Makefile are made once, however many makes run at the same time."""

import subprocess
import sys
from pathlib import Path

MAKE_VENV = Path(__file__).resolve().parents[2] / "make_venv.py"


def make(folder: Path, stamp: str, *options: str) -> subprocess.Popen:
    words = [sys.executable, MAKE_VENV, f"venv/{stamp}", "requirements.txt", *options]
    return subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True)


def test_of_makes_at_once_one_makes_it_and_the_others_wait(tmp_path):
    (tmp_path / "requirements.txt").write_text("# nothing\n")
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "of_one_that_was_cut_off").touch()
    makes = [make(tmp_path, ".ready") for _ in range(3)]
    printed = [process.communicate(timeout=300)[0] for process in makes]
    assert [process.returncode for process in makes] == [0, 0, 0]
    assert sorted(printed) == ["", "", "making venv\n"]
    assert (tmp_path / "venv" / "bin" / "pip").exists()
    assert not (tmp_path / "venv" / "of_one_that_was_cut_off").exists()
    assert make(tmp_path, ".ready-dev", "--onto").wait(300) == 0
    assert (tmp_path / "venv" / ".ready-dev").exists()


def test_what_fails_leaves_no_stamp(tmp_path):
    (tmp_path / "requirements.txt").write_text("no requirement!\n")
    assert make(tmp_path, ".ready").wait(300) != 0
    assert not (tmp_path / "venv" / ".ready").exists()
