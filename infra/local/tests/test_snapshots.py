"""A restore brings back the content of buckets and databases, and nothing else."""

import pytest


def test_what_was_there_comes_back(cloud):
    bucket, database = cloud.bucket(), "snapshots"
    cloud.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = cloud.s3.put_object(Bucket=bucket, Key="a", Body=b"1")
    cloud.glue.create_database(DatabaseInput={"Name": database})
    cloud.glue.create_table(DatabaseName=database, TableInput={"Name": "t", "Description": "then"})
    before = cloud.s3.head_object(Bucket=bucket, Key="a")
    taken = cloud.control("POST", "snapshots", {"buckets": [bucket], "databases": [database]})["id"]
    for _ in range(2):
        cloud.s3.put_object(Bucket=bucket, Key="a", Body=b"2")
        cloud.s3.delete_object(Bucket=bucket, Key="a", VersionId=first["VersionId"])
        cloud.s3.put_object(Bucket=bucket, Key="b", Body=b"3")
        cloud.glue.update_table(DatabaseName=database, TableInput={"Name": "t", "Description": "now"})
        cloud.glue.create_table(DatabaseName=database, TableInput={"Name": "u"})
        cloud.control("POST", f"snapshots/{taken}/restore")
        listed = cloud.s3.list_object_versions(Bucket=bucket)["Versions"]
        assert [(one["Key"], one["VersionId"]) for one in listed] == [("a", first["VersionId"])]
        after = cloud.s3.get_object(Bucket=bucket, Key="a")
        assert after["Body"].read() == b"1"
        assert after["LastModified"] == before["LastModified"]
        tables = cloud.glue.get_tables(DatabaseName=database)["TableList"]
        assert [(table["Name"], table["Description"]) for table in tables] == [("t", "then")]


def test_what_was_not_there_goes(cloud):
    taken = cloud.control("POST", "snapshots", {"buckets": [], "databases": ["made_later"]})["id"]
    cloud.glue.create_database(DatabaseInput={"Name": "made_later"})
    cloud.control("POST", f"snapshots/{taken}/restore")
    assert "made_later" not in [one["Name"] for one in cloud.glue.get_databases()["DatabaseList"]]
    with pytest.raises(AssertionError, match="no snapshot nonsense"):
        cloud.control("POST", "snapshots/nonsense/restore")
