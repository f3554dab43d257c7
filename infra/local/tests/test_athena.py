"""Athena: queries over the tables in Glue, with Athena's results and Athena's errors."""

from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
from athena_client import COLUMNS, DATABASE, OPENX, rows
from conftest import wait_for

from landfall_local.athena.engine import Engine, EngineEndedError
from landfall_local.athena.errors import AthenaError
from landfall_local.athena.tables import check_columns

# -- partitions --------------------------------------------------------------------------------------------------------


def test_repair_adds_what_is_there_and_nothing_twice(athena):
    assert athena.query("SHOW PARTITIONS t") == [["day=2024-01-01"], ["day=2024-01-02"]]
    assert athena.query(f"MSCK REPAIR TABLE `{DATABASE}`.`t`") == []
    assert athena.query("SELECT COUNT(*) FROM t") == [["5"]]


def test_repair_says_what_it_added(athena):
    athena.put("repaired/day=2024-03-01/part-0.parquet", rows(1))
    athena.define("repaired", COLUMNS, "repaired", {"day": "date"})
    assert athena.query("MSCK REPAIR TABLE repaired") == [
        ["Partitions not in metastore: repaired:day=2024-03-01"],
        ["Repair: Added partition to metastore repaired:day=2024-03-01"],
    ]


def test_repair_of_a_table_without_partitions_fails(athena):
    athena.define("flat", COLUMNS, "flat")
    assert "DDLTask" in athena.error("MSCK REPAIR TABLE flat")


def test_partition_columns_have_their_declared_type(athena):
    sql = "SELECT day, COUNT(*) FROM t WHERE day >= DATE '2024-01-02' GROUP BY 1"
    assert athena.query(sql) == [["2024-01-02", "2"]]


def test_the_hidden_table_of_partitions(athena):
    assert athena.query('SELECT * FROM "t$partitions" ORDER BY 1') == [["2024-01-01"], ["2024-01-02"]]


def test_a_partition_is_where_the_catalog_says(athena):
    athena.put("moved/run-2/day=1/part-0.parquet", rows(4))
    athena.define("moved", COLUMNS, "moved/run-1", {"day": "int"})
    descriptor = athena.cloud.glue.get_table(DatabaseName=DATABASE, Name="moved")["Table"]["StorageDescriptor"]
    descriptor["Location"] = f"s3://{athena.bucket}/moved/run-2/day=1/"
    partition = {"Values": ["1"], "StorageDescriptor": descriptor}
    athena.cloud.glue.create_partition(DatabaseName=DATABASE, TableName="moved", PartitionInput=partition)
    assert athena.query("SELECT day, COUNT(*) FROM moved GROUP BY 1") == [["1", "4"]]


def test_projected_partitions_need_no_registration(athena):
    for folder in ("run-1/day=2024-01-01", "run-2/day=2024-01-01", "run-2/day=2024-01-02", "run-2/day=2024-01-04"):
        athena.put(f"projected/{folder}/part-0.parquet", rows(3))
    athena.define("projected", COLUMNS, "projected/run-1", {"day": "date"})
    athena.query("MSCK REPAIR TABLE projected")
    count = "SELECT day, COUNT(*) FROM projected GROUP BY 1 ORDER BY 1"
    assert athena.query(count) == [["2024-01-01", "3"]]

    # from this call on, all rows are the other run's, and registered partitions are ignored
    glue = athena.cloud.glue
    table = glue.get_table(DatabaseName=DATABASE, Name="projected")["Table"]
    table["StorageDescriptor"]["Location"] = f"s3://{athena.bucket}/projected/run-2"
    parameters = {
        "projection.enabled": "true",
        "projection.day.type": "date",
        "projection.day.format": "yyyy-MM-dd",
        "projection.day.range": "2024-01-01,2024-01-03",
    }
    kept = ("Name", "StorageDescriptor", "PartitionKeys")
    definition = {name: table[name] for name in kept} | {"Parameters": parameters}
    glue.update_table(DatabaseName=DATABASE, TableInput=definition)
    assert athena.query(count) == [["2024-01-01", "3"], ["2024-01-02", "3"]]
    assert athena.query("SHOW PARTITIONS projected") == [["day=2024-01-01"]]

    parameters["storage.location.template"] = f"s3://{athena.bucket}/projected/run-1/day=${{day}}/"
    glue.update_table(DatabaseName=DATABASE, TableInput=definition)
    assert athena.query(count) == [["2024-01-01", "3"]]

    parameters["projection.day.type"] = "injected"
    glue.update_table(DatabaseName=DATABASE, TableInput=definition)
    assert "the local Athena projects enum, integer, date; not injected" in athena.error(count)


