"""A stand-in for the postcodes API (https://postcodes.io): GET /random/postcodes, in its present shape.

The n-th request gets the n-th answer, which is always the same, so a run can be repeated and its result compared. It
can also misbehave, for tests of its readers:

    python -m landfall_local.postcodes --port 8000 --fault 429:5 --fault truncated:7

makes every 5th answer a 429 and every 7th a body that ends too early. A faulty answer does not use up a good one. The
faults, with the optional third part in parentheses:

    429, 503        "Too many requests", "unavailable", with Retry-After (seconds; 1)
    500             an error of the server
    null            200 with `result: null`, as for an unknown outcode
    truncated       a body shorter than its Content-Length
    html            200 with a page of a proxy instead of JSON
    slow            a good answer, late (seconds; 1)
    drop            the connection closed without an answer
    redirect        a redirect elsewhere (URL; http://127.0.0.2/)

Faults can be changed at run time: POST /_local/faults ["429:5"]. GET /_local/requests returns {"requests", "answers"}.
"""

import argparse
import contextlib
import gzip
import itertools
import json
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from .postcode_places import PLACES, Place

HOST = "127.0.0.1"
SEED = 20261123
FAULTS = ("429", "503", "500", "null", "truncated", "html", "slow", "drop", "redirect")

# The letter in the pseudo code for "nothing" in the country's code list.
PSEUDO = {"England": "E", "Scotland": "S", "Wales": "W", "Northern Ireland": "N", "Channel Islands": "L"}
METRES_PER_DEGREE = 111_320
SPREAD_METRES = 4_000
INCODE_LETTERS = "ABDEFGHJLNPQRSTUWXYZ"  # of the second half, which never has other letters
RURAL = (
    ("(England/Wales) Urban major conurbation", "A1", "Urban: Nearer to a major town or city", "UN1"),
    ("(England/Wales) Urban city and town", "C1", "Urban: Further from a major town or city", "UF1"),
    ("(England/Wales) Rural town and fringe", "D1", "Larger rural: Nearer to a major town or city", "RLN1"),
    ("(England/Wales) Rural village", "E1", "Smaller rural: Further from a major town or city", "RSF1"),
)


def answer(number: int, outcode: str | None = None) -> dict:
    """Returns the number-th answer, the same on every machine."""
    draw = random.Random(f"{SEED}/{number}/{outcode or ''}")
    places = [place for place in PLACES if outcode is None or outcode.upper() in place.outcodes]
    if not places:
        return {"status": 200, "result": None}
    weights = [3 if place.country == "England" else 1 for place in places]
    place = draw.choices(places, weights)[0]
    return {"status": 200, "result": Postcode(draw, place, outcode).record()}


