"""A template is deployed unchanged, or refused with everything that the local cloud does not honour."""

import json
import uuid

import pytest

TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Days: {Type: Number, Default: 3, MinValue: 1, MaxValue: 9}
  Kind: {Type: String, Default: a, AllowedValues: [a, b]}
  Name: {Type: String, AllowedPattern: "[a-z]+", Default: x}
Conditions:
  IsB: !Equals [!Ref Kind, b]
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Sub "${AWS::StackName}-bucket"
      LifecycleConfiguration: {Rules: [{Status: Enabled, ExpirationInDays: !Ref Days}]}
  Queue:
    Type: AWS::SQS::Queue
    Condition: IsB
"""


@pytest.fixture
def deploy(cloud, tmp_path, functions):
    def call(template: str, **parameters) -> tuple[str, dict]:
        name = f"t-{uuid.uuid4().hex[:8]}"
        file = tmp_path / f"{name}.yaml"
        file.write_text(template)
        body = {"stack": name, "functions": str(functions), "template": str(file), "parameters": parameters}
        return name, cloud.control("POST", "stacks", body)

    return call


def refused(*parts: str):
    return pytest.raises(AssertionError, match="(?s)" + ".*".join(parts))


def test_a_template_is_deployed(cloud, deploy):
    name, answer = deploy(TEMPLATE, Days=5, Kind="b")
    rules = cloud.s3.get_bucket_lifecycle_configuration(Bucket=f"{name}-bucket")["Rules"]
    assert rules[0]["Expiration"] == {"Days": 5}
    assert answer["resources"] == 2
    status = cloud.cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    assert status == "CREATE_COMPLETE"


def test_a_condition_leaves_a_resource_out(deploy):
    assert deploy(TEMPLATE)[1]["resources"] == 1


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"Days": 0}, "at least 1"),
        ({"Days": 10}, "at most 9"),
        ({"Days": "x"}, "must be a number"),
        ({"Kind": "c"}, "one of a, b"),
        ({"Name": "X1"}, r"must match \[a-z\]\+"),
        ({"Nmae": "x"}, "no parameter Nmae; there are: Days, Kind, Name"),
    ],
)
def test_parameters_are_checked(deploy, parameters, problem):
    with refused(problem):
        deploy(TEMPLATE, **parameters)


def test_an_unknown_resource_type_is_refused(cloud, deploy):
    crawler = TEMPLATE + "  Crawl: {Type: AWS::Glue::Crawler, Properties: {Role: x, Targets: {}}}\n"
    with refused("Crawl: no local support for AWS::Glue::Crawler"):
        deploy(crawler)


def test_an_unhandled_property_is_refused(deploy):
    with refused("property CorsConfiguration of AWS::S3::Bucket is not handled locally"):
        deploy(TEMPLATE.replace("    Properties:\n", "    Properties:\n      CorsConfiguration: {CorsRules: []}\n", 1))


def test_a_misspelt_property_is_refused_with_the_right_one(deploy):
    with refused(r"BucketNam .*did you mean BucketName\?"):
        deploy(TEMPLATE.replace("BucketName:", "BucketNam:"))


def test_an_unhandled_property_inside_another_is_refused(deploy):
    with refused("Bucket", "LifecycleConfiguration: ObjectSizeLessThan is not handled locally"):
        deploy(TEMPLATE.replace("{Status: Enabled,", "{Status: Enabled, ObjectSizeLessThan: 5,"))


def test_everything_that_is_wrong_is_said_at_once(deploy):
    wrong = TEMPLATE.replace("BucketName:", "BucketNam:") + "  Crawl: {Type: AWS::Glue::Crawler, Properties: {}}\n"
    with refused("BucketNam", "Crawler"):
        deploy(wrong)


def test_nothing_is_created_of_a_template_that_is_refused(cloud, deploy):
    before = len(cloud.s3.list_buckets()["Buckets"])
    with refused("Crawler"):
        deploy(TEMPLATE + "  Crawl: {Type: AWS::Glue::Crawler, Properties: {}}\n")
    assert len(cloud.s3.list_buckets()["Buckets"]) == before


def test_an_unknown_attribute_is_refused(deploy):
    with refused("AWS::S3::Bucket has no attribute Nope"):
        deploy(TEMPLATE + "Outputs: {X: {Value: !GetAtt Bucket.Nope}}\n")


def test_a_definition_with_an_unknown_placeholder_is_refused(deploy):
    machine = """  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      Role: arn:aws:iam::123456789012:role/x
      Definition: {StartAt: A, States: {A: {Type: Pass, Result: "${Nope}", End: true}}}
      DefinitionSubstitutions: {Other: 1}