# -- queries -----------------------------------------------------------------------------------------------------------


def test_values_are_written_as_athena_writes_them(athena):
    sql = "SELECT * FROM t WHERE day = DATE '2024-01-01' AND id < 2 ORDER BY id"
    common = ["2024-01-01", "2024-01-01 12:00:00.123", "1.50", "[a, b]", "{a=1, b=x}", "2024-01-01"]
    assert athena.query(sql) == [
        ["0", None, "51.5", "true", *common],
        ["1", 'n"1,é', "52.5", "false", *common],
    ]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1e7", "1.0E7"),
        ("1.5e-5", "1.5E-5"),
        ("123456.0e0", "123456.0"),
        ("element_at(ARRAY['a','b'], 2)", "b"),
        ("cardinality(ARRAY[1,2,3])", "3"),
        ("regexp_like('n1', '^n')", "true"),
        ("coalesce(NULL, '-')", "-"),
        ("TRY_CAST('x' AS integer)", None),
        ("json_extract_scalar('{\"a\":{\"b\":1}}', '$.a.b')", "1"),
        ("substr('abc', 2)", "bc"),
        ("date_diff('day', DATE '2024-01-01', DATE '2024-01-03')", "2"),
        ("date_trunc('month', TIMESTAMP '2024-01-15 12:00:00')", "2024-01-01 00:00:00.000"),
        ("CAST(3 AS varchar)", "3"),
        ("sum(x) FROM (VALUES 1, 2) AS v(x)", "3"),
    ],
)
def test_functions(athena, expression, expected):
    assert athena.query(f"SELECT {expression}") == [[expected]]


def test_a_sum_of_integers_is_a_bigint(athena):
    execution = athena.execute("SELECT SUM(id) AS total, AVG(lat) FROM t")
    answer = athena.cloud.athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
    columns = answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    assert [(c["Name"], c["Type"]) for c in columns] == [("total", "bigint"), ("_col1", "double")]


def test_unnest_with_and_subqueries(athena):
    sql = """
        WITH few AS (SELECT * FROM t WHERE id = 1)
        SELECT few.id, x.tag FROM few CROSS JOIN UNNEST(tags) AS x(tag) WHERE day = DATE '2024-01-01' ORDER BY 2
    """
    assert athena.query(sql) == [["1", "a"], ["1", "b"]]
    sql = f"SELECT COUNT(*) FROM {DATABASE}.t AS a JOIN (SELECT id FROM t) AS b ON a.id = b.id"
    assert athena.query(sql) == [["9"]]


def test_parameters(athena):
    sql = "SELECT COUNT(*) FROM t WHERE id = ? AND name <> ?"
    assert athena.query(sql, ExecutionParameters=["1", "'?'"]) == [["2"]]
    assert "INVALID_PARAMETER_USAGE" in athena.error(sql, ExecutionParameters=["1"])
    # in the order of the text; a parameter that is not an expression without columns is a text
    sql = "WITH a AS (SELECT ? AS x) SELECT ?, (SELECT x FROM a), '?', ? WHERE 1 = ?"
    assert athena.query(sql, ExecutionParameters=["'first'", "second one", "third", "1"]) == [
        ["second one", "first", "?", "third"]
    ]
    assert athena.query("SELECT 1", ExecutionParameters=["2"]) == [["1"]]


def test_a_literal_with_a_point_is_a_double(athena):
    assert athena.columns(athena.execute("SELECT 1.5 AS x, DECIMAL '1.5' AS y")) == [("x", "double"), ("y", "decimal")]
    assert athena.query("SELECT 0.1 + 0.2") == [["0.30000000000000004"]]


