"""Canaries: values of sensitive columns that must never be shown.

Tables have sensitive columns full of unmistakable values. Queries that fail on these values read the tables, and broken
files with these values land. Every byte that curate and validate print is searched for the values, in any spelling and
in parts. `python -m machine.canaries`.
"""

import argparse
import base64
import json
import random
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .engines import DATABASE, command, run, write_json

TEXT, LONG, DATE, MONEY = "qzxvkwjy(hgpf", 7391842659173846257, "1973-09-18", "8264917.35"
DOUBLE, MOMENT = 6183927461.75, "1973-09-18 17:43:29.618"
COLUMNS = {
    "s": ("character", TEXT),
    "l": ("long", LONG),
    "d": ("date", DATE),
    "n": ("decimal(10,2)", MONEY),
    "x": ("double", DOUBLE),
    "ts": ("datetime", MOMENT),
    "tags": ("array<character>", [TEXT]),
    "place": ("struct<a:long,b:character>", {"a": LONG, "b": TEXT}),
}
# the ways in which metadata marks a column as sensitive; None marks the whole table
MARKS = ({"sensitivity": "personal_data"}, {"redacted": True}, {"sensitive": True}, None)
# run ids and the names of folders contain digits of their own
NOISE = re.compile(r"\d{8}T\d+Z-[0-9a-f]+|/[\w./=-]*/|\d{4}-\d\d-\d\dT[\d:.]+Z|\b[0-9a-f]{64}\b|etag\W+\S+")

FAILING = [
    *(f"CAST({{s}} AS {kind})" for kind in ("INT", "DATE", "TIMESTAMP", "DOUBLE", "BOOLEAN", "DECIMAL(5,2)")),
    *("to_date({s})", "to_timestamp({s})", "regexp_like('a', {s})", "regexp_replace('a', {s}, 'b')"),
    *("CAST({s} AS DATE) + 1", "{l} + {l}", "{l} * 9", "- {l} * 7", "{l} / (id - id)", "{l} % (id - id)"),
    *("CAST({l} AS INT)", "CAST({l} AS SMALLINT)", "CAST({l} AS DECIMAL(5,2))", "CAST({l} AS TIMESTAMP)"),
    *("CAST({n} AS DECIMAL(4,2))", "CAST({n} AS TINYINT)", "CAST({x} AS INT)", "CAST({x} AS DECIMAL(5,1))"),
    *("sqrt(- {x})", "make_date(CAST({n} AS INT), 1, 1)", "{d} + INTERVAL '9999' YEAR", "{ts} + INTERVAL '9000' YEAR"),
    *(
        "CAST({ts} AS STRING)",
        "chr({l})",
        "repeat({s}, 2000000000)",
        "to_timestamp_seconds({l})",
        "date_trunc({s}, {ts})",
    ),
    *(
        "sum({l}) OVER ()",
        "sum({l} + id) OVER (ORDER BY id)",
        "{s}",
        "{l}",
        "{d}",
        "{x}",
        "{n}",
        "{ts}",
        "tags",
        "place",
    ),
    *("CAST(tags[1] AS INT)", "CAST(place['b'] AS DATE)", "place['a'] + place['a']", "[{s}]", "named_struct('a', {s})"),
    *("CASE WHEN id = 1 THEN {s} END", "nullif({s}, {s})", "split_part({s}, '-', 0)", "to_char({d}, {s})"),
]
# the expressions that compute something from a value
MADE = {
    "s": [
        "s",
        "s",
        "upper(s)",
        "substr(s, 3)",
        "reverse(s)",
        "s || '-' || k",
        "concat(k, s)",
        "coalesce(s, k)",
        "trim(s)",
    ],
    "l": ["l", "l", "l - 3", "abs(l)", "coalesce(l, 0)", "greatest(l, 5)"],
    "d": ["d", "d + 1", "coalesce(d, d)"],
    "n": ["n", "n + 1", "n * 2", "abs(n)"],
    "x": ["x", "x * 1e9", "round(x)"],
    "ts": ["ts", "date_trunc('second', ts)"],
}
SHAPES = [
    "SELECT {e} AS v FROM t",
    "SELECT {e} AS v FROM t WHERE {e} IS NOT NULL ORDER BY 1",
    "SELECT v FROM (SELECT {e} AS v, id FROM t) AS z WHERE id > 0",
    "SELECT max(v) AS v FROM (SELECT {e} AS v, id FROM t) AS z GROUP BY id",
    "SELECT v, count(*) AS n FROM (SELECT {e} AS v FROM t) AS z GROUP BY v",
    "SELECT first_value(v) OVER (ORDER BY id) AS v FROM (SELECT {e} AS v, id FROM t) AS z",
    "SELECT {e} AS v FROM t JOIN o ON t.id = o.oid",
    "SELECT {e} AS v FROM t LEFT JOIN o ON t.k = o.ok AND {e} IS NOT NULL",
    "WITH w AS (SELECT {e} AS v FROM t) SELECT v FROM w UNION ALL SELECT v FROM w",
    "SELECT {e} AS v FROM t UNION SELECT {e} AS v FROM t",
    "SELECT DISTINCT {e} AS v FROM t",
    "SELECT oid AS v FROM o WHERE EXISTS (SELECT 1 FROM t WHERE t.id = o.oid AND {e} IS NOT NULL)",
    "SELECT (SELECT max({e}) FROM t) AS v FROM o",
    "SELECT CASE WHEN {e} IS NULL THEN 1 ELSE 2 END AS v FROM t",
    "SELECT array_agg(v) AS v FROM (SELECT {e} AS v FROM t) AS z",
    "SELECT CAST(string_agg(CAST({e} AS STRING), ',') AS INT) AS v FROM t",
]
TYPES = (
    "int",
    "date",
    "boolean",
    "decimal(5,2)",
    "datetime",
    "character",
    "array<int>",
    "struct<a:int>",
    "double",
    "long",
)


