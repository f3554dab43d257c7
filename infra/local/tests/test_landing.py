"""`make land` and `make replay` with the real pipeline: a supplier's file becomes a table."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import LocalCloud, postcodes

from landfall_local import account, landing
from landfall_local.running import Refusal

ROOT = Path(__file__).resolve().parents[3]
FUNCTIONS = ROOT / ".local" / "functions"
NAMES = ("extract", "validate", "curate", "catalog")
GERMAN = "Bestell-Nr.;Kunde;Datum;Betrag (€)\r\nA-1;Müller;29.02.2024;1.234,50\r\nA-2;Käßbohrer;01.03.2024;0,50\r\n"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A cloud whose functions read a copy of the repository's metadata, which a user then changes."""
    folder = tmp_path_factory.mktemp("desk")
    postcodes(folder / "meta_data")
    for name in NAMES:
        (folder / "functions" / name).mkdir(parents=True)
        os.link(FUNCTIONS / name / "bootstrap", folder / "functions" / name / "bootstrap")
        (folder / "functions" / name / "meta_data").symlink_to(folder / "meta_data")
    cloud = LocalCloud(folder / "state")
    parameters = {"RebuildWindowSeconds": "1", "SourceOrigin": "http://127.0.0.1:9"}
    body = {"stack": "desk", "functions": str(folder / "functions"), "parameters": parameters}
    outputs = cloud.control("POST", "stacks", body)["outputs"]
    health = cloud.control("GET", "health")
    description = {"endpoint": cloud.endpoint, "pid": health["pid"], "outputs": outputs}
    description["meta_data"] = str(folder / "functions" / "validate" / "meta_data")
    (folder / "state" / "cloud.json").write_text(json.dumps(description))
    yield folder, cloud, outputs
    cloud.stop()


def command(desk, *arguments: str) -> subprocess.CompletedProcess:
    folder, _, _ = desk
    words = [sys.executable, "-m", "landfall_local", *arguments]
    words += ["--state", str(folder / "state")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "infra" / "local")}
    return subprocess.run(words, capture_output=True, text=True, env=environment, timeout=300)


def test_a_csv_of_german_excel_becomes_a_table_and_a_bad_one_comes_back(desk, tmp_path):
    folder, cloud, outputs = desk
    sample = tmp_path / "bestellungen_2024-02.csv"
    sample.write_bytes(GERMAN.encode("windows-1252"))
    described = subprocess.run(
        [ROOT / ".local/landfall", "new-table", sample, "--meta-data", folder / "meta_data"],
        capture_output=True,
        text=True,
    )
    assert described.returncode == 0, described.stderr + described.stdout

    landed = command(desk, "land", str(sample))
    assert landed.returncode == 0, landed.stdout + landed.stderr
    assert "verdict   passed" in landed.stdout
    assert "table     bestellungen: 2 rows (before: 0)" in landed.stdout
    database = outputs["DatabaseName"]
    sql = f"SELECT betrag, datum, kunde FROM {database}.bestellungen ORDER BY betrag"
    assert query(cloud, outputs, sql) == [["0.5", "2024-03-01", "Käßbohrer"], ["1234.5", "2024-02-29", "Müller"]]

    bad = tmp_path / "bestellungen_2024-03.csv"
    bad.write_bytes((GERMAN + "A-3;?;31.03.2024;gratis\r\n").encode("windows-1252"))
    refused = command(desk, "land", str(bad))
    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert "`type` of `betrag`" in refused.stdout
    found = cloud.s3.list_objects_v2(Bucket=outputs["QuarantineBucketName"])["Contents"]
    [key] = [entry["Key"] for entry in found if not entry["Key"].endswith(".report.json")]

    # still wrong: nothing is lost, and the file stays in quarantine
    again = command(desk, "replay", key)
    assert again.returncode == 1, again.stdout + again.stderr
    raw = folder / "meta_data" / "raw" / "bestellungen.json"
    table = json.loads(raw.read_text())
    table["columns"][3]["nullValues"] = ["gratis"]
    table["columns"][3].pop("nullable", None)
    raw.write_text(json.dumps(table))
    curated = folder / "meta_data" / "curated" / "bestellungen.json"
    right = curated.read_text()
    curated.write_text(right.replace('"double"', '"boolean"'))
    failed = command(desk, "land", str(sample), "--table", "bestellungen")
    assert failed.returncode == 1, failed.stdout
    assert "verdict   passed" in failed.stdout
    assert "rebuild   failed: " in failed.stdout
    curated.write_text(right)
    curated.write_text(curated.read_text().replace('"double", "description": "", "nullable": false', '"double"'))
    back = command(desk, "replay", f"s3://{outputs['QuarantineBucketName']}/{key}")
    assert back.returncode == 0, back.stdout + back.stderr
    assert "table     bestellungen: 7 rows (before: 2)" in back.stdout
    assert "Contents" not in cloud.s3.list_objects_v2(Bucket=outputs["QuarantineBucketName"])


