"""The statements that Hive runs for Athena: their effects, and the lines of their answers.

The answers match those observed on AWS by others (for the source, see landfall_local.athena.results).
"""

import pytest
from athena_client import COLUMNS, DATABASE


def file_of(athena, execution: dict) -> str:
    location = execution["ResultConfiguration"]["OutputLocation"]
    assert location == f"s3://{athena.results}/results/{execution['QueryExecutionId']}.txt"
    return athena.file(location)


def kind(execution: dict) -> tuple[str, str]:
    return execution["StatementType"], execution["SubstatementType"]


def test_show_tables(athena):
    execution = athena.execute(f"SHOW TABLES IN {DATABASE} 't'")
    assert kind(execution) == ("UTILITY", "SHOW_TABLES")
    assert athena.columns(execution) == [("tab_name", "string")]
    assert file_of(athena, execution) == "t"
    assert athena.query("SHOW TABLES LIKE 'nothing*'") == []
    assert athena.query(f"SHOW TABLES FROM `{DATABASE}` 't*'")[0] == ["t"]
    assert "Database does not exist: nowhere" in athena.error("SHOW TABLES IN nowhere")


def test_show_databases(athena):
    execution = athena.execute(f"SHOW SCHEMAS LIKE '{DATABASE}'")
    assert kind(execution) == ("UTILITY", "SHOW_DATABASES")
    assert athena.columns(execution) == [("database_name", "string")]
    assert file_of(athena, execution) == DATABASE
    assert [DATABASE] in athena.query("SHOW DATABASES")
    # a Java regular expression, while SHOW TABLES has Hive's patterns
    assert athena.query("SHOW DATABASES LIKE 'athena*'") == []


def test_show_partitions(athena):
    execution = athena.execute("SHOW PARTITIONS t")
    assert kind(execution) == ("UTILITY", "SHOW_PARTITIONS")
    assert athena.columns(execution) == [("partition", "string")]
    assert file_of(athena, execution) == "day=2024-01-01\nday=2024-01-02"
    athena.define("no_partitions", COLUMNS, "no_partitions")
    assert athena.error("SHOW PARTITIONS no_partitions").endswith("Table no_partitions is not a partitioned table")


def test_show_columns(athena):
    execution = athena.execute("SHOW COLUMNS IN t")
    assert kind(execution) == ("UTILITY", "SHOW_COLUMNS")
    assert athena.columns(execution) == [("field", "string")]
    assert file_of(athena, execution).split("\n") == [name.ljust(20) for name in [*COLUMNS, "day"]]


def test_describe(athena):
    glue = athena.cloud.glue
    columns = [
        {"Name": "n", "Type": "int", "Comment": "abc"},
        {"Name": "a_column_of_just_twenty", "Type": "struct<aa:int,bb:int>"},
    ]
    definition = {
        "Name": "described",
        "PartitionKeys": [{"Name": "p", "Type": "string", "Comment": "of it"}],
        "StorageDescriptor": {"Columns": columns, "Location": f"s3://{athena.bucket}/described/"},
    }
    glue.create_table(DatabaseName=DATABASE, TableInput=definition)
    execution = athena.execute("DESCRIBE `described`;")
    assert kind(execution) == ("UTILITY", "DESCRIBE_TABLE")
    assert athena.columns(execution) == [("col_name", "string"), ("data_type", "string"), ("comment", "string")]
    lines = [
        f"{'n':20}\t{'int':20}\t{'abc':20}",
        f"a_column_of_just_twenty\tstruct<aa:int,bb:int>\t{'':20}",
        f"{'p':20}\t{'string':20}\t{'of it':20}",
        "\t \t ",
        "# Partition Information\t \t ",
        "# col_name            \tdata_type           \tcomment             ",
        "\t \t ",
        f"{'p':20}\t{'string':20}\t{'of it':20}",
    ]
    assert athena.query("DESC described") == [[line] for line in lines]
    assert file_of(athena, execution) == "\n".join(lines)