"""
    with refused("Nope"):
        deploy(TEMPLATE + machine)


def test_the_same_deployment_once_more_changes_nothing(cloud, stack, functions):
    body = {"stack": "fake", "functions": str(functions), "parameters": {"RebuildWindowSeconds": "1"}}
    assert cloud.control("POST", "stacks", body)["outputs"] == stack
    with refused("stack fake exists with another template"):
        cloud.control("POST", "stacks", body | {"parameters": {"RebuildWindowSeconds": "2"}})


def test_a_request_that_lacks_something_is_told(cloud):
    with refused('"functions" is missing'):
        cloud.control("POST", "stacks", {"stack": "x"})
    with refused("nothing here; there is: POST /_local/stacks"):
        cloud.control("GET", "nope")


NAMED = """
Parameters:
  Database: {Type: String}
  BaseFolder: {Type: String}
Resources:
  Queue: {Type: AWS::SQS::Queue}
Outputs:
  Database: {Value: !Ref Database}
  BaseFolder: {Value: !Ref BaseFolder}
"""


def test_names_are_those_of_the_metadata_in_the_packages_unless_given(deploy, functions):
    raw = json.loads((functions / "catalog/meta_data/raw/database.json").read_text())
    curated = json.loads((functions / "catalog/meta_data/curated/database.json").read_text())
    said = {"Database": curated["name"], "BaseFolder": raw["base_folder"].strip("/")}
    assert deploy(NAMED)[1]["outputs"] == said
    assert deploy(NAMED, BaseFolder="elsewhere")[1]["outputs"] == said | {"BaseFolder": "elsewhere"}


# -- the project's own template ----------------------------------------------------------------------------------------


def test_what_the_template_says_of_buckets_is_so(cloud, stack):
    bucket = stack["RawHistBucketName"]
    assert cloud.s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    lock = cloud.s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    assert lock["Rule"]["DefaultRetention"].items() >= {"Mode": "GOVERNANCE", "Days": 1}.items()
    blocked = cloud.s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(blocked.values())
    rules = cloud.s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    owner = cloud.s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert owner == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    policy = json.loads(cloud.s3.get_bucket_policy(Bucket=bucket)["Policy"])
    assert {statement["Effect"] for statement in policy["Statement"]} == {"Deny"}
    tags = cloud.s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    assert {"Key": "project", "Value": "landfall"} in tags


def test_what_the_template_says_of_functions_is_so(cloud, stack):
    found = cloud.functions.get_function_configuration(FunctionName="fake-validate")
    assert found["LoggingConfig"]["LogFormat"] == "JSON"
    assert found["Environment"]["Variables"]["STATE_MACHINE_ARN"] == stack["StateMachineArn"]
    config = cloud.functions.get_function_event_invoke_config(FunctionName="fake-validate")
    assert config["DestinationConfig"]["OnFailure"]["Destination"].endswith(":fake-dead-letters")


def test_what_the_template_says_of_the_rest_is_so(cloud, stack):
    group = cloud.athena.get_work_group(WorkGroup=stack["WorkGroupName"])["WorkGroup"]["Configuration"]
    assert group["EnforceWorkGroupConfiguration"] is True
    assert group["BytesScannedCutoffPerQuery"] == 1 << 40
    review = cloud.athena.get_work_group(WorkGroup="fake-review")["WorkGroup"]["Configuration"]
    assert review["ResultConfiguration"]["OutputLocation"] == f"s3://{stack['AthenaBucketName']}/review/"
    assert group["ResultConfiguration"]["OutputLocation"] == f"s3://{stack['AthenaBucketName']}/results/"
    schedule = cloud.scheduler.get_schedule(Name=stack["ExtractScheduleName"])
    assert schedule["Target"]["Arn"].endswith(":fake-extract")
    alarms = {alarm["AlarmName"] for alarm in cloud.cloudwatch.describe_alarms()["MetricAlarms"]}
    assert "fake-dead-letters" in alarms
    groups = {group["logGroupName"] for group in cloud.logs.describe_log_groups()["logGroups"]}
    assert "/aws/lambda/fake-curate" in groups


def test_what_parameters_say_of_functions_is_so(cloud, stack, functions):
    chosen = {"ValidateConcurrency": "7", "CatalogMemory": "768"}
    cloud.control("POST", "stacks", {"stack": "chosen", "functions": str(functions), "parameters": chosen})
    for name, concurrency, memory in [("fake", None, 512), ("chosen", 7, 768)]:
        reserved = {
            function: cloud.functions.get_function_concurrency(FunctionName=f"{name}-{function}").get(
                "ReservedConcurrentExecutions"
            )
            for function in ("extract", "validate", "curate", "catalog")
        }
        assert reserved == {"extract": None, "validate": concurrency, "curate": None, "catalog": None}
        assert cloud.functions.get_function_configuration(FunctionName=f"{name}-catalog")["MemorySize"] == memory


def test_lake_formation_is_told_who_may_do_what(cloud, stack, functions):
    names = {"Database": "governed_db", "RawDatabase": "governed_raw_db"}
    body = {"stack": "governed", "functions": str(functions), "parameters": {"LakeFormation": "true", **names}}
    cloud.control("POST", "stacks", body)
    granted = {}
    for entry in cloud.lakeformation.list_permissions()["PrincipalResourcePermissions"]:
        role = entry["Principal"]["DataLakePrincipalIdentifier"].rpartition("/")[2].partition("Role")[0]
        ((kind, what),) = entry["Resource"].items()
        place = kind, what.get("DatabaseName") or what.get("Name")
        granted[role.rpartition("-")[2], *place] = sorted(entry["Permissions"])
        assert not entry["PermissionsWithGrantOption"]
    assert granted == {
        ("Catalog", "Database", "governed_db"): ["CREATE_TABLE", "DESCRIBE", "DROP"],
        ("Catalog", "Table", "governed_db"): ["ALTER", "DELETE", "DESCRIBE", "DROP", "INSERT", "SELECT"],
        ("Catalog", "Database", "governed_raw_db"): ["CREATE_TABLE", "DESCRIBE"],
        ("Catalog", "Table", "governed_raw_db"): ["ALTER", "DESCRIBE", "INSERT"],
        ("Curate", "Table", "governed_db"): ["DESCRIBE"],
    }
    for name, allowed in [("governed", True), ("fake", False)]:
        role = cloud.functions.get_function_configuration(FunctionName=f"{name}-catalog")["Role"].rpartition("/")[2]
        policy = cloud.iam.get_role_policy(RoleName=role, PolicyName="catalog")["PolicyDocument"]
        assert ("lakeformation:GetDataAccess" in json.dumps(policy)) == allowed


def test_a_grant_on_what_is_not_there_stops_the_deployment(deploy):
    grant = """  Grant:
    Type: AWS::LakeFormation::PrincipalPermissions
    Properties:
      Principal: {DataLakePrincipalIdentifier: arn:aws:iam::123456789012:role/x}
      Resource: {Database: {CatalogId: !Ref AWS::AccountId, Name: not_there}}
      Permissions: [DESCRIBE]
      PermissionsWithGrantOption: []
