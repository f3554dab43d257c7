"""`make package` and `make deploy`, with stand-ins for cargo and sam: the arguments for sam, and refusals before it
runs."""

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_check_bootstrap import elf

ROOT = Path(__file__).resolve().parents[3]

CARGO = """#!{python}
# builds what `cargo lambda build` builds: <lambda-dir>/<function>/bootstrap
import pathlib, sys
arguments = sys.argv[1:]
assert arguments[:2] == ["lambda", "build"], arguments
folder = pathlib.Path(arguments[arguments.index("--lambda-dir") + 1])
machine = "arm64" if "--arm64" in arguments else "x86-64"
for position, argument in enumerate(arguments):
    if argument == "-p":
        target = folder / arguments[position + 1].removeprefix("landfall-")
        target.mkdir(parents=True)
        target.joinpath("bootstrap").write_bytes(pathlib.Path({elves!r}, machine).read_bytes())
        target.joinpath("bootstrap").chmod(0o755)
with open("calls.txt", "a") as calls:
    calls.write("cargo\\n")
"""

SAM = """#!{python}
import json, sys
with open("calls.txt", "a") as calls:
    calls.write("sam\\n")
with open("sam.json", "w") as call:
    json.dump(sys.argv[1:], call)
sys.exit({status})
"""


