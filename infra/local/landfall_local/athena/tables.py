"""A table of the Glue catalog, as an Arrow dataset over its objects in S3, or as an Arrow table for text files.

The catalog determines names and types of columns, and existence and location of partitions (registered or projected). A
file whose columns Athena could not read as declared fails the query, while Arrow alone would convert values or return
nulls.
"""

import os.path
from collections.abc import Iterator
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pafs

from ..account import REGION, ClientsOf
from . import lines
from .errors import AthenaError
from .projection import projected
from .types import TRINO_NAMES, arrow_type, parquet_name, readable_as

HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
PARQUET_SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
PARTITIONS_PER_CALL = 100
PATH_COLUMN = "$path"  # of a row's file; not included in *
PARQUET = ds.ParquetFileFormat()
DDL_TASK = "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask"


class Catalog:
    """The tables of the Glue catalog as Athena sees them."""

    def __init__(self, clients: ClientsOf):
        self._clients = clients
        # (path, ETag, partition) -> the file with its footer, which is cached because objects never change
        self._fragments: dict[tuple[str, str, str], ds.ParquetFileFragment] = {}
        self._filesystem: pafs.S3FileSystem | None = None

    @property
    def glue(self):
        return self._clients.get("glue")

    @property
    def filesystem(self) -> pafs.S3FileSystem:
        if self._filesystem is None:
            self._filesystem = pafs.S3FileSystem(
                access_key=self._clients.access_key,
                secret_key="local",
                endpoint_override=self._clients.endpoint.removeprefix("http://"),
                scheme="http",
                region=REGION,
                allow_bucket_creation=False,
            )
        return self._filesystem

    def definition(self, database: str, name: str) -> dict:
        try:
            return self.glue.get_table(DatabaseName=database, Name=name)["Table"]
        except self.glue.exceptions.EntityNotFoundException:
            message = f"TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.{database}.{name}' does not exist"
            raise AthenaError(message) from None

    def databases(self) -> list[str]:
        pages = self.glue.get_paginator("get_databases").paginate()
        return sorted({found["Name"] for page in pages for found in page["DatabaseList"]} | {"default"})

    def definitions(self, database: str) -> list[dict]:
        """Lists tables and views of a database by name. The list is empty if there is no such database."""
        try:
            pages = list(self.glue.get_paginator("get_tables").paginate(DatabaseName=database))
        except self.glue.exceptions.EntityNotFoundException:
            return []
        return sorted((table for page in pages for table in page["TableList"]), key=lambda table: table["Name"])

    def has_database(self, name: str) -> bool:
        return name in self.databases()

    def partitions(self, database: str, name: str) -> list[dict]:
        pages = self.glue.get_paginator("get_partitions").paginate(DatabaseName=database, TableName=name)
        return [partition for page in pages for partition in page["Partitions"]]

    def objects(self, location: str) -> Iterator[tuple[str, str]]:
        """Yields (bucket/key, ETag) of every object at a location that Athena reads: not empty, not hidden."""
        bucket, _, prefix = location.removeprefix("s3://").partition("/")
        prefix = prefix.rstrip("/") + "/" if prefix else ""
        pages = self._clients.get("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            for found in page.get("Contents", []):
                hidden = found["Key"].rsplit("/", 1)[-1].startswith(("_", "."))
                if found["Size"] and not hidden:
                    yield f"{bucket}/{found['Key']}", found["ETag"]

    def dataset(self, database: str, name: str, with_path: bool = False) -> ds.Dataset | pa.Table:
        """Returns all rows. `with_path` adds the path of its file to each row."""
        if name.endswith("$partitions"):
            return self._partitions_table(database, name.removesuffix("$partitions"))
        table = self.definition(database, name)
        descriptor = table["StorageDescriptor"]
        serde = descriptor.get("SerdeInfo", {}).get("SerializationLibrary")
        if serde != PARQUET_SERDE and serde not in lines.READERS:
            raise AthenaError(
                "NOT_SUPPORTED: the local Athena reads Parquet, JSON, CSV and lines of text, "
                f"and {database}.{name} is read with {serde}"
            )
        columns = {column["Name"].lower(): column["Type"].lower() for column in descriptor["Columns"]}
        keys = {key["Name"].lower(): arrow_type(key["Type"]) for key in table.get("PartitionKeys") or []}
        schema = pa.schema([(name, arrow_type(hive)) for name, hive in columns.items()] + list(keys.items()))
        if serde in lines.READERS:
            return self._text_table(database, name, table, columns, keys, with_path)
        fragments = []
        for path, etag, values in self.files(database, table):
            fragment = self._fragment(path, etag, keys, values)
            check_columns(path, fragment.physical_schema, columns)
            fragments.append(fragment)
        if with_path:
            parts = [self._located(fragment, schema) for fragment in fragments]
            return pa.concat_tables([schema.append(pa.field(PATH_COLUMN, pa.string())).empty_table(), *parts])
        if not fragments:
            return schema.empty_table()
        return ds.FileSystemDataset(fragments, schema, PARQUET, self.filesystem)

    def _located(self, fragment: ds.ParquetFileFragment, schema: pa.Schema) -> pa.Table:
        rows = ds.FileSystemDataset([fragment], schema, PARQUET, self.filesystem).to_table()
        return rows.append_column(PATH_COLUMN, pa.array([f"s3://{fragment.path}"] * rows.num_rows, pa.string()))

    def files(self, database: str, table: dict) -> Iterator[tuple[str, str, list[str]]]:
        """Yields (bucket/key, ETag, partition values) of every object of a table that Athena reads."""
        if not table.get("PartitionKeys"):
            for path, etag in self.objects(table["StorageDescriptor"]["Location"]):
                yield path, etag, []
            return
        located: dict[str, list[list[str]]] = {}
        computed = projected(table)
        partitions = self._registered(database, table["Name"]) if computed is None else computed.items()
        for location, values in partitions:
            located.setdefault(location.rstrip("/"), []).append(values)
        # list the common prefix of all locations in a bucket, because a listing for each of many partitions would be
        # slow
        buckets: dict[str, list[str]] = {}
        for location in located:
            folder = location.removeprefix("s3://")
            buckets.setdefault(folder.split("/")[0], []).append(folder)
        for folders in buckets.values():
            for path, etag in self.objects(f"s3://{os.path.commonpath(folders)}"):
                names = f"s3://{path}".split("/")[:-1]
                for depth in range(1, len(names) + 1):
                    for values in located.get("/".join(names[:depth]), []):
                        yield path, etag, values

    def _registered(self, database: str, name: str) -> Iterator[tuple[str, list[str]]]:
        for partition in self.partitions(database, name):
            yield partition["StorageDescriptor"]["Location"], partition["Values"]

    def _text_table(
        self,
        database: str,
        name: str,
        table: dict,
        columns: dict[str, str],
        keys: dict[str, pa.DataType],
        with_path: bool,
    ) -> pa.Table:
        """Returns all rows of all files. A partition is read in its registered format, with its registered columns."""
        kinds = [(column, arrow_type(hive)) for column, hive in columns.items()]
        rows = [[] for _ in [*columns, *keys, PATH_COLUMN]]
        for partition in self.partitions(database, name) if keys else [None]:
            described = {**table, "StorageDescriptor": (partition or table)["StorageDescriptor"]}
            if partition:
                self._check_partition(name, partition, columns)
            given = [
                partition_value(kind, key, value)
                for (key, kind), value in zip(keys.items(), (partition or {}).get("Values") or [], strict=True)
            ]
            for path, _etag in self.objects(described["StorageDescriptor"]["Location"]):
                bucket, key = path.split("/", 1)
                body = self._clients.get("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
                for row in lines.read(body, path, described, kinds):
                    for column, value in zip(rows, [*row, *given, f"s3://{path}"], strict=True):
                        column.append(value)
        names, types = [*columns, *keys, PATH_COLUMN], [kind for _, kind in kinds] + [*keys.values(), pa.string()]
        arrays = [pa.array(column, kind) for column, kind in zip(rows, types, strict=True)]
        found = pa.table(arrays, names=names)
        return found if with_path else found.drop_columns([PATH_COLUMN])

    def _check_partition(self, name: str, partition: dict, columns: dict[str, str]) -> None:
        """Applies Athena's rule for text files: a column's type in a partition is that of the table."""
        for column in partition["StorageDescriptor"].get("Columns") or []:
            declared = columns.get(column["Name"].lower())
            if declared is not None and declared != column["Type"].lower():
                raise AthenaError(
                    "HIVE_PARTITION_SCHEMA_MISMATCH: There is a mismatch between the table and partition schemas. The "
                    f"types are incompatible and cannot be coerced. The column '{column['Name']}' in table '{name}' is "
                    f"declared as type '{declared}', but partition '{partition['Values']}' declared column "
                    f"'{column['Name']}' as type '{column['Type']}'."
                )

    def _partitions_table(self, database: str, name: str) -> pa.Table:
        keys = [key["Name"] for key in self.definition(database, name).get("PartitionKeys") or []]
        values = [partition["Values"] for partition in self.partitions(database, name)]
        return pa.table({key: pa.array([row[index] for row in values], pa.string()) for index, key in enumerate(keys)})

    def _fragment(
        self, path: str, etag: str, keys: dict[str, pa.DataType], values: list[str]
    ) -> ds.ParquetFileFragment:
        condition = partition_condition(keys, values)
        known = (path, etag, str(condition))
        if known not in self._fragments:
            fragment = PARQUET.make_fragment(path, self.filesystem, condition)
            try:
                fragment.ensure_complete_metadata()
            except pa.ArrowInvalid as error:
                raise AthenaError(f"HIVE_BAD_DATA: s3://{path} is not a valid Parquet File: {error}") from error
            self._fragments[known] = fragment
        return self._fragments[known]

    def repair(self, database: str, name: str) -> list[str]:
        """Runs MSCK REPAIR TABLE: adds the partitions whose folders exist, and never removes any."""
        table = self.definition(database, name)
        keys = [key["Name"].lower() for key in table.get("PartitionKeys") or []]
        if not keys:
            raise AthenaError(DDL_TASK)
        location = table["StorageDescriptor"]["Location"].rstrip("/") + "/"
        known = {tuple(partition["Values"]) for partition in self.partitions(database, name)}
        found = {}
        for path, _etag in self.objects(location):
            folders = f"s3://{path}".removeprefix(location).split("/")[:-1][: len(keys)]
            pairs = [folder.partition("=") for folder in folders]
            if len(pairs) == len(keys) and all(
                equals and given.lower() == key for (given, equals, _), key in zip(pairs, keys, strict=True)
            ):
                found[tuple(unquote(value) for _, _, value in pairs)] = "/".join(folders)
        new = sorted((values, folder) for values, folder in found.items() if values not in known)
        for start in range(0, len(new), PARTITIONS_PER_CALL):
            self._create_partitions(database, name, table, location, new[start : start + PARTITIONS_PER_CALL])
        if not new:
            return []
        missing = "\t".join(f"{name}:{folder}" for _, folder in new)
        added = [f"Repair: Added partition to metastore {name}:{folder}" for _, folder in new]
        return [f"Partitions not in metastore: {missing}", *added]

    def _create_partitions(self, database: str, name: str, table: dict, location: str, new: list) -> None:
        inputs = [
            {
                "Values": list(values),
                "StorageDescriptor": {**table["StorageDescriptor"], "Location": f"{location}{folder}/"},
            }
            for values, folder in new
        ]
        answer = self.glue.batch_create_partition(DatabaseName=database, TableName=name, PartitionInputList=inputs)
        for error in answer.get("Errors", []):
            if error["ErrorDetail"]["ErrorCode"] != "AlreadyExistsException":  # another repair has added it
                raise AthenaError(f"FAILED: Execution Error: {error['ErrorDetail']['ErrorMessage']}")


def check_columns(path: str, schema: pa.Schema, columns: dict[str, str]) -> None:
    """Applies Athena's rule for Parquet: a file's column, found by its name, has the declared type or a compatible
    one."""
    for found in schema:
        declared = columns.get(found.name.lower())
        if declared is None:
            continue
        if not is_in_lower_case(found):
            # Athena ignores case here; the dataset would silently return nulls.
            message = f"the local Athena cannot read column {found.name} of s3://{path}: a name not in lower case"
            raise AthenaError(f"NOT_SUPPORTED: {message}")
        if not readable_as(found.type, arrow_type(declared)):
            raise AthenaError(
                f"HIVE_BAD_DATA: Field {found.name}'s type {parquet_name(found.type)} in parquet file s3://{path} "
                f"is incompatible with type {TRINO_NAMES.get(declared, declared)} defined in table schema"
            )


def is_in_lower_case(field: pa.Field) -> bool:
    """Whether the field's name, and all names inside it, are in lower case."""
    inner = [field.type.field(n) for n in range(field.type.num_fields)] if pa.types.is_nested(field.type) else []
    return field.name == field.name.lower() and all(is_in_lower_case(part) for part in inner)


def partition_condition(keys: dict[str, pa.DataType], values: list[str]) -> ds.Expression:
    """Returns the values of a partition's columns as a condition for the dataset."""
    condition = ds.scalar(True)
    for (key, kind), value in zip(keys.items(), values, strict=True):
        if value == HIVE_NULL:
            condition = condition & ds.field(key).is_null()
            continue
        condition = condition & (ds.field(key) == partition_scalar(kind, key, value))
    return condition


def partition_scalar(kind: pa.DataType, key: str, value: str) -> pa.Scalar:
    try:
        return pa.scalar(value).cast(kind)
    except pa.ArrowInvalid as error:
        message = f"Invalid partition value '{value}' for {kind} partition key: {key}"
        raise AthenaError(f"HIVE_INVALID_PARTITION_VALUE: {message}") from error


def partition_value(kind: pa.DataType, key: str, value: str) -> object:
    return None if value == HIVE_NULL else partition_scalar(kind, key, value).as_py()