def test_a_table_of_glue_and_a_data_contract_in_yaml_are_described(desk, tmp_path):
    folder, cloud, _ = desk
    storage = {
        "Columns": [{"Name": "id", "Type": "bigint"}, {"Name": "price", "Type": "decimal(10,2)"}],
        "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"},
    }
    cloud.glue.create_database(DatabaseInput={"Name": "theirs"})
    cloud.glue.create_table(DatabaseName="theirs", TableInput={"Name": "sales", "StorageDescriptor": storage})
    contract = tmp_path / "contract.yaml"
    contract.write_text(
        "kind: DataContract\nschema:\n  - name: returns\n    properties:\n      - {name: id, logicalType: integer}\n"
    )
    expected = {"theirs.sales": '"price", "type": "decimal(10,2)"', str(contract): '"id", "type": "long"'}
    for source, column in expected.items():
        words = [sys.executable, "-m", "landfall_local", "schema", source]
        environment = {**os.environ, **account.environment(cloud.endpoint), "PYTHONPATH": str(ROOT / "infra/local")}
        printed = subprocess.run(words, capture_output=True, text=True, env=environment, check=True).stdout
        (tmp_path / "schema.json").write_text(printed)
        describe = [ROOT / ".local/landfall", "new-table", tmp_path / "schema.json"]
        described = subprocess.run([*describe, "--meta-data", folder / "new"], capture_output=True, text=True)
        assert described.returncode == 0, described.stderr
        [raw] = (folder / "new" / "raw").glob("*.json")
        assert column in raw.read_text()
        raw.unlink()


def query(cloud, outputs, sql: str) -> list[list[str]]:
    started = cloud.athena.start_query_execution(QueryString=sql, WorkGroup=outputs["WorkGroupName"])
    identifier = started["QueryExecutionId"]
    while True:
        status = cloud.athena.get_query_execution(QueryExecutionId=identifier)["QueryExecution"]["Status"]
        if status["State"] not in ("QUEUED", "RUNNING"):
            break
    assert status["State"] == "SUCCEEDED", status
    rows = cloud.athena.get_query_results(QueryExecutionId=identifier)["ResultSet"]["Rows"]
    return [[cell.get("VarCharValue") for cell in row["Data"]] for row in rows[1:]]


def test_what_cannot_be_landed_says_why(desk, tmp_path):
    (tmp_path / "unknown.csv").write_text("a\n1\n")
    for arguments, expected in [
        (("land", str(tmp_path / "none.csv")), "is not a file"),
        (("land", str(tmp_path / "unknown.csv")), "begins with no table's name: say TABLE=, one of "),
        (("land", str(tmp_path / "unknown.csv"), "--table", "postcodes"), "has no raw table postcodes; it has "),
        (("replay", "a/b.csv"), "there is no s3://"),
        (("replay", "a/b.csv.report.json"), "is a report"),
    ]:
        refused = command(desk, *arguments)
        assert refused.returncode == 1
        assert expected in refused.stderr, refused.stderr
    folder, _, _ = desk
    wrong = folder / "meta_data" / "raw" / "wrong.json"
    wrong.write_text('{"columns": [{"name": "a", "type": "intt"}]}')
    refused = command(desk, "land", str(tmp_path / "unknown.csv"), "--table", "wrong")
    wrong.unlink()
    assert refused.returncode == 1
    assert "nothing landed, as the metadata is wrong" in refused.stderr
    assert "intt" in refused.stderr
    with pytest.raises(Refusal, match="no local cloud is running"):
        landing.land(tmp_path / "unknown.csv", "t", tmp_path, None, ROOT / "meta_data")


def test_a_file_keeps_its_name_where_the_table_says_how_files_are_called(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "t.json").write_text("{}")
    (tmp_path / "raw" / "t_long.json").write_text('{"checks": {"file_name_pattern": ".*"}}')
    assert landing.table_of("t_long-1.csv", tmp_path) == "t_long"
    assert landing.table_of("T-Long 2024.csv", tmp_path) == "t_long"
    assert landing.table_of("T 2024.csv", tmp_path) == "t"
    assert landing.file_name("t", "T 2024.csv.gz", 7, tmp_path) == "t_7.csv.gz"
    assert landing.file_name("t_long", "t_long 1.csv", 7, tmp_path) == "t_long 1.csv"


def test_a_folder_of_files_goes_through_the_whole_pipeline(tmp_path):
    """As in a user's CI: the status is 0 if every file passes, and 1 if one does not."""
    files = tmp_path / "files"
    (files / "random_postcodes").mkdir(parents=True)
    metadata = tmp_path / "functions" / "validate" / "meta_data"
    for name in NAMES:
        (tmp_path / "functions" / name).mkdir(parents=True)
        os.link(FUNCTIONS / name / "bootstrap", tmp_path / "functions" / name / "bootstrap")
        (tmp_path / "functions" / name / "meta_data").symlink_to(tmp_path / "meta_data")
    postcodes(tmp_path / "meta_data")
    (files / "zoo_1.csv").write_text("id,name\n1,ape\n2,bear\n")
    describe = [ROOT / ".local/landfall", "new-table", files / "zoo_1.csv", "--meta-data", metadata]
    assert subprocess.run(describe, capture_output=True).returncode == 0
    run = [
        sys.executable,
        "-m",
        "landfall_local",
        "run",
        "--from",
        str(files),
        "--functions",
        str(tmp_path / "functions"),
    ]
    run += ["--state", str(tmp_path / "state")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "infra" / "local")}
    (files / "random_postcodes").rmdir()
    good = subprocess.run(run, capture_output=True, text=True, env=environment, timeout=300)
    assert good.returncode == 0, good.stdout + good.stderr
    assert "zoo: 2 rows" in good.stdout
    (files / "zoo_2.csv").write_text("id,name\nx,ape\n")
    bad = subprocess.run(run, capture_output=True, text=True, env=environment, timeout=300)
    assert bad.returncode == 1, bad.stdout + bad.stderr
    assert "1 file did not pass" in bad.stderr
