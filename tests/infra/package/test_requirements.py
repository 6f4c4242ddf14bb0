"""The requirements files: pinned with hashes, in agreement, and complete for what `make run` imports."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Final

import pytest

from infra.paths import ROOT

FOLDER: Final = ROOT / "infra" / "requirements"
LOCKED: Final = {
    "package": ROOT / "requirements.txt",
    **{name: FOLDER / f"{name}.txt" for name in ("run", "test", "uv")},
}
_PIN: Final = re.compile(r"(?m)^([A-Za-z0-9._-]+)(?:\[[a-z]+\])?==(\S+)(?: ; (.+?))?(?: \\)?$")
_RUNS: Final = ("app.py", "chalicelib", "infra")
_ONLY_TO_GENERATE: Final = {"crawleruseragents"}  # `make crawlers` installs what the tests need


def pins(path: Path) -> dict[tuple[str, str], str]:
    """Return version by (name, marker) of a requirements file."""
    found = _PIN.findall(path.read_text())
    return {(name.lower().replace("_", "-"), marker): version for name, version, marker in found}


@pytest.mark.parametrize("name", LOCKED)
def test_every_requirement_has_a_version_and_a_hash(name: str) -> None:
    """What is installed is what was reviewed: neither an index nor a mirror can replace a file."""
    text = LOCKED[name].read_text()
    entries = [entry for entry in re.split(r"(?m)^(?=[A-Za-z0-9])", text) if not entry.startswith("#")]
    assert entries
    for entry in entries:
        assert _PIN.match(entry), entry
        assert "--hash=sha256:" in entry, entry
    assert "://" not in text, "each machine uses its own index"


@pytest.mark.parametrize(("part", "whole"), [("package", "run"), ("run", "test")])
def test_a_larger_file_has_the_versions_of_the_smaller_one(part: str, whole: str) -> None:
    """Tests, local runs and deployments use the same versions."""
    smaller, larger = pins(LOCKED[part]), pins(LOCKED[whole])
    names = {name for name, _ in smaller}
    assert {key: version for key, version in larger.items() if key[0] in names} == smaller


@pytest.mark.parametrize("name", LOCKED)
def test_the_locked_versions_are_those_asked_for(name: str) -> None:
    """`make lock` has been run since an `.in` file changed."""
    asked = {key[0]: version for key, version in pins(FOLDER / f"{name}.in").items()}
    locked = {key[0]: version for key, version in pins(LOCKED[name]).items()}
    assert asked
    assert asked.items() <= locked.items()


def test_what_make_run_imports_is_among_what_it_installs() -> None:
    """`make run` works without what only the tests need."""
    installed = {name for name, _ in pins(LOCKED["run"])}
    distributions = packages_distributions()
    missing = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in _programs()
        for module in _imported(ast.parse(path.read_text()))
        if not installed & {each.lower().replace("_", "-") for each in distributions[module]}
    }
    assert not missing


def _programs() -> Iterator[Path]:
    for name in _RUNS:
        at = ROOT / name
        yield from at.rglob("*.py") if at.is_dir() else [at]


def _imported(tree: ast.AST) -> Iterator[str]:
    """Yield the third-party modules that run-time code imports."""
    if isinstance(tree, ast.If) and ast.unparse(tree.test) == "TYPE_CHECKING":
        return
    names: list[str] = []
    if isinstance(tree, ast.Import):
        names = [each.name for each in tree.names]
    elif isinstance(tree, ast.ImportFrom) and tree.module and not tree.level:
        names = [tree.module]
    for name in {each.split(".")[0] for each in names}:
        if name not in {*sys.stdlib_module_names, "app", "chalicelib", "infra"} | _ONLY_TO_GENERATE:
            yield name
    for child in ast.iter_child_nodes(tree):
        yield from _imported(child)
