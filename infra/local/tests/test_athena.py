"""Athena: queries over what Glue defines, results as Athena gives them, and the errors that Athena would give."""

import datetime as dt
import decimal
import gzip
import io
import time
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import LocalCloud, wait_for

from landfall_local.athena.engine import Engine, EngineEndedError

DATABASE = "athena_test"
WORK_GROUP = "athena-test"
OPENX = "org.openx.data.jsonserde.JsonSerDe"
HIVE_JSON = "org.apache.hive.hcatalog.data.JsonSerDe"
LAZY_CSV = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
OPEN_CSV = "org.apache.hadoop.hive.serde2.OpenCSVSerde"
REGEX = "org.apache.hadoop.hive.serde2.RegexSerDe"
PARQUET = "org.apache.hadoop.hive.ql.io.parquet"

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("name", pa.string()),
        ("lat", pa.float64()),
        ("ok", pa.bool_()),
        ("d", pa.date32()),
        ("ts", pa.timestamp("ms")),
        ("amt", pa.decimal128(10, 2)),
        ("tags", pa.list_(pa.string())),
        ("st", pa.struct([("a", pa.int32()), ("b", pa.string())])),
    ]
)
COLUMNS = {
    "id": "bigint",
    "name": "string",
    "lat": "double",
    "ok": "boolean",
    "d": "date",
    "ts": "timestamp",
    "amt": "decimal(10,2)",
    "tags": "array<string>",
    "st": "struct<a:int,b:string>",
}


def rows(count: int) -> pa.Table:
    data = {
        "id": list(range(count)),
        "name": [f'n"{number},é' if number else None for number in range(count)],
        "lat": [51.5 + number for number in range(count)],
        "ok": [number % 2 == 0 for number in range(count)],
        "d": [dt.date(2024, 1, 1)] * count,
        "ts": [dt.datetime(2024, 1, 1, 12, 0, 0, 123000)] * count,
        "amt": [decimal.Decimal("1.50")] * count,
        "tags": [["a", "b"]] * count,
        "st": [{"a": 1, "b": "x"}] * count,
    }
    return pa.table(data, schema=SCHEMA)


class Athena:
    """A client that waits."""

    def __init__(self, cloud: LocalCloud):
        self.cloud = cloud
        self.bucket = cloud.bucket()
        self.results = cloud.bucket()
        output = {"OutputLocation": f"s3://{self.results}/results/"}
        configuration = {"EnforceWorkGroupConfiguration": True, "ResultConfiguration": output}
        cloud.athena.create_work_group(Name=WORK_GROUP, Configuration=configuration)
        cloud.glue.create_database(DatabaseInput={"Name": DATABASE})

    def put(self, key: str, table: pa.Table) -> None:
        body = io.BytesIO()
        pq.write_table(table, body)
        self.cloud.s3.put_object(Bucket=self.bucket, Key=key, Body=body.getvalue())

    def define(self, name: str, columns: dict[str, str], folder: str, partitions: dict[str, str] | None = None):
        glue = self.cloud.glue
        descriptor = {
            "Columns": [{"Name": column, "Type": kind} for column, kind in columns.items()],
            "Location": f"s3://{self.bucket}/{folder}/",
            "InputFormat": f"{PARQUET}.MapredParquetInputFormat",
            "OutputFormat": f"{PARQUET}.MapredParquetOutputFormat",
            "SerdeInfo": {"SerializationLibrary": f"{PARQUET}.serde.ParquetHiveSerDe"},
        }
        keys = [{"Name": column, "Type": kind} for column, kind in (partitions or {}).items()]
        definition = {"Name": name, "StorageDescriptor": descriptor, "PartitionKeys": keys}
        glue.create_table(DatabaseName=DATABASE, TableInput=definition)

    def define_text(
        self,
        name: str,
        columns: dict[str, str],
        serde: str,
        body: bytes,
        options: dict[str, str] | None = None,
        parameters: dict[str, str] | None = None,
        keys: dict[str, str] | None = None,
        folder: str | None = None,
        suffix: str = ".txt",
    ) -> None:
        """A table over one file of text."""
        self.cloud.s3.put_object(Bucket=self.bucket, Key=f"{folder or name}/part-0{suffix}", Body=body)
        descriptor = {
            "Columns": [{"Name": column, "Type": kind} for column, kind in columns.items()],
            "Location": f"s3://{self.bucket}/{name}/",
            "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
            "SerdeInfo": {"SerializationLibrary": serde, "Parameters": options or {}},
        }
        definition = {
            "Name": name,
            "StorageDescriptor": descriptor,
            "PartitionKeys": [{"Name": column, "Type": kind} for column, kind in (keys or {}).items()],
            "Parameters": parameters or {},
        }
        self.cloud.glue.create_table(DatabaseName=DATABASE, TableInput=definition)

    def execute(self, sql: str, **arguments) -> dict:
        athena = self.cloud.athena
        context = {"Database": DATABASE}
        query_id = athena.start_query_execution(
            QueryString=sql, QueryExecutionContext=context, WorkGroup=WORK_GROUP, **arguments
        )["QueryExecutionId"]
        while True:
            execution = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            if execution["Status"]["State"] not in ("QUEUED", "RUNNING"):
                return execution
            time.sleep(0.01)

    def query(self, sql: str, **arguments) -> list[list[str | None]]:
        """The rows, without the header of a SELECT."""
        execution = self.execute(sql, **arguments)
        status = execution["Status"]
        assert status["State"] == "SUCCEEDED", status.get("StateChangeReason")
        pages = self.cloud.athena.get_paginator("get_query_results").paginate(
            QueryExecutionId=execution["QueryExecutionId"]
        )
        found = [row["Data"] for page in pages for row in page["ResultSet"]["Rows"]]
        values = [[cell.get("VarCharValue") for cell in row] for row in found]
        return values[1:] if execution["StatementType"] == "DML" else values

    def error(self, sql: str, **arguments) -> str:
        status = self.execute(sql, **arguments)["Status"]
        assert status["State"] == "FAILED"
        return status["StateChangeReason"]


