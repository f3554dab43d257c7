"""A service's actions for others are judged by the role that it was given, or by the caller's role."""

import json
import uuid

import pytest
from botocore.exceptions import ClientError
from conftest import wait_for

TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Principal: {Type: String, Default: lambda.amazonaws.com}
  Invoked: {Type: String, Default: "*"}
  Queue: {Type: String, Default: "*"}
  Source: {Type: String, Default: "*"}
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    DependsOn: Permission
    Properties:
      BucketName: !Sub "${AWS::StackName}-land"
      NotificationConfiguration: {LambdaConfigurations: [{Event: "s3:ObjectCreated:*", Function: !GetAtt Extract.Arn}]}
  Permission:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref Extract
      Principal: s3.amazonaws.com
      SourceAccount: !Ref AWS::AccountId
      SourceArn: !Sub "arn:aws:s3:::${Source}"
  Extract:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub "${AWS::StackName}-f"
      CodeUri: ./extract
      Runtime: provided.al2023
      Handler: bootstrap
      Role: !GetAtt Role.Arn
      EventInvokeConfig: {DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Dead.Arn}}}
  Dead: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub "${AWS::StackName}-dead"}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Service: !Ref Principal}, Action: sts:AssumeRole}]
      Policies:
        - PolicyName: p
          PolicyDocument:
            Version: "2012-10-17"
            Statement: [{Effect: Allow, Action: sqs:SendMessage, Resource: !Sub "arn:aws:sqs:*:*:${Queue}"}]
  Timer:
    Type: AWS::Scheduler::Schedule
    Properties:
      Name: !Sub "${AWS::StackName}-timer"
      ScheduleExpression: rate(1 day)
      FlexibleTimeWindow: {Mode: "OFF"}
      Target: {Arn: !GetAtt Extract.Arn, RoleArn: !GetAtt TimerRole.Arn, Input: "{}"}
  TimerRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: {Service: [scheduler.amazonaws.com, states.amazonaws.com]}
            Action: sts:AssumeRole
            Condition: {StringEquals: {aws:SourceAccount: !Ref AWS::AccountId}}
      Policies:
        - PolicyName: p
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - {Effect: Allow, Action: lambda:InvokeFunction, Resource: !Sub "arn:aws:lambda:*:*:function:${Invoked}"}
"""


@pytest.fixture
def deploy(cloud, tmp_path, functions):
    def call(**parameters) -> str:
        name = f"t-{uuid.uuid4().hex[:8]}"
        file = tmp_path / f"{name}.yaml"
        file.write_text(TEMPLATE)
        body = {"stack": name, "functions": str(functions), "template": str(file), "parameters": parameters}
        cloud.control("POST", "stacks", body)
        return name

    return call


def invoked(cloud, stack: str) -> list[dict]:
    return [found for found in cloud.invocations(f"{stack}-f") if found["attempt"] == 1]


def test_s3_invokes_whom_the_functions_policy_lets_it(cloud, deploy):
    stack = deploy()
    cloud.s3.put_object(Bucket=f"{stack}-land", Key="x", Body=b"")
    wait_for(lambda: invoked(cloud, stack), "an invocation")
    with pytest.raises(AssertionError, match="Unable to validate the following destination configurations"):
        deploy(Source="another")


def test_a_permission_that_is_taken_away_stops_the_events(cloud, deploy):
    stack = deploy()
    policy = json.loads(cloud.functions.get_policy(FunctionName=f"{stack}-f")["Policy"])
    (statement,) = policy["Statement"]
    cloud.functions.remove_permission(FunctionName=f"{stack}-f", StatementId=statement["Sid"])
    cloud.s3.put_object(Bucket=f"{stack}-land", Key="x", Body=b"")
    cloud.settled()
    assert invoked(cloud, stack) == []


def test_a_schedule_has_its_role(cloud, deploy):
    stack = deploy()
    cloud.control("POST", f"schedules/{stack}-timer/fire", {})
    wait_for(lambda: invoked(cloud, stack), "an invocation")
    with pytest.raises(AssertionError, match="not authorized to perform: lambda:InvokeFunction"):
        cloud.control("POST", f"schedules/{deploy(Invoked='another')}-timer/fire", {})


@pytest.mark.parametrize(("queue", "arrive"), [("*", 1), ("another", 0)])
def test_a_dead_letter_is_sent_in_the_functions_name(cloud, deploy, queue, arrive):
    stack = deploy(Queue=queue)
    event = json.dumps({"error": "Internal"}).encode()
    cloud.functions.invoke(FunctionName=f"{stack}-f", InvocationType="Event", Payload=event)
    cloud.settled()
    url = cloud.sqs.get_queue_url(QueueName=f"{stack}-dead")["QueueUrl"]
    assert len(cloud.sqs.receive_message(QueueUrl=url).get("Messages", [])) == arrive


def test_a_function_runs_only_in_a_role_that_lambda_may_assume(cloud, deploy):
    stack = deploy(Principal="states.amazonaws.com")
    with pytest.raises(ClientError, match="cannot be assumed by Lambda"):
        cloud.functions.invoke(FunctionName=f"{stack}-f", Payload=b"{}")


@pytest.mark.parametrize(("invoked", "error"), [("*", None), ("another", "Lambda.AccessDeniedException")])
def test_a_state_machine_has_its_role(cloud, deploy, invoked, error):
    stack = deploy(Invoked=invoked)
    roles = cloud.iam.get_paginator("list_roles").paginate()
    role = next(r["Arn"] for page in roles for r in page["Roles"] if r["RoleName"].startswith(f"{stack}-TimerRole"))
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
    task["Parameters"] = {"FunctionName": f"arn:aws:lambda:eu-west-2:123456789012:function:{stack}-f", "Payload": {}}
    definition = json.dumps({"StartAt": "A", "States": {"A": task}})
    machine = cloud.stepfunctions.create_state_machine(name=f"{stack}-m", definition=definition, roleArn=role)
    execution = cloud.stepfunctions.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]

    def ended() -> dict | None:
        found = cloud.stepfunctions.describe_execution(executionArn=execution)
        return None if found["status"] == "RUNNING" else found

    assert wait_for(ended, "the end").get("error") == error


# -- Athena ------------------------------------------------------------------------------------------------------------

QUERY = ["athena:StartQueryExecution", "athena:GetQueryExecution", "athena:GetQueryResults"]
TABLE = "open_data/table"


@pytest.fixture
def table(cloud) -> dict:
    """A table with one row of text, a workgroup, and a bucket for results."""
    name, data, results = f"d{uuid.uuid4().hex[:8]}", cloud.bucket(), cloud.bucket()
    cloud.s3.put_object(Bucket=data, Key=f"{TABLE}/x.csv", Body=b"1\n")
    cloud.glue.create_database(DatabaseInput={"Name": name})
    descriptor = {
        "Columns": [{"Name": "n", "Type": "int"}],
        "Location": f"s3://{data}/{TABLE}/",
        "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
        "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
        "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"},
    }
    table = {"Name": "t", "TableType": "EXTERNAL_TABLE", "StorageDescriptor": descriptor}
    cloud.glue.create_table(DatabaseName=name, TableInput=table)
    output = {"ResultConfiguration": {"OutputLocation": f"s3://{results}/results/"}}
    cloud.athena.create_work_group(Name=name, Configuration=output)
    return {"name": name, "data": data, "results": results}


def statements(table: dict) -> dict[str, dict]:
    glue = "arn:aws:glue:eu-west-2:123456789012:"
    levels = [f"{glue}catalog", f"{glue}database/{table['name']}", f"{glue}table/{table['name']}/t"]
    return {
        "query": {"Action": QUERY, "Resource": f"arn:aws:athena:eu-west-2:123456789012:workgroup/{table['name']}"},
        "find": {"Action": "s3:GetBucketLocation", "Resource": f"arn:aws:s3:::{table['results']}"},
        "write": {"Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{table['results']}/results/*"},
        "read": {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{table['results']}/results/*"},
        "default": {"Action": "glue:GetDatabase", "Resource": [f"{glue}catalog", f"{glue}database/default"]},
        "describe": {"Action": ["glue:GetTable", "glue:GetPartitions"], "Resource": levels},
        "list": {"Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{table['data']}"},
        "data": {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{table['data']}/{TABLE}/*"},
    }


@pytest.mark.parametrize(
    ("without", "reason"),
    [
        (None, None),
        ("find", "s3:GetBucketLocation"),
        ("write", "s3:PutObject"),
        ("default", "glue:GetDatabase"),
        ("describe", "glue:GetTable"),
        ("list", "s3:ListBucket"),
        ("data", "s3:GetObject"),
    ],
)
def test_athena_reads_and_writes_in_the_callers_name(cloud, acting, table, without, reason):
    allowed = [{"Effect": "Allow", **found} for name, found in statements(table).items() if name != without]
    athena = acting(*allowed)("athena")
    sql = f"SELECT n FROM {table['name']}.t"
    query = athena.start_query_execution(QueryString=sql, WorkGroup=table["name"])["QueryExecutionId"]

    def ended() -> dict | None:
        status = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]
        return status if status["State"] in ("SUCCEEDED", "FAILED") else None

    status = wait_for(ended, "the end")
    assert status["State"] == ("FAILED" if without else "SUCCEEDED"), status
    if without:
        assert status["StateChangeReason"].startswith("PERMISSION_DENIED")
        assert f"not authorized to perform: {reason} on" in status["StateChangeReason"]
    else:
        rows = athena.get_query_results(QueryExecutionId=query)["ResultSet"]["Rows"]
        assert [row["Data"][0]["VarCharValue"] for row in rows] == ["n", "1"]


def test_results_are_read_in_the_callers_name(cloud, acting, table):
    allowed = [{"Effect": "Allow", **found} for name, found in statements(table).items() if name != "read"]
    athena = acting(*allowed)("athena")
    query = athena.start_query_execution(QueryString="SELECT 1", WorkGroup=table["name"])["QueryExecutionId"]
    wait_for(
        lambda: athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]["State"] == "SUCCEEDED",
        "the end",
    )
    with pytest.raises(ClientError, match="s3:GetObject"):
        athena.get_query_results(QueryExecutionId=query)
