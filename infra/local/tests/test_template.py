"""The template follows the design and can be deployed. These are checks that cfn-lint does not make."""

import copy
import json
import re
from pathlib import Path
from urllib.parse import unquote_plus

import botocore.session
import pytest
from botocore import xform_name
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from landfall_local.names import PATTERNS, names

ROOT = Path(__file__).resolve().parents[3]
INFRA = ROOT / "infra"
TEXT = (INFRA / "template.yaml").read_text()
FUNCTIONS = {"extract": "Extract", "validate": "Validate", "curate": "Curate", "catalog": "Catalog"}
AREAS = {"land", "raw-hist", "raw", "processed", "curated", "quarantine", "reports", "athena"}
NAMES = names(ROOT / "meta_data").with_parameters({})
RETRIED = {"Throttled", "Unavailable", "Timeout"}


class NoManagedPolicies:
    """The transform would request the ARNs of managed policies from AWS, but the template uses none."""

    def load(self):
        return {}


@pytest.fixture(scope="session")
def template():
    return yaml_parse(TEXT)


@pytest.fixture(scope="session")
def machine():
    return json.loads((INFRA / "pipeline.asl.json").read_text())


@pytest.fixture(scope="session")
def cloudformation(template, machine):
    """The template as CloudFormation receives it: after the SAM transform of `sam deploy`."""
    return to_cloudformation(template, machine)


