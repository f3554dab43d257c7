"""The job of the curate_*.py scripts: `<script> RAW_HIST CURATED META_DATA DEA_VERSION SNAPSHOT_DATE [OPTION]`.

`postcodes` has every row of every file, with the version column. `calculated` counts the rows of each region, in lower
case, in a partition folder of the snapshot date. The scripts count over the Parquet that they have just written, which
is less work for all of them than reading the JSON a second time.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

COUNTED = "european_electoral_region"


@dataclass
class Job:
    """One build of both tables."""

    # sorted by name, which is the order of landing
    files: list[str]
    # of the raw table, with the metadata's types
    columns: dict[str, str]
    postcodes: Path
    calculated: Path
    dea_version: str
    # the variant to run, if a script has several
    option: str | None


def job() -> Job:
    """Reads the job from the command line and creates its folders."""
    raw_hist, curated, meta_data, dea_version, snapshot_date, *option = sys.argv[1:]
    table = json.loads((Path(meta_data) / "raw" / "postcodes.json").read_text(encoding="utf-8"))
    postcodes = Path(curated) / "postcodes"
    calculated = Path(curated) / "calculated" / f"dea_snapshot_date={snapshot_date}"
    for folder in (postcodes, calculated):
        folder.mkdir(parents=True, exist_ok=True)
    return Job(
        files=sorted(str(file) for file in Path(raw_hist).glob("postcodes/*/*.jsonl.gz")),
        columns={column["name"]: column["type"] for column in table["columns"]},
        postcodes=postcodes,
        calculated=calculated,
        dea_version=dea_version,
        option=next(iter(option), None),
    )