@pytest.fixture(scope="module")
def athena(cloud) -> Athena:
    client = Athena(cloud)
    client.put("t/day=2024-01-01/part-0.parquet", rows(3))
    client.put("t/day=2024-01-02/part-0.parquet", rows(2))
    client.put("t/day=2024-01-02/_hidden", rows(2))
    client.define("t", COLUMNS, "t", {"day": "date"})
    assert client.query("SELECT COUNT(*) FROM t") == [["0"]]  # no partition is registered yet
    client.query("MSCK REPAIR TABLE t")
    return client


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

    # from one call on, all is that of the other run; what is registered is not asked for
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


def test_a_query_without_a_place_for_results_fails(athena):
    client = athena.cloud.athena
    query_id = client.start_query_execution(QueryString="SELECT 1", WorkGroup="primary")["QueryExecutionId"]
    status = client.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]
    assert "No output location provided" in status["StateChangeReason"]


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


# -- text --------------------------------------------------------------------------------------------------------------


def test_json_is_read_as_openx_reads_it(athena):
    lines = [
        '{"ID": 1, "text": 1.50, "day": "2024-01-01", "at": "2024-01-01 12:00:00.5", "ok": true, "more": 7}',
        '{"id": "x", "text": {"a": [1, "b"]}, "day": 19723, "at": "2024-01-01T13:00:00+01:00", "ok": "TRUE"}',
        "no object",
        "",
        '{"id": 2.9, "amt": 1.005, "f": 0.5, "tags": "one", "st": {"A": 3, "c": 1}, "bin": "YWI=", "at": 1704110400}',
        '{"id": 9223372036854775808, "amt": 123456789.1, "tags": [1, null], "st": null, "bin": 5, "day": "soon"} x',
    ]
    columns = {
        "id": "bigint",
        "text": "string",
        "day": "date",
        "at": "timestamp",
        "ok": "boolean",
        "amt": "decimal(10,2)",
        "f": "float",
        "tags": "array<string>",
        "st": "struct<a:int,b:string>",
        "bin": "binary",
    }
    body = gzip.compress("\n".join(lines).encode())
    athena.define_text("openx", columns, OPENX, body, {"paths": ",".join(columns)}, suffix=".jsonl.gz")
    noon = "2024-01-01 12:00:00"
    assert athena.query("SELECT * FROM openx") == [
        ["1", "1.50", "2024-01-01", f"{noon}.500", "true", None, None, None, None, None],
        [None, '{"a":[1,"b"]}', "2024-01-01", f"{noon}.000", "true", None, None, None, None, None],
        [None] * 10,
        [None] * 10,
        ["2", None, None, f"{noon}.000", None, "1.01", "0.5", "[one]", "{a=3, b=null}", "61 62"],
        [None, None, None, None, None, None, None, "[1, null]", None, None],
    ]
    assert athena.query("SELECT COUNT(*), SUM(id) FROM openx WHERE ok") == [["2", "1"]]


