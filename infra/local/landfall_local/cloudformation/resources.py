"""Every resource type that a template may use here, and its creation.

A resource is created as CloudFormation does: by calls of the service's API. The properties that are passed on are
listed, and others are refused (check). Below the top level, the SDK checks them, as it knows every parameter.

moto resolves references, orders the resources, and keeps the stacks.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from moto.cloudformation import parsing
from moto.cloudformation.models import Stack
from moto.core.common_models import CloudFormationModel

from ..account import ACCOUNT_ID, PARTITION, REGION, Clients
from ..iam import keys, policies
from ..iam.usage import Usage

IAM_NAME_CHARS = 64


class UnsupportedError(Exception):
    pass


@dataclass(frozen=True)
class Created:
    """The values that other resources of the template may refer to."""

    ref: str
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ResourceType:
    create: Callable[[Clients, str, dict], Created]
    properties: frozenset[str]
    name_property: str


RESOURCES: dict[str, ResourceType] = {}


def resource(type_name: str, name_property: str, *properties: str):
    """Declares how resources of a type are created. `name_property` is the one that CloudFormation generates if it is
    absent."""

    def register(create):
        known = frozenset([*properties, *([name_property] if name_property else [])])
        RESOURCES[type_name] = ResourceType(create, known, name_property)
        return create

    return register


def install(clients: Clients, usage: Usage) -> None:
    """Makes moto's CloudFormation use the types above, and no others."""
    models = {type_name: moto_model(type_name, kind, clients, usage) for type_name, kind in RESOURCES.items()}

    def resource_class_from_type(type_name: str):
        if type_name not in models:
            raise UnsupportedError(f"no local support for {type_name}")
        return models[type_name]

    def resource_name_property_from_type(type_name: str) -> str | None:
        return RESOURCES[type_name].name_property or None

    parsing.resource_class_from_type = resource_class_from_type
    parsing.resource_name_property_from_type = resource_name_property_from_type
    parsing.parse_condition = condition_of_texts(parsing.parse_condition)
    parsing.clean_json = without_no_value(parsing.clean_json)
    # JSON is also YAML, but reading it as YAML takes seconds.
    Stack.parse_template = staticmethod(json.loads)


def without_no_value(original: Callable) -> Callable:
    """AWS::NoValue removes an item from a list. moto supports that only for entries of an object."""

    def clean_json(value, resources_map):
        cleaned = original(value, resources_map)
        return [item for item in cleaned if item is not None] if isinstance(value, list) else cleaned

    return clean_json


def condition_of_texts(original: Callable) -> Callable:
    """Fn::Equals compares texts. CloudFormation also treats a parameter of type Number as text, unlike moto."""

    def as_text(value: object) -> str:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return str(value).lower() if isinstance(value, bool) else str(value)

    def parse_condition(condition, resources_map, condition_map) -> bool:
        if isinstance(condition, dict) and "Fn::Equals" in condition:
            one, other = (as_text(parsing.clean_json(value, resources_map)) for value in condition["Fn::Equals"])
            return one == other
        return original(condition, resources_map, condition_map)

    return parse_condition


def moto_model(type_name: str, kind: ResourceType, clients: Clients, usage: Usage) -> type[CloudFormationModel]:
    class Resource(CloudFormationModel):
        def __init__(self, created: Created):
            self.created = created

        @staticmethod
        def cloudformation_type() -> str:
            return type_name

        @staticmethod
        def cloudformation_name_type() -> str:
            return kind.name_property

        @classmethod
        def has_cfn_attr(cls, attr: str) -> bool:
            return True

        @classmethod
        def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
            properties = dict(cloudformation_json.get("Properties") or {})
            properties.pop(kind.name_property, None)
            try:
                created = kind.create(clients, resource_name, properties)
            except Exception as error:
                raise UnsupportedError(f"{kwargs['LogicalId']} ({type_name}): {error}") from error
            if type_name == "AWS::IAM::Role":
                usage.name(created.attributes["Arn"], kwargs["LogicalId"])
            return cls(created)

        @classmethod
        def update_from_cloudformation_json(cls, *_args, **_kwargs):
            raise UnsupportedError("stacks are not updated locally: start the local cloud again")

        @property
        def physical_resource_id(self) -> str:
            return self.created.ref

        def get_cfn_attribute(self, attribute: str) -> str:
            if attribute not in self.created.attributes:
                known = ", ".join(sorted(self.created.attributes)) or "none"
                raise UnsupportedError(f"{type_name} has no attribute {attribute} locally; it has: {known}")
            return self.created.attributes[attribute]

        def delete(self, _account_id: str, _region: str) -> None:
            raise UnsupportedError("stacks are not deleted locally: start the local cloud again")

    Resource.__name__ = Resource.__qualname__ = type_name.replace("::", "")
    return Resource


