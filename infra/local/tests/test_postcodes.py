"""The stand-in for the postcodes API: the present shape, the same answers every time, and faults on demand."""

import json
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from landfall_local.postcodes import Server, Source, answer, main, read_responses

COLUMNS = json.loads((Path(__file__).parents[3] / "meta_data/raw/random_postcodes.json").read_text())["columns"]

# The usual form: https://www.gov.uk, "What a postcode looks like", for the places of the stand-in.
POSTCODE = re.compile(r"^([A-Z]{1,2}[0-9][A-Z0-9]?) [0-9][ABD-HJLNP-UW-Z]{2}$")


def flat(record: dict) -> dict:
    """Flattens a record as extract does: nested names are joined by an underscore."""
    columns = {}
    for name, value in record.items():
        if isinstance(value, dict):
            columns.update({f"{name}_{inner}": found for inner, found in value.items()})
        else:
            columns[name] = value
    return columns


@pytest.fixture(scope="module")
def records() -> list[dict]:
    return [flat(answer(number)["result"]) for number in range(2000)]


@pytest.fixture
def serve():
    servers = []

    def start(*faults: str, responses: list[bytes] | None = None) -> Server:
        server = Server(0, Source(responses, list(faults)))
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def get(server: Server, path: str = "/random/postcodes"):
    return json.load(urllib.request.urlopen(server.url + path))


def error(server: Server) -> urllib.error.HTTPError:
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(server)
    return caught.value


# -- answers -----------------------------------------------------------------------------------------------------------


def test_every_answer_has_the_columns_of_the_metadata_in_order(records):
    names = [column["name"] for column in COLUMNS if column["name"] != "index"]
    assert len(names) == 70
    assert all(list(record) == names for record in records)


def test_values_are_what_the_metadata_describes(records):
    types = {"character": str, "int": int, "double": float}
    for column in COLUMNS:
        if column["name"] == "index":
            continue
        values = [record[column["name"]] for record in records]
        assert column.get("nullable", True) or None not in values, column["name"]
        for value in values:
            if value is None:
                continue
            assert type(value) is types[column["type"]], column["name"]
            assert re.match(column.get("pattern", ""), str(value))
            assert value in column.get("enum", [value])
            assert "minimum" not in column or value >= column["minimum"]
            assert "maximum" not in column or value <= column["maximum"]


def test_postcodes_are_valid_and_agree_with_their_halves(records):
    for record in records:
        assert POSTCODE.match(record["postcode"])
        assert record["postcode"] == f"{record['outcode']} {record['incode']}"


def test_the_awkward_values_are_there(records):
    values = {value for record in records for value in record.values() if isinstance(value, str)}
    assert "012" in values
    assert "Steòrnabhagh" in values
    assert "Bristol, City of" in values
    assert any(value.endswith(" ") for value in values)
    assert any(record["latitude"] is None for record in records)


def test_the_same_number_has_the_same_answer():
    assert answer(3) == answer(3)
    assert answer(3) != answer(4)
    # also on another machine, or in another version of Python
    assert answer(0)["result"]["postcode"] == "HR1 2RX"


def test_an_outcode_is_kept_to():
    assert answer(1, "bs1")["result"]["outcode"] == "BS1"
    assert answer(1, "ZZ9") == {"status": 200, "result": None}


# -- HTTP --------------------------------------------------------------------------------------------------------------


def test_requests_are_answered_in_order(serve):
    server = serve()
    assert [get(server) for _ in range(3)] == [answer(number) for number in range(3)]
    assert get(server, "/_local/requests") == {"requests": 3, "answers": 3}
    assert get(server, "/random/postcodes?outcode=CH1")["result"]["outcode"] == "CH1"


def test_other_paths_are_not_found(serve):
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(serve(), "/postcodes/X")
    assert (caught.value.code, json.load(caught.value)) == (404, {"status": 404, "error": "Resource not found"})


def test_a_thousand_requests_are_quick(serve):
    server = serve()
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: get(server)["result"]["postcode"], range(1000)))
    assert sorted(found) == sorted(answer(number)["result"]["postcode"] for number in range(1000))
    assert time.monotonic() - started < 10


def test_given_responses_are_served_in_order(serve, tmp_path):
    file = tmp_path / "responses.jsonl"
    lines = [{"status": 200, "result": {"postcode": name}} for name in ("A", "B")]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    server = serve(responses=read_responses(file))
    assert [get(server) for _ in range(3)] == [lines[0], lines[1], lines[0]]


def test_bad_responses_are_refused(tmp_path, capsys):
    file = tmp_path / "responses.jsonl"
    file.write_text('{"status": 200}\n')
    assert main(["--responses", str(file)]) == 1
    assert "line 1: no result" in capsys.readouterr().err


# -- faults ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
def test_every_third_answer_asks_to_come_back(serve, status):
    server = serve(f"{status}:3:7")
    good = [get(server), get(server)]
    refused = error(server)
    assert (refused.code, refused.headers["Retry-After"]) == (status, "7")
    assert [*good, get(server)] == [answer(0), answer(1), answer(2)]  # the fault did not use up an answer


def test_an_error_of_the_server(serve):
    assert error(serve("500:1")).code == 500


def test_a_null_result(serve):
    assert get(serve("null:1")) == {"status": 200, "result": None}


def test_a_page_instead_of_json(serve):
    body = urllib.request.urlopen(serve("html:1").url + "/random/postcodes")
    assert body.headers["Content-Type"].startswith("text/html")
    assert body.read().startswith(b"<!DOCTYPE html>")


def test_a_truncated_body(serve):
    import http.client

    with pytest.raises(http.client.IncompleteRead):
        get(serve("truncated:1"))


def test_a_dropped_connection(serve):
    import http.client

    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        get(serve("drop:1"))


def test_a_slow_answer_is_a_good_one(serve):
    server = serve("slow:1:0.3")
    started = time.monotonic()
    assert get(server) == answer(0)
    assert time.monotonic() - started >= 0.3


def test_a_redirect_elsewhere(serve):
    target = serve()
    server = serve(f"redirect:1:{target.url}/random/postcodes")
    assert get(server) == answer(0)
    assert target.source.requests == 1


def test_faults_can_be_set_at_run_time(serve):
    server = serve()
    get(server)
    request = urllib.request.Request(f"{server.url}/_local/faults", b'["500:1"]')
    urllib.request.urlopen(request)
    assert error(server).code == 500
    urllib.request.urlopen(urllib.request.Request(f"{server.url}/_local/faults", b"[]"))
    assert get(server) == answer(1)


@pytest.mark.parametrize("fault", ["418:1", "429", "429:0", "429:x", ""])
def test_an_unknown_fault_is_refused(fault):
    with pytest.raises(ValueError, match="is no fault"):
        Source(faults=[fault])


def test_it_ends_with_whoever_started_it():
    command = [sys.executable, "-m", "landfall_local.postcodes", "--end-with-stdin"]
    package = Path(__file__).parents[1]
    process = subprocess.Popen(command, cwd=package, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("ready at http://127.0.0.1:")
    process.stdin.close()
    assert process.wait(10) == 0