def test_what_the_columns_of_a_result_are(athena):
    execution = athena.execute("SELECT id, name, lat, ok, d, ts, amt, tags, st FROM t LIMIT 1")
    answer = athena.cloud.athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
    found = [
        (c["Type"], c["Precision"], c["Scale"], c["CaseSensitive"])
        for c in answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    ]
    assert found == [
        ("bigint", 19, 0, False),
        ("varchar", 2147483647, 0, True),
        ("double", 17, 0, False),
        ("boolean", 0, 0, False),
        ("date", 0, 0, False),
        ("timestamp", 3, 0, False),
        ("decimal", 10, 2, False),
        ("array", 0, 0, False),
        ("row", 0, 0, False),
    ]
    assert answer["UpdateCount"] == 0


def test_the_path_of_a_row(athena):
    root = f"s3://{athena.bucket}/t"
    assert athena.query('SELECT DISTINCT "$path", day FROM t ORDER BY 2') == [
        [f"{root}/day=2024-01-01/part-0.parquet", "2024-01-01"],
        [f"{root}/day=2024-01-02/part-0.parquet", "2024-01-02"],
    ]
    few = athena.execute("SELECT * FROM t WHERE \"$path\" LIKE '%day=2024-01-02/%'")
    assert "$path" not in [name for name, _ in athena.columns(few)]
    assert athena.query('SELECT COUNT(*) FROM (SELECT id FROM t WHERE "$path" IS NOT NULL) AS a') == [["5"]]
    assert "COLUMN_NOT_FOUND" in athena.error('SELECT "$path" FROM (SELECT * FROM t) AS a')
    athena.define_text("lines", {"a": "string"}, OPENX, b'{"a": "x"}\n')
    assert athena.query('SELECT a, "$path" FROM lines') == [["x", f"s3://{athena.bucket}/lines/part-0.txt"]]


def test_explain(athena):
    execution = athena.execute("EXPLAIN SELECT id FROM t")
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DML", "EXPLAIN")
    assert execution["ResultConfiguration"]["OutputLocation"].endswith(".txt")
    assert athena.columns(execution) == [("Query Plan", "varchar")]
    assert athena.query("EXPLAIN (TYPE VALIDATE) SELECT id FROM t") == [["true"]]
    assert "COLUMN_NOT_FOUND" in athena.error("EXPLAIN (TYPE VALIDATE) SELECT nope FROM t")
    assert "NOT_SUPPORTED" in athena.error("EXPLAIN ANALYZE SELECT id FROM t")


def test_information_schema(athena):
    sql = "SELECT column_name, ordinal_position, data_type, extra_info FROM information_schema.columns"
    found = athena.query(f"{sql} WHERE table_schema = '{DATABASE}' AND table_name = 't' ORDER BY 2")
    assert found[0] == ["id", "1", "bigint", None]
    assert found[5:] == [
        ["ts", "6", "timestamp(3)", None],
        ["amt", "7", "decimal(10,2)", None],
        ["tags", "8", "array(varchar)", None],
        ["st", "9", "row(a integer, b varchar)", None],
        ["day", "10", "date", "partition key"],
    ]
    sql = f"SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = '{DATABASE}'"
    assert ["t", "BASE TABLE"] in athena.query(sql)
    assert [DATABASE] in athena.query("SELECT schema_name FROM information_schema.schemata")
    assert "TABLE_NOT_FOUND" in athena.error("SELECT * FROM information_schema.nothing")


def test_results_come_in_pages(athena):
    found = athena.query("SELECT x FROM UNNEST(sequence(1, 2500)) AS t(x)")
    assert [int(row[0]) for row in found] == list(range(1, 2501))


def test_the_result_file(athena):
    execution = athena.execute("SELECT id, name FROM t WHERE day = DATE '2024-01-01' AND id < 2 ORDER BY id")
    location = execution["ResultConfiguration"]["OutputLocation"]
    assert location == f"s3://{athena.results}/results/{execution['QueryExecutionId']}.csv"
    key = location.split("/", 3)[3]
    body = athena.cloud.s3.get_object(Bucket=athena.results, Key=key)["Body"].read().decode()
    assert body == '"id","name"\n"0",\n"1","n""1,é"\n'


