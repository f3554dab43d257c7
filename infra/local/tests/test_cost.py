"""The sums in docs/cost.md are right, and it counts the template's resources."""

import re
from pathlib import Path

import pytest
from test_template import TEXT

TIMES = "\N{MULTIPLICATION SIGN}"
COST = (Path(__file__).resolve().parents[3] / "docs/cost.md").read_text()


def section(title: str) -> str:
    return re.split(r"^###? ", COST.partition(f"\n### {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize("title", ["The example", "10,000 files a day, 100 tables"])
def test_columns_add_up(title):
    found = re.findall(r"^\|[^|]+\|[^|]+((?:\| \**[\d,]+\.\d\d\** )+)\|$", section(title), re.MULTILINE)
    *items, together = [[float(cell.strip("* ").replace(",", "")) for cell in row.split("|")[1:]] for row in found]
    assert len(items) >= 5
    assert [round(sum(column), 2) for column in zip(*items, strict=True)] == together


def test_arithmetic_is_right():
    """Checks every row whose term has only numbers and R."""
    checked = 0
    for row in section("10,000 files a day, 100 tables").splitlines():
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        if len(cells) == 4 and re.fullmatch(rf"[\d\s{TIMES}+$.,()R]+", cells[1]):
            term = cells[1].replace(TIMES, "*").replace("$", "").replace(",", "")
            for rebuilds, said in zip((1440, 24), cells[2:], strict=True):
                value = eval(term, {"R": rebuilds})
                assert value == pytest.approx(float(said.replace(",", "").rstrip(" |")), abs=0.006), row
            checked += 1
    assert checked >= 6


def test_it_counts_the_alarms_of_the_template():
    alarms, metrics = TEXT.count("Type: AWS::CloudWatch::Alarm"), TEXT.count("MetricName: ")
    assert f"{alarms}, which look at {metrics} metrics" in COST
    assert f"| alarms, a metric | {metrics} {TIMES} $0.10 |" in COST


def test_it_knows_for_how_long_runs_stay():
    days = int(re.search(r"KeepRunsDays:\n    Type: Number\n    Default: (\d+)", TEXT)[1])
    curated = TEXT[TEXT.index("\n  CuratedBucket:") : TEXT.index("\n  QuarantineBucket:")]
    old = int(re.search(r"NoncurrentVersionExpiration: \{NoncurrentDays: (\d+)\}", curated)[1])
    assert f"{days + old} days in all" in COST