def pieces() -> set[str]:
    """Returns the values in every spelling, cut into pieces that occur in nothing else."""
    texts = [TEXT, TEXT[::-1], base64.b64encode(TEXT.encode()).decode().rstrip("="), TEXT.encode().hex()]
    found = {text[n : n + 4].lower() for text in texts[:2] for n in range(len(text) - 3)}
    found |= {text[n : n + 8].lower() for text in texts[2:] for n in range(len(text) - 7)}
    for number in (
        str(LONG),
        f"{LONG:,}",
        MONEY.replace(".", ""),
        MONEY,
        f"{float(MONEY):,}",
        str(DOUBLE),
        f"{DOUBLE:e}",
    ):
        found |= {number[n : n + 5] for n in range(len(number) - 4)}
    # the day, the second and the millisecond, as people and programs write them
    found |= {
        "1973-09",
        "1973/09",
        "19730918",
        "18/09/1973",
        "18 sep",
        "sep 1973",
        "17:43",
        "43:29",
        "29.618",
        "1172166",
    }
    return {piece for piece in found if len(set(piece)) > 2}


PIECES = pieces()


def shown(said: str) -> list[str]:
    """Lists the pieces of the values that occur in a text."""
    searched = NOISE.sub(" ", said).lower()
    return sorted(piece for piece in PIECES if piece in searched)


def raw(name: str, mark: dict | None) -> dict:
    """Returns metadata whose columns have the mark, or, without a mark, whose table is marked."""
    columns = [{"name": "id", "type": "int", "description": ""}, {"name": "k", "type": "character", "description": ""}]
    for column, (kind, _) in COLUMNS.items():
        columns.append({"name": column, "type": kind, "description": "", **(mark or {})})
    whole = {} if mark else {"sensitive": True}
    shape = {"name": name, "description": "", "location": f"{name}/", "data_format": "json"}
    return {**shape, **whole, "columns": columns}


def world(rng: random.Random, folder: Path) -> None:
    """Writes a folder with a query that usually fails on a sensitive value."""
    shutil.rmtree(folder, ignore_errors=True)
    write_json(folder / "meta_data/raw/t.json", raw("t", rng.choice(MARKS)))
    others = [{"name": "oid", "type": "int", "description": ""}, {"name": "ok", "type": "character", "description": ""}]
    shape = {"name": "o", "description": "", "location": "o/", "data_format": "json"}
    write_json(folder / "meta_data/raw/o.json", {**shape, "columns": others})
    land(folder, "t", [{"id": n, "k": "x", **{name: value for name, (_, value) in COLUMNS.items()}} for n in (1, 2)])
    land(folder, "o", [{"oid": 1, "ok": "x"}, {"oid": 2, "ok": None}])
    curated = folder / "meta_data/curated"
    write_json(curated / "database.json", DATABASE)
    columns = {"v": rng.choice(TYPES)}
    if rng.random() < 0.3:
        names = [{"name": name, "type": kind, "description": ""} for name, (kind, _) in COLUMNS.items()]
        ids = [{"name": "id", "type": "int", "description": ""}, {"name": "k", "type": "character", "description": ""}]
        made = {
            "name": "copy",
            "description": "",
            "location": "copy/",
            "data_format": "parquet",
            "columns": ids + names,
        }
        write_json(curated / "copy.json", made)
        (curated / "copy.sql").write_text("SELECT * FROM t", encoding="utf-8")
    described = [
        {"name": name, "type": kind, "description": "", "nullable": rng.random() < 0.7}
        for name, kind in columns.items()
    ]
    shape = {"name": "q", "description": "", "location": "q/", "data_format": "parquet"}
    write_json(curated / "q.json", {**shape, "columns": described})
    (curated / "q.sql").write_text(sql(rng, (curated / "copy.sql").exists()) + "\n", encoding="utf-8")


def land(folder: Path, table: str, rows: list[dict]) -> None:
    file = folder / f"raw-hist/{table}/file_land_timestamp=1700000000/{table}_1700000000.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def sql(rng: random.Random, through_copy: bool) -> str:
    expression = rng.choice(FAILING).format(**{name: rng.choice(made) for name, made in MADE.items()})
    text = rng.choice(SHAPES).format(e=expression)
    return re.sub(r"\bFROM t\b", "FROM copy AS t", text) if through_copy else text