class Checkout:
    """A copy of the files that a deployment reads, in which nothing is fetched or compiled."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in ("Makefile", "infra/template.yaml", "infra/pipeline.asl.json", "infra/samconfig.toml"):
            self.copy(name)
        for name in ("infra/deploy.py", "infra/check_bootstrap.py", "infra/local/landfall_local"):
            self.copy(name)
        for name in ("meta_data", "infra/requirements-build.txt", "infra/requirements-deploy.txt"):
            self.copy(name)
        elves = folder / "elves"
        elves.mkdir()
        (elves / "x86-64").write_bytes(elf("GLIBC_2.28"))
        (elves / "arm64").write_bytes(elf("GLIBC_2.28", machine=183))
        self.script("bin/cargo", CARGO.format(python=sys.executable, elves=str(elves)))
        self.script("bin/sam", SAM.format(python=sys.executable, status=0))
        (folder / ".venv-build/bin").mkdir(parents=True)
        (folder / ".venv-build/bin/python").symlink_to(sys.executable)
        (folder / ".venv-build/.ready").touch()

    def copy(self, name: str) -> None:
        source, target = ROOT / name, self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "athena"))
        else:
            shutil.copy(source, target)

    def script(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def make(self, target: str, *variables: str, stdin=subprocess.DEVNULL) -> subprocess.CompletedProcess:
        unwanted = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "STACK", "REGION", "CONFIRM", "PARAMETERS", "PACKAGE", "ARCH"}
        environment = {name: value for name, value in os.environ.items() if name not in unwanted}
        environment |= {"PATH": f"{self.folder}/bin:{environment['PATH']}", "ENV": "/etc/shinit"}
        command = ["make", target, f"PYTHON={sys.executable}", "SAM=bin/sam", *variables]
        return subprocess.run(
            command, cwd=self.folder, env=environment, stdin=stdin, capture_output=True, text=True, timeout=60
        )

    def calls(self) -> list[str]:
        path = self.folder / "calls.txt"
        return path.read_text().split() if path.exists() else []

    def told(self) -> list[str]:
        return json.loads((self.folder / "sam.json").read_text())


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


@pytest.fixture
def packaged(checkout):
    done = checkout.make("package")
    assert done.returncode == 0, done.stderr
    return checkout


def after(told: list[str], option: str) -> str:
    return told[told.index(option) + 1]


def parameters(told: list[str]) -> dict[str, str]:
    given = told[told.index("--parameter-overrides") + 1 :]
    return dict(re.fullmatch(r'(\w+)="(.*)"', word).groups() for word in given)


NAMES = {
    "Architecture": "x86_64",
    "Database": "example_postcodes_db",
    "RawDatabase": "example_postcodes_raw_db",
    "BaseFolder": "open_data/postcodes_example",
}


def test_one_command_builds_and_deploys(checkout):
    done = checkout.make("deploy", "CONFIRM=0")
    assert done.returncode == 0, done.stderr
    assert checkout.calls() == ["cargo", "sam"]
    told = checkout.told()
    assert told[:3] == ["deploy", "--template-file", "build/package/template.yaml"]
    assert after(told, "--stack-name") == "landfall"
    assert after(told, "--capabilities") == "CAPABILITY_IAM"
    assert after(told, "--tags") == "project=landfall"
    assert {"--resolve-s3", "--no-confirm-changeset", "--no-fail-on-empty-changeset"} <= set(told)
    assert "--region" not in told
    assert parameters(told) == NAMES


def test_nothing_is_deployed_while_the_built_functions_refuse_the_metadata(checkout):
    (checkout.folder / "elves/x86-64").write_bytes(elf("GLIBC_2.28", status=1))
    (checkout.folder / "elves/arm64").write_bytes(elf("GLIBC_2.28", machine=183, status=1))
    arch = "arm64" if os.uname().machine == "aarch64" else "x86_64"
    assert checkout.make("deploy", "CONFIRM=0", f"ARCH={arch}").returncode != 0
    assert checkout.calls() == ["cargo"]


def test_what_is_asked_for_goes_to_sam(packaged):
    asked = [
        "PACKAGE=build/package",
        "ENV=prod",
        "REGION=eu-west-1",
        "CONFIRM=0",
        "DEPLOY_OPTIONS=--role-arn 'arn:aws:iam::123456789012:role/deployment' --debug",
        """PARAMETERS=ExtractSchedule='cron(0 6 * * ? *)' SourceOrigin= AlertEmail=a@example.org""",
    ]
    done = packaged.make("deploy", *asked)
    assert done.returncode == 0, done.stderr
    told = packaged.told()
    assert after(told, "--stack-name") == "landfall-prod"
    assert after(told, "--region") == "eu-west-1"
    assert after(told, "--role-arn") == "arn:aws:iam::123456789012:role/deployment"
    assert "--debug" in told
    more = {"ExtractSchedule": "cron(0 6 * * ? *)", "SourceOrigin": "", "AlertEmail": "a@example.org"}
    assert parameters(told) == NAMES | more


def test_a_stack_may_be_named(packaged):
    assert packaged.make("deploy", "PACKAGE=build/package", "CONFIRM=0", "ENV=prod", "STACK=shop").returncode == 0
    assert after(packaged.told(), "--stack-name") == "shop"


def test_an_environment_may_have_parameters_of_its_own(packaged):
    config = packaged.folder / "infra/samconfig.toml"
    override = "parameter_overrides = \"AlertEmail=a@example.org ExtractSchedule='rate(1 hour)'\""
    config.write_text(f"{config.read_text()}\n{override}\nconfirm_changeset = false\n")
    assert packaged.make("deploy", "PACKAGE=build/package", "ENV=prod", "PARAMETERS=AlertEmail=b@x.org").returncode == 0
    assert "--no-confirm-changeset" in packaged.told()
    more = {"AlertEmail": "b@x.org", "ExtractSchedule": "rate(1 hour)"}
    assert parameters(packaged.told()) == NAMES | more


def test_an_environment_may_have_a_bucket_of_its_own_for_packages(packaged):
    config = packaged.folder / "infra/samconfig.toml"
    config.write_text(f'{config.read_text()}\nresolve_s3 = false\ns3_bucket = "packages"\n')
    assert packaged.make("deploy", "PACKAGE=build/package", "ENV=prod", "CONFIRM=0").returncode == 0
    assert after(packaged.told(), "--s3-bucket") == "packages"
    assert not [option for option in packaged.told() if "resolve" in option]


def test_a_package_is_deployed_again_and_again_without_a_build(packaged):
    folder = packaged.folder / "build/package"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert before.keys() == {
        *("template.yaml", "pipeline.asl.json", "package.json"),
        *("extract.zip", "validate.zip", "curate.zip", "catalog.zip"),
    }
    # later changes of the checkout do not affect the package
    (packaged.folder / "meta_data/curated/database.json").write_text('{"name": "other", "base_folder": "f"}')
    for stack in ("dev", "prod"):
        assert packaged.make("deploy", "CONFIRM=0", "PACKAGE=build/package", f"STACK={stack}").returncode == 0
        assert after(packaged.told(), "--stack-name") == stack
        assert parameters(packaged.told()) == NAMES
    assert packaged.calls() == ["cargo", "sam", "sam"]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_template_of_a_package_names_its_zips(packaged):
    template = (packaged.folder / "build/package/template.yaml").read_text()
    found = re.findall(r"CodeUri: (\S+)|DefinitionUri: (\S+)", template)
    assert sorted(code or definition for code, definition in found) == [
        *("catalog.zip", "curate.zip", "extract.zip", "pipeline.asl.json", "validate.zip"),
    ]
    original = (ROOT / "infra/template.yaml").read_text()
    assert re.sub(r"CodeUri: (\w+).zip", r"CodeUri: ../build/functions/\1/", template) == original


def test_arm_is_packaged_as_arm(checkout):
    assert checkout.make("deploy", "CONFIRM=0", "ARCH=arm64").returncode == 0
    assert parameters(checkout.told())["Architecture"] == "arm64"


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ([], "no terminal to ask on whether the changes are right: CONFIRM=0"),
        (["CONFIRM=0", "ENV=test"], "ENV=test: infra/samconfig.toml has default, dev, prod"),
        (["CONFIRM=0", "STACK=Landfall"], "STACK=Landfall: .* at most 24 lower case letters"),
        (["CONFIRM=0", f"STACK={'x' * 25}"], "at most 24"),
        (
            ["CONFIRM=0", "PARAMETERS=Database=other"],
            "Database=other, but meta_data/curated/database.json says example_p",
        ),
        (["CONFIRM=0", "PARAMETERS=Architecture=arm64"], "Architecture=arm64, but ARCH says x86_64"),
        (["CONFIRM=0", "PARAMETERS=--guided"], "not Name=value: --guided"),
        (["CONFIRM=0", "PARAMETERS=AlertEmail='x"], "No closing quotation"),
        (["CONFIRM=0", "PACKAGE=build/none"], "build/none is no package"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_built(checkout, variables, problem):
    done = checkout.make("deploy", *variables)
    assert done.returncode != 0
    assert re.search(problem, done.stderr), done.stderr
    assert checkout.calls() == []


@pytest.mark.parametrize("change", ["more", "other", "less"])
def test_a_package_that_was_changed_is_refused(packaged, change):
    folder = packaged.folder / "build/package"
    if change == "more":
        (folder / "samconfig.toml").write_text("")
    elif change == "other":
        (folder / "curate.zip").write_bytes(b"")
    else:
        (folder / "curate.zip").unlink()
    done = packaged.make("deploy", "CONFIRM=0", "PACKAGE=build/package")
    assert done.returncode != 0
    expected = "samconfig.toml" if change == "more" else "curate.zip"
    assert f"build/package is not as it was packaged: {expected}" in done.stderr
    assert packaged.calls() == ["cargo"]


def test_names_of_a_package_cannot_be_contradicted(packaged):
    done = packaged.make("deploy", "CONFIRM=0", "PACKAGE=build/package", "PARAMETERS=BaseFolder=elsewhere")
    assert "BaseFolder=elsewhere, but build/package/package.json says open_data/postcodes_example" in done.stderr
    assert packaged.calls() == ["cargo"]


def test_on_a_terminal_sam_asks(packaged):
    leader, terminal = pty.openpty()
    try:
        done = packaged.make("deploy", "PACKAGE=build/package", stdin=terminal)
    finally:
        os.close(leader)
        os.close(terminal)
    assert done.returncode == 0, done.stderr
    assert "--confirm-changeset" in packaged.told()


def test_a_deployment_that_fails_fails(packaged):
    packaged.script("bin/sam", SAM.format(python=sys.executable, status=3))
    assert packaged.make("deploy", "CONFIRM=0", "PACKAGE=build/package").returncode != 0