def test_json_that_cannot_be_read_ends_the_query(athena):
    athena.define_text("object", {"id": "bigint"}, OPENX, b'{"id": 1}\n{"id": {}}\n')
    assert athena.error("SELECT * FROM object").startswith(
        "HIVE_BAD_DATA: {} cannot be coerced to int64, line 2 of s3:"
    )
    athena.define_text("malformed", {"id": "bigint"}, OPENX, b'{"id": \n')
    assert athena.error("SELECT * FROM malformed").startswith("HIVE_BAD_DATA: Error Parsing a JSON row")
    ignored = {"ignore.malformed.json": "true", "mapping.number": "ID"}
    athena.define_text("ignored", {"number": "bigint"}, OPENX, b'{"id": \n{"Id": 7}\n', ignored)
    assert athena.query("SELECT * FROM ignored") == [[None], ["7"]]
    athena.define_text("cut", {"id": "bigint"}, OPENX, gzip.compress(b"{}")[:-9], suffix=".gz")
    assert athena.error("SELECT * FROM cut").startswith("HIVE_CANNOT_OPEN_SPLIT")


def test_hive_s_json_is_stricter(athena):
    athena.define_text("hive_json", {"id": "bigint", "b": "string"}, HIVE_JSON, b'{"ID": 1}\n{"b": true}\n')
    assert athena.query("SELECT * FROM hive_json") == [["1", None], [None, "true"]]
    athena.define_text("hive_json_bad", {"id": "bigint"}, HIVE_JSON, b'{"id": "x"}\n')
    assert athena.error("SELECT * FROM hive_json_bad").startswith("HIVE_BAD_DATA")


def test_csv_without_quotes(athena):
    columns = {"id": "int", "name": "string", "d": "date", "ts": "timestamp", "ok": "boolean", "x": "double"}
    body = b'id,name\r\n1,"a,2024-01-01,2024-01-01 12:00:00.25,TRUE,1e3\r\nx,\\N,,soon,1,\n3,,2024-13-01\n'
    options = {"field.delim": ","}
    athena.define_text("lazy", columns, LAZY_CSV, body, options, {"skip.header.line.count": "1"})
    assert athena.query("SELECT * FROM lazy") == [
        ["1", '"a', "2024-01-01", "2024-01-01 12:00:00.250", "true", "1000.0"],
        [None, None, None, None, None, None],
        ["3", "", None, None, None, None],
    ]
    escaped = {"field.delim": ",", "escape.delim": "\\"}
    athena.define_text("escaped", {"a": "string", "b": "int"}, LAZY_CSV, b"x\\,y,2\n", escaped)
    assert athena.query("SELECT * FROM escaped") == [["x,y", "2"]]


def test_csv_with_quotes(athena):
    columns = {"id": "int", "name": "string", "d": "date", "ts": "timestamp"}
    options = {"escapeChar": "\\", "quoteChar": '"', "separatorChar": ","}
    body = b'1,"a ""b"", c",19723,1704110400000\n2,,0,0\n3\n'
    athena.define_text("open", columns, OPEN_CSV, body, options)
    assert athena.query("SELECT * FROM open") == [
        ["1", 'a "b", c', "2024-01-01", "2024-01-01 12:00:00.000"],
        ["2", "", "1970-01-01", "1970-01-01 00:00:00.000"],
        ["3", None, None, None],
    ]
    athena.define_text("open_bad", columns, OPEN_CSV, b"1,a,2024-01-01,0\n", options)
    assert "Error parsing field value '2024-01-01' for field 2" in athena.error("SELECT * FROM open_bad")
    athena.define_text("open_empty", columns, OPEN_CSV, b",a,0,0\n", options)
    assert "Error parsing field value '' for field 0" in athena.error("SELECT * FROM open_empty")