"""
    with refused("not_there"):
        deploy(TEMPLATE + grant)


RESERVING = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Reserved: {Type: Number, Default: -1}
Conditions:
  IsReserved: !Not [!Equals [!Ref Reserved, "-1"]]
Resources:
  Extract:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub "${AWS::StackName}-extract"
      CodeUri: ../build/functions/extract
      Handler: bootstrap
      Runtime: provided.al2023
      MemorySize: 192
      EphemeralStorage: {Size: 600}
      ReservedConcurrentExecutions: !If [IsReserved, !Ref Reserved, !Ref AWS::NoValue]
"""


@pytest.mark.parametrize("reserved", [None, 0, 3])
def test_a_reserved_concurrency_is_honoured(cloud, deploy, reserved):
    name, _ = deploy(RESERVING, **({} if reserved is None else {"Reserved": reserved}))
    function = f"{name}-extract"
    answer = cloud.functions.get_function_concurrency(FunctionName=function)
    assert answer.get("ReservedConcurrentExecutions") == reserved
    configuration = cloud.functions.get_function_configuration(FunctionName=function)
    assert (configuration["MemorySize"], configuration["EphemeralStorage"]) == (192, {"Size": 600})
    if reserved == 0:
        with pytest.raises(cloud.functions.exceptions.TooManyRequestsException):
            cloud.functions.invoke(FunctionName=function)
    else:
        assert "FunctionError" not in cloud.functions.invoke(FunctionName=function)
