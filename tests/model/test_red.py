"""Red controls of the model: TLC finds each broken variant by the promise that it breaks (P1-P4, P8)."""

import re
from pathlib import Path

import pytest

from tests.model import report, tlc

VARIANTS = sorted((tlc.MODEL / "red").glob("*.cfg"))
ROWS: list[tuple[str, str, int]] = []


def heading(path: Path) -> tuple[str, str]:
    """Return what a variant breaks, and the invariant that must fail, from the first line of its file."""
    first = path.read_text().partition("\n")[0]
    match = re.fullmatch(r"\\\* (.+): violates (\w+)\.", first)
    assert match, f"{path.name} does not begin with what it breaks"
    return match[1], match[2]


def test_there_is_a_variant_for_each_promise_of_the_model() -> None:
    assert {heading(path)[1] for path in VARIANTS} == {"P1", "P2", "P3", "P4", "P8", "Secrecy"}


@tlc.needed
@pytest.mark.parametrize("path", VARIANTS, ids=lambda path: path.stem)
def test_a_broken_variant_is_found(path: Path) -> None:
    what, invariant = heading(path)

    found = tlc.run("Red", path)

    assert found.violated == invariant, f"{what}: TLC found {found.violated} after {', '.join(found.path)}"
    ROWS.append((what, invariant, len(found.path)))
    report.write("3-red", "Broken variants", ("variant", "violates", "found after so many steps"), ROWS)
