"""Views: created and read by Athena, stored in Glue."""

import json
from base64 import b64decode

import pytest
from athena_client import COLUMNS, DATABASE


@pytest.fixture(scope="module", autouse=True)
def few(athena):
    athena.query("CREATE OR REPLACE VIEW few AS\nSELECT id, name, day FROM t -- of some\nWHERE id < 2")


def test_a_view_is_read_as_a_table(athena):
    assert athena.query("SELECT COUNT(*), COUNT(name) FROM few") == [["4", "2"]]
    assert athena.query(f'SELECT f.id FROM "awsdatacatalog"."{DATABASE}"."few" AS f WHERE f.id = 1') == [["1"], ["1"]]
    athena.query("CREATE VIEW fewer AS SELECT few.id, t.lat FROM few JOIN t ON few.id = t.id AND few.day = t.day")
    assert athena.query("SELECT COUNT(*) FROM fewer") == [["4"]]
    # unqualified names belong to the view's database, not the query's
    context = {"Database": "default"}
    assert athena.query(f"SELECT COUNT(*) FROM {DATABASE}.few", QueryExecutionContext=context) == [["4"]]


def test_what_glue_has_of_a_view(athena):
    table = athena.cloud.glue.get_table(DatabaseName=DATABASE, Name="few")["Table"]
    assert table["TableType"] == "VIRTUAL_VIEW"
    assert table["Parameters"]["presto_view"] == "true"
    assert table["ViewExpandedText"] == "/* Presto View */"
    text = table["ViewOriginalText"].removeprefix("/* Presto View: ").removesuffix(" */")
    assert json.loads(b64decode(text)) == {
        "originalSql": "SELECT id, name, day FROM t -- of some\nWHERE id < 2",
        "catalog": "awsdatacatalog",
        "schema": DATABASE,
        "columns": [
            {"name": "id", "type": "bigint"},
            {"name": "name", "type": "varchar"},
            {"name": "day", "type": "date"},
        ],
    }


def test_what_is_said_of_a_view(athena):
    execution = athena.execute("DESCRIBE few")
    assert (execution["StatementType"], execution["SubstatementType"]) == ("UTILITY", "DESC_VIEW")
    assert athena.columns(execution) == [("column", "varchar"), ("type", "varchar")]
    assert athena.query("SHOW COLUMNS IN few") == [["id\tbigint"], ["name\tvarchar"], ["day\tdate"]]
    assert ["few"] in athena.query("SHOW VIEWS")
    assert ["few"] in athena.query("SHOW TABLES")
    execution = athena.execute("SHOW CREATE VIEW few")
    assert (execution["StatementType"], execution["SubstatementType"]) == ("UTILITY", "SHOW_CREATE_VIEW")
    assert athena.columns(execution) == [("create view", "varchar")]
    lines = [row[0] for row in athena.query("SHOW CREATE VIEW few")]
    assert lines[:2] == [f"CREATE VIEW awsdatacatalog.{DATABASE}.few AS", "SELECT id, name, day FROM t -- of some"]
    sql = (
        f"SELECT view_definition FROM information_schema.views WHERE table_schema = '{DATABASE}' AND table_name = 'few'"
    )
    assert athena.query(sql)[0][0].startswith("SELECT id")


def test_names_of_views_and_of_tables_are_of_one_kind(athena):
    assert "View already exists: 'awsdatacatalog.athena_test.few'" in athena.error("CREATE VIEW few AS SELECT 1 AS a")
    assert "Table already exists" in athena.error("CREATE OR REPLACE VIEW t AS SELECT 1 AS a")
    assert "Did you mean DROP TABLE" in athena.error("DROP VIEW t")
    assert "Cannot drop a view with DROP TABLE" in athena.error("DROP TABLE few")
    athena.query("DROP TABLE IF EXISTS few")
    assert athena.query("SELECT COUNT(*) FROM few") == [["4"]]
    assert "[Error 10131]" in athena.error("ALTER TABLE few SET TBLPROPERTIES ('a' = 'b')")
    assert "Inserting into views is not supported" in athena.error("INSERT INTO few SELECT 1, 'a', DATE '2024-01-01'")


def test_a_view_needs_names_and_what_it_reads(athena):
    assert "Column name not specified at position 1" in athena.error("CREATE VIEW bad AS SELECT 1")
    assert "COLUMN_NOT_FOUND" in athena.error("CREATE VIEW bad AS SELECT nope FROM t")
    assert "SCHEMA_NOT_FOUND" in athena.error("CREATE VIEW nowhere.bad AS SELECT 1 AS a")
    assert "TABLE_NOT_FOUND" in athena.error("SELECT * FROM bad")


def test_a_view_is_stale_when_its_table_has_changed(athena):
    columns = dict(list(COLUMNS.items())[:2])
    athena.define("changing", columns, "changing")
    athena.query("CREATE VIEW over_all AS SELECT * FROM changing")
    athena.query("CREATE VIEW over_id AS SELECT id FROM changing")
    glue = athena.cloud.glue
    table = glue.get_table(DatabaseName=DATABASE, Name="changing")["Table"]
    definition = {name: table[name] for name in ("Name", "StorageDescriptor")}
    definition["StorageDescriptor"]["Columns"].append({"Name": "new", "Type": "int"})
    glue.update_table(DatabaseName=DATABASE, TableInput=definition)
    assert athena.query("SELECT * FROM over_id") == []
    assert "VIEW_IS_STALE" in athena.error("SELECT * FROM over_all")
    definition["StorageDescriptor"]["Columns"][0]["Type"] = "string"
    glue.update_table(DatabaseName=DATABASE, TableInput=definition)
    assert "column [id] of type varchar projected from query view at position 0 cannot be coerced" in athena.error(
        "SELECT * FROM over_id"
    )
    glue.delete_table(DatabaseName=DATABASE, Name="changing")
    assert "Failed analyzing stored view 'awsdatacatalog.athena_test.over_id'" in athena.error("SELECT * FROM over_id")


def test_a_view_is_dropped(athena):
    athena.query("CREATE VIEW gone AS SELECT 1 AS a")
    execution = athena.execute("drop view if exists gone")
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DDL", "DROP_VIEW")
    assert "View 'awsdatacatalog.athena_test.gone' does not exist" in athena.error("DROP VIEW gone")
    athena.query("DROP VIEW IF EXISTS gone")
