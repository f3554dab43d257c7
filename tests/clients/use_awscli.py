"""The aws CLI: start a query, wait for it, show the result."""

import json
import subprocess
import sys
import time
from pathlib import Path

from steps import WORLD, Refused, end, step

AWS = Path(sys.executable).with_name("aws")


def aws(*words: str) -> dict:
    ran = subprocess.run([AWS, "athena", *words, "--output", "json"], capture_output=True, text=True)
    if ran.returncode:
        raise RuntimeError(ran.stderr.strip())
    return json.loads(ran.stdout)


def query(sql: str) -> list[list[str | None]]:
    context = f"Database={WORLD['database']}"
    words = ["--query-string", sql, "--work-group", WORLD["workgroup"], "--query-execution-context", context]
    name = ("--query-execution-id", aws("start-query-execution", *words)["QueryExecutionId"])
    while aws("get-query-execution", *name)["QueryExecution"]["Status"]["State"] in ("QUEUED", "RUNNING"):
        time.sleep(0.1)
    rows = aws("get-query-results", *name)["ResultSet"]["Rows"]
    return [[cell.get("VarCharValue") for cell in row["Data"]] for row in rows]


step("a query", lambda: query("SELECT MAX(n) AS most FROM by_day"), [["most"], ["3"]])
step("no SQL", lambda: query("SELEC 1"), Refused("(InvalidRequestException)"))
words = ["list-databases", "--catalog-name", "AwsDataCatalog"]
step(
    "list-databases",
    lambda: WORLD["database"] in [found["Name"] for found in aws(*words)["DatabaseList"]],
    True,
)
end()