def to_cloudformation(template, machine):
    packaged = copy.deepcopy(template)
    for resource in packaged["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function":
            properties["CodeUri"] = "s3://packages/function.zip"
        if resource["Type"] == "AWS::Serverless::StateMachine":
            del properties["DefinitionUri"]
            properties["Definition"] = machine
    parameters = {name: parameter.get("Default") for name, parameter in template["Parameters"].items()} | NAMES
    with pytest.MonkeyPatch.context() as environment:  # the transform gets the region from boto3
        environment.setenv("AWS_DEFAULT_REGION", "eu-west-2")
        return transform(packaged, parameters, NoManagedPolicies())


def of_type(template, kind):
    return {name: body for name, body in template["Resources"].items() if body["Type"] == kind}


def as_list(value):
    return value if isinstance(value, list) else [value]


def statements(cloudformation):
    """Yields (resource, statement) for every statement of every policy in the stack."""
    for name, resource in cloudformation["Resources"].items():
        properties = resource.get("Properties", {})
        documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        documents += [properties[key] for key in ("PolicyDocument", "AssumeRolePolicyDocument") if key in properties]
        for document in documents:
            for statement in as_list(document["Statement"]):
                for case in statement.get("Fn::If", [None, statement])[1:]:
                    if case != {"Ref": "AWS::NoValue"}:
                        yield name, case


# ----------------------------------------------------------------------------------------------- dependencies


def references(value):
    """Yields the logical names to which a value refers through Ref, Fn::GetAtt and Fn::Sub."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "Ref":
                yield item
            elif key == "Fn::GetAtt":
                yield item.split(".")[0] if isinstance(item, str) else item[0]
            elif key == "Fn::Sub":
                text, variables = (item, {}) if isinstance(item, str) else item
                names = re.findall(r"\$\{([^!}][^}]*)\}", text)
                yield from (name.split(".")[0] for name in names if name not in variables)
                yield from references(variables)
            else:
                yield from references(item)


def cycle(cloudformation):
    """Returns a cycle of resources that wait for each other, or an empty result."""
    resources = cloudformation["Resources"]
    edges = {
        name: {*as_list(body.get("DependsOn", [])), *references(body.get("Properties", {}))} & resources.keys()
        for name, body in resources.items()
    }
    done, path = set(), []

    def visit(name):
        if name in path:
            return path[path.index(name) :]
        if name in done:
            return []
        path.append(name)
        for other in sorted(edges[name]):
            if found := visit(other):
                return found
        path.pop()
        done.add(name)
        return []

    return next((found for name in sorted(resources) if (found := visit(name))), [])


def test_no_resource_waits_for_itself(cloudformation):
    assert cycle(cloudformation) == []


def test_the_classic_circle_would_be_found(template, machine):
    tempting = copy.deepcopy(template)
    variables = tempting["Resources"]["Validate"]["Properties"]["Environment"]["Variables"]
    variables["LAND_BUCKET"] = {"Ref": "LandBucket"}
    assert set(cycle(to_cloudformation(tempting, machine))) == {"LandBucket", "Validate"}


def test_every_reference_has_an_object(cloudformation):
    known = cloudformation["Resources"].keys() | cloudformation["Parameters"].keys()
    used = set(references([cloudformation["Resources"], cloudformation["Outputs"]]))
    assert {name for name in used if not name.startswith("AWS::")} - known == set()


# ------------------------------------------------------------------------------------------------ permissions


def test_wildcards_are_justified(cloudformation):
    wild = [
        (name, statement["Sid"])
        for name, statement in statements(cloudformation)
        if statement["Effect"] == "Allow" and "*" in as_list(statement.get("Resource", []))
    ]
    # The comment must be on the same line, so that it is read there.
    commented = re.findall(r'^ *Resource: "\*" # \w.*', TEXT, re.MULTILINE)
    assert len(commented) == len(wild), wild


def test_actions_are_named_one_by_one(cloudformation):
    for name, statement in statements(cloudformation):
        if statement["Effect"] == "Allow":
            assert "*" not in "".join(as_list(statement["Action"])), (name, statement)
            assert "NotAction" not in statement
            assert "NotResource" not in statement


def test_nobody_may_delete_from_raw_hist(cloudformation):
    forbidden = re.compile(r"s3:(Delete|Bypass|PutObjectRetention|PutLifecycle|PutBucket|\*)")
    for name, statement in statements(cloudformation):
        text = json.dumps(statement.get("Resource", ""))
        if statement["Effect"] == "Allow" and ("RawHist" in text or "raw-hist" in text):
            assert not [action for action in as_list(statement["Action"]) if forbidden.match(action)], name


def test_raw_hist_is_immutable(cloudformation):
    bucket = cloudformation["Resources"]["RawHistBucket"]["Properties"]
    assert bucket["ObjectLockEnabled"] is True
    assert bucket["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]["Mode"] == "GOVERNANCE"
    assert not [rule for rule in bucket["LifecycleConfiguration"]["Rules"] if str(rule).count("Expiration")]
    policy = cloudformation["Resources"]["RawHistBucketPolicy"]["Properties"]["PolicyDocument"]
    denied = next(statement for statement in policy["Statement"] if statement["Sid"] == "Immutable")
    assert denied["Effect"] == "Deny"
    assert denied["Principal"] == "*"
    assert {"s3:DeleteObject", "s3:DeleteObjectVersion"} <= set(denied["Action"])
    assert "Condition" not in denied


def test_what_protects_or_tells_outlives_the_stack(template):
    kinds = ("AWS::S3::BucketPolicy", "AWS::Logs::LogGroup", "AWS::SQS::Queue")
    for name, body in [pair for kind in kinds for pair in of_type(template, kind).items()]:
        assert body.get("DeletionPolicy") == "RetainExceptOnCreate", name
        assert body.get("UpdateReplacePolicy") == "Retain", name


def test_who_asks_for_what_may_be_missing_may_list_without_a_prefix(cloudformation):
    """A HEAD or GET has no prefix. With a condition on it, a missing object is 403 and not 404."""
    lists = {}
    for name, statement in statements(cloudformation):
        if statement["Effect"] == "Allow" and "s3:ListBucket" in as_list(statement["Action"]):
            for resource in as_list(statement["Resource"]):
                free = "Condition" not in statement
                lists[name, json.dumps(resource)] = lists.get((name, json.dumps(resource)), False) or free
    # nothing disappears from raw-hist, so only listings need this there
    asked = {pair for pair, free in lists.items() if not free}
    assert {(name, "RawHist" in resource) for name, resource in asked} <= {
        ("ExtractRole", True),
        ("CurateRole", True),
        ("CatalogRole", True),
    }


def test_who_asks_for_a_version_that_may_be_missing_may_list_versions(cloudformation):
    """A missing version is 404 for callers that may list versions, and 403 for others."""
    asking = {name for name, s in statements(cloudformation) if "s3:GetObjectVersion" in as_list(s["Action"])}
    listing = {name for name, s in statements(cloudformation) if "s3:ListBucketVersions" in as_list(s["Action"])}
    # curate reads versions in raw-hist, where none disappears, and objects in curated by their entity tags
    assert asking - listing == {"CurateRole"}


# The SDK's crates whose operations are IAM actions of the same name: crate, service in botocore, prefix in IAM
SERVICES = [("athena", "athena", "athena"), ("glue", "glue", "glue"), ("sfn", "stepfunctions", "states")]


def actions_called(function):
    """Returns, for every call of these services in a function's source, the IAM actions: several if services share the
    name."""
    crate = ROOT / "functions" / function
    source = "".join(path.read_text() for path in sorted((crate / "src").rglob("*.rs")))
    called = {call: set() for call in re.findall(r"\.([a-z_]+)\(\)", source)}
    for sdk, service, prefix in SERVICES:
        if f"aws-sdk-{sdk}" in (crate / "Cargo.toml").read_text():
            for operation in botocore.session.get_session().get_service_model(service).operation_names:
                called.get(xform_name(operation), set()).add(f"{prefix}:{operation}")
    return [actions for actions in called.values() if actions]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_do_what_it_calls(cloudformation, function):
    allowed = {
        action
        for name, statement in statements(cloudformation)
        if name == f"{FUNCTIONS[function]}Role"
        for action in as_list(statement["Action"])
    }
    assert [actions for actions in actions_called(function) if not actions & allowed] == []


def test_each_function_has_a_role_of_its_own(template):
    roles = [body["Properties"]["Role"] for body in of_type(template, "AWS::Serverless::Function").values()]
    assert len({json.dumps(role) for role in roles}) == len(FUNCTIONS)


def test_roles_are_for_this_account_where_the_service_says_so(cloudformation):
    for name, statement in statements(cloudformation):
        service = statement.get("Principal", {})
        if statement["Effect"] == "Allow" and service != {"Service": "lambda.amazonaws.com"} and service:
            assert "aws:SourceAccount" in json.dumps(statement["Condition"]), name


# ---------------------------------------------------------------------------------------------------- buckets


def test_the_areas_are_buckets(template):
    names = {body["Properties"]["BucketName"]["Fn::Sub"] for body in of_type(template, "AWS::S3::Bucket").values()}
    assert names == {f"${{AWS::StackName}}-{area}-${{AWS::AccountId}}-${{AWS::Region}}" for area in AREAS}


def test_what_regions_share_has_the_region_in_its_name(cloudformation):
    """A stack may have the same name in two regions. CloudFormation must generate the names of roles."""
    shared = {"AWS::S3::Bucket": "BucketName", "AWS::CloudWatch::Dashboard": "DashboardName"}
    named = {"AWS::IAM::Role": "RoleName", "AWS::IAM::ManagedPolicy": "ManagedPolicyName"}
    for name, body in cloudformation["Resources"].items():
        if body["Type"] in shared:
            assert "${AWS::Region}" in body["Properties"][shared[body["Type"]]]["Fn::Sub"], name
        assert named.get(body["Type"]) not in body["Properties"], name


def test_buckets_are_private_encrypted_and_kept(template):
    for name, body in of_type(template, "AWS::S3::Bucket").items():
        properties = body["Properties"]
        assert body["DeletionPolicy"] == "RetainExceptOnCreate", name
        assert body["UpdateReplacePolicy"] == "Retain", name
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}, name
        assert "SSEAlgorithm" in json.dumps(properties["BucketEncryption"]), name
        assert "BucketOwnerEnforced" in json.dumps(properties["OwnershipControls"]), name
        assert "AbortIncompleteMultipartUpload" in json.dumps(properties["LifecycleConfiguration"]), name


def test_versions_are_kept_where_they_matter(template):
    versioned = {
        name
        for name, body in of_type(template, "AWS::S3::Bucket").items()
        if body["Properties"].get("VersioningConfiguration") == {"Status": "Enabled"}
    }
    assert {"LandBucket", "RawHistBucket", "CuratedBucket", "QuarantineBucket"} <= versioned


def test_every_bucket_is_tls_only(template):
    tls_only = set()
    for body in of_type(template, "AWS::S3::BucketPolicy").values():
        bucket = body["Properties"]["Bucket"]["Ref"]
        for statement in body["Properties"]["PolicyDocument"]["Statement"]:
            expected = {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [{"Fn::GetAtt": [bucket, "Arn"]}, {"Fn::Sub": f"${{{bucket}.Arn}}/*"}],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
            if statement == expected:
                tls_only.add(bucket)
    assert tls_only == of_type(template, "AWS::S3::Bucket").keys()


# -------------------------------------------------------------------------------------------------- functions


def settings_of_functions():
    """Returns the settings that each function reads, from the only file that lists them."""
    source = (ROOT / "shared/boot/src/env.rs").read_text()
    constants = dict(re.findall(r'pub const (\w+): &str = "(\w+)";', source))
    table = re.search(r"pub const BY_FUNCTION.*?= &\[(.*?)\n\];", source, re.DOTALL).group(1)
    return {
        name: {constants[constant] for constant in re.findall(r"\w+", settings)}
        for name, settings in re.findall(r'\(\s*"(\w+)",\s*&\[(.*?)\]', table, re.DOTALL)
    }


def test_each_function_gets_the_settings_that_it_reads(template):
    given = {
        name: template["Resources"][resource]["Properties"]["Environment"]["Variables"].keys()
        for name, resource in FUNCTIONS.items()
    }
    assert given == settings_of_functions()


def test_a_function_is_named_as_its_folder(template):
    assert of_type(template, "AWS::Serverless::Function").keys() == set(FUNCTIONS.values())
    for name, resource in FUNCTIONS.items():
        properties = template["Resources"][resource]["Properties"]
        assert (ROOT / "functions" / name / "Cargo.toml").exists()
        assert properties["FunctionName"]["Fn::Sub"] == f"${{AWS::StackName}}-{name}"
        assert properties["CodeUri"] == f"../build/functions/{name}/"
        timeout = properties["Timeout"]
        if isinstance(timeout, dict):
            timeout = template["Parameters"][timeout["Ref"]]["Default"]
        assert timeout < 900


def test_what_is_invoked_asynchronously_is_never_lost(template):
    for name in ("Extract", "Validate"):
        config = template["Resources"][name]["Properties"]["EventInvokeConfig"]
        assert config["MaximumRetryAttempts"] == 2
        assert config["DestinationConfig"]["OnFailure"]["Type"] == "SQS"


def test_logs_are_json_and_do_not_stay_for_ever(template):
    groups = of_type(template, "AWS::Logs::LogGroup")
    assert all(group["Properties"]["RetentionInDays"] for group in groups.values())
    for resource in FUNCTIONS.values():
        logging = template["Resources"][resource]["Properties"]["LoggingConfig"]
        assert logging["LogFormat"] == "JSON"
        assert logging["LogGroup"]["Ref"] in groups
    destination = template["Resources"]["Pipeline"]["Properties"]["Logging"]["Destinations"][0]
    assert set(references(destination)) <= groups.keys()


def test_everything_that_can_be_tagged_is(cloudformation):
    # CloudFormation does not accept tags for these
    untaggable = {
        "AWS::CloudWatch::Dashboard",
        "AWS::Glue::Database",
        "AWS::LakeFormation::PrincipalPermissions",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::Permission",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription",
        "AWS::Scheduler::Schedule",
    }
    for name, body in cloudformation["Resources"].items():
        if body["Type"] not in untaggable:
            assert {"Key": "project", "Value": "landfall"} in body["Properties"]["Tags"], name


def test_the_dashboard_is_json_and_draws_every_metric(template):
    body = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(body)["widgets"]
    drawn = {metric[1] for widget in widgets for metric in widget["properties"]["metrics"] if metric[0] == "Landfall"}
    assert drawn == {
        "BytesRead",
        "ColdStart",
        "FilesPassed",
        "FilesQuarantined",
        "FreshnessSeconds",
        "RawHistoryProblems",
        "RebuildSeconds",
        "RowsExtracted",
        "RowsPerSecond",
        "RowsPublished",
        "RowsRead",
        "StrayObjects",
    }


def metrics_of(alarm):
    """Yields (namespace, metric, dimension, function's logical name) of all metrics of an alarm."""
    found = [alarm] if "MetricName" in alarm else [part["MetricStat"]["Metric"] for part in alarm["Metrics"][1:]]
    for metric in found:
        (dimension,) = metric["Dimensions"]
        yield metric["Namespace"], metric["MetricName"], dimension["Name"], next(references(dimension["Value"]), None)


def test_alarms_ask_for_metrics_that_there_are(template):
    emitted = {
        (name, resource)
        for function, resource in FUNCTIONS.items()
        for path in (ROOT / "functions" / function / "src").rglob("*.rs")
        for name in re.findall(r'"([A-Z]\w+)"', path.read_text())
    }
    of_aws = {
        "AWS/Lambda": {"Errors", "Throttles", "AsyncEventAge", "DestinationDeliveryFailures"},
        "AWS/SQS": {"ApproximateNumberOfMessagesVisible"},
        "AWS/States": {"ExecutionsFailed", "ExecutionsTimedOut"},
    }
    for name, alarm in of_type(template, "AWS::CloudWatch::Alarm").items():
        assert alarm["Properties"]["AlarmActions"] == [{"Ref": "Alerts"}], name
        assert alarm["Properties"]["AlarmDescription"], name
        for namespace, metric, dimension, resource in metrics_of(alarm["Properties"]):
            if namespace == "Landfall":
                assert (metric, resource, dimension) in {(*pair, "Function") for pair in emitted}, name
            else:
                assert metric in of_aws[namespace], name


def test_every_functions_failures_ring(template):
    asked = {
        (metric, resource)
        for alarm in of_type(template, "AWS::CloudWatch::Alarm").values()
        for _, metric, _, resource in metrics_of(alarm["Properties"])
    }
    assert {(metric, name) for metric in ("Errors", "Throttles") for name in FUNCTIONS.values()} <= asked
    asynchronous = {
        name for name in FUNCTIONS.values() if "EventInvokeConfig" in template["Resources"][name]["Properties"]
    }
    assert {("DestinationDeliveryFailures", name) for name in asynchronous} <= asked


def test_the_outputs_name_what_a_user_needs(template):
    values = {json.dumps(output["Value"]) for output in template["Outputs"].values()}
    needed = [*of_type(template, "AWS::S3::Bucket"), *FUNCTIONS.values()]
    needed += ["Pipeline", "WorkGroup", "Database", "RawDatabase", "Alerts", "DeadLetters", "ExtractTimer"]
    assert {json.dumps({"Ref": name}) for name in needed} == values


def test_the_names_of_the_metadata_have_no_default(template):
    """A parameter that must agree with the metadata would be forgotten if it had a default."""
    without = {name for name, parameter in template["Parameters"].items() if "Default" not in parameter}
    assert without == PATTERNS.keys()
    assert {name: template["Parameters"][name]["AllowedPattern"] for name in without} == PATTERNS


# ---------------------------------------------------------------------------------------------- state machine


def test_the_definition_asks_for_what_the_template_gives(template):
    asked = set(re.findall(r"\$\{(\w+)\}", (INFRA / "pipeline.asl.json").read_text()))
    assert asked == template["Resources"]["Pipeline"]["Properties"]["DefinitionSubstitutions"].keys()


def test_every_state_is_reached_and_exists(machine):
    states = machine["States"]
    targets = {machine["StartAt"]}
    for state in states.values():
        targets.update(state[key] for key in ("Next", "Default") if key in state)
        targets.update(branch["Next"] for key in ("Choices", "Catch") for branch in state.get(key, []))
    assert targets == states.keys()


@pytest.mark.parametrize("name", ["Process", "Curate", "Catalog"])
def test_only_what_may_pass_is_retried(machine, name):
    state = machine["States"][name]
    throttled, retry, *once = state["Retry"]
    # waiting loses nothing, and other invocations may take a while
    assert throttled["ErrorEquals"] == ["Lambda.TooManyRequestsException"]
    assert throttled["MaxAttempts"] * throttled["MaxDelaySeconds"] >= 1800
    # an invocation that ran out of time or memory is likely to do so again
    crashes = {"Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout"}
    if name == "Catalog":
        assert (once, crashes - set(retry["ErrorEquals"])) == ([], set())
    else:
        assert [(set(retry["ErrorEquals"]), retry["MaxAttempts"]) for retry in once] == [(crashes, 1)]
        assert not crashes & set(retry["ErrorEquals"])
    names = {error for error in retry["ErrorEquals"] if "." not in error}
    assert names == RETRIED
    assert "States.ALL" not in retry["ErrorEquals"]
    assert retry["JitterStrategy"] == "FULL"
    *others, catch = state["Catch"]
    assert catch == {"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "Notify"}
    # a run whose base is no longer published is built again
    again = {"ErrorEquals": ["Stale"], "ResultPath": "$.failure", "Next": "Built again?"}
    assert others == ([again] if name == "Catalog" else [])


# ---------------------------------------------------------------------------------------------------- events


def test_there_is_an_event_for_every_function():
    events = {path.stem: json.loads(path.read_text()) for path in (INFRA / "events").glob("*.json")}
    assert events.keys() == {
        "extract",
        "validate-prefix",
        "validate-s3-event",
        "curate",
        "catalog",
        "state-machine",
    }


def test_the_s3_event_is_one_that_land_sends():
    [record] = json.loads((INFRA / "events/validate-s3-event.json").read_text())["Records"]
    stored = record["s3"]
    assert stored["bucket"]["name"] == "landfall-land-123456789012-eu-west-2"
    assert "%3D" in stored["object"]["key"]
    key = unquote_plus(stored["object"]["key"])
    folder, table = NAMES["BaseFolder"], "random_postcodes"
    assert re.fullmatch(rf"{folder}/{table}/file_land_timestamp=(\d+)/{table}_\1\.jsonl\.gz", key)
