"""The workflow of docs/deploy.md is valid, and everything that it calls exists."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
MAKEFILE = (ROOT / "Makefile").read_text()


@pytest.fixture(scope="module")
def jobs():
    workflow = yaml.safe_load((ROOT / "docs/deploy/github-actions.yml").read_text())
    assert workflow[True].keys() == {"push", "workflow_dispatch"}  # `on` is a boolean in YAML 1.1
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["cancel-in-progress"] is False
    return workflow["jobs"]


def commands(job: dict) -> list[list[str]]:
    return [re.sub(r"\$\{\{.*?\}\}", "x", step["run"]).split() for step in job["steps"] if "run" in step]


def test_every_command_is_one_of_make(jobs):
    targets = set(re.findall(r"^\.PHONY: (\S+)$", MAKEFILE, re.MULTILINE))
    for job in jobs.values():
        for command, target, *variables in commands(job):
            assert command == "make"
            assert target in targets
            for variable in variables:
                name = variable.partition("=")[0]
                assert re.search(rf"\b{name}\b", MAKEFILE), variable


def test_it_is_built_once_and_promoted(jobs):
    assert commands(jobs["package"])[-1] == ["make", "package"]
    [made] = [step["with"] for step in jobs["package"]["steps"] if "upload-artifact" in step.get("uses", "")]
    for name, before in (("dev", "package"), ("prod", "dev")):
        job = jobs[name]
        assert job["needs"] == before
        [taken] = [step["with"] for step in job["steps"] if "download-artifact" in step.get("uses", "")]
        assert taken == {"name": made["name"], "path": made["path"]}
        [[_, target, *variables]] = commands(job)
        assert target == "deploy"
        assert {f"ENV={name}", "CONFIRM=0", f"PACKAGE={made['path']}"} <= set(variables)


def test_each_environment_lets_in_by_oidc_and_is_known(jobs):
    known = tomllib.loads((ROOT / "infra/samconfig.toml").read_text())
    for name in ("dev", "prod"):
        assert jobs[name]["environment"] == name
        assert name in known
        assert jobs[name]["permissions"] == {"contents": "read", "id-token": "write"}
    assert "permissions" not in jobs["package"]
    assert "secrets." not in (ROOT / "docs/deploy/github-actions.yml").read_text()