class Postcode:
    """An invented postcode in a place."""

    def __init__(self, draw: random.Random, place: Place, outcode: str | None = None):
        self.draw = draw
        self.place = place
        self.pseudo = f"{PSEUDO[place.country]}99999999"
        self.outcode = outcode.upper() if outcode else draw.choice(place.outcodes)
        letters = [draw.choice(INCODE_LETTERS) for _ in range(2)]
        self.incode = f"{draw.randrange(10)}{''.join(letters)}"
        self.english = place.country == "England"
        self.covered = place.district is not None
        self.located = place.eastings is not None and draw.randrange(100) > 0

    def maybe(self, value, null_percent: int = 0):
        """Returns the value, or sometimes None."""
        return None if self.draw.randrange(100) < null_percent else value

    def code(self, prefix: str, digits: int, name: str | None) -> str:
        """Returns a code in the style of the code list. The same name has the same code, and no name has the list's
        "nothing"."""
        if name is None:
            return self.pseudo
        letter = PSEUDO[self.place.country]
        number = random.Random(f"{SEED}/{prefix}/{name}").randrange(1, 10**digits)
        return f"{letter}{prefix}{number:0{digits}d}"

    def position(self) -> dict:
        place = self.place
        east, north = (self.draw.randint(-SPREAD_METRES, SPREAD_METRES) for _ in range(2))
        if not self.located:
            return {"eastings": None, "northings": None, "longitude": None, "latitude": None}
        return {
            "eastings": place.eastings + east,
            "northings": place.northings + north,
            # At this latitude, a degree of longitude is about 0.6 of one of latitude.
            "longitude": round(place.longitude + east / (METRES_PER_DEGREE * 0.6), 6),
            "latitude": round(place.latitude + north / METRES_PER_DEGREE, 6),
        }

    def areas(self) -> dict:
        """Returns the statistical areas: middle and lower layer, 2011 and 2021."""
        place = self.place
        if not self.covered:
            return dict.fromkeys(("msoa11", "lsoa11", "msoa21", "lsoa21"))
        zone = place.zones or place.district
        number = self.draw.randrange(1, 45)
        if place.country in ("England", "Wales"):
            middle, lower = f"{zone} {number:03d}", f"{zone} {number:03d}{self.draw.choice('ABCDE')}"
            later = self.draw.randrange(10) == 0  # its boundaries have changed since
            middle21 = f"{zone} {number + 20:03d}" if later else middle
            lower21 = f"{middle21}{lower[-1]}"
        else:
            middle = middle21 = zone
            lower = lower21 = f"{zone} - {number % 9 + 1:02d}"
        return {
            "msoa11": self.maybe(middle, 3),
            "lsoa11": lower,
            "msoa21": self.maybe(middle21, 4),
            "lsoa21": self.maybe(lower21, 3),
        }

    def record(self) -> dict:
        """Returns all columns in the source's order. Columns that the source always fills are never null."""
        place, draw = self.place, self.draw
        position, areas = self.position(), self.areas()
        ward = draw.choice(place.wards) if self.covered else None
        parish = draw.choice(place.parishes)
        division = draw.choice(place.divisions) if place.divisions else None
        constituency = draw.choice(place.constituencies) if place.constituencies else None
        town = self.maybe(draw.choice(place.towns), 20) if place.towns else None
        rural = draw.choice(RURAL) if place.country in ("England", "Wales") else None
        enterprise, second_enterprise = place.enterprise
        integrated = f"{place.commissioning} Integrated Care Board" if self.english else None
        park = place.park or (f"{place.country} (non-National Park)" if self.english else None)
        area_prefix = "01" if place.country != "Northern Ireland" else "20"
        codes = {
            "admin_district": place.code,
            "admin_county": (place.county_code or self.pseudo) if self.covered else None,
            "admin_ward": self.code("05", 6, ward) if self.covered else None,
            "parish": self.code("04", 6, parish),
            "parliamentary_constituency": self.code("14", 6, constituency) if self.covered else None,
            "parliamentary_constituency_2024": self.code("14", 6, constituency) if self.covered else None,
            "ccg": self.code("38", 6, place.commissioning) if self.covered else None,
            "ccg_id": place.commissioning_id,
            "ced": self.code("58", 6, division),
            "nuts": place.itl_code,
            "lsoa": self.code(area_prefix, 6, areas["lsoa21"]) if areas["lsoa21"] else None,
            "msoa": self.code("02", 6, areas["msoa21"]) if areas["msoa21"] else None,
            "lau2": place.code,
            "pfa": place.police_code,
            "nhs_region": self.code("40", 6, place.region),
            "ttwa": self.code("30", 6, place.work_area) if self.covered else None,
            "national_park": self.code("65", 6, park) if self.covered else None,
            "bua": self.code("63", 6, town) if town else None,
            "icb": self.code("54", 6, integrated),
            "cancer_alliance": self.code("56", 6, place.alliance) if self.covered else None,
            "lsoa11": self.code(area_prefix, 6, areas["lsoa11"]) if self.covered else None,
            "msoa11": self.code("02", 6, areas["msoa11"]) if self.covered else None,
            "lsoa21": self.code(area_prefix, 6, areas["lsoa21"]) if areas["lsoa21"] else None,
            "msoa21": self.code("02", 6, areas["msoa21"]) if areas["msoa21"] else None,
            "oa21": self.code("00", 6, f"{areas['lsoa21']}/{draw.randrange(5)}") if self.covered else None,
            "ruc11": rural[1] if rural else None,
            "ruc21": rural[3] if rural else None,
            "lep1": self.code("37", 6, enterprise or None),
            "lep2": self.code("37", 6, second_enterprise) if second_enterprise else None,
        }
        return {
            "postcode": f"{self.outcode} {self.incode}",
            "quality": 1 if self.located else 9,
            "eastings": position["eastings"],
            "northings": position["northings"],
            "country": place.country,
            "nhs_ha": place.health_authority,
            "longitude": position["longitude"],
            "latitude": position["latitude"],
            "european_electoral_region": place.electoral_region if self.located or not self.covered else None,
            "primary_care_trust": place.care_trust,
            "region": place.region,
            "lsoa": areas["lsoa21"],
            "msoa": areas["msoa21"],
            "incode": self.incode,
            "outcode": self.outcode,
            "parliamentary_constituency": constituency,
            "parliamentary_constituency_2024": constituency,
            "admin_district": place.district,
            "parish": parish,
            "admin_county": place.county,
            "date_of_introduction": f"{draw.randrange(1980, 2025)}{draw.randrange(1, 13):02d}",
            "admin_ward": ward,
            "ced": division,
            "ccg": place.commissioning,
            "nuts": place.district,
            "pfa": place.police,
            "nhs_region": place.region,
            "ttwa": place.work_area,
            "national_park": park,
            "bua": town,
            "icb": integrated,
            "cancer_alliance": place.alliance,
            "lsoa11": areas["lsoa11"],
            "msoa11": areas["msoa11"],
            "lsoa21": areas["lsoa21"],
            "msoa21": areas["msoa21"],
            "oa21": codes["oa21"],
            "ruc11": rural[0] if rural else None,
            "ruc21": rural[2] if rural else None,
            "lep1": enterprise or None,
            "lep2": second_enterprise,
            "codes": codes,
        }


