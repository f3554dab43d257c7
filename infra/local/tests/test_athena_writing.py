"""Athena's writes: CREATE TABLE AS, INSERT, UNLOAD."""

import io

import pyarrow.parquet as pq
import pytest
from athena_client import DATABASE, FREE


def stored(athena, name: str) -> dict:
    return athena.cloud.glue.get_table(DatabaseName=DATABASE, Name=name)["Table"]


def test_create_table_as(athena):
    location = f"s3://{athena.bucket}/made/"
    sql = (
        f"CREATE TABLE made WITH (external_location = '{location}', format = 'PARQUET') AS SELECT id, name, day FROM t"
    )
    execution = athena.execute(sql, WorkGroup=FREE)
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DDL", "CREATE_TABLE_AS_SELECT")
    folder = f"s3://{athena.results}/results/tables/{execution['QueryExecutionId']}"
    assert execution["ResultConfiguration"]["OutputLocation"] == folder
    assert execution["Statistics"]["DataManifestLocation"] == f"{folder}-manifest.csv"
    answer = athena.cloud.athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
    assert answer["UpdateCount"] == 5 and answer["ResultSet"]["Rows"] == []
    assert athena.columns(execution) == [("rows", "bigint")]
    assert athena.query("SELECT COUNT(*), COUNT(name), MAX(day) FROM made") == [["5", "3", "2024-01-02"]]
    assert "TABLE_ALREADY_EXISTS" in athena.error(sql, WorkGroup=FREE)
    athena.query("DROP TABLE made")  # its files stay
    assert "TABLE_NOT_FOUND" in athena.error("SELECT * FROM made")
    assert athena.error(sql, WorkGroup=FREE).startswith("HIVE_PATH_ALREADY_EXISTS: Target directory for table")


def test_a_workgroup_that_enforces_its_place_takes_no_other(athena):
    sql = f"CREATE TABLE x WITH (external_location = 's3://{athena.bucket}/x/') AS SELECT 1 AS a"
    assert "Please remove the 'external_location' property" in athena.refusal(sql)
    sql = "CREATE TABLE at_its_place WITH (format = 'PARQUET') AS SELECT 1 AS a"
    execution = athena.execute(sql)
    place = f"s3://{athena.results}/results/tables/{execution['QueryExecutionId']}"
    assert stored(athena, "at_its_place")["StorageDescriptor"]["Location"].rstrip("/") == place


def test_partitions_of_a_table_that_is_made(athena):
    sql = """
        create table "awsdatacatalog"."athena_test"."parts"
        with (table_type='hive', is_external=true, external_location='s3://{}/parts/', format='parquet',
              partitioned_by=ARRAY['kind', 'day'], write_compression='snappy')
        as SELECT id, CASE WHEN id = 0 THEN NULL ELSE 'a/b' END AS kind, day FROM t
    """
    execution = athena.execute(sql.format(athena.bucket), WorkGroup=FREE)
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    table = stored(athena, "parts")
    assert [key["Name"] for key in table["PartitionKeys"]] == ["kind", "day"]
    assert [column["Name"] for column in table["StorageDescriptor"]["Columns"]] == ["id"]
    assert athena.query("SELECT kind, day, COUNT(*) FROM parts GROUP BY 1, 2 ORDER BY 1, 2") == [
        ["a/b", "2024-01-01", "2"],
        ["a/b", "2024-01-02", "1"],
        [None, "2024-01-01", "1"],
        [None, "2024-01-02", "1"],
    ]
    listing = athena.cloud.s3.list_objects_v2(Bucket=athena.bucket, Prefix="parts/")["Contents"]
    folders = {found["Key"].rsplit("/", 1)[0] for found in listing}
    assert "parts/kind=a%2Fb/day=2024-01-01" in folders
    assert "parts/kind=__HIVE_DEFAULT_PARTITION__/day=2024-01-02" in folders


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("WITH (format = 'ORC') AS SELECT 1 AS a", "NOT_SUPPORTED: the local Athena writes Parquet only"),
        ("WITH (format = 'XML') AS SELECT 1 AS a", "INVALID_TABLE_PROPERTY"),
        ("WITH (table_type = 'ICEBERG', is_external = false) AS SELECT 1 AS a", "NOT_SUPPORTED"),
        ("WITH (bucketed_by = ARRAY['a'], bucket_count = 2) AS SELECT 1 AS a", "NOT_SUPPORTED"),
        ("WITH (no_property = 1) AS SELECT 1 AS a", "table property 'no_property' does not exist"),
        ("WITH (partitioned_by = ARRAY['a']) AS SELECT 1 AS a", "Table contains only partition columns"),
        ("WITH (partitioned_by = ARRAY['a']) AS SELECT 1 AS a, 2 AS b", "HIVE_COLUMN_ORDER_MISMATCH"),
        ("WITH (partitioned_by = ARRAY['c']) AS SELECT 1 AS a", "Partition columns [c] not present in schema"),
        ("AS SELECT 1", "Column name not specified at position 1"),
        ("AS SELECT 1 AS a, 2 AS A", "Column name 'a' specified more than once"),
        ("AS SELECT NULL AS a", "Column type is unknown: a"),
        ("AS SELECT TIMESTAMP '2026-01-01 00:00:00 UTC' AS a", "Unsupported Hive type: timestamp(3) with time zone"),
        ("AS SELECT TIME '01:02:03' AS a", "NOT_SUPPORTED: Unsupported Hive type: time(0)"),
        ("AS SELECT nope FROM t", "COLUMN_NOT_FOUND"),
        (
            "WITH (partitioned_by = ARRAY['p']) AS SELECT x AS a, x AS p FROM UNNEST(sequence(1, 101)) AS s(x)",
            "HIVE_TOO_MANY_OPEN_PARTITIONS: Exceeded limit of 100 open writers for partitions/buckets",
        ),
    ],
)
def test_tables_that_cannot_be_made(athena, sql, error):
    assert error in athena.error(f"CREATE TABLE never {sql}")
    assert ["never"] not in athena.query("SHOW TABLES")


