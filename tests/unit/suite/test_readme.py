"""tests/README.md and README.md name only existing files, and match the tests and the promises."""

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

import pytest

from infra.paths import ROOT

TESTS: Final = ROOT / "tests"
README: Final = TESTS / "README.md"
FRONT: Final = ROOT / "README.md"
PROMISES: Final = ROOT / "docs" / "promises.md"
PARTS: Final = TESTS / "hostile" / "corpus"  # the README mentions its folders together

_NUMBER: Final = re.compile(r"\bP(\d+)(?:-P(\d+))?\b")
_ROW: Final = re.compile(r"^\| \*\*P(\d+)\*\*.*$", re.MULTILINE)
_TITLE: Final = re.compile(r"^\| \*\*P(\d+)\*\* ([^|]+) \|", re.MULTILINE)
_FRONT_ROW: Final = re.compile(
    r"^\| \*\*P(\d+)\*\* [^|]+ \| \[(tests/[\w/]+\.py)\]\((tests/[\w/]+\.py)\) \|$", re.MULTILINE
)
_CODE: Final = re.compile(r"`([^`\n]+)`")
_PATH: Final = re.compile(r"(?:[\w.-]+/)+(?:[\w.-]+)?|[\w-]+\.py")


def promised(text: str) -> set[int]:
    """Return the numbers of the promises that a text names; `P1-P4` names four."""
    return {
        number
        for first, last in _NUMBER.findall(text)
        for number in range(int(first), int(last or first) + 1)
    }


def rows(readme: str) -> dict[int, set[str]]:
    """Return the files of each promise in the README's table, relative to the tests."""
    return {int(row[1]): set(re.findall(r"`([\w/]+\.py)`", row[0])) for row in _ROW.finditer(readme)}


def named_by_files() -> Mapping[int, set[str]]:
    """Return the files that name each promise in their first line."""
    found = defaultdict[int, set[str]](set)
    for path in TESTS.rglob("test_*.py"):
        for number in promised(path.read_text().partition("\n")[0]):
            found[number].add(path.relative_to(TESTS).as_posix())
    return found


def folders() -> list[str]:
    """Return every folder with test files, relative to `tests/`."""
    found = {path.parent for path in TESTS.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    return sorted(
        folder.relative_to(TESTS).as_posix()
        for folder in found
        if folder != TESTS and PARTS not in folder.parents
    )


@pytest.mark.parametrize("folder", folders())
def test_every_folder_is_mentioned(folder: str) -> None:
    assert f"`{folder}/`" in README.read_text()


def test_every_mentioned_path_exists() -> None:
    """Paths are in backticks, in links and in commands."""
    text = README.read_text()
    named = {word for code in _CODE.findall(text) for word in code.split() if _PATH.fullmatch(word)}
    assert len(named) > 60
    missing = {name for name in named if not ((TESTS / name).exists() or (ROOT / name).exists())}
    commands = set(re.findall(r"\btests/[\w/.]+", text))
    linked = set(re.findall(r"\]\(([^)#]+)\)", text))
    assert missing == set()
    assert {name for name in commands if not (ROOT / name.rstrip(".")).exists()} == set()
    assert {name for name in linked if not (TESTS / name).exists()} == set()


def test_every_mentioned_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"`make ([a-z-]+)", README.read_text()))
    assert {name for name in named if f"\n{name}:" not in makefile} == set()


def test_the_table_of_promises_matches_the_files() -> None:
    """The table and the first lines of the files name the same files for each promise."""
    defined = {
        int(number) for number in re.findall(r"^\| \*\*P(\d+)\*\*", PROMISES.read_text(), re.MULTILINE)
    }
    listed = rows(README.read_text())
    assert defined
    assert set(listed) == defined
    named = named_by_files()
    assert {
        number: named[number] - listed[number] for number in defined if named[number] - listed[number]
    } == {}
    assert {
        number: listed[number] - named[number] for number in defined if listed[number] - named[number]
    } == {}
    assert set(named) == defined


def test_the_front_page_lists_every_promise_and_no_other() -> None:
    """README.md has the order of docs/promises.md and the short titles of tests/README.md."""
    defined = re.findall(r"^\| \*\*P(\d+)\*\*", PROMISES.read_text(), re.MULTILINE)
    titles = _TITLE.findall(FRONT.read_text())
    assert [number for number, _ in titles] == defined
    assert titles == _TITLE.findall(README.read_text())


def test_the_front_page_names_a_test_that_protects_each_promise() -> None:
    named = named_by_files()
    found = _FRONT_ROW.findall(FRONT.read_text())
    assert len(found) == len(_TITLE.findall(FRONT.read_text()))
    for number, shown, target in found:
        assert shown == target
        assert shown.removeprefix("tests/") in named[int(number)], shown


def test_a_range_of_promises_names_all_of_them() -> None:
    assert promised('"""P1-P4, P6: all of it (P15)."""') == {1, 2, 3, 4, 6, 15}
    assert rows("| **P7** It holds | `unit/test_a.py` | `e2e/test_b.py`, `bench/` |\n| P8 | `x.py` |") == {
        7: {"unit/test_a.py", "e2e/test_b.py"}
    }
