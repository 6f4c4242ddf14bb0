"""Red controls of the model: in each broken variant, TLC finds the promise that the variant violates (P1-P4, P8)."""

import re
from pathlib import Path

import pytest

from tests.model import report, tlc
from tests.support.proof.size import size

VARIANTS = sorted((tlc.MODEL / "red").glob("*.cfg"))
# One for each invariant, and those that were defects of the code; `make proof` runs the others too.
QUICK = (
    "book-then-count",
    "overlapping-cells",
    "expiry-inclusive",
    "booking-id-per-attempt",
    "receipt-before-own-booking",
    "recreated-after-deletion",
    "keyless-retry-by-another",
    "outdated-settings",
    "two-rolling-links",
    "restore-lost",
)
ROWS: list[tuple[str, str, int]] = []


def heading(path: Path) -> tuple[str, str]:
    """Return the description of a variant and the invariant that it violates, from the first line of its file."""
    first = path.read_text().partition("\n")[0]
    match = re.fullmatch(r"\\\* (.+): violates (\w+)\.", first)
    assert match, f"the first line of {path.name} must be `\\* <description>: violates <invariant>.`"
    return match[1], match[2]


def test_a_variant_violates_each_invariant() -> None:
    """`make test` runs at least one for each, too."""
    [checked] = re.findall(r"(?m)^INVARIANTS (.+)$", (tlc.MODEL / "Small.cfg").read_text())
    assert {heading(path)[1] for path in VARIANTS} == set(checked.split())
    assert {heading(path)[1] for path in VARIANTS if path.stem in QUICK} == set(checked.split())


@tlc.needed
@pytest.mark.parametrize(
    "path", size([path for path in VARIANTS if path.stem in QUICK], VARIANTS), ids=lambda path: path.stem
)
def test_tlc_finds_the_violation_of_a_broken_variant(path: Path) -> None:
    _, invariant = heading(path)

    found = tlc.run("Red", path)

    assert found.violated == invariant, f"TLC found {found.violated}\n{found.counterexample}"
    ROWS.append((path.stem, invariant, len(found.path)))
    report.write("3-red", "Broken variants", ("variant", "violates", "steps to the violation"), ROWS)