def test_a_workgroup_that_enforces_its_place_for_results_decides(athena):
    client = {"OutputLocation": f"s3://{athena.bucket}/mine/"}
    execution = athena.execute("SELECT 1", ResultConfiguration=client)
    assert execution["ResultConfiguration"]["OutputLocation"].startswith(f"s3://{athena.results}/results/")


def test_a_request_that_comes_again_starts_nothing(athena):
    token = {"ClientRequestToken": "the same request, " + "x" * 32}
    execution = athena.execute("SELECT 1", **token)
    assert athena.execute("SELECT 1", **token)["QueryExecutionId"] == execution["QueryExecutionId"]
    assert athena.refusal("SELECT 2", **token) == "Idempotent parameters do not match"


def test_a_query_without_a_place_for_results_is_not_started(athena):
    assert athena.refusal("SELECT 1", WorkGroup="primary").startswith("No output location provided")
    assert athena.refusal("SELECT 1", WorkGroup="nowhere") == "WorkGroup is not found."
    with pytest.raises(athena.cloud.athena.exceptions.InvalidRequestException, match="WorkGroup is not found"):
        athena.cloud.athena.get_work_group(WorkGroup="nowhere")


# -- schema on read ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "columns", "field"),
    [
        ("bad_int", {"id": "bigint", "name": "int"}, "name's type BINARY"),
        ("narrow", {"id": "int"}, "id's type INT64"),
        ("text_from_int", {"id": "string"}, "id's type INT64"),
        ("int_from_double", {"lat": "bigint"}, "lat's type DOUBLE"),
        ("date_as_text", {"d": "string"}, "d's type INT32"),
        ("nested", {"st": "struct<a:string,b:string>"}, "st's type STRUCT"),
    ],
)
def test_a_file_of_other_types_is_bad_data(athena, name, columns, field):
    athena.define(name, columns, "t/day=2024-01-01")
    error = athena.error(f"SELECT * FROM {name}")
    assert error.startswith(f"HIVE_BAD_DATA: Field {field}")
    assert f"s3://{athena.bucket}/t/day=2024-01-01/part-0.parquet" in error


def test_a_column_that_a_file_lacks_is_null(athena):
    athena.define("missing_column", {"id": "bigint", "new": "string"}, "t/day=2024-01-01")
    assert athena.query("SELECT id, new FROM missing_column ORDER BY 1 LIMIT 1") == [["0", None]]


def test_columns_go_by_name_not_by_place(athena):
    athena.define("reordered", {"lat": "double", "id": "bigint"}, "t/day=2024-01-01")
    assert athena.query("SELECT * FROM reordered ORDER BY id LIMIT 1") == [["51.5", "0"]]


def test_a_file_that_is_no_parquet_is_bad_data(athena):
    athena.cloud.s3.put_object(Bucket=athena.bucket, Key="broken/part-0.parquet", Body=b"not Parquet at all")
    athena.define("broken", COLUMNS, "broken")
    assert "HIVE_BAD_DATA" in athena.error("SELECT * FROM broken")


