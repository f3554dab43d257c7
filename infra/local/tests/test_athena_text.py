"""Athena over text files, as its SerDes read them."""

import gzip

from athena_client import DATABASE, HIVE_JSON, LAZY_CSV, OPEN_CSV, OPENX, REGEX


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
