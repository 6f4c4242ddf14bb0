"""Every test that reads the real clock is marked, so that `tests.dates` runs it on other dates."""

import ast
import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.dates import FOLDERS, MARKER

pytestmark = pytest.mark.undated("it mentions clocks but reads none")

ROOT: Final = Path(__file__).parents[3]
CLOCKS: Final = frozenset(
    {"datetime.now", "datetime.utcnow", "date.today", "time.time", "time.time_ns", "time.localtime"}
)
READING: Final = CLOCKS | {"sync_playwright"}  # scripts in a browser read its clock
OPT_OUT: Final = "undated"  # with the reason why it doesn't run on other dates

Place = tuple[str, str]
"""A module of the tests, and a name in it."""


class Module:
    """The definitions of a test module, and the names that each of them uses."""

    def __init__(self, source: str) -> None:
        self.tree = ast.parse(source)
        self.imports: dict[str, tuple[str, str]] = {}
        self.definitions: dict[str, ast.stmt] = {}
        for node in self.tree.body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests."):
                self.imports |= {
                    alias.asname or alias.name: (node.module or "", alias.name) for alias in node.names
                }
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                self.definitions[node.name] = node
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                self.definitions |= {target.id: node for target in targets if isinstance(target, ast.Name)}


@functools.cache
def module(name: str) -> Module | None:
    """Return a test module, or None if it doesn't exist."""
    path = ROOT / f"{name.replace('.', '/')}.py"
    return Module(path.read_text()) if path.exists() else None


def reads_clock(name: str, what: str) -> bool:
    """Return whether a definition of a module reads the real clock, directly or through other test code."""
    seen, ahead = set[Place](), [(name, what)]
    while ahead:
        place = ahead.pop()
        if place in seen:
            continue
        seen.add(place)
        if words_of(*place) & READING:
            return True
        ahead += leads_to(*place)
    return False


@functools.cache
def words_of(name: str, what: str) -> frozenset[str]:
    """Return the names that a definition uses."""
    found = module(name)
    return frozenset(_words(found.definitions[what])) if found and what in found.definitions else frozenset()


@functools.cache
def leads_to(name: str, what: str) -> tuple[Place, ...]:
    """Return what to check next: the names that a definition uses, or where an imported name is defined."""
    found = module(name)
    if found is None:
        return ()
    if what in found.imports:
        return (found.imports[what],)
    if what in found.definitions:
        return tuple((name, word) for word in words_of(name, what) if word != what)
    return tuple((one, what) for one in _conftests(name))


def _conftests(name: str) -> Iterator[str]:
    """Yield the conftest modules whose fixtures a module can use."""
    folder, _, leaf = name.rpartition(".")
    if leaf == "conftest":
        folder = folder.rpartition(".")[0]
    while folder:
        yield f"{folder}.conftest"
        folder = folder.rpartition(".")[0]


def _words(node: ast.AST) -> Iterator[str]:
    """Yield the names that a definition uses, including its arguments, which may be fixtures."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.arg):
            yield part.arg
        elif isinstance(part, ast.Attribute):
            owner = (
                part.value.attr if isinstance(part.value, ast.Attribute) else getattr(part.value, "id", "")
            )
            yield f"{owner}.{part.attr}"
        elif isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value.isidentifier():
            yield part.value  # usefixtures


def marks(node: ast.AST) -> set[str]:
    """Return the marks in a decorator or a `pytestmark`."""
    return {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}


def unmarked(name: str) -> list[str]:
    """Return the tests of a module that read the clock without a mark."""
    found = module(name)
    assert found is not None
    whole = marks(found.definitions["pytestmark"]) if "pytestmark" in found.definitions else set()
    return [
        what
        for what, node in found.definitions.items()
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and what.lower().startswith("test")
        and reads_clock(name, what)
        and not (whole | {one for it in node.decorator_list for one in marks(it)}) & {MARKER, OPT_OUT}
    ]


def names() -> list[str]:
    """Return the test modules in the folders that run on other dates."""
    paths = (path for folder in FOLDERS for path in (ROOT / folder).rglob("test_*.py"))
    return sorted(path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for path in paths)


@pytest.mark.parametrize("name", names())
def test_every_test_that_reads_the_clock_is_marked(name: str) -> None:
    """It is marked `clock`, or `undated` with the reason."""
    assert unmarked(name) == [], "mark them `clock`, or `undated` with the reason"


def test_a_test_without_a_mark_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The use of the clock may be in the test itself, in a function of another module, or in a fixture."""
    package = tmp_path / "tests" / "there" / "deeper"
    package.mkdir(parents=True)
    (package / "helper.py").write_text("def later():\n    return datetime.now(UTC) + timedelta(days=1)\n")
    (package.parent / "conftest.py").write_text("def browser():\n    return sync_playwright()\n")
    (package / "test_it.py").write_text(
        "from tests.there.deeper.helper import later\n"
        "def test_itself(): assert time.time()\n"
        "def test_by_helper(): assert later()\n"
        "def test_by_fixture(browser): assert browser\n"
        "@pytest.mark.clock\ndef test_marked(): assert later()\n"
        "def test_else(clock): assert clock.now\n"
    )
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    for cached in (module, words_of, leads_to):
        cached.cache_clear()
    try:
        assert unmarked("tests.there.deeper.test_it") == ["test_itself", "test_by_helper", "test_by_fixture"]
    finally:
        for cached in (module, words_of, leads_to):
            cached.cache_clear()