def test_show_create_table(athena):
    execution = athena.execute("-- of t\nSHOW CREATE TABLE t")
    assert kind(execution) == ("UTILITY", "SHOW_CREATE_TABLE")
    assert athena.columns(execution) == [("createtab_stmt", "string")]
    text = file_of(athena, execution)
    assert text.startswith("CREATE EXTERNAL TABLE `t`(\n  `id` bigint, \n")
    assert "\nPARTITIONED BY ( \n  `day` date)\nROW FORMAT SERDE \n" in text
    assert f"\nLOCATION\n  's3://{athena.bucket}/t/'" in text


def test_databases(athena):
    execution = athena.execute("create schema if not exists `scratch`")
    assert kind(execution) == ("DDL", "CREATE_DATABASE")
    assert file_of(athena, execution) == ""
    answer = athena.cloud.athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
    assert answer["ResultSet"]["Rows"] == [] and "UpdateCount" not in answer
    athena.query("CREATE DATABASE IF NOT EXISTS scratch")
    assert athena.error("CREATE DATABASE scratch").endswith("DDLTask. Database scratch already exists")
    assert athena.query("SHOW TABLES IN scratch") == []
    athena.query("CREATE TABLE scratch.one AS SELECT 1 AS a")
    assert "Database scratch is not empty" in athena.error("DROP DATABASE scratch")
    athena.query("DROP SCHEMA IF EXISTS `scratch` CASCADE")
    assert "does not exist" in athena.error("DROP DATABASE scratch")
    athena.query("DROP DATABASE IF EXISTS scratch")


def test_what_hive_fails_at_leaves_a_file_and_an_empty_result(athena):
    execution = athena.execute("DROP TABLE missing")
    assert execution["Status"]["State"] == "FAILED"
    assert file_of(athena, execution) == execution["Status"]["StateChangeReason"]
    answer = athena.cloud.athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
    assert answer["ResultSet"]["Rows"] == []
    failed = athena.execute("SELECT * FROM missing")["QueryExecutionId"]
    with pytest.raises(athena.cloud.athena.exceptions.InvalidRequestException, match="Final query state: FAILED"):
        athena.cloud.athena.get_query_results(QueryExecutionId=failed)


def test_alter_table(athena):
    athena.define("altered", {"id": "bigint"}, "altered", {"day": "string"})
    table = lambda: athena.cloud.glue.get_table(DatabaseName=DATABASE, Name="altered")["Table"]  # noqa: E731
    athena.query("alter table `altered` set tblproperties ('classification' = 'parquet', 'it''s' = 'a=b')")
    assert table()["Parameters"] == {"classification": "parquet", "it's": "a=b"}
    athena.query(f"ALTER TABLE {DATABASE}.altered ADD COLUMNS (name string, st struct<a:int,b:string> COMMENT 'both')")
    assert [column["Name"] for column in table()["StorageDescriptor"]["Columns"]] == ["id", "name", "st"]
    assert table()["StorageDescriptor"]["Columns"][2]["Type"] == "struct<a:int,b:string>"
    assert "Duplicate column name: id" in athena.error("ALTER TABLE altered ADD COLUMNS (id int)")

    place = f"s3://{athena.bucket}/x/"
    athena.query(f"ALTER TABLE altered ADD PARTITION (day = '1') LOCATION '{place}' PARTITION (day='2')")
    assert athena.query("SHOW PARTITIONS altered") == [["day=1"], ["day=2"]]
    assert "AlreadyExistsException" in athena.error("ALTER TABLE altered ADD PARTITION (day = '1')")
    athena.query("ALTER TABLE altered ADD IF NOT EXISTS PARTITION (day = '1')")
    assert "doesn't contain all (1) partition columns" in athena.error("ALTER TABLE altered ADD PARTITION (n = 1)")
    athena.query("ALTER TABLE altered DROP PARTITION (day = '1')")
    assert "[Error 10006]: Partition not found" in athena.error("ALTER TABLE altered DROP PARTITION (day = '1')")
    assert athena.query("SHOW PARTITIONS altered") == [["day=2"]]

    assert "Table rename is not supported" in athena.error("ALTER TABLE altered RENAME TO other")
