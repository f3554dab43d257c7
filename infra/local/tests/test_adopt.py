"""The remains of a deleted stack can be imported: the import has every retained resource, under its present name."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.validate import validate_parameters
from cfnlint.api import lint_all
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[3]
INFRA = ROOT / "infra"
ACCOUNT, REGION = "123456789012", "eu-west-2"


@pytest.fixture(scope="module")
def adopt():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(INFRA)
        spec = importlib.util.spec_from_file_location("adopt", INFRA / "adopt.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module


@pytest.fixture(scope="module")
def template():
    return yaml_parse((INFRA / "template.yaml").read_text())


@pytest.fixture
def run(tmp_path):
    """Runs the command in a folder of the test's own. Returns the files that it writes, or its error."""

    def call(*more: str, stack: str = "landfall", region: str = REGION, account: str = ACCOUNT):
        command = [sys.executable, INFRA / "adopt.py", "--stack", stack, "--region", region, "--account", account]
        environment = {"PYTHONPATH": f"{INFRA}:{INFRA / 'local'}"}
        done = subprocess.run([*command, *more, tmp_path], env=environment, capture_output=True, text=True, timeout=60)
        if done.returncode:
            return done.stderr
        call.printed = done.stdout
        return tuple(json.loads((tmp_path / name).read_text()) for name in ("template.json", "change-set.json"))

    return call


def identifiers(request: dict) -> dict[str, str]:
    return {
        resource["LogicalResourceId"]: next(iter(resource["ResourceIdentifier"].values()))
        for resource in request["ResourcesToImport"]
    }


def test_all_that_a_stack_leaves_behind_is_taken_back(run, template):
    imported, request = run()
    left = {name for name, body in template["Resources"].items() if "Retain" in body.get("DeletionPolicy", "Delete")}
    assert imported["Resources"].keys() == identifiers(request).keys() == left
    assert {body["Type"] for body in imported["Resources"].values()} == {
        *("AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::Logs::LogGroup", "AWS::SQS::Queue")
    }
    # CloudFormation does not import resources that it might delete again
    assert {body["DeletionPolicy"] for body in imported["Resources"].values()} == {"Retain"}


def test_the_request_is_one_that_cloudformation_knows(run):
    imported, request = run()
    shape = (
        botocore.session.get_session()
        .get_service_model("cloudformation")
        .operation_model("CreateChangeSet")
        .input_shape
    )
    validate_parameters(request, shape)
    assert request["ChangeSetType"] == "IMPORT"
    assert json.loads(request["TemplateBody"]) == imported
    assert len(request["TemplateBody"]) <= 51_200


def test_the_import_template_stands_alone(run, adopt):
    imported, request = run()
    assert [found for found in lint_all(json.dumps(imported)) if found.rule.severity != "informational"] == []
    known = imported["Resources"].keys() | imported["Parameters"].keys()
    assert {name for name in adopt.references(imported["Resources"]) if not name.startswith("AWS::")} <= known
    given = {parameter["ParameterKey"] for parameter in request["Parameters"]}
    assert {name for name, body in imported["Parameters"].items() if "Default" not in body} <= given


def test_identifiers_are_those_of_the_types(adopt, template):
    """Compares them with CloudFormation's schemas."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    kinds = {body["Type"] for body in adopt.retained(template).values()}
    assert adopt.IDENTIFIERS.keys() == kinds
    for kind in kinds:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
        assert schema["primaryIdentifier"] == [f"/properties/{adopt.IDENTIFIERS[kind]}"]


def test_names_are_those_that_a_stack_has(run, cloud, stack):
    """Every resource of the deployed template is found under its identifier."""
    _, request = run(stack="fake")
    found = identifiers(request)
    buckets = {bucket["Name"] for bucket in cloud.s3.list_buckets()["Buckets"]}
    groups = {group["logGroupName"] for group in cloud.logs.describe_log_groups()["logGroups"]}
    for name, value in found.items():
        if name.endswith("Logs"):
            assert value in groups
        elif name == "DeadLetters":
            assert value.startswith(f"https://sqs.{REGION}.amazonaws.com/")
            assert urlsplit(value).path == urlsplit(stack["DeadLettersQueueUrl"]).path
        else:
            assert value in buckets
            assert f"{name.removesuffix('Policy')}Name" in stack
            assert value == stack[f"{name.removesuffix('Policy')}Name"]


def test_what_refers_to_what_is_gone_is_left_to_the_next_deployment(run, template):
    imported, _ = run()
    for name, body in imported["Resources"].items():
        original = template["Resources"][name]["Properties"]
        for key, value in original.items():
            kept = body["Properties"].get(key)
            if key == "NotificationConfiguration":
                assert kept is None
            elif name == "RawHistBucketPolicy" and key == "PolicyDocument":
                missing = [statement["Sid"] for statement in value["Statement"] if statement not in kept["Statement"]]
                assert missing == ["OnlyValidateWrites"]  # its role is gone
            else:
                assert kept == value, (name, key)


def test_an_item_goes_as_a_whole(adopt):
    refers = {"Condition": {"ArnEquals": {"a": {"Fn::GetAtt": ["Role", "Arn"]}}}}
    statements = [{"Sid": "A"}, {"Sid": "B", **refers}]
    assert adopt.without({"Statement": statements}, {"Role"}) == {"Statement": [{"Sid": "A"}]}
    assert adopt.without({"Statement": statements[1:]}, {"Role"}) is None
    assert adopt.without({"Statement": {"Sid": "B", **refers}}, {"Role"}) is None
    assert adopt.without({"Fn::Sub": "${Role.Arn}/*"}, {"Role"}) is None
    assert adopt.without({"Fn::Sub": "${Bucket.Arn}/*"}, {"Role"}) == {"Fn::Sub": "${Bucket.Arn}/*"}


def test_what_does_not_remain_is_left_out(run):
    imported, request = run("--without", "DeadLetters ReportsBucket")
    assert not {"DeadLetters", "ReportsBucket", "ReportsBucketPolicy"} & imported["Resources"].keys()
    assert len(identifiers(request)) == len(imported["Resources"]) > 10


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"region": ""}, "REGION="),
        ({"account": "1234"}, "ACCOUNT=1234"),
        ({"stack": "Landfall"}, "STACK=Landfall"),
    ],
)
def test_what_is_wrong_is_refused(run, options, problem):
    assert f"nothing is written: {problem}" in run(**options)


def test_what_cannot_remain_cannot_be_left_out(run):
    assert "WITHOUT: Nope: only LandBucket, " in run("--without", "Nope")


def test_another_region_has_another_queue(run):
    _, request = run(region="cn-north-1")
    expected = f"https://sqs.cn-north-1.amazonaws.com.cn/{ACCOUNT}/landfall-dead-letters"
    assert identifiers(request)["DeadLetters"] == expected


def test_the_commands_are_cloudformations(run):
    run()
    model = botocore.session.get_session().get_waiter_model
    waiters = {botocore.xform_name(name, "-") for name in model("cloudformation").waiter_names}
    said = re.findall(r"^aws cloudformation (wait )?(\S+)", run.printed, re.MULTILINE)
    assert [name for _, name in said] == [
        *("create-change-set", "change-set-create-complete", "execute-change-set", "stack-import-complete")
    ]
    assert {name for wait, name in said if wait} <= waiters
