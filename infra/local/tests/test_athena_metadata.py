"""Athena's API for catalogs, databases and tables."""

import pytest
from athena_client import DATABASE

CATALOG = "AwsDataCatalog"


def test_catalogs(athena):
    client = athena.cloud.athena
    assert [found["CatalogName"] for found in client.list_data_catalogs()["DataCatalogsSummary"]] == [CATALOG]
    assert client.get_data_catalog(Name="awsdatacatalog")["DataCatalog"]["Type"] == "GLUE"
    with pytest.raises(client.exceptions.InvalidRequestException):
        client.list_databases(CatalogName="other")


def test_databases(athena):
    client = athena.cloud.athena
    pages = client.get_paginator("list_databases").paginate(CatalogName=CATALOG, PaginationConfig={"PageSize": 1})
    names = [found["Name"] for page in pages for found in page["DatabaseList"]]
    assert names == sorted(names) and {DATABASE, "default"} <= set(names)
    assert client.get_database(CatalogName=CATALOG, DatabaseName=DATABASE)["Database"]["Name"] == DATABASE
    with pytest.raises(client.exceptions.MetadataException, match="EntityNotFoundException"):
        client.get_database(CatalogName=CATALOG, DatabaseName="nowhere")


def test_tables(athena):
    client, place = athena.cloud.athena, {"CatalogName": CATALOG, "DatabaseName": DATABASE}
    table = client.get_table_metadata(**place, TableName="t")["TableMetadata"]
    assert table["Columns"][0] == {"Name": "id", "Type": "bigint"}
    assert table["PartitionKeys"] == [{"Name": "day", "Type": "date"}]
    assert table["Parameters"]["location"] == f"s3://{athena.bucket}/t/"
    assert table["Parameters"]["serde.serialization.lib"].endswith("ParquetHiveSerDe")
    found = client.list_table_metadata(**place, Expression="T|nothing.*")["TableMetadataList"]
    assert [found["Name"] for found in found] == ["t"]
    with pytest.raises(client.exceptions.MetadataException):
        client.get_table_metadata(**place, TableName="nothing")
    with pytest.raises(client.exceptions.InvalidRequestException):
        client.list_table_metadata(**place, Expression="(")