def query(binary: Path, seed: int, number: int, folder: Path) -> tuple[str, str]:
    """Returns the result of the build and everything that it printed."""
    world(random.Random(f"{seed}/{number}"), folder)
    ended = run(command(binary, folder))
    said = ended.stdout + ended.stderr
    said += "".join(file.read_text(encoding="utf-8") for file in folder.glob("curated/base/_manifests/*"))
    return "built" if ended.returncode == 0 else "refused", said


# --------------------------------------------------------------------------------------------------------------- files

RULES = {
    "s": [{"enum": ["a"]}, {"pattern": "^[0-9]+$"}, {"maxLength": 3}, {"minLength": 99}, {"unique": True}],
    "l": [{"minimum": 9e18}, {"maximum": 5}, {"unique": True}, {"enum": [1]}],
    "d": [{"minimum": "2024-01-01"}, {"maximum": "1900-01-01"}, {"unique": True}],
    "n": [{"maximum": 1}, {"unique": True}, {"enum": ["1.5"]}],
    "x": [{"maximum": 1}, {"minimum": 1e300}],
    "ts": [{"minimum": "2024-01-01 00:00:00"}, {"unique": True}],
}


def broken(rng: random.Random, folder: Path) -> Path:
    """Writes a file that breaks rules about sensitive columns, with its metadata."""
    shutil.rmtree(folder, ignore_errors=True)
    metadata = raw("t", rng.choice(MARKS))
    for column in metadata["columns"]:
        if column["name"] in RULES and rng.random() < 0.6:
            column.update(rng.choice(RULES[column["name"]]))
        if rng.random() < 0.3 and column["name"] in COLUMNS:
            # of a different type than in the file
            kept = {key: column[key] for key in column if key not in ("enum", "pattern", "minimum", "maximum")}
            kept = {key: kept[key] for key in kept if key not in ("minLength", "maxLength", "unique")}
            column.clear()
            column.update(kept, type=rng.choice([kind for kind in TYPES if kind != "character"]))
    if rng.random() < 0.3:
        metadata["columns"] = [column for column in metadata["columns"] if column["name"] != "k"]
    if rng.random() < 0.3:
        metadata.update(primary_key=["s", "d"], checks={"unique_primary_key": True})
    write_json(folder / "meta_data/raw/t.json", metadata)
    row = {"id": 1, "k": "x", **{name: value for name, (_, value) in COLUMNS.items()}}
    lines = [json.dumps(row) for _ in range(2)]
    damage = rng.random()
    if damage < 0.15:
        lines[1] = lines[1][: rng.randint(10, len(lines[1]) - 1)]
    elif damage < 0.3:
        lines = [",".join(row), *(",".join(f'"{value}"' for value in row.values()) for _ in range(2))]
        lines[2] += rng.choice(["", ',"more"', '"'])
    file = folder / ("t_1700000000.csv" if lines[0].startswith("id") else "t_1700000000.jsonl")
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def check(binary: Path, seed: int, number: int, folder: Path) -> tuple[str, str]:
    rng = random.Random(f"{seed}/{number}/file")
    file = broken(rng, folder)
    options = ["--table", "t", "--meta-data", str(folder / "meta_data"), *(["--json"] if rng.random() < 0.5 else [])]
    ended = run([str(binary), "validate", str(file), *options])
    return "passed" if ended.returncode == 0 else "refused", ended.stdout + ended.stderr


# ----------------------------------------------------------------------------------------------------------------- all


def search(binary: Path, seed: int, count: int, folder: Path) -> tuple[Counter, list[str]]:
    """Runs both programs. Returns the counts by result, and the places at which a value was shown."""

    def one(number: int) -> Iterator[tuple[str, str]]:
        for what, ask in (("query", query), ("file", check)):
            place = folder / f"canary-{seed}-{number}-{what}"
            ending, said = ask(binary, seed, number, place)
            found = shown(said)
            yield f"{what} {ending}", f"{place.name}: {', '.join(found)} in: {said[:1500]}" if found else ""
            if not found:
                shutil.rmtree(place)

    counts: Counter = Counter()
    problems = []
    with ThreadPoolExecutor(2) as pool:
        for endings in pool.map(lambda number: list(one(number)), range(count)):
            for ending, problem in endings:
                counts[ending] += 1
                problems += [problem] if problem else []
    return counts, problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--landfall", type=Path, required=True, help="our binary")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--folder", type=Path, default=Path(".local/compare-sql"))
    settings = parser.parse_args()
    started = time.monotonic()
    counts, problems = search(settings.landfall.resolve(), settings.seed, settings.queries, settings.folder.resolve())
    print("\n\n".join(problems))
    print(f"Canaries: {dict(counts)}, {len(problems)} shown, seed {settings.seed}, {time.monotonic() - started:.0f} s")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
