"""A stack's names come from its metadata, and nothing else may contradict it."""

import json

import pytest

from landfall_local.names import NamesError, names


@pytest.fixture
def metadata(tmp_path):
    def write(**databases: dict | str):
        for area, database in databases.items():
            (tmp_path / area).mkdir(exist_ok=True)
            text = database if isinstance(database, str) else json.dumps(database)
            (tmp_path / area / "database.json").write_text(text)
        return tmp_path

    return write


CURATED = {"name": "shop", "base_folder": "database/"}
RAW = {"name": "shop_raw", "base_folder": "/sales/shop/"}


def test_they_are_what_the_metadata_says(metadata):
    found = names(metadata(curated=CURATED, raw=RAW)).with_parameters({"DeaVersion": "v1"})
    assert found == {"Database": "shop", "RawDatabase": "shop_raw", "BaseFolder": "sales/shop", "DeaVersion": "v1"}


def test_the_same_may_be_said_once_more(metadata):
    assert names(metadata(curated=CURATED, raw=RAW)).with_parameters({"Database": "shop"})["Database"] == "shop"


def test_all_that_contradicts_is_refused_at_once(metadata):
    found = names(metadata(curated=CURATED, raw=RAW))
    with pytest.raises(NamesError) as refused:
        found.with_parameters({"Database": "store", "RawDatabase": "shop_raw", "BaseFolder": "sales"})
    said = str(refused.value).splitlines()
    assert [line.split(", but ")[0] for line in said] == ["Database=store", "BaseFolder=sales"]
    assert "curated/database.json says shop" in said[0]
    assert "raw/database.json says sales/shop" in said[1]


def test_without_a_raw_database_its_folder_may_be_chosen(metadata):
    found = names(metadata(curated=CURATED))
    assert found.with_parameters({}) == {"Database": "shop", "RawDatabase": "shop", "BaseFolder": "database"}
    assert found.with_parameters({"BaseFolder": "sales"})["BaseFolder"] == "sales"


@pytest.mark.parametrize("nothing", ["", "/"])
def test_tables_without_a_base_folder_land_in_that_of_their_database(metadata, nothing):
    found = names(metadata(curated={"name": "shop", "base_folder": nothing}))
    assert found.with_parameters({})["BaseFolder"] == "shop"
    assert found.with_parameters({"BaseFolder": "sales"})["BaseFolder"] == "sales"


def test_a_name_that_the_template_refuses_is_refused_before(metadata):
    found = names(metadata(curated={"name": "shop", "base_folder": "a b"}))
    with pytest.raises(NamesError, match=r"BaseFolder=a b, from .*curated/database.json: must match"):
        found.with_parameters({})
    with pytest.raises(NamesError, match=r"^BaseFolder=_x: must match"):
        found.with_parameters({"BaseFolder": "_x"})


@pytest.mark.parametrize(
    ("database", "problem"),
    [
        ("{", "not JSON"),
        ("[]", "name and base_folder must be texts"),
        ({"name": "shop", "base_folder": None}, "base_folder must be texts"),
    ],
)
def test_a_database_that_says_nothing_is_refused(metadata, database, problem):
    with pytest.raises(NamesError, match=rf"curated/database.json: {problem}"):
        names(metadata(curated=database))


def test_a_folder_without_metadata_is_refused(tmp_path):
    with pytest.raises(NamesError, match=r"curated/database.json: No such file"):
        names(tmp_path)