def test_other_formats_are_not_supported_and_it_says_so(athena):
    athena.define_text("orc", {"a": "string"}, "org.apache.hadoop.hive.ql.io.orc.OrcSerde", b"")
    assert "reads Parquet, JSON, CSV" in athena.error("SELECT * FROM orc")


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "error", "kind"),
    [
        ("SELECT nope FROM t", "COLUMN_NOT_FOUND: line 1:8: Column 'nope' cannot be resolved", 1006),
        (
            "SELECT * FROM missing",
            "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.athena_test.missing'",
            1301,
        ),
        ("SELECT * FROM other.athena_test.t", "CATALOG_NOT_FOUND: line 1:15: Catalog 'other' not found", 1000),
        ("SELECT nofunction(id) FROM t", "FUNCTION_NOT_FOUND: line 1:8: Function 'nofunction' not registered", 1303),
        ("SELECT list_sort(tags) FROM t", "FUNCTION_NOT_FOUND: line 1:8: Function 'list_sort' not registered", 1303),
        ("VACUUM t", "NOT_SUPPORTED", 1200),
        ("SELECT CAST('x' AS integer)", "INVALID_CAST_ARGUMENT", 1100),
        ("DELETE FROM t", "NOT_SUPPORTED", 1200),
        (
            "SHOW PARTITIONS missing",
            "[Error 10001]: Table not found athena_test.missing",
            1301,
        ),
        ("DROP TABLE missing", "[Error 10001]: Table not found athena_test.missing", 1301),
    ],
)
def test_queries_that_fail(athena, sql, error, kind):
    status = athena.execute(sql)["Status"]
    assert status["State"] == "FAILED"
    assert error in status["StateChangeReason"]
    assert status["AthenaError"]["ErrorMessage"] == status["StateChangeReason"]
    assert status["AthenaError"]["ErrorType"] == kind


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", "line 1:1: mismatched input 'SELEC'"),
        ("SELECT 1\nFROM t WHERE", "line 2:8: mismatched input 'WHERE'"),
        ("SELECT (", "mismatched input"),
        ("SELECT 1; SELECT 2", "Only one sql statement is allowed"),
        # syntax of other dialects
        ("SELECT * FROM `t`", "line 1:15: backquoted identifiers are not supported"),
        ("SELECT '1'::int", "line 1:11: mismatched input ':'"),
        ("SELECT id FROM t WHERE name ILIKE 'N%'", "mismatched input 'ILIKE'"),
        ("SELECT DISTINCT ON (id) id FROM t", "mismatched input 'ON'"),
        ("SELECT * EXCEPT (id) FROM t", "mismatched input 'EXCEPT'"),
        # Hive accepts backticks only
        ('DESCRIBE "t"', "line 1:10: no viable alternative at input 'DESCRIBE \"t\"'"),
        ('DESCRIBE athena_test."t"', "line 1:22: no viable alternative at input 'athena_test.\"t\"'"),
        ('DROP TABLE IF EXISTS "t"', "line 1:22: mismatched input '\"t\"'"),
        ('ALTER TABLE athena_test."t" RENAME TO x', "no viable alternative at input 'ALTER TABLE athena_test.\"t\"'"),
        ('SHOW CREATE TABLE "t"', "Queries of this type are not supported"),
        ("DESCRIBE missing", "Entity Not Found (Service: AmazonDataCatalog; Status Code: 400;"),
        ("SHOW COLUMNS IN missing", "Entity Not Found (Service: AmazonDataCatalog; Status Code: 400;"),
    ],
)
def test_queries_that_are_not_started(athena, sql, message):
    assert message in athena.refusal(sql)


# -- the engine's process ----------------------------------------------------------------------------------------------


def test_many_queries_at_once(athena):
    sql = ["SELECT COUNT(*) FROM t", "SELECT COUNT(*) FROM (SELECT id FROM t LIMIT 1)"] * 20
    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(athena.query, sql)) == [[["5"]], [["1"]]] * 20


def test_an_engine_that_ends_fails_its_queries_and_is_started_again(cloud, athena):
    engine = Engine(cloud.endpoint)
    request = {"sql": "SELECT 1 AS one", "database": DATABASE, "parameters": [], "access_key": "local"}
    request["output"] = f"s3://{athena.results}/results/"
    assert engine.execute({"id": "first", **request})["rows"] == [["1"]]
    with ThreadPoolExecutor(1) as pool:
        slow = "SELECT COUNT(*) FROM UNNEST(sequence(1, 100000)) AS a(x), UNNEST(sequence(1, 100000)) AS b(y)"
        lost = pool.submit(engine.execute, {"id": "lost", **request, "sql": slow})
        wait_for(lambda: "lost" in engine._waiting, "the slow query")
        engine._process.kill()
        with pytest.raises(EngineEndedError):
            lost.result(timeout=30)
    assert engine.execute({"id": "second", **request})["rows"] == [["1"]]
    engine.stop()


def test_a_name_inside_of_a_struct_is_never_missed_because_of_its_case():
    schema = pa.schema([("a", pa.list_(pa.struct([("firstName", pa.string())])))])
    with pytest.raises(AthenaError, match="cannot read column a of s3://b/k: a name not in lower case"):
        check_columns("b/k", schema, {"a": "array<struct<firstname:string>>"})
    check_columns("b/k", schema, {"b": "string"})
