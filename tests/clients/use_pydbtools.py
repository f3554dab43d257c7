"""pydbtools, which needs an assumed role and a bucket for results."""

import os

import boto3
from steps import WORLD, Refused, end, step

role = boto3.client("sts").assume_role(
    RoleArn=f"arn:aws:iam::{WORLD['account']}:role/alpha_user_analyst", RoleSessionName="alpha_user_analyst"
)["Credentials"]
os.environ["AWS_ACCESS_KEY_ID"] = role["AccessKeyId"]
os.environ["AWS_SECRET_ACCESS_KEY"] = role["SecretAccessKey"]
os.environ["AWS_SESSION_TOKEN"] = role["SessionToken"]
os.environ["ATHENA_QUERY_DUMP_BUCKET"] = WORLD["scratch"]["bucket"]
os.environ["WR_WORKGROUP"] = WORLD["scratch"]["workgroup"]

import pydbtools as pydb  # noqa: E402 reads these variables on import

DATABASE = WORLD["database"]


def shape(sql: str, **options: object) -> list[int]:
    frame = pydb.read_sql_query(sql, **options)
    return [len(frame), int(frame["n"].sum())]


for table in WORLD["tables"]:
    step(f"{table}: read_sql_query", lambda table=table: shape(f"SELECT * FROM {DATABASE}.{table}"), [6, 12])
step("ctas_approach=False", lambda: shape(f"SELECT * FROM {DATABASE}.log", ctas_approach=False), [6, 12])


def temporary() -> list[int]:
    pydb.create_temp_table(f"SELECT n, day FROM {DATABASE}.by_day WHERE n < 3", "few")
    return shape("SELECT * FROM __temp__.few")


step("create_temp_table and __temp__", temporary, [4, 6])
step("the same again", temporary, [4, 6])
queries = f"CREATE TEMP TABLE a AS (SELECT n FROM {DATABASE}.log); SELECT * FROM __temp__.a WHERE n = 3"
step("read_sql_queries", lambda: pydb.read_sql_queries(queries)["n"].tolist(), [3, 3])
step("a missing table", lambda: shape(f"SELECT * FROM {DATABASE}.nothing"), Refused("TABLE_NOT_FOUND"))
end()
