"""The CREATE TABLE statement that SHOW CREATE TABLE returns for a Glue table."""

# Parameters in Glue that are not properties of the table in Hive's text.
HIDDEN = {"EXTERNAL"}


def create_table(table: dict) -> str:
    descriptor = table["StorageDescriptor"]
    serde = descriptor.get("SerdeInfo") or {}
    lines = [f"CREATE EXTERNAL TABLE `{table['Name']}`(", *columns(descriptor["Columns"])]
    if keys := table.get("PartitionKeys"):
        lines += ["PARTITIONED BY ( ", *columns(keys)]
    lines += ["ROW FORMAT SERDE ", f"  '{serde.get('SerializationLibrary', '')}' "]
    if options := serde.get("Parameters"):
        lines += ["WITH SERDEPROPERTIES ( ", *pairs(options)]
        lines[-1] += " "
    lines += [
        "STORED AS INPUTFORMAT ",
        f"  '{descriptor.get('InputFormat', '')}' ",
        "OUTPUTFORMAT ",
        f"  '{descriptor.get('OutputFormat', '')}'",
        "LOCATION",
        f"  '{descriptor.get('Location', '')}'",
    ]
    properties = {name: value for name, value in (table.get("Parameters") or {}).items() if name not in HIDDEN}
    if properties:
        lines += ["TBLPROPERTIES (", *pairs(properties)]
    return "\n".join(lines)


def columns(found: list[dict]) -> list[str]:
    lines = []
    for column in found:
        comment = f" COMMENT {quoted(column['Comment'])}" if column.get("Comment") else ""
        lines.append(f"  `{column['Name']}` {column['Type']}{comment}")
    return closed(lines, ", ")


def pairs(found: dict[str, str]) -> list[str]:
    return closed([f"  {quoted(name)}={quoted(found[name])}" for name in sorted(found)], ", ")


def closed(lines: list[str], separator: str) -> list[str]:
    return [f"{line}{separator}" for line in lines[:-1]] + [f"{lines[-1]})"]


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
