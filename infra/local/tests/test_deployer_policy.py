"""The deployer's policy allows the actions that CloudFormation takes on the template's resources, and nothing else.

CloudFormation's own schemas (`handlers`), which cfn-lint includes, list these actions.
"""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import cfnlint
import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from test_template import INFRA, TEXT, to_cloudformation, yaml_parse

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = ROOT / "docs/deploy"
ACCOUNT, REGION, STACK = "123456789012", "eu-west-2", "landfall-prod"
POLICY_CHARACTERS = 6144  # the limit of a managed policy, without white space
ACTIONS = json.loads((Path(cfnlint.__file__).parent / "data/AdditionalSpecs/Policies.json").read_text())

# Actions in the schemas for features that the template does not use.
FEATURES_UNUSED = {
    "customer keys": r"kms:.*|logs:(Dis)?[Aa]ssociateKmsKey",
    "networks and file systems": r"ec2:.*|elasticfilesystem:.*|s3files:.*",
    "managed policies and boundaries": r"iam:(Attach|Detach)RolePolicy|iam:(Put|Delete)RolePermissionsBoundary",
    "roles for Athena and SNS": r"iam:CreateServiceLinkedRole",
    "what else a bucket can have": r"s3tables:.*|s3:.*(Abac|Acl|Analytics|Accelerate|CORS|Cors|IntelligentTiering).*"
    r"|s3:.*(Inventory|Logging|Metadata.*Table|Metrics|Replication|Website).*",
    "objects of its buckets": r"s3:(AbortMultipartUpload|DeleteObject|GetObject|GetObjectVersion|PutObject)"
    r"|s3:(ListBucketMultipartUploads|ListMultipartUploadParts)",
    "what is put, not deleted": r"s3:DeleteBucket(Encryption|Lifecycle)",
    "names that are no IAM actions": r"s3:PutObjectLockConfiguration|s3:REST\.PUT\.OBJECT",
    "signed code, layers, versions, capacity": r"lambda:.*(CodeSigningConfig|LayerVersion|ScalingConfig|PublishVersion"
    r"|CapacityProvider|RuntimeAlias)",
    "what else a log group can have": r"logs:(Put|Delete)(DataProtection|Resource|Index)Policy|logs:CreateLogDelivery"
    r"|logs:PutBearerTokenAuthentication|logs:PutLogGroupDeletionProtection|firehose:.*",
    "data protection of topics": r"sns:PutDataProtectionPolicy",
}

# The ARNs of a stack's resources, by type. {name} is the property with the name.
ARNS = {
    "AWS::Athena::WorkGroup": "arn:aws:athena:{region}:{account}:workgroup/{Name}",
    "AWS::CloudWatch::Alarm": "arn:aws:cloudwatch:{region}:{account}:alarm:{AlarmName}",
    "AWS::CloudWatch::Dashboard": "arn:aws:cloudwatch::{account}:dashboard/{DashboardName}",
    "AWS::IAM::Role": "arn:aws:iam::{account}:role/{stack}-{logical}-1ABCDEF",
    "AWS::Lambda::EventInvokeConfig": "arn:aws:lambda:{region}:{account}:function:{stack}-extract",
    "AWS::Lambda::Function": "arn:aws:lambda:{region}:{account}:function:{FunctionName}",
    "AWS::Lambda::Permission": "arn:aws:lambda:{region}:{account}:function:{stack}-validate",
    "AWS::Logs::LogGroup": "arn:aws:logs:{region}:{account}:log-group:{LogGroupName}",
    "AWS::S3::Bucket": "arn:aws:s3:::{BucketName}",
    "AWS::S3::BucketPolicy": "arn:aws:s3:::{stack}-land-{account}-{region}",
    "AWS::SNS::Subscription": "arn:aws:sns:{region}:{account}:{stack}-alerts",
    "AWS::SNS::Topic": "arn:aws:sns:{region}:{account}:{TopicName}",
    "AWS::SQS::Queue": "arn:aws:sqs:{region}:{account}:{QueueName}",
    "AWS::Scheduler::Schedule": "arn:aws:scheduler:{region}:{account}:schedule/default/{Name}",
    "AWS::StepFunctions::StateMachine": "arn:aws:states:{region}:{account}:stateMachine:{StateMachineName}",
}


@pytest.fixture(scope="module")
def policy():
    return json.loads((DOCUMENTS / "deployer-policy.json").read_text())


@pytest.fixture(scope="module")
def resources():
    found = to_cloudformation(yaml_parse(TEXT), json.loads((INFRA / "pipeline.asl.json").read_text()))["Resources"]
    # with LakeFormation=true, an administrator of the data lake deploys (docs/lake-formation.md)
    return {name: resource for name, resource in found.items() if resource.get("Condition") != "IsGoverned"}


def as_list(value):
    return value if isinstance(value, list) else [value]


def handled(kind: str) -> set[str]:
    """Returns the actions with which CloudFormation creates, reads, updates and deletes a resource of a type."""
    handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema["handlers"]
    return {action for name in handlers if name != "list" for action in handlers[name]["permissions"]}


