"""The check of packages can fail."""

import importlib.util
import struct
import zipfile
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parents[2] / "check_bootstrap.py"
SPEC = importlib.util.spec_from_file_location("check_bootstrap", PATH)
check_bootstrap = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check_bootstrap)


# By ELF machine number: code that asks Linux to end the process with the given status.
EXIT = {
    62: lambda status: struct.pack("<BIBIH", 0xB8, 60, 0xBF, status, 0x050F),
    183: lambda status: struct.pack("<3I", 0xD2800BA8, 0xD2800000 | status << 5, 0xD4000001),
}


def elf(*versions: str, machine: int = 62, status: int = 0) -> bytes:
    """Returns a minimal ELF file that needs the given symbol versions, and exits with a status."""
    strings = b"\0" + b"".join(version.encode() + b"\0" for version in versions)
    names, position = b"", 1
    for number, version in enumerate(versions):
        following = 16 if number + 1 < len(versions) else 0
        names += struct.pack("<IHHII", 0, 0, 0, position, following)
        position += len(version) + 1
    header_bytes, entry_bytes = 64, 56
    base = header_bytes + 2 * entry_bytes
    needs = base + 16 * 4
    text = needs + 16 + len(names)
    dynamic = struct.pack(
        "<8Q",
        *(check_bootstrap.DT_VERNEED, needs, check_bootstrap.DT_VERNEEDNUM, 1),
        *(check_bootstrap.DT_STRTAB, text, 0, 0),
    )
    content = dynamic + struct.pack("<HHIII", 1, len(versions), 0, 16, 0) + names + strings
    content = content.ljust(-(-len(content) // 8) * 8, b"\0")
    entry = base + len(content)
    content += EXIT[machine](status)
    size = base + len(content)
    header = b"\x7fELF\x02\x01".ljust(16, b"\0")
    header += struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, entry, header_bytes, 0, 0, 64, entry_bytes, 2, 0, 0, 0)
    segments = struct.pack("<IIQQQQQQ", check_bootstrap.PT_LOAD, 5, 0, 0, 0, size, size, 4096)
    segments += struct.pack("<IIQQQQQQ", check_bootstrap.PT_DYNAMIC, 0, base, base, 0, 64, 64, 1)
    return header + segments + content


def package(folder, bootstrap: bytes, mode: int = 0o755, metadata: bool = True) -> str:
    path = folder / "function.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("bootstrap")
        info.external_attr = mode << 16
        archive.writestr(info, bootstrap)
        if metadata:
            archive.writestr("meta_data/raw/t.json", "{}")
    return str(path)


def test_a_good_package_passes(tmp_path):
    summary, problems = check_bootstrap.problems(package(tmp_path, elf("GLIBC_2.17", "GLIBC_2.34")), "x86_64")
    assert problems == []
    assert "glibc 2.34" in summary


@pytest.mark.parametrize(
    ("bootstrap", "changes", "problem"),
    [
        (elf("GLIBC_2.17", "GLIBC_2.35"), {}, "needs glibc 2.35"),
        (elf("GLIBC_2.100"), {}, "needs glibc 2.100"),
        (elf("GLIBC_2.17", machine=183), {}, "is not for x86_64"),
        (elf("GLIBC_2.17"), {"mode": 0o644}, "not executable"),
        (elf("GLIBC_2.17"), {"metadata": False}, "no meta_data"),
    ],
)
def test_a_bad_package_is_named(tmp_path, bootstrap, changes, problem):
    _, problems = check_bootstrap.problems(package(tmp_path, bootstrap, **changes), "x86_64")
    assert len(problems) == 1
    assert problem in problems[0]


def test_the_exit_code_tells(tmp_path, monkeypatch, capsys):
    path = package(tmp_path, elf("GLIBC_2.38"))
    monkeypatch.setattr("sys.argv", ["check_bootstrap.py", "--arch", "x86_64", path])
    assert check_bootstrap.main() == 1
    assert "needs glibc 2.38" in capsys.readouterr().err
