"""Each example passes through the whole pipeline, and its tables have the rows that Python finds in its files."""

import csv
import datetime
import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from landfall_local import landing

ROOT = Path(__file__).resolve().parents[3]
BUILT = ROOT / ".local" / "functions"
SHOP = ROOT / "examples" / "shop"


@pytest.fixture
def functions(tmp_path):
    """The built functions, with the example's metadata."""
    for name in ("extract", "validate", "curate", "catalog"):
        folder = tmp_path / "functions" / name
        folder.mkdir(parents=True)
        (folder / "bootstrap").symlink_to(BUILT / name / "bootstrap")
        (folder / "meta_data").symlink_to(SHOP / "meta_data")
    return tmp_path / "functions"


def run(*words: object, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in words], env={**os.environ, **environment}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_shop_goes_through_the_whole_pipeline(functions, tmp_path):
    words = ["run", "--functions", functions, "--from", SHOP / "files", "--state", tmp_path / "state"]
    told = run(sys.executable, "-m", "landfall_local", *words, PYTHONPATH=str(ROOT / "infra/local"))
    reviewed = dict(re.findall(r"review +(\w+): (\d+) rows", told))
    assert reviewed == {"customers": "8", "orders": "35", "rejected_orders": "3", "sales": "35"}


def test_the_tables_of_the_shop_are_what_its_files_say(tmp_path):
    areas = tmp_path / "raw-hist"
    for file, key in landing.keys_of(SHOP / "files", SHOP / "meta_data").items():
        target = areas / key.removeprefix("shop/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    described = ("--meta-data", SHOP / "meta_data")
    processed, curated = tmp_path / "processed", tmp_path / "curated"
    landfall = ROOT / ".local/landfall"
    run(landfall, "process", "--raw", areas, "--processed", processed, *described)
    run(landfall, "tables", "--raw-hist", areas, "--processed", processed, "--curated", curated, *described)

    def rows(table: str) -> list[dict]:
        found = sorted(curated.glob(f"database/{table}/**/*.parquet"))
        return [row for file in found for row in pq.read_table(file, partitioning=None).to_pylist()]

    good, bad = exported()
    columns = ("order_no", "ordered_on", "customer", "product", "quantity", "price", "note")
    assert [
        tuple(row[name] for name in columns) for row in sorted(rows("orders"), key=lambda row: row["order_no"])
    ] == good
    assert [row["line"] for row in rows("rejected_orders")] == bad
    assert len(good) == 35
    assert len(bad) == 3

    known = {row["customer"]: row for row in rows("customers")}
    assert known["C002"]["full_name"] == "Ada Smith"  # her name has changed since
    assert known["C008"]["town"] is None  # n/a
    spent: dict[str, Decimal] = {}
    total = {}
    for number, _, customer, _, quantity, price, _ in sorted(good, key=lambda row: (row[1], row[0])):
        spent[customer] = spent.get(customer, Decimal(0)) + quantity * price
        total[number] = spent[customer]
    sales = rows("sales")
    assert [(row["order_no"], row["spent"]) for row in sales] == sorted(total.items())
    catalogue = {
        row["Product Code"]: row["productName"]
        for row in pq.read_table(next(SHOP.glob("files/products/*"))).to_pylist()
    }
    assert {row["order_no"]: row["product_name"] for row in sales} == {row[0]: catalogue[row[3]] for row in good}
    assert {row["order_no"]: row["town"] for row in sales} == {row[0]: known[row[2]]["town"] for row in good}


def exported() -> tuple[list[tuple], list[str]]:
    """Returns the orders of the exports, and the lines that are not orders, as Python reads them."""
    good, bad = [], []
    for file in sorted((SHOP / "files" / "order_export").iterdir()):
        for line in file.read_text(encoding="windows-1252").splitlines()[1:]:
            fields = next(csv.reader([line], delimiter=";"))
            if fields[0] == "Order No":
                continue
            try:
                number, day, customer, product, quantity, price, note = fields
                ordered = datetime.datetime.strptime(day, "%d/%m/%Y").date()
                amount = Decimal(price.removeprefix("£").replace(",", ""))
                good.append((int(number), ordered, customer, product, int(quantity), amount, note or None))
            except ValueError:
                bad.append(line)
    return good, bad