def arn(service: str, name: str, region: str = REGION, account: str = ACCOUNT_ID) -> str:
    return f"arn:{PARTITION}:{service}:{region}:{account}:{name}"


def pick(properties: dict, *names: str) -> dict:
    return {name: properties[name] for name in names if name in properties}


def tags_as_dict(properties: dict) -> dict[str, str]:
    return {tag["Key"]: str(tag["Value"]) for tag in properties.get("Tags", [])}


def lower_camel(value):
    """Converts CloudFormation's names of nested properties (LogGroupArn) to the API's (logGroupArn)."""
    if isinstance(value, dict):
        return {name[:1].lower() + name[1:]: lower_camel(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [lower_camel(inner) for inner in value]
    return value


def as_json(document: object) -> str:
    return document if isinstance(document, str) else json.dumps(document)


def judged(document: object) -> str:
    """Checks that the judge can read a policy, so that it is refused before anything relies on it."""
    policies.parse("", as_json(document))
    return as_json(document)


# -- S3 ----------------------------------------------------------------------------------------------------------------


@resource(
    "AWS::S3::Bucket",
    "BucketName",
    "BucketEncryption",
    "LifecycleConfiguration",
    "NotificationConfiguration",
    "ObjectLockConfiguration",
    "ObjectLockEnabled",
    "OwnershipControls",
    "PublicAccessBlockConfiguration",
    "Tags",
    "VersioningConfiguration",
)
def bucket(clients: Clients, name: str, properties: dict) -> Created:
    s3 = clients.get("s3")
    s3.create_bucket(
        Bucket=name,
        CreateBucketConfiguration={"LocationConstraint": REGION},
        ObjectLockEnabledForBucket=str(properties.get("ObjectLockEnabled", "")).lower() == "true",
    )
    if value := properties.get("BucketEncryption"):
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=encryption(value))
    if value := properties.get("VersioningConfiguration"):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=value)
    if value := properties.get("PublicAccessBlockConfiguration"):
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=value)
    if value := properties.get("OwnershipControls"):
        s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=value)
    if value := properties.get("ObjectLockConfiguration"):
        s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=value)
    if value := properties.get("Tags"):
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": value})
    if value := properties.get("LifecycleConfiguration"):
        rules = [lifecycle_rule(rule) for rule in value["Rules"]]
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
    if value := properties.get("NotificationConfiguration"):
        s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=notifications(value))
    attributes = {
        "Arn": f"arn:{PARTITION}:s3:::{name}",
        "DomainName": f"{name}.s3.amazonaws.com",
        "RegionalDomainName": f"{name}.s3.{REGION}.amazonaws.com",
    }
    return Created(name, attributes)


def encryption(value: dict) -> dict:
    rules = []
    for rule in value["ServerSideEncryptionConfiguration"]:
        converted = dict(rule)
        if default := converted.pop("ServerSideEncryptionByDefault", None):
            converted["ApplyServerSideEncryptionByDefault"] = default
        rules.append(converted)
    return {"Rules": rules}


def lifecycle_rule(rule: dict) -> dict:
    rest = dict(rule)
    converted = {"Status": rest.pop("Status"), "Filter": {"Prefix": rest.pop("Prefix", "")}}
    if "Id" in rest:
        converted["ID"] = rest.pop("Id")
    expiration = {}
    if "ExpirationInDays" in rest:
        expiration["Days"] = int(rest.pop("ExpirationInDays"))
    if "ExpiredObjectDeleteMarker" in rest:
        expiration["ExpiredObjectDeleteMarker"] = rest.pop("ExpiredObjectDeleteMarker")
    if expiration:
        converted["Expiration"] = expiration
    transitions = rest.pop("Transitions", [])
    if transitions:
        converted["Transitions"] = [
            {"Days": int(step["TransitionInDays"]), "StorageClass": step["StorageClass"]} for step in transitions
        ]
    for name in ("AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration"):
        if name in rest:
            converted[name] = rest.pop(name)
    if rest:
        raise UnsupportedError(f"LifecycleConfiguration: {', '.join(sorted(rest))} is not handled locally")
    return converted


