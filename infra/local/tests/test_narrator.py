"""The printed output: sizes, tables, the ends of logs."""

import json

import pytest

from landfall_local.narrator import log_tail, readable, size, table


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (2_000_000, "2.0 MB"), (5_400_000_000, "5.4 GB")],
)
def test_sizes(count, text):
    assert size(count) == text


def test_a_table_has_its_numbers_to_the_right():
    lines = ["  region       n", "  ----------  --", "  south east  12", "  wales        3"]
    assert table(["region", "n"], [["south east", "12"], ["wales", "3"]]).splitlines() == lines


def test_long_values_are_cut():
    assert table(["name"], [["x" * 100]]).splitlines()[-1] == f"  {'x' * 37}..."


def test_a_line_of_json_is_made_readable():
    line = {"timestamp": "t", "level": "ERROR", "message": "no such key", "key": "a/b", "span": {"request_id": "1"}}
    assert readable(json.dumps(line)) == "ERROR no such key key=a/b"
    assert readable("thread 'main' panicked") == "thread 'main' panicked"


def test_the_end_of_a_log_leaves_out_what_is_not_the_functions(tmp_path):
    file = tmp_path / "x.log"
    lines = ['{"time": "t", "type": "platform.start"}', '{"_aws":{"CloudWatchMetrics":[]}}', "own"]
    file.write_text("\n".join(lines))
    assert log_tail(file) == "  own"
    assert log_tail(tmp_path / "missing") == "  (nothing)"
