"""The report lists the permissions that no test has used, and accepts only those that the template explains."""

import json
from pathlib import Path

from landfall_local.iam import report
from landfall_local.iam.report import TEMPLATE, permissions

SMALL = """
Resources:
  Bucket: {Type: AWS::S3::Bucket}
  Role:
    Type: AWS::IAM::Role
    Properties:
      Policies:
        - PolicyName: p
          PolicyDocument:
            Statement:
              - Sid: Objects
                Effect: Allow
                Action:
                  - s3:GetObject
                  - s3:AbortMultipartUpload # unused in tests: a failed upload
                Resource:
                  - !Sub ${Bucket.Arn}/a/*
                  - !Sub ${Bucket.Arn}/b/*
              # unused in tests: nothing is logged here
              - Sid: Log
                Effect: Allow
                Action: [logs:CreateLogStream, logs:PutLogEvents]
                Resource: !GetAtt Logs.Arn
              - !If
                - HasKey
                - Sid: UseKey # unused in tests: there is no key
                  Effect: Allow
                  Action: kms:Decrypt
                  Resource: !Ref Key
                - !Ref AWS::NoValue
              - Sid: Describe
                Effect: Allow
                Action: [glue:GetDatabase, glue:GetTable]
                Resource: ["arn:aws:glue:r:a:catalog", "arn:aws:glue:r:a:database/d", "arn:aws:glue:r:a:table/d/*"]
"""


def run(folder: Path, capsys, *used: list) -> tuple[int, str]:
    (folder / "template.yaml").write_text(SMALL)
    (folder / "usage").mkdir()
    (folder / "usage" / "one.json").write_text(json.dumps(used[:1]))
    (folder / "usage" / "two.json").write_text(json.dumps(used[1:]))
    code = report.report(folder / "usage", folder / "template.yaml")
    return code, capsys.readouterr().out


GLUE = [["Role", "p", "Describe", "glue:GetTable", number] for number in range(3)]
GLUE += [["Role", "p", "Describe", "glue:GetDatabase", number] for number in range(2)]  # never on a table
READ = [["Role", "p", "Objects", "s3:GetObject", number] for number in range(2)]


def test_what_is_used_or_explained_is_fine(tmp_path, capsys):
    code, text = run(tmp_path, capsys, *READ, *GLUE)
    assert code == 0
    assert "Objects: s3:AbortMultipartUpload on ${Bucket.Arn}/b/*: a failed upload" in text
    assert "Log: logs:PutLogEvents on Logs.Arn: nothing is logged here" in text
    assert "UseKey: kms:Decrypt on Key: there is no key" in text
    assert "GetDatabase" not in text


def test_what_is_neither_fails(tmp_path, capsys):
    code, text = run(tmp_path, capsys, READ[0], *GLUE)
    assert code == 1
    assert "Objects: s3:GetObject on ${Bucket.Arn}/b/*: NOT EXPLAINED" in text
    assert "s3:GetObject on ${Bucket.Arn}/a/*" not in text


def test_without_a_run_there_is_nothing_to_say(tmp_path, capsys):
    assert run(tmp_path, capsys)[0] == 2


def test_a_template_of_another_time_is_told(tmp_path, capsys):
    assert run(tmp_path, capsys, ["Role", "p", "Gone", "s3:GetObject", 0])[0] == 2


def test_the_projects_own_template_is_read():
    roles = {permission.role for permission in permissions(TEMPLATE.read_text())}
    assert {"ExtractRole", "ValidateRole", "CurateRole", "CatalogRole", "PipelineRole", "ExpireTimerRole"} <= roles