def notifications(value: dict) -> dict:
    """Converts CloudFormation's shape of a notification configuration to the API's."""
    kinds = {  # CloudFormation's list: (its target, the API's list, its target)
        "LambdaConfigurations": ("Function", "LambdaFunctionConfigurations", "LambdaFunctionArn"),
        "QueueConfigurations": ("Queue", "QueueConfigurations", "QueueArn"),
        "TopicConfigurations": ("Topic", "TopicConfigurations", "TopicArn"),
    }
    unknown = set(value) - set(kinds)
    if unknown:
        raise UnsupportedError(f"NotificationConfiguration: {', '.join(sorted(unknown))} is not handled locally")
    converted: dict = {}
    for name, configurations in value.items():
        target, api_name, api_target = kinds[name]
        for configuration in configurations:
            entry: dict = {api_target: configuration[target], "Events": [configuration["Event"]]}
            if "Filter" in configuration:
                entry["Filter"] = {"Key": {"FilterRules": configuration["Filter"]["S3Key"]["Rules"]}}
            converted.setdefault(api_name, []).append(entry)
    return converted


@resource("AWS::S3::BucketPolicy", "", "Bucket", "PolicyDocument")
def bucket_policy(clients: Clients, name: str, properties: dict) -> Created:
    policy = judged(properties["PolicyDocument"])
    clients.get("s3").put_bucket_policy(Bucket=properties["Bucket"], Policy=policy)
    return Created(name)


# -- Lambda ------------------------------------------------------------------------------------------------------------


@resource(
    "AWS::Lambda::Function",
    "FunctionName",
    "Architectures",
    "Code",
    "DeadLetterConfig",
    "Description",
    "Environment",
    "EphemeralStorage",
    "Handler",
    "LoggingConfig",
    "MemorySize",
    "ReservedConcurrentExecutions",
    "Role",
    "Runtime",
    "Tags",
    "Timeout",
    "TracingConfig",
)
def function(clients: Clients, name: str, properties: dict) -> Created:
    client = clients.get("lambda")
    arguments = dict(properties)
    reserved = arguments.pop("ReservedConcurrentExecutions", None)
    arguments["Tags"] = tags_as_dict(arguments)
    if variables := (arguments.get("Environment") or {}).get("Variables"):
        arguments["Environment"] = {"Variables": {key: str(value) for key, value in variables.items()}}
    created = client.create_function(FunctionName=name, **arguments)
    if reserved is not None:
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=int(reserved))
    return Created(name, {"Arn": created["FunctionArn"]})


@resource(
    "AWS::Lambda::Permission",
    "",
    "Action",
    "FunctionName",
    "Principal",
    "SourceAccount",
    "SourceArn",
)
def permission(clients: Clients, name: str, properties: dict) -> Created:
    clients.get("lambda").add_permission(StatementId=name, **properties)
    return Created(name)


@resource(
    "AWS::Lambda::EventInvokeConfig",
    "",
    "DestinationConfig",
    "FunctionName",
    "MaximumEventAgeInSeconds",
    "MaximumRetryAttempts",
    "Qualifier",
)
def event_invoke_config(clients: Clients, name: str, properties: dict) -> Created:
    if properties.pop("Qualifier", "$LATEST") != "$LATEST":
        raise UnsupportedError("versions and aliases of functions are not handled locally")
    destinations = properties.get("DestinationConfig") or {}
    for target in destinations.values():
        target.pop("Type", None)  # added by SAM
    clients.get("lambda").put_function_event_invoke_config(**properties)
    return Created(name)


# -- Step Functions ----------------------------------------------------------------------------------------------------


@resource(
    "AWS::StepFunctions::StateMachine",
    "StateMachineName",
    "Definition",
    "DefinitionString",
    "DefinitionSubstitutions",
    "LoggingConfiguration",
    "RoleArn",
    "StateMachineType",
    "Tags",
    "TracingConfiguration",
)
def state_machine(clients: Clients, name: str, properties: dict) -> Created:
    if properties.get("StateMachineType", "STANDARD") != "STANDARD":
        raise UnsupportedError("only STANDARD state machines run locally")
    definition = properties.get("DefinitionString") or properties["Definition"]
    substitutions = properties.get("DefinitionSubstitutions") or {}

    def substitute(match: re.Match) -> str:
        if match[1] not in substitutions:
            raise UnsupportedError(f"the definition names ${{{match[1]}}}, DefinitionSubstitutions does not")
        return str(substitutions[match[1]])

    created = clients.get("stepfunctions").create_state_machine(
        name=name,
        definition=re.sub(r"\$\{(\w+)\}", substitute, as_json(definition)),
        roleArn=properties["RoleArn"],
        type="STANDARD",
        loggingConfiguration=lower_camel(properties.get("LoggingConfiguration") or {}),
        tracingConfiguration=lower_camel(properties.get("TracingConfiguration") or {}),
        tags=lower_camel(properties.get("Tags") or []),
    )
    return Created(created["stateMachineArn"], {"Arn": created["stateMachineArn"], "Name": name})


