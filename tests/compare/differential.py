"""Compares validate's verdicts with data_linter's over generated files: `make compare`.

disagreements.md must list every disagreement, with its reason. One that is not listed fails the run, and so does an
entry that no file needs any more.
"""

import argparse
import json
import logging
import shutil
import subprocess
import sys
import traceback
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from cases import Case, cases
from data_linter.validators import PandasValidator, ParquetValidator

DISAGREEMENTS = Path(__file__).with_name("disagreements.md")
DATABASE = {"name": "compare", "bucket": "compare", "base_folder": "compare", "description": "Generated"}
# exit codes of `landfall validate`
VERDICTS = {0: "passes", 1: "fails"}


@dataclass
class Verdict:
    """A checker's verdict on a file, and the reason."""

    verdict: str
    reason: str


def data_linter(case: Case, file: Path) -> Verdict:
    """Runs both validators for Parquet: one checks the values, the other the types."""
    validators = [PandasValidator, ParquetValidator] if case.format == "parquet" else [PandasValidator]
    broken = []
    for kind in validators:
        try:
            validator = kind(str(file), dict(case.linter), deepcopy(case.metadata))
            validator.read_data_and_validate()
        except Exception:
            broken.append(traceback.format_exc().strip().splitlines()[-1])
            continue
        for name, tests in validator.get_response_dict().items():
            if name == "valid" or tests["valid"]:
                continue
            last = tests.get("traceback", "").strip().splitlines()[-1:]
            rules = [
                rule for rule, result in tests.items() if isinstance(result, dict) and not result.get("valid", True)
            ]
            broken.append(" ".join([name, *rules, *last]))
    return Verdict("fails" if broken else "passes", "; ".join(broken))


def ours(landfall: Path, case: Case, file: Path) -> Verdict:
    """Runs `landfall validate`."""
    folder = file.parent / "meta_data"
    raw, curated = folder / "raw", folder / "curated"
    raw.mkdir(parents=True)
    curated.mkdir()
    (raw / "t.json").write_text(json.dumps({**case.metadata, "checks": case.checks, "dialect": case.dialect}, indent=1))
    (curated / "database.json").write_text(json.dumps(DATABASE))
    command = [landfall, "validate", file, "--table", "t", "--meta-data", folder, "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    verdict = VERDICTS.get(ended.returncode, f"cannot check (exit code {ended.returncode})")
    try:
        reason = json.loads(ended.stdout)["summary"]
    except (ValueError, KeyError):
        reason = (ended.stderr or ended.stdout).strip()
    return Verdict(verdict, reason)


@dataclass
class Listed:
    """A row of disagreements.md."""

    kind: str
    formats: set[str]
    data_linter: str
    ours: str
    needed: bool = False

    def covers(self, case: Case, linter: Verdict, own: Verdict) -> bool:
        return (self.kind, self.data_linter, self.ours) == (case.kind, linter.verdict, own.verdict) and (
            case.format in self.formats or case.format.removesuffix(".gz") in self.formats
        )


def listed() -> list[Listed]:
    """Reads the rows of all tables: kind, formats, data_linter's verdict, ours, reason."""
    rows = []
    for line in DISAGREEMENTS.read_text(encoding="utf-8").splitlines():
        if not line.startswith("|") or line.startswith(("|---", "| what is in the file |")):
            continue
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) != 5 or not cells[4]:
            sys.exit(f"{DISAGREEMENTS.name}: expected five cells, the last of them a reason: {line}")
        kind, formats, linter, own, _ = cells
        rows.append(Listed(kind, set(formats.split(", ")), linter, own))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--landfall", type=Path, required=True, help="our binary")
    parser.add_argument("--seed", type=int, default=1, help="of the files")
    parser.add_argument("--folder", type=Path, default=Path(".local/compare"), help="where the files go and stay")
    settings = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")

    shutil.rmtree(settings.folder, ignore_errors=True)
    generated = cases(settings.seed)
    files = []
    for n, case in enumerate(generated):
        file = settings.folder / f"{n:03}" / f"t_1700000000.{case.format}"
        file.parent.mkdir(parents=True)
        file.write_bytes(case.content)
        files.append(file)
    with ThreadPoolExecutor(max_workers=2) as pool:
        own = list(pool.map(lambda pair: ours(settings.landfall.resolve(), *pair), zip(generated, files, strict=True)))
    linter = [data_linter(case, file) for case, file in zip(generated, files, strict=True)]

    known = listed()
    verdicts: Counter[tuple[str, str]] = Counter()
    unexplained = []
    for case, file, theirs, mine in zip(generated, files, linter, own, strict=True):
        verdicts[theirs.verdict, mine.verdict] += 1
        if theirs.verdict == mine.verdict:
            continue
        entry = next((entry for entry in known if entry.covers(case, theirs, mine)), None)
        if entry:
            entry.needed = True
        else:
            unexplained.append((case, file, theirs, mine))

    print(f"{len(generated)} files of {len({case.kind for case in generated})} kinds, seed {settings.seed}")
    for (theirs, mine), count in sorted(verdicts.items()):
        print(f"  {count:4}  data_linter {theirs}, validate {mine}")
    agreed = sum(count for (theirs, mine), count in verdicts.items() if theirs == mine)
    explained = len(generated) - agreed - len(unexplained)
    print(f"{agreed} agree, {explained} disagree for a reason in {DISAGREEMENTS.name}, {len(unexplained)} for none")
    for case, file, theirs, mine in sorted(unexplained, key=lambda found: found[0].kind):
        print(f"\n{case.kind} ({case.format}, {file})")
        print(f"  data_linter {theirs.verdict}: {theirs.reason[:300]}")
        print(f"  validate    {mine.verdict}: {mine.reason[:300]}")
    unneeded = [entry for entry in known if not entry.needed]
    for entry in unneeded:
        print(
            f"\n{DISAGREEMENTS.name}: no file disagrees like this any more: {entry.kind} ({', '.join(entry.formats)})"
        )
    sys.exit(1 if unexplained or unneeded else 0)


if __name__ == "__main__":
    main()
