"""The inputs of `make new-table` other than a sample: a Glue table, or a data contract in YAML, as JSON."""

from pathlib import Path

import yaml
from botocore.exceptions import BotoCoreError, ClientError

from .running import Refusal


def read(source: str) -> dict:
    """Reads a contract's file, or `<database>.<table>` in the account of the environment's credentials."""
    if source.lower().endswith((".yaml", ".yml")):
        try:
            return yaml.safe_load(Path(source).read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise Refusal(f"{source}: {error}") from error
    database, point, table = source.partition(".")
    if not point:
        raise Refusal(f"{source}: expected <database>.<table>")
    import boto3

    try:
        found = boto3.client("glue").get_table(DatabaseName=database, Name=table)
    except (BotoCoreError, ClientError) as error:
        raise Refusal(f"Glue has no {source} for these credentials: {error}") from error
    return {"Table": found["Table"]}