class Fault:
    """A fault in every n-th answer."""

    def __init__(self, text: str):
        """Parses KIND:EVERY or KIND:EVERY:DETAIL."""
        kind, _, rest = text.partition(":")
        every, _, self.detail = rest.partition(":")
        if kind not in FAULTS or not every.isdigit() or int(every) < 1:
            raise ValueError(f"{text!r} is no fault: KIND:EVERY[:DETAIL], KIND one of {', '.join(FAULTS)}")
        self.kind = kind
        self.every = int(every)


class Source:
    """Counts requests and decides on each one's answer."""

    def __init__(self, responses: list[bytes] | None = None, faults: list[str] | None = None):
        self._responses = responses
        self._lock = threading.Lock()
        self._answers = itertools.count()
        self.requests = 0
        self.answers = 0
        self.set_faults(faults or [])

    def set_faults(self, faults: list[str]) -> None:
        self.faults = [Fault(text) for text in faults]

    def next(self, outcode: str | None) -> tuple[Fault | None, bytes]:
        """Returns (the fault of this answer, the body of a good one)."""
        with self._lock:
            self.requests += 1
            fault = next((fault for fault in self.faults if self.requests % fault.every == 0), None)
            if fault and fault.kind != "slow":
                return fault, b""
            number = next(self._answers)
            self.answers += 1
        if self._responses is not None:
            return fault, self._responses[number % len(self._responses)]
        return fault, compact(answer(number, outcode))


def compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    server: "Server"

    def log_message(self, *_args) -> None:
        """Prints nothing, because a run would have thousands of lines."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        source = self.server.source
        if url.path == "/_local/requests":
            return self._reply(200, compact({"requests": source.requests, "answers": source.answers}))
        if url.path.rstrip("/") != "/random/postcodes":
            return self._reply(404, compact({"status": 404, "error": "Resource not found"}))
        outcode = parse_qs(url.query).get("outcode", [None])[0]
        fault, body = source.next(outcode)
        if fault is None:
            return self._reply(200, body)
        return self._misbehave(fault, body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/_local/faults":
            return self._reply(404, compact({"status": 404, "error": "Resource not found"}))
        try:
            self.server.source.set_faults(json.loads(body))
        except (ValueError, TypeError, AttributeError) as error:
            return self._reply(400, compact({"error": str(error)}))
        return self._reply(200, b"{}")

    def _misbehave(self, fault: Fault, body: bytes) -> None:
        if fault.kind in ("429", "503"):
            status = int(fault.kind)
            error = {"status": status, "error": "Too Many Requests" if status == 429 else "Service Unavailable"}
            return self._reply(status, compact(error), {"Retry-After": fault.detail or "1"})
        if fault.kind == "500":
            return self._reply(500, compact({"status": 500, "error": "Internal Server Error"}))
        if fault.kind == "null":
            return self._reply(200, compact({"status": 200, "result": None}))
        if fault.kind == "html":
            page = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in to continue</body></html>"
            return self._reply(200, page, {"Content-Type": "text/html; charset=utf-8"})
        if fault.kind == "redirect":
            return self._reply(302, b"", {"Location": fault.detail or "http://127.0.0.2/"})
        if fault.kind == "slow":
            time.sleep(float(fault.detail or 1))
            return self._reply(200, body)
        self.close_connection = True
        if fault.kind == "truncated":
            whole = compact(answer(0))
            return self._reply(200, whole[: len(whole) // 2], length=len(whole))
        return None  # drop

    def _reply(self, status: int, body: bytes, headers: dict | None = None, length: int | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json; charset=utf-8", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int, source: Source):
        self.source = source
        super().__init__((HOST, port), Handler)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_address[1]}"

    def handle_error(self, request, client_address) -> None:
        """Prints nothing, because a client that disconnects is not an error here."""


def read_responses(path: Path) -> list[bytes]:
    """Reads one answer per line, each {"status", "result"}. The file is gzipped if its name ends in .gz."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        responses = [line.strip() for line in file if line.strip()]
    if not responses:
        raise ValueError(f"{path} has no line")
    for number, line in enumerate(responses, 1):
        if "result" not in json.loads(line):
            raise ValueError(f"{path}, line {number}: no result")
    return responses


def end_with_stdin(server: Server) -> None:
    """Ends with the parent process, which holds the other end of stdin, however it ends."""

    def wait() -> None:
        sys.stdin.buffer.read()
        server.shutdown()

    threading.Thread(target=wait, daemon=True).start()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="landfall_local.postcodes", description="A stand-in of api.postcodes.io.")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--responses", type=Path, help="serve these answers in order (jsonl or jsonl.gz)")
    parser.add_argument("--fault", action="append", default=[], metavar="KIND:EVERY[:DETAIL]", help=", ".join(FAULTS))
    parser.add_argument("--end-with-stdin", action="store_true", help="end when standard input does")
    options = parser.parse_args(arguments)
    try:
        source = Source(read_responses(options.responses) if options.responses else None, options.fault)
        server = Server(options.port, source)
    except (OSError, ValueError) as error:
        print(f"landfall_local.postcodes: {error}", file=sys.stderr)
        return 1
    print(f"ready at {server.url}", flush=True)
    if options.end_with_stdin:
        end_with_stdin(server)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