# -- EventBridge -------------------------------------------------------------------------------------------------------


@resource(
    "AWS::Scheduler::Schedule",
    "Name",
    "Description",
    "EndDate",
    "FlexibleTimeWindow",
    "GroupName",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "StartDate",
    "State",
    "Target",
)
def schedule(clients: Clients, name: str, properties: dict) -> Created:
    created = clients.get("scheduler").create_schedule(Name=name, **properties)
    return Created(name, {"Arn": created["ScheduleArn"]})


@resource("AWS::Scheduler::ScheduleGroup", "Name", "Tags")
def schedule_group(clients: Clients, name: str, properties: dict) -> Created:
    created = clients.get("scheduler").create_schedule_group(Name=name, **properties)
    return Created(name, {"Arn": created["ScheduleGroupArn"]})


@resource("AWS::Events::Rule", "Name", "Description", "EventPattern", "ScheduleExpression", "State", "Targets")
def event_rule(clients: Clients, name: str, properties: dict) -> Created:
    events = clients.get("events")
    arguments = pick(properties, "Description", "ScheduleExpression", "State")
    if "EventPattern" in properties:
        arguments["EventPattern"] = as_json(properties["EventPattern"])
    created = events.put_rule(Name=name, **arguments)
    if targets := properties.get("Targets"):
        events.put_targets(Rule=name, Targets=targets)
    return Created(name, {"Arn": created["RuleArn"]})


# -- SQS, SNS ----------------------------------------------------------------------------------------------------------


@resource(
    "AWS::SQS::Queue",
    "QueueName",
    "DelaySeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "Tags",
    "VisibilityTimeout",
)
def queue(clients: Clients, name: str, properties: dict) -> Created:
    attributes = {}
    for key, value in properties.items():
        if key == "Tags":
            continue
        attributes[key] = str(value).lower() if isinstance(value, bool) else as_json(value)
    url = clients.get("sqs").create_queue(QueueName=name, Attributes=attributes, tags=tags_as_dict(properties))[
        "QueueUrl"
    ]
    return Created(url, {"Arn": arn("sqs", name), "QueueName": name, "QueueUrl": url})


@resource("AWS::SQS::QueuePolicy", "", "PolicyDocument", "Queues")
def queue_policy(clients: Clients, name: str, properties: dict) -> Created:
    for url in properties["Queues"]:
        policy = as_json(properties["PolicyDocument"])
        clients.get("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return Created(name)


@resource("AWS::SNS::Topic", "TopicName", "DisplayName", "KmsMasterKeyId", "Subscription", "Tags")
def topic(clients: Clients, name: str, properties: dict) -> Created:
    sns = clients.get("sns")
    attributes = pick(properties, "DisplayName", "KmsMasterKeyId")
    topic_arn = sns.create_topic(Name=name, Attributes=attributes, Tags=properties.get("Tags") or [])["TopicArn"]
    for wanted in properties.get("Subscription") or []:
        sns.subscribe(TopicArn=topic_arn, **wanted)
    return Created(topic_arn, {"TopicArn": topic_arn, "TopicName": name})


@resource("AWS::SNS::TopicPolicy", "", "PolicyDocument", "Topics")
def topic_policy(clients: Clients, name: str, properties: dict) -> Created:
    for topic_arn in properties["Topics"]:
        clients.get("sns").set_topic_attributes(
            TopicArn=topic_arn, AttributeName="Policy", AttributeValue=as_json(properties["PolicyDocument"])
        )
    return Created(name)


@resource("AWS::SNS::Subscription", "", "Endpoint", "FilterPolicy", "Protocol", "RawMessageDelivery", "TopicArn")
def subscription(clients: Clients, _name: str, properties: dict) -> Created:
    arguments = pick(properties, "Endpoint", "Protocol", "TopicArn")
    attributes = {key: as_json(value) for key, value in pick(properties, "FilterPolicy").items()}
    if properties.get("RawMessageDelivery"):
        attributes["RawMessageDelivery"] = "true"
    created = clients.get("sns").subscribe(**arguments, Attributes=attributes, ReturnSubscriptionArn=True)
    return Created(created["SubscriptionArn"], {"Arn": created["SubscriptionArn"]})


# -- IAM ---------------------------------------------------------------------------------------------------------------


@resource(
    "AWS::IAM::Role",
    "RoleName",
    "AssumeRolePolicyDocument",
    "Description",
    "ManagedPolicyArns",
    "MaxSessionDuration",
    "Path",
    "Policies",
    "Tags",
)
def role(clients: Clients, name: str, properties: dict) -> Created:
    iam = clients.get("iam")
    name = name[-IAM_NAME_CHARS:].lstrip("-")
    created = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=judged(properties["AssumeRolePolicyDocument"]),
        **pick(properties, "Description", "MaxSessionDuration", "Path", "Tags"),
    )["Role"]
    for policy in properties.get("Policies") or []:
        document = judged(policy["PolicyDocument"])
        iam.put_role_policy(RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=document)
    for policy_arn in properties.get("ManagedPolicyArns") or []:
        attach(iam, name, policy_arn)
    return Created(name, {"Arn": created["Arn"], "RoleId": created["RoleId"]})