def test_lines_by_a_regular_expression(athena):
    options = {"input.regex": r"(\w+) (.*)"}
    athena.define_text("regex", {"a": "string", "b": "string"}, REGEX, b"x y z\n?\n", options)
    assert athena.query("SELECT * FROM regex") == [["x", "y z"], [None, None]]


def test_partitions_of_text_are_read_by_their_own_descriptor(athena):
    athena.define_text("days", {"id": "bigint"}, OPENX, b'{"id": 1}\n', keys={"day": "bigint"}, folder="days/day=5")
    glue = athena.cloud.glue
    table = glue.get_table(DatabaseName=DATABASE, Name="days")["Table"]
    assert athena.query("SELECT * FROM days") == []
    location = f"s3://{athena.bucket}/days/day=5/"
    descriptor = {**table["StorageDescriptor"], "Location": location}
    partition = {"Values": ["5"], "StorageDescriptor": descriptor}
    glue.create_partition(DatabaseName=DATABASE, TableName="days", PartitionInput=partition)
    assert athena.query("SELECT id, day FROM days WHERE day < 6") == [["1", "5"]]
    partition["StorageDescriptor"] = {**descriptor, "Columns": [{"Name": "id", "Type": "string"}]}
    glue.update_partition(DatabaseName=DATABASE, TableName="days", PartitionValueList=["5"], PartitionInput=partition)
    assert "HIVE_PARTITION_SCHEMA_MISMATCH" in athena.error("SELECT * FROM days")


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELECT nope FROM t", "SYNTAX_ERROR"),
        ("SELECT * FROM missing", "TABLE_NOT_FOUND"),
        ("SELEC 1", "SYNTAX_ERROR"),
        ("SELECT (", "SYNTAX_ERROR"),
        ("VACUUM t", "NOT_SUPPORTED"),
        ("SELECT CAST('x' AS integer)", "INVALID_CAST_ARGUMENT"),
        ("INSERT INTO t SELECT * FROM t", "NOT_SUPPORTED"),
        ("DELETE FROM t", "NOT_SUPPORTED"),
        ("SHOW PARTITIONS missing", "TABLE_NOT_FOUND"),
        ("DROP TABLE missing", "Table not found"),
    ],
)
def test_errors(athena, sql, error):
    assert error in athena.error(sql)


# -- other statements --------------------------------------------------------------------------------------------------


def test_create_table_as(athena):
    location = f"s3://{athena.bucket}/made/"
    sql = (
        f"CREATE TABLE made WITH (external_location = '{location}', format = 'PARQUET') AS SELECT id, name, day FROM t"
    )
    execution = athena.execute(sql)
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    assert execution["Statistics"]["DataManifestLocation"].endswith("-manifest.csv")
    assert athena.query("SELECT COUNT(*), COUNT(name), MAX(day) FROM made") == [["5", "3", "2024-01-02"]]
    assert "HIVE_PATH_ALREADY_EXISTS" in athena.error(sql)
    athena.query("DROP TABLE made")
    assert "TABLE_NOT_FOUND" in athena.error("SELECT * FROM made")


def test_create_table_as_of_what_is_not_supported(athena):
    assert "NOT_SUPPORTED" in athena.error("CREATE TABLE x WITH (format = 'ORC') AS SELECT 1 AS a")
    assert "NOT_SUPPORTED" in athena.error("CREATE TABLE x WITH (partitioned_by = ARRAY['a']) AS SELECT 1 AS a")


def test_databases_and_tables(athena):
    athena.query("CREATE DATABASE IF NOT EXISTS scratch")
    athena.query("CREATE DATABASE IF NOT EXISTS scratch")
    assert "already exists" in athena.error("CREATE DATABASE scratch")
    assert ["scratch"] in athena.query("SHOW DATABASES")
    assert athena.query("SHOW TABLES IN scratch") == []
    assert ["t"] in athena.query("SHOW TABLES")
    athena.query("DROP DATABASE scratch")
    assert "does not exist" in athena.error("DROP DATABASE scratch")


def test_describe(athena):
    described = [row[0].split() for row in athena.query("DESCRIBE t")]
    assert ["id", "bigint"] in described
    assert ["day", "date"] in described


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
