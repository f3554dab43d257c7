"""No circular imports: each file uses only files below it (docs/architecture.md)."""

import ast
import re
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CRATES = sorted(path.parent for path in [*ROOT.glob("functions/*/Cargo.toml"), *ROOT.glob("shared/*/Cargo.toml")])
CLOUD = ROOT / "infra" / "local" / "landfall_local"


def rust_modules(source: Path) -> dict[str, Path]:
    """Returns modules by their path in the crate, without test modules, which are above everything else."""
    found = {}
    for file in source.rglob("*.rs"):
        parts = file.relative_to(source).with_suffix("").parts
        if parts not in (("lib",), ("main",)) and "tests" not in parts:
            found["::".join(parts)] = file
    return found


def used(code: str) -> set[str]:
    """Returns the paths that the code names as `crate::…`, with names in braces separated."""
    paths = set()
    for stem, braces in re.findall(r"\bcrate::((?:\w+::)*)(\{[^}]*\}|\w+)", code):
        names = braces.strip("{}").split(",") if braces.startswith("{") else [braces]
        paths |= {stem + name.split(" as ")[0].strip() for name in names}
    return paths


def rust_imports(source: Path) -> dict[str, set[str]]:
    modules, imports = rust_modules(source), defaultdict(set)
    for name, file in modules.items():
        code = re.split(r"#\[cfg\(test\)\]\s*(?:pub )?mod", file.read_text())[0]
        code = re.sub(r"//.*", "", code)
        for path in used(code):
            while path and path not in modules:
                path = path.rpartition("::")[0]
            if path and path != name:
                imports[name].add(path)
        # a module with a folder also uses the modules that it names there
        for child in re.findall(r"^(?:pub(?:\([a-z]+\))? )?mod (\w+);", code, re.MULTILINE):
            if re.search(rf"\b{child}::", code):
                imports[name].add(f"{name}::{child}")
    return imports


def python_imports(package: Path) -> dict[str, set[str]]:
    """Returns, for each module of a package, the modules that it imports, except for type hints."""
    modules = {".".join(file.relative_to(package).with_suffix("").parts) for file in package.rglob("*.py")}
    imports = defaultdict(set)
    for module in modules:
        tree = ast.parse((package / (module.replace(".", "/") + ".py")).read_text())
        for block in ast.walk(tree):
            if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING":
                block.body = []
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                above = module.split(".")[: -node.level]
                stem = ".".join([*above, *([node.module] if node.module else [])])
                for name in [stem, *(f"{stem}.{alias.name}".strip(".") for alias in node.names)]:
                    if name in modules and name != module:
                        imports[module].add(name)
    return imports


def circle(imports: dict[str, set[str]]) -> list[str]:
    try:
        list(TopologicalSorter(imports).static_order())
    except CycleError as error:
        return error.args[1]
    return []


@pytest.mark.parametrize("crate", CRATES, ids=lambda crate: crate.name)
def test_no_file_reads_one_that_reads_it(crate):
    imports = rust_imports(crate / "src")
    assert imports or len(rust_modules(crate / "src")) < 3
    assert circle(imports) == []


def test_no_module_of_the_local_cloud_imports_one_that_imports_it():
    imports = python_imports(CLOUD)
    assert len(imports) > 20
    assert circle(imports) == []


def test_a_circle_is_found(tmp_path):
    for name, code in {"lib": "mod a; mod b; mod c;", "a": "use crate::b::{B, b};", "b": "use crate::c::C;"}.items():
        (tmp_path / f"{name}.rs").write_text(code)
    (tmp_path / "c.rs").write_text("// crate::a\n#[cfg(test)]\nmod tests { use crate::a::A; }")
    assert circle(rust_imports(tmp_path)) == []
    (tmp_path / "c.rs").write_text("fn c() { crate::a::a() }")
    assert sorted(set(circle(rust_imports(tmp_path)))) == ["a", "b", "c"]
