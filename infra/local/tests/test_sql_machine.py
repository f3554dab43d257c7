"""A bounded part of `make compare-sql`: generated SQL over generated tables, with the real curate."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LANDFALL = ROOT / ".local/landfall"
sys.path.insert(0, str(ROOT / "tests/compare"))

from machine.bytes import prove  # noqa: E402 (from a folder of its own)
from machine.canaries import search  # noqa: E402
from machine.hunt import Hunt  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def built():
    assert LANDFALL.exists(), "landfall is not built: make functions"


def test_generated_sql_has_the_answers_of_duckdb(tmp_path):
    hunt = Hunt(LANDFALL, 1, tmp_path)
    hunt.run(0, 300)
    assert not hunt.failed, "\n".join([hunt.summary(), *hunt.reports])
    assert hunt.counts["same"] > 200, hunt.summary()


def test_generated_sql_gives_the_same_bytes_every_time_with_any_number_of_threads(tmp_path):
    counts, problems = prove(LANDFALL, 1, 60, tmp_path)
    assert not problems, "\n\n".join(problems)
    assert counts["same"] > 40, counts


def test_no_failure_shows_a_value_of_a_sensitive_column(tmp_path):
    counts, problems = search(LANDFALL, 1, 150, tmp_path)
    assert not problems, "\n\n".join(problems)
    assert counts["query refused"] > 100 and counts["file refused"] > 100, counts
