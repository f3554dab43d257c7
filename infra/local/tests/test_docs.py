"""What the documents tell people to type is what works."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(document: Path, command: str) -> list[str]:
    """With lines that go on made one."""
    text = document.read_text().replace("\\\n", " ")
    return re.findall(rf"^ *{command}\b.*|`{command}[^`]*`", text, re.MULTILINE)


def test_invocations_are_read_as_json_and_made_once():
    """Version 2 of the CLI takes a payload for base64, and invokes again after a minute."""
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


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#\s]+)", document.read_text()):
        if not target.startswith(("http:", "https:")):
            assert (document.parent / target).exists(), target