def needed(kind: str) -> set[str]:
    unused = re.compile("|".join(FEATURES_UNUSED.values()))
    return {action for action in handled(kind) if not unused.fullmatch(action)}


def text(value) -> str:
    """Returns a name in the template as it is in a stack."""
    value = value if isinstance(value, str) else value.get("Fn::Sub", "${" + value.get("Ref", "") + "}")
    known = {"AWS::StackName": STACK, "AWS::AccountId": ACCOUNT, "AWS::Region": REGION}
    return re.sub(r"\$\{([^}]+)\}", lambda name: known[name[1]], value)


def arn(logical: str, resource: dict) -> str:
    pattern = ARNS[resource["Type"]]
    properties = resource["Properties"]
    named = {key: text(properties[key]) for key in re.findall(r"\{([A-Z]\w+)\}", pattern)}
    return pattern.format(account=ACCOUNT, region=REGION, stack=STACK, logical=logical, **named)


def struck(action: str, logical: str, resource: dict) -> str:
    """Returns the ARN on which an action is taken: mostly that of the resource itself."""
    if action.startswith("s3:") and "S3" not in resource["Type"]:
        return f"arn:aws:s3:::{STACK}-athena-{ACCOUNT}-{REGION}"  # the results of a workgroup
    if action.startswith("iam:") and "IAM" not in resource["Type"]:
        return f"arn:aws:iam::{ACCOUNT}:role/{STACK}-{logical}Role-1ABCDEF"
    return arn(logical, resource)


def allowed(policy: dict, action: str, resource: str) -> bool:
    return any(
        any(fnmatchcase(action, pattern) for pattern in as_list(statement["Action"]))
        and any(fnmatchcase(resource, pattern) for pattern in as_list(statement["Resource"]))
        for statement in policy["Statement"]
    )


def test_each_resource_can_be_created_read_updated_and_deleted(policy, resources):
    missing = {
        (action, on)
        for name, resource in resources.items()
        for action in needed(resource["Type"])
        if not allowed(policy, action, on := struck(action, name, resource))
    }
    assert missing == set()


def test_roles_are_passed_to_the_services_that_take_them_on(policy, resources):
    trusted = {
        statement["Principal"]["Service"]
        for resource in resources.values()
        if resource["Type"] == "AWS::IAM::Role"
        for statement in resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    }
    [passing] = [statement for statement in policy["Statement"] if "iam:PassRole" in as_list(statement["Action"])]
    assert set(passing["Condition"]["StringEquals"]["iam:PassedToService"]) == trusted
    assert allowed(policy, "iam:PassRole", arn("ExtractRole", resources["ExtractRole"]))


def test_nothing_is_allowed_that_nothing_needs(policy, resources):
    """Except for the stack itself and sam's bucket, CloudFormation names every allowed action."""
    named = set().union(*(handled(kind) for kind in {resource["Type"] for resource in resources.values()}))
    # additional actions that the services require for the same requests
    besides = {
        "lambda:GetFunctionConcurrency",
        "lambda:GetFunctionConfiguration",
        "lambda:ListTags",
        "s3:GetBucketLocation",
        "s3:GetBucketOwnershipControls",
    }
    for statement in policy["Statement"]:
        for action in as_list(statement["Action"]):
            if not action.startswith("cloudformation:") and statement["Sid"] != "UploadPackages":
                assert any(fnmatchcase(name, action) for name in named | besides), action


def test_actions_are_actions(policy):
    for statement in policy["Statement"]:
        for action in as_list(statement["Action"]):
            service, _, name = action.lower().partition(":")
            known = ACTIONS[service]["Actions"]
            assert any(fnmatchcase(candidate, name) for candidate in known), action


def test_nothing_else_is_named_and_no_data(policy):
    everywhere = {
        action
        for statement in policy["Statement"]
        if statement["Resource"] == "*"
        for action in as_list(statement["Action"])
    }
    assert all(
        re.match(r"\w+:(Describe|Get|List)|sns:(Unsubscribe|SetSubscriptionAttributes)", name) for name in everywhere
    )
    for action in ("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "lambda:InvokeFunction"):
        for area in ("land", "raw-hist", "curated"):
            assert not allowed(policy, action, f"arn:aws:s3:::{STACK}-{area}-{ACCOUNT}-{REGION}/x"), action
    assert not allowed(policy, "iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/admin")
    assert not allowed(
        policy, "cloudformation:DeleteStack", f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}/1"
    )


def test_it_is_a_managed_policy_s_size(policy):
    assert len(re.sub(r"\s", "", json.dumps(policy))) <= POLICY_CHARACTERS


def test_a_role_is_of_one_environment_of_one_repository():
    [statement] = json.loads((DOCUMENTS / "trust-policy.json").read_text())["Statement"]
    condition = statement["Condition"]["StringEquals"]
    issuer = statement["Principal"]["Federated"].partition("oidc-provider/")[2]
    assert condition[f"{issuer}:aud"] == "sts.amazonaws.com"
    assert re.fullmatch(r"repo:[\w-]+/[\w-]+:environment:\w+", condition[f"{issuer}:sub"])