def test_a_table_where_there_is_no_database(athena):
    assert "SCHEMA_NOT_FOUND" in athena.error("CREATE TABLE nowhere.x AS SELECT 1 AS a")


def test_what_is_read_is_of_the_query_s_database(athena):
    athena.query("CREATE DATABASE elsewhere")
    athena.query("CREATE TABLE elsewhere.copied AS SELECT id FROM t")
    athena.query("INSERT INTO elsewhere.copied SELECT id FROM t WHERE id = 0")
    assert athena.query("SELECT COUNT(*) FROM elsewhere.copied") == [["7"]]


def test_a_table_of_no_rows_and_one_that_is_there(athena):
    athena.query("CREATE TABLE empty AS SELECT id, name FROM t WITH NO DATA")
    assert athena.query("SELECT COUNT(*) FROM empty") == [["0"]]
    athena.query("CREATE TABLE IF NOT EXISTS empty AS SELECT 1 AS other")
    assert [column["Name"] for column in stored(athena, "empty")["StorageDescriptor"]["Columns"]] == ["id", "name"]


def test_insert(athena):
    made = f"external_location = 's3://{athena.bucket}/grown/', partitioned_by = ARRAY['day']"
    athena.query(f"CREATE TABLE grown WITH ({made}) AS SELECT id, name, day FROM t WHERE id = 0", WorkGroup=FREE)
    execution = athena.execute("INSERT INTO grown (day, id) (SELECT DATE '2024-02-01', id FROM t WHERE id = 1)")
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DML", "INSERT")
    query_id = execution["QueryExecutionId"]
    assert execution["ResultConfiguration"]["OutputLocation"] == f"s3://{athena.results}/results/{query_id}"
    assert athena.cloud.athena.get_query_results(QueryExecutionId=query_id)["UpdateCount"] == 2
    athena.query("INSERT INTO grown VALUES (7, 'seven', DATE '2024-02-01')")
    assert athena.query("SELECT id, name FROM grown WHERE day = DATE '2024-02-01' ORDER BY 1") == [
        ["1", None],
        ["1", None],
        ["7", "seven"],
    ]
    assert ["day=2024-02-01"] in athena.query("SHOW PARTITIONS grown")
    assert "mismatched column types: Table: [bigint, varchar, date]" in athena.error("INSERT INTO grown SELECT 1, 2, 3")
    assert "Insert column name does not exist" in athena.error("INSERT INTO grown (x) SELECT 1")
    assert athena.query("SELECT COUNT(*) FROM grown") == [["5"]]


def test_unload(athena):
    place = f"s3://{athena.bucket}/unloaded/"
    rows = "SELECT id, name, day FROM t WHERE id < ?"
    sql = f"UNLOAD ({rows}) TO '{place}' WITH (  format='PARQUET', compression='SNAPPY')"
    execution = athena.execute(sql, ExecutionParameters=["2"])
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DML", "UNLOAD")
    manifest = execution["Statistics"]["DataManifestLocation"]
    assert manifest.endswith(f"{execution['QueryExecutionId']}-manifest.csv")
    (path,) = athena.file(manifest).split()
    assert path.startswith(place)
    bucket, key = path.removeprefix("s3://").split("/", 1)
    body = athena.cloud.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    assert pq.read_table(io.BytesIO(body)).num_rows == 4
    assert athena.error(sql, ExecutionParameters=["2"]).startswith("HIVE_PATH_ALREADY_EXISTS")
    assert "NOT_SUPPORTED" in athena.error(f"UNLOAD (SELECT 1 AS a) TO '{place}x/' WITH (format = 'ORC')")
    assert "mismatched input" in athena.refusal(f"UNLOAD (SELEC 1) TO '{place}y/' WITH (format = 'PARQUET')")