# AWS's own policies for actions that are never called here.
LOGS_AND_TRACES = {"service-role/AWSLambdaBasicExecutionRole", "AWSXRayDaemonWriteAccess"}


def attach(iam, role_name: str, policy_arn: str) -> None:
    of_aws = f"arn:{PARTITION}:iam::aws:policy/"
    if policy_arn.removeprefix(of_aws) in LOGS_AND_TRACES:
        return
    if policy_arn.startswith(of_aws):
        raise UnsupportedError(f"nobody knows locally what AWS's own policy {policy_arn} allows")
    iam.attach_role_policy(RoleName=role_name, PolicyArn=policy_arn)


@resource("AWS::IAM::ManagedPolicy", "ManagedPolicyName", "Description", "Path", "PolicyDocument", "Roles")
def managed_policy(clients: Clients, name: str, properties: dict) -> Created:
    iam = clients.get("iam")
    created = iam.create_policy(
        PolicyName=name,
        PolicyDocument=judged(properties["PolicyDocument"]),
        **pick(properties, "Description", "Path"),
    )["Policy"]
    for role_name in properties.get("Roles") or []:
        iam.attach_role_policy(RoleName=role_name, PolicyArn=created["Arn"])
    return Created(created["Arn"], {"PolicyArn": created["Arn"]})


@resource("AWS::IAM::Policy", "", "PolicyDocument", "PolicyName", "Roles")
def inline_policy(clients: Clients, name: str, properties: dict) -> Created:
    for role_name in properties.get("Roles") or []:
        clients.get("iam").put_role_policy(
            RoleName=role_name,
            PolicyName=properties["PolicyName"],
            PolicyDocument=judged(properties["PolicyDocument"]),
        )
    return Created(name)


# -- CloudWatch --------------------------------------------------------------------------------------------------------


@resource("AWS::Logs::LogGroup", "LogGroupName", "KmsKeyId", "LogGroupClass", "RetentionInDays", "Tags")
def log_group(clients: Clients, name: str, properties: dict) -> Created:
    logs = clients.get("logs")
    if (key := properties.get("KmsKeyId")) and not keys.lets_logs(key, arn("logs", f"log-group:{name}")):
        raise UnsupportedError("The specified KMS key does not exist or is not allowed to be used with " + name)
    arguments = lower_camel(pick(properties, "KmsKeyId", "LogGroupClass"))
    logs.create_log_group(logGroupName=name, tags=tags_as_dict(properties), **arguments)
    if days := properties.get("RetentionInDays"):
        logs.put_retention_policy(logGroupName=name, retentionInDays=int(days))
    return Created(name, {"Arn": arn("logs", f"log-group:{name}:*")})


@resource("AWS::Logs::MetricFilter", "FilterName", "FilterPattern", "LogGroupName", "MetricTransformations")
def metric_filter(clients: Clients, name: str, properties: dict) -> Created:
    clients.get("logs").put_metric_filter(filterName=name, **lower_camel(properties))
    return Created(name)


