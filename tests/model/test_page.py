"""docs/model/README.md has every action, invariant and broken variant of the model, and names functions that exist."""

import importlib
import re
from typing import Final

import pytest

from tests.model.actions import actions
from tests.model.test_red import VARIANTS, heading
from tests.model.tlc import MODEL

PAGE: Final = (MODEL / "README.md").read_text()

_NAMES: Final = re.compile(r"`([\w.]+)`")


def rows(head: str) -> list[list[str]]:
    """Return the cells of the table with this header."""
    _, found, rest = PAGE.partition(f"\n{head}\n")
    assert found, head
    table = rest.partition("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table]


def named() -> list[str]:
    """Return the functions that the page names for actions and conditions."""
    listed = [*rows("| actions | code |"), *rows("| conditions | code |")]
    return sorted({name for row in listed for name in _NAMES.findall(row[1])})


def test_every_action_is_in_the_table_once() -> None:
    listed = [name for row in rows("| actions | code |") for name in _NAMES.findall(row[0])]
    assert sorted(listed) == sorted(actions())


def test_every_condition_in_the_table_is_in_the_model() -> None:
    model = (MODEL / "AdmitOne.tla").read_text()
    listed = [name for row in rows("| conditions | code |") for name in _NAMES.findall(row[0])]
    assert [name for name in listed if not re.search(rf"(?m)^{name}\(.+\) ==", model)] == []


@pytest.mark.parametrize("name", named())
def test_every_function_that_the_page_names_exists(name: str) -> None:
    parts = name.split(".")
    length = next(length for length in range(len(parts), 0, -1) if _module(parts[:length]) is not None)
    found = _module(parts[:length])
    for part in parts[length:]:
        assert hasattr(found, part)
        found = getattr(found, part)


def test_every_invariant_that_is_checked_is_explained() -> None:
    explained = [name for row in rows("| invariant | what it says |") for name in _NAMES.findall(row[0])]
    for bounds in ("Small", "Large", "Wide", "Pair", "Trace"):
        [checked] = re.findall(r"(?m)^INVARIANTS (.+)$", (MODEL / f"{bounds}.cfg").read_text())
        assert checked.split() == explained


def test_every_broken_variant_is_listed_in_the_words_of_its_file() -> None:
    listed = {row[0]: (row[2], row[1]) for row in rows("| variant | breaks | what happens |")}
    headings = {path.stem: heading(path) for path in VARIANTS}
    assert {
        name: (what[0].lower() + what[1:], violated) for name, (what, violated) in headings.items()
    } == listed


def _module(parts: list[str]) -> object:
    try:
        return importlib.import_module(".".join(["chalicelib", *parts]))
    except ModuleNotFoundError:
        return None
