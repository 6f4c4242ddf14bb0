"""Every invariant and file that docs/promises.md names as a check exists, and each file names the promise."""

import re
from typing import Final

import pytest

from infra.paths import ROOT
from tests.unit.suite.test_readme import promised

PAGE: Final = ROOT / "docs" / "promises.md"
MODEL: Final = (ROOT / "docs" / "model" / "AdmitOne.tla").read_text()

_HEAD: Final = "| promise | model | histories | races | acceptance on a real stack |"
_LINK: Final = re.compile(r"\[([\w.]+)\]\(\.\./(tests/[\w/]+\.py)\)")


def rows() -> dict[str, list[str]]:
    """Return the cells of the table's rows, by promise."""
    _, found, rest = PAGE.read_text().partition(f"\n{_HEAD}\n")
    assert found
    table = rest.partition("\n\n")[0].splitlines()[1:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in table]
    return {first: others for first, *others in cells}


def test_every_promise_has_a_row() -> None:
    assert list(rows()) == re.findall(r"^\| \*\*(P\d+)\*\* \|", PAGE.read_text(), re.MULTILINE)


@pytest.mark.parametrize("promise", rows())
def test_the_named_checks_exist_and_name_the_promise(promise: str) -> None:
    invariants, histories, races, acceptance = rows()[promise]
    for name in re.findall(r"`(\w+)`", invariants):
        assert f"\n{name} ==" in MODEL
    for folder, cell in (("tests/history/", histories), ("tests/proof/", races)):
        links = _LINK.findall(cell)
        assert bool(links) == bool(cell)
        for shown, path in links:
            assert path == f"{folder}{shown}"
            assert int(promise[1:]) in promised((ROOT / path).read_text().partition("\n")[0])
    is_dated = re.fullmatch(r"\d{4}-\d{2}-\d{2}, .+", acceptance)
    assert acceptance == "not run yet" or is_dated, "write `not run yet`, or the date and the stack"
