"""The bound on the cost of `make acceptance` holds, and its documentation lists its steps."""

import re

from infra.paths import ROOT
from tests.acceptance.__main__ import LIMIT
from tests.acceptance.execute import STEPS_SHARE
from tests.acceptance.meter import CALL, EMAIL, PRICES, REQUEST, Meter, TooExpensiveError, estimate
from tests.acceptance.steps import STEPS

OPERATE = (ROOT / "docs" / "operate.md").read_text()
PAGE = (ROOT / "docs" / "acceptance.md").read_text()


def prices() -> dict[str, float]:
    """Return the documented dollars of a million of each operation, with little traffic."""
    rows = OPERATE.partition("| a million of these |")[2].partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {row[0]: float(row[8].strip("*")) for row in cells}


def test_each_call_is_counted_at_more_than_its_documented_price() -> None:
    documented = prices()
    per_email = documented.pop("two emails about a booking") / 2
    assert len(documented) > 6
    assert max(documented.values()) <= PRICES[REQUEST] * 1_000_000
    assert per_email <= PRICES[EMAIL] * 1_000_000
    assert PRICES[CALL] >= 1.25e-6, "a write of 2 KB, the most expensive single call that a run makes itself"


def test_a_usual_run_stays_below_its_limit() -> None:
    assert estimate(100, 16) < LIMIT * STEPS_SHARE


def test_a_call_that_would_exceed_the_limit_is_not_counted() -> None:
    """The caller sends a call only after it was counted."""
    meter = Meter(10.5 * PRICES[REQUEST])
    for _ in range(10):
        meter.add(REQUEST)
    for _ in range(2):
        try:
            meter.add(REQUEST)
        except TooExpensiveError:
            continue
        raise AssertionError("the limit was exceeded")
    assert meter.counts[REQUEST] == 10


def test_the_page_lists_the_steps_in_their_order() -> None:
    table = PAGE.partition("| step | ")[2].partition("\n\n")[0]
    assert re.findall(r"^\| ([a-z ]+?)(?: \(drill\))? \|", table, re.MULTILINE) == [
        step.name for step in STEPS
    ]
    drills = set(re.findall(r"^\| ([a-z ]+) \(drill\) \|", table, re.MULTILINE))
    assert drills == {step.name for step in STEPS if step.is_drill}