ALARM_ACTIONS = (
    "ActionsEnabled",
    "AlarmActions",
    "AlarmDescription",
    "InsufficientDataActions",
    "OKActions",
    "Tags",
)


@resource(
    "AWS::CloudWatch::Alarm",
    "AlarmName",
    *ALARM_ACTIONS,
    "ComparisonOperator",
    "DatapointsToAlarm",
    "Dimensions",
    "EvaluateLowSampleCountPercentile",
    "EvaluationPeriods",
    "ExtendedStatistic",
    "MetricName",
    "Metrics",
    "Namespace",
    "Period",
    "Statistic",
    "Threshold",
    "ThresholdMetricId",
    "TreatMissingData",
    "Unit",
)
def alarm(clients: Clients, name: str, properties: dict) -> Created:
    clients.get("cloudwatch").put_metric_alarm(AlarmName=name, **properties)
    return Created(name, {"Arn": arn("cloudwatch", f"alarm:{name}")})


@resource("AWS::CloudWatch::CompositeAlarm", "AlarmName", *ALARM_ACTIONS, "AlarmRule")
def composite_alarm(clients: Clients, name: str, properties: dict) -> Created:
    clients.get("cloudwatch").put_composite_alarm(AlarmName=name, **properties)
    return Created(name, {"Arn": arn("cloudwatch", f"alarm:{name}")})


@resource("AWS::CloudWatch::Dashboard", "DashboardName", "DashboardBody")
def dashboard(clients: Clients, name: str, properties: dict) -> Created:
    body = as_json(properties["DashboardBody"])
    json.loads(body)  # AWS refuses a body that is not JSON; moto does not check
    clients.get("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=body)
    return Created(name)


# -- Glue, Athena ------------------------------------------------------------------------------------------------------


@resource("AWS::Glue::Database", "", "CatalogId", "DatabaseInput")
def glue_database(clients: Clients, _name: str, properties: dict) -> Created:
    clients.get("glue").create_database(DatabaseInput=properties["DatabaseInput"])
    return Created(properties["DatabaseInput"]["Name"])


@resource(
    "AWS::Glue::Job",
    "Name",
    "Command",
    "DefaultArguments",
    "Description",
    "ExecutionClass",
    "ExecutionProperty",
    "GlueVersion",
    "MaxRetries",
    "NumberOfWorkers",
    "Role",
    "Tags",
    "Timeout",
    "WorkerType",
)
def glue_job(clients: Clients, name: str, properties: dict) -> Created:
    clients.get("glue").create_job(Name=name, **properties)
    return Created(name)


@resource(
    "AWS::Athena::WorkGroup",
    "Name",
    "Description",
    "RecursiveDeleteOption",  # nothing is deleted here
    "State",
    "Tags",
    "WorkGroupConfiguration",
)
def work_group(clients: Clients, name: str, properties: dict) -> Created:
    athena = clients.get("athena")
    configuration = dict(properties.get("WorkGroupConfiguration") or {})
    if "BytesScannedCutoffPerQuery" in configuration:
        configuration["BytesScannedCutoffPerQuery"] = int(configuration["BytesScannedCutoffPerQuery"])
    athena.create_work_group(
        Name=name,
        Configuration=configuration,
        **pick(properties, "Description", "Tags"),
    )
    if properties.get("State") == "DISABLED":
        athena.update_work_group(WorkGroup=name, State="DISABLED")
    return Created(name)


@resource(
    "AWS::LakeFormation::PrincipalPermissions",
    "",
    "Catalog",
    "Permissions",
    "PermissionsWithGrantOption",
    "Principal",
    "Resource",
)
def lake_formation_grant(clients: Clients, name: str, properties: dict) -> Created:
    """Stores the grant without enforcing it, because only IAM decides here."""
    (kind,) = properties["Resource"]
    if kind not in ("Database", "Table", "DataLocation"):
        raise UnsupportedError(f"grants on a {kind} are not handled locally")
    if database := properties["Resource"][kind].get("DatabaseName" if kind == "Table" else "Name"):
        clients.get("glue").get_database(Name=database)  # Lake Formation refuses grants on a missing database
    clients.get("lakeformation").grant_permissions(
        CatalogId=properties.get("Catalog", ACCOUNT_ID),
        **pick(properties, "Permissions", "PermissionsWithGrantOption", "Principal", "Resource"),
    )
    return Created(name)
