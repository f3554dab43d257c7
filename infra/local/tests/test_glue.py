"""Glue, as far as publishing a table relies on it: optimistic locking, versions, limits."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

DATABASE = "glue_test"


@pytest.fixture(scope="module")
def glue(cloud):
    cloud.glue.create_database(DatabaseInput={"Name": DATABASE})
    return cloud.glue


def table(name: str, location: str = "s3://bucket/1/", **extra) -> dict:
    descriptor = {"Columns": [{"Name": "id", "Type": "bigint", **extra.pop("column", {})}], "Location": location}
    keys = [{"Name": "day", "Type": "date"}]
    return {"Name": name, "StorageDescriptor": descriptor, "PartitionKeys": keys, **extra}


@pytest.fixture
def published(glue, request) -> str:
    name = request.node.name.split("[")[0]
    glue.create_table(DatabaseName=DATABASE, TableInput=table(name))
    return name


def read(glue, name: str) -> dict:
    return glue.get_table(DatabaseName=DATABASE, Name=name)["Table"]


def test_an_update_of_the_current_version(glue, published):
    version = read(glue, published)["VersionId"]
    glue.update_table(DatabaseName=DATABASE, TableInput=table(published, "s3://bucket/2/"), VersionId=version)
    after = read(glue, published)
    assert after["StorageDescriptor"]["Location"] == "s3://bucket/2/"
    assert after["VersionId"] != version


def test_an_update_of_an_older_version_is_refused(glue, published):
    version = read(glue, published)["VersionId"]
    glue.update_table(DatabaseName=DATABASE, TableInput=table(published, "s3://bucket/2/"), VersionId=version)
    with pytest.raises(ClientError, match="ConcurrentModificationException"):
        glue.update_table(DatabaseName=DATABASE, TableInput=table(published, "s3://bucket/3/"), VersionId=version)
    assert read(glue, published)["StorageDescriptor"]["Location"] == "s3://bucket/2/"


def test_of_many_updates_of_a_version_one_wins(glue, published):
    version = read(glue, published)["VersionId"]

    def update(number: int) -> bool:
        changed = table(published, f"s3://bucket/{number}/")
        try:
            glue.update_table(DatabaseName=DATABASE, TableInput=changed, VersionId=version)
        except ClientError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(update, range(16))) == 1


def test_an_update_may_keep_no_archive(glue, published):
    glue.update_table(DatabaseName=DATABASE, TableInput=table(published), SkipArchive=True)
    versions = glue.get_table_versions(DatabaseName=DATABASE, TableName=published)["TableVersions"]
    assert len(versions) == 1


@pytest.mark.parametrize(
    "definition",
    [{"Description": "x" * 2049}, {"column": {"Comment": "x" * 256}}],
    ids=["description", "comment"],
)
def test_texts_that_are_too_long_are_refused(glue, definition):
    with pytest.raises(ClientError, match="InvalidInputException"):
        glue.create_table(DatabaseName=DATABASE, TableInput=table("long", **definition))


def test_batches_that_are_too_large_are_refused(glue, published):
    many = [{"Values": [f"2026-01-{day:03d}"]} for day in range(101)]
    with pytest.raises(ClientError, match="InvalidInputException"):
        glue.batch_create_partition(DatabaseName=DATABASE, TableName=published, PartitionInputList=many)
    glue.batch_create_partition(DatabaseName=DATABASE, TableName=published, PartitionInputList=many[:100])
    with pytest.raises(ClientError, match="InvalidInputException"):
        glue.batch_delete_partition(DatabaseName=DATABASE, TableName=published, PartitionsToDelete=many[:26])
