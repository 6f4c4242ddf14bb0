"""The bound on the cost of `make acceptance` holds, its documentation lists its steps, and its drill sees faults."""

import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from infra.paths import ROOT
from tests.acceptance.__main__ import LIMIT
from tests.acceptance.execute import STEPS_SHARE
from tests.acceptance.meter import CALL, EMAIL, PRICES, REQUEST, Meter, TooExpensiveError, estimate
from tests.acceptance.steps import STEPS
from tests.acceptance.steps.drill import denied_calls, late_groups
from tests.acceptance.steps.watching import lines_of

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


START = datetime(2026, 12, 1, tzinfo=UTC)


class Logs:
    """CloudWatch Logs with lines by group, in pages of 1,000."""

    def __init__(self, **lines: list[str]) -> None:
        self.lines = {f"/aws/lambda/{group}": found for group, found in lines.items()}

    def describe_log_groups(self, logGroupNamePrefix: str) -> Any:  # noqa: N803 - the name of the API
        return {
            "logGroups": [
                {"logGroupName": each} for each in self.lines if each.startswith(logGroupNamePrefix)
            ]
        }

    def get_paginator(self, call: str) -> Any:
        assert call == "filter_log_events"
        return self

    def paginate(self, **asked: Any) -> Any:
        begin = asked["startTime"]
        found = [
            {"timestamp": begin + number * 1000, "message": line}
            for number, line in enumerate(self.lines[asked["logGroupName"]])
            if asked.get("filterPattern", "") in line
        ]
        limit = asked.get("PaginationConfig", {}).get("MaxItems", len(found))
        return [{"events": found[at : min(at + 1000, limit)]} for at in range(0, limit, 1000)]


def run_with(logs: Logs) -> Any:
    groups = {f"Group{number}": name for number, name in enumerate(logs.lines)}
    return SimpleNamespace(target=SimpleNamespace(client=lambda _: logs, of_type=lambda _: groups))


def test_a_secret_in_the_last_line_of_a_long_log_is_read() -> None:
    """P7: a run with 1,600 redeems writes more lines than one page has."""
    logs = Logs(api=["a line"] * 6_400 + ["a secret"])
    assert [line for _, line in lines_of(logs, "/aws/lambda/api", START)][-1] == "a secret"


@pytest.mark.clock
def test_the_drill_finds_calls_that_were_denied_after_the_table_was_swapped() -> None:
    logs = Logs(outbox=["ok", "AccessDeniedException: not authorized", "ok"], mail=["ok"])
    assert denied_calls(run_with(logs), START) == [(START + timedelta(seconds=1), "/aws/lambda/outbox")]
    assert denied_calls(run_with(Logs(outbox=["ok"])), START) == []


@pytest.mark.clock
def test_the_drill_finds_log_groups_that_exist_again_after_a_destroy() -> None:
    """A group whose name only begins like one of the stage's is another stage's."""
    logs = Logs(prod=[], production=[])
    gone, again = "/aws/lambda/expiry", "/aws/lambda/prod"
    assert late_groups(run_with(logs), {gone, again, "/aws/lambda/produc"}) == [again]
