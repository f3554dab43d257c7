"""Commands, files and names in the documents exist and work."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
DECISIONS = sorted((ROOT / "docs/decisions").glob("*.md"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")), *DECISIONS]
# Documents for people who change the code, which name its files and tests.
OF_THE_CODE = [ROOT / "CONTRIBUTING.md", ROOT / "docs/architecture.md", ROOT / "docs/style.md", *DECISIONS]
ARCHITECTURE = ROOT / "docs/architecture.md"
FOLDERS = ["functions", "shared", "tests", "infra", "docs", "meta_data", "examples"]
CRATES = [folder for part in ("functions", "shared") for folder in sorted((ROOT / part).iterdir()) if folder.is_dir()]


def name(document: Path) -> str:
    return str(document.relative_to(ROOT))


def commands(document: Path, command: str) -> list[str]:
    """Returns the commands in a document, with continued lines joined."""
    text = document.read_text().replace("\\\n", " ")
    return re.findall(rf"^ *{command}\b.*|`{command}[^`]*`", text, re.MULTILINE)


def test_invocations_are_read_as_json_and_made_once():
    """Version 2 of the CLI reads a payload as base64, and invokes again after a minute."""
    found = [line for document in DOCUMENTS for line in commands(document, "aws lambda invoke")]
    assert len(found) >= 4
    for line in found:
        assert "--cli-binary-format raw-in-base64-out" in line
        assert "--cli-read-timeout 0" in line
        assert re.search(r"\.json$", line.rstrip("` ")), "where the answer goes"


def test_make_has_the_targets_and_variables():
    makefile = (ROOT / "Makefile").read_text()
    for document in DOCUMENTS:
        for line in commands(document, "make"):
            for target in re.findall(r"(?:^|`|&& ) *make ([a-z-]+)", line):
                assert f".PHONY: {target}\n" in makefile, (document.name, line)
            for variable in re.findall(r"\b([A-Z_]{2,})=", line.partition("#")[0]):
                assert re.search(rf"\b{variable}\b", makefile), (document.name, line)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#\s]+)", document.read_text()):
        if not target.startswith(("http:", "https:")):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", OF_THE_CODE, ids=name)
def test_headings_that_are_linked_exist(document):
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", document.read_text()):
        if not target.startswith(("http:", "https:")):
            found = document if not target else document.parent / target
            headings = re.findall(r"^#+ (.+)$", found.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, (target, anchor)


@pytest.mark.parametrize("document", OF_THE_CODE, ids=name)
def test_files_and_tests_that_are_named_exist(document):
    """`functions/x/src/y.rs` is a file or a folder, and `tests/y.rs::z` contains a function z."""
    for span in re.findall(r"`([^`\s]+)`", document.read_text()):
        if span.partition("/")[0] in FOLDERS and "/" in span and "<" not in span:
            path, _, function = span.partition("::")
            found = list(ROOT.glob(path))
            assert found, span
            if function:
                assert re.search(rf"\b(?:fn|def) {function}\(", found[0].read_text()), span


@pytest.mark.parametrize("document", OF_THE_CODE, ids=name)
def test_lines_are_short(document):
    assert [line for line in document.read_text().splitlines() if len(line) > 120] == []


@pytest.mark.parametrize("crate", CRATES, ids=name)
def test_the_architecture_has_every_file_of_a_crate(crate):
    """Checks all modules. Test modules, and files below modules, may be omitted from the document."""
    _, _, section = ARCHITECTURE.read_text().partition(f"\n### {crate.name}\n")
    shown = set(re.findall(r"[`\s]([a-z_/]+\.rs)\b", re.split(r"\n##+ ", section)[0]))
    files = {str(path.relative_to(crate / "src")) for path in (crate / "src").rglob("*.rs")}
    modules = {file for file in files if "/" not in file and not file.startswith("tests")} - {"lib.rs", "main.rs"}
    assert modules - shown == set(), "not in docs/architecture.md"
    assert shown - files == set(), "in docs/architecture.md only"


def test_the_index_has_every_decision():
    index = (ROOT / "docs/decisions/README.md").read_text()
    assert [path.name for path in DECISIONS if path.name != "README.md" and f"({path.name})" not in index] == []
