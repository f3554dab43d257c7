"""dbt-athena: a source, a view, tables, tests and the docs, in a database of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import boto3
from steps import WORLD, Refused, end, step

BIN = Path(sys.executable).parent
PROJECT = Path("project")
shutil.copytree(Path(__file__).parent / "dbt", PROJECT)
settings = {
    **os.environ,
    "PATH": f"{BIN}:{os.environ['PATH']}",
    "DBT_PROFILES_DIR": str(PROJECT.resolve()),
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "SOURCE_DATABASE": WORLD["database"],
    "SCRATCH": WORLD["scratch"]["bucket"],
    "WORKGROUP": WORLD["scratch"]["workgroup"],
    "ENFORCED_WORKGROUP": WORLD["workgroup"],
}


def dbt(*words: str) -> str:
    ran = subprocess.run(
        [BIN / "dbt", "--no-use-colors", *words], cwd=PROJECT, env=settings, capture_output=True, text=True
    )
    if ran.returncode:
        raise RuntimeError(ran.stdout[-3000:] + ran.stderr[-1000:])
    return [line for line in ran.stdout.splitlines() if line.strip()][-1].split("  ", 1)[-1]


def names() -> dict[str, str]:
    tables = boto3.client("glue").get_tables(DatabaseName="dbt_models")["TableList"]
    return {table["Name"]: table["TableType"] for table in tables}


def documented() -> list[str]:
    dbt("docs", "generate")
    catalog = json.loads((PROJECT / "target/catalog.json").read_text())
    return sorted(node.rsplit(".", 1)[-1] for node in [*catalog["nodes"], *catalog["sources"]])


MADE = {"by_number": "EXTERNAL_TABLE", "few": "VIRTUAL_VIEW", "grown": "EXTERNAL_TABLE", "parted": "EXTERNAL_TABLE"}
step("debug", lambda: dbt("debug"), "All checks passed!")
step("test of a source", lambda: "ERROR=0" in dbt("test", "--select", "source:*"), True)
step("run", lambda: "PASS=4" in dbt("run"), True)
step("what is there", names, MADE)
step("run again", lambda: "PASS=4" in dbt("run"), True)
step("test", lambda: "ERROR=0" in dbt("test"), True)
step("docs generate", documented, ["by_day", "by_number", "few", "grown", "log", "parted"])
step("in a workgroup that enforces its place", lambda: "PASS=4" in dbt("run", "--target", "enforced"), True)
iceberg = ("run", "--select", "by_number", "--vars", "table_type: iceberg")
step("an Iceberg table", lambda: dbt(*iceberg), Refused("NOT_SUPPORTED: the local Athena has no Iceberg tables"))
step("a seed", lambda: dbt("seed"), Refused("NOT_SUPPORTED: the local Athena does not run: create external table"))
end()
