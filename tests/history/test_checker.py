"""The checker gives the right verdict on a register, compared with brute force, and on histories of the product."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.history.checker.calls import NEVER, UNKNOWN, Call, prefix
from tests.history.checker.final_state import with_expiries
from tests.history.checker.linearizability import Model, UndecidedError, check
from tests.history.checker.specification import Link
from tests.history.checker.violations import SPECIFICATION, shrink, timeline, violations

# A register: "write" sets the value, "read" returns it.


def _register(state: int, call: Call) -> list[int]:
    if call.kind == "write":
        return [call.args["value"]]
    return [state] if call.result["value"] == state else []


REGISTER = Model(0, _register, lambda call: call.kind == "read")


def write(number: int, value: int, invoked: float, returned: float = NEVER) -> Call:
    lost = returned == NEVER
    code = UNKNOWN if lost else "200"
    return Call(number, "write", {"value": value}, code, invoked, returned, (0, 0), optional=lost)


def read(number: int, value: int, invoked: float, returned: float) -> Call:
    return Call(number, "read", {}, "200", invoked, returned, (0, 0), {"value": value})


@pytest.mark.parametrize(
    "calls",
    [
        [],
        [write(1, 5, 0, 1), read(2, 5, 2, 3)],
        [write(1, 5, 0, 10), read(2, 0, 1, 2), read(3, 5, 3, 4)],  # reads concurrent with the write
        [write(1, 5, 0, 10), write(2, 6, 0, 10), read(3, 6, 11, 12), read(4, 6, 13, 14)],
        [write(1, 5, 0), read(2, 0, 100, 101)],  # a write without an answer that has no effect so far
        [write(1, 5, 0), read(2, 0, 100, 101), read(3, 5, 102, 103)],  # one that takes effect late
    ],
)
def test_a_linearizable_history_of_a_register_passes(calls: Sequence[Call]) -> None:
    assert check(calls, REGISTER).linearizable


@pytest.mark.parametrize(
    "calls",
    [
        [write(1, 5, 0, 1), read(2, 0, 2, 3)],  # a stale read
        [write(1, 5, 0, 10), read(2, 5, 1, 2), read(3, 0, 3, 4)],  # new value, then the old one again
        [read(1, 7, 0, 1)],  # a value that was never written
        [write(1, 5, 0), read(2, 5, 1, 2), read(3, 0, 3, 4)],  # a write without an answer that is undone
        [write(1, 5, 2), read(2, 5, 0, 1)],  # a read before the write was sent
        [write(1, 5, 0, 3), write(2, 6, 4, 5), read(3, 5, 6, 7)],
    ],
)
def test_a_history_of_a_register_that_is_not_linearizable_fails(calls: Sequence[Call]) -> None:
    verdict = check(calls, REGISTER)

    assert not verdict.linearizable
    assert verdict.stuck


def test_an_optional_call_takes_effect_only_between_its_start_and_its_end() -> None:
    again = write(1, 5, 0, 2).possible_repeat(9)
    between = [write(2, 6, 1, 2), read(3, 6, 3, 4)]

    assert check([write(1, 5, 0, 2), again, *between], REGISTER).linearizable
    assert check([again, read(3, 5, 3, 4)], REGISTER).linearizable
    # It ended at 2, so it can't undo the value that was read at 4.
    assert not check([again, *between, read(4, 5, 5, 6)], REGISTER).linearizable


def test_the_search_agrees_with_brute_force() -> None:
    """1,500 small random histories, about half of them not linearizable: the same verdict as trying every order."""
    rng = random.Random(7)
    bad = 0
    for _ in range(1500):
        calls = [_random_call(rng, number) for number in range(rng.randrange(1, 6))]

        expected = _by_brute_force(calls)

        assert check(calls, REGISTER).linearizable == expected, calls
        bad += not expected
    assert 300 < bad < 1200


def _random_call(rng: random.Random, number: int) -> Call:
    invoked = rng.randrange(8)
    returned = invoked + rng.randrange(1, 5)
    value = rng.randrange(3)
    if rng.random() < 0.5:
        return read(number, value, invoked, returned)
    if rng.random() < 0.3:
        return write(number, value, invoked)
    wrote = write(number, value, invoked, returned)
    return wrote.possible_repeat(number) if rng.random() < 0.3 else wrote


def _by_brute_force(calls: Sequence[Call]) -> bool:
    needed = [call for call in calls if not call.optional]
    spare = [call for call in calls if call.optional]
    for count in range(len(spare) + 1):
        for some in itertools.combinations(spare, count):
            for order in itertools.permutations([*needed, *some]):
                in_time = all(
                    one.returned >= later.invoked for at, later in enumerate(order) for one in order[at + 1 :]
                )
                if in_time and _runs(order):
                    return True
    return False


def _runs(order: Sequence[Call]) -> bool:
    state = 0
    for call in order:
        states = _register(state, call)
        if not states:
            return False
        [state] = states
    return True


def test_a_search_that_reaches_its_step_limit_gives_no_verdict() -> None:
    calls = [*(write(n, n, 0, 10) for n in range(1, 12)), read(99, 99, 11, 12)]

    with pytest.raises(UndecidedError):
        check(calls, REGISTER, max_steps=2000)


# The product's specification. Times are small numbers; a call's clock is 0 unless it is given.

ANY = (0.0, 0.0)


def call(number: int, kind: str, code: str, at: tuple[float, float], result: Any = None, **args: Any) -> Call:
    clock = args.pop("clock", ANY)
    made = Call(number, kind, args, code, *at, clock, result or {}, caller=f"c{number % 3}")
    return made if code != UNKNOWN else made.without_answer()


def make(**settings: Any) -> Call:
    link = Link("type", **settings)
    return call(0, "generate", "201", (0, 1), {"links": {"A": link}}, key=None, body="", settings=link)


def redeem(
    number: int, code: str, at: tuple[float, float], booking: str | None = None, start: int = 0, **args: Any
) -> Call:
    result = {"booking": booking} if booking else {}
    fields = {"receipt": f"{start}", "keyed": False, "body": "b", **args}
    return call(number, "redeem", code, at, result, link="A", start=start, **fields)


BAD: dict[str, list[Call]] = {
    "P1: two bookings with one use": [
        make(),
        redeem(1, "201", (2, 5), "x", 0),
        redeem(2, "201", (2, 5), "y", 9),
    ],
    "P1: refused as used, without a use": [make(), redeem(1, "410 link-used", (2, 3))],
    "P1: a redeem without an answer counts as a use": [
        make(max_uses=2),
        redeem(1, UNKNOWN, (2, 3), start=0, candidates=("x",)),
        redeem(2, "201", (4, 5), "y", 9),
        redeem(3, "201", (6, 7), "z", 18),
        call(4, "read booking", "200", (8, 9), {"status": "confirmed", "start": 0}, booking="x"),
    ],
    "P2: two overlapping bookings": [
        make(max_uses=None, before=2, after=5),
        redeem(1, "201", (2, 5), "x", 0),
        redeem(2, "201", (2, 5), "y", 6),
    ],
    "P2: refused as taken, without a booking": [make(), redeem(1, "409 slot-taken", (2, 3))],
    "P3: booked at the expiry": [make(expires_at=7), redeem(1, "201", (2, 3), "x", clock=(7, 8))],
    "P3: booked before notBefore": [make(not_before=7), redeem(1, "201", (2, 3), "x", clock=(5, 6))],
    "P3: booked after a revoke": [
        make(),
        call(1, "revoke", "200", (2, 3), link="A"),
        redeem(2, "201", (4, 5), "x"),
    ],
    "P3: expired before its time": [make(expires_at=7), redeem(1, "410 link-expired", (2, 3), clock=(5, 6))],
    "P4: a retry that is refused as used": [
        make(),
        redeem(1, "201", (2, 3), "x"),
        redeem(2, "410 link-used", (4, 5)),
    ],
    "P4: a retry that creates another booking": [
        make(max_uses=2),
        redeem(1, "201", (2, 3), "x", keyed=True),
        redeem(2, "201", (4, 5), "y", start=9, receipt="0", keyed=True),
    ],
    "P4: a keyless retry after a cancel that returns the cancelled booking": [
        make(),
        redeem(1, "201", (2, 3), "x"),
        call(2, "cancel", "200", (4, 5), booking="x"),
        redeem(3, "201", (6, 7), "x"),
    ],
    "P8: a cancel that does not free the slot": [
        make(max_uses=None),
        redeem(1, "201", (2, 3), "x"),
        call(2, "cancel", "200", (4, 5), booking="x"),
        redeem(3, "409 slot-taken", (6, 7), receipt="other"),
    ],
    "P8: a use restored against the link's settings": [
        make(),
        redeem(1, "201", (2, 3), "x"),
        call(2, "cancel", "200", (4, 5), booking="x"),
        redeem(3, "201", (6, 7), "y", 9),
    ],
    "P8: a move that counts as a use": [
        make(max_uses=2),
        redeem(1, "201", (2, 3), "x"),
        call(2, "move", "200", (4, 5), booking="x", start=9),
        call(3, "read link", "200", (6, 7), {"status": "used", "uses": 2, "max_uses": 2}, link="A"),
    ],
    "P8: an identical concurrent move refused because of itself": [
        make(max_uses=2),
        redeem(1, "201", (2, 3), "x"),
        call(2, "move", "200", (4, 8), booking="x", start=9),
        call(3, "move", "409 slot-taken", (5, 9), booking="x", start=9),
    ],
}
GOOD: dict[str, list[Call]] = {
    "two redeems race for the last use": [
        make(),
        redeem(1, "201", (2, 5), "x"),
        redeem(2, "410 link-used", (2, 5), start=9),
    ],
    "redeems at the expiry, by clocks that may be on either side of it": [
        make(expires_at=7),
        redeem(1, "201", (2, 3), "x", clock=(6, 8)),
        redeem(2, "410 link-used", (4, 5), start=9, clock=(6, 8)),
    ],
    "a redeem without an answer that took effect, and its retry": [
        make(),
        redeem(1, UNKNOWN, (2, 3), candidates=("x",)),
        redeem(2, "201", (4, 5), "x"),
    ],
    "a use restored, as the link's settings say": [
        make(restore=True),
        redeem(1, "201", (2, 3), "x"),
        call(2, "cancel", "200", (4, 5), booking="x"),
        redeem(3, "201", (6, 7), "y"),
        redeem(4, "410 link-used", (8, 9), start=9),
    ],
    "a key reused with another body": [
        make(max_uses=2),
        redeem(1, "201", (2, 3), "x", receipt="k", keyed=True),
        redeem(2, "422 idempotency-key-reused", (4, 5), start=9, receipt="k", keyed=True, body="c"),
    ],
    "two identical concurrent moves": [
        make(max_uses=2),
        redeem(1, "201", (2, 3), "x"),
        call(2, "move", "200", (4, 8), booking="x", start=9),
        call(3, "move", "200", (5, 9), booking="x", start=9),
        call(4, "read booking", "200", (10, 11), {"status": "confirmed", "start": 9}, booking="x"),
    ],
}


@pytest.mark.parametrize("name", BAD)
def test_a_history_that_breaks_a_promise_is_a_violation(name: str) -> None:
    [violation] = violations(BAD[name])

    assert violation.verdict.stuck
    assert "none of these calls can have this result" in str(violation)


@pytest.mark.parametrize("name", GOOD)
def test_a_history_that_keeps_the_promises_is_no_violation(name: str) -> None:
    assert violations(GOOD[name]) == []


def test_every_prefix_of_a_linearizable_history_is_linearizable() -> None:
    """Shrinking relies on this."""
    for calls in GOOD.values():
        for moment in range(12):
            assert violations(prefix(calls, moment)) == []


def test_a_violation_is_shrunk_to_the_calls_that_cause_it() -> None:
    noise = [
        call(
            20 + n,
            "read link",
            "200",
            (10 * n + 2, 10 * n + 3),
            {"status": "active", "uses": 0, "max_uses": 1},
            link="A",
        )
        for n in range(3)
    ]
    wrong = [redeem(1, "201", (50, 53), "x", 0), redeem(2, "201", (51, 54), "y", 9)]
    after = [redeem(30 + n, "410 link-used", (60 + n, 61 + n), start=20 + n) for n in range(5)]

    kept = shrink(
        [make(), *noise, *wrong, *after], lambda calls: not check(calls, SPECIFICATION).linearizable
    )

    assert [one.number for one in kept] == [0, 1, 2]


def test_shrinking_removes_only_the_calls_about_another_link() -> None:
    """Otherwise the shrunk history shows a violation that the whole one does not have, such as a move of no booking."""
    other = Link("type")
    wrong = [
        make(),
        call(1, "generate", "201", (0, 1), {"links": {"B": other}}, key="k", body="", settings=other),
        redeem(2, "201", (2, 3), "x"),
        call(3, "move", "200", (4, 5), booking="x", start=9),
        call(4, "revoke", "200", (6, 7), link="B"),
        redeem(5, "410 link-revoked", (8, 9), start=18),
    ]

    kept = shrink(wrong, lambda calls: not check(calls, SPECIFICATION).linearizable)

    assert [one.number for one in kept] == [0, 2, 3, 5]


def test_indistinguishable_runs_of_the_expiry_schedule_become_one_call() -> None:
    """Otherwise a link has hundreds of them, and the search takes too long."""
    runs = [call(10 + n, "expire", "200", (10 * n, 10 * n + 1), clock=(10 * n, 10 * n + 1)) for n in range(9)]
    asked = [
        replace(make(expires_at=20), invoked=15, returned=18),
        call(1, "read link", "200", (45, 46), {"status": "expired", "uses": 0, "max_uses": 1}, link="A"),
    ]

    prepared = list(with_expiries([*runs, *asked]))

    assert [one.invoked for one in prepared if one.kind == "expire"] == [20, 30, 40, 80]
    assert all(one.optional and one.args == {"link": "A"} for one in prepared if one.kind == "expire")


def test_a_timeline_shows_a_change_of_the_limit() -> None:
    calls = [make(), call(1, "change limit", "409 conflict", (2, 3), link="A", max_uses=None)]

    assert "change limit A to no limit" in timeline(calls, check(calls, SPECIFICATION))


def test_a_violation_is_printed_as_a_timeline() -> None:
    [violation] = violations(BAD["P3: booked after a revoke"])

    assert str(violation).splitlines() == [
        "  time     c0     c1     c2    ",
        "    0.000  ┬                    (1) generate [clock 0]",
        "    1.000  ┴                    (1) → 201 A = active, 0 of 1",
        "    2.000         ┬             (2) revoke A [clock 0]",
        "    3.000         ┴             (2) → 200",
        "    4.000                ┬      (3) redeem A at 0 as r1, body b [clock 0]",
        "    5.000                ┴      (3) → 201 #1",
        "Not linearizable. The longest valid order is (1), (2). It leads to this state:",
        "    link A: revoked, 0 of 1",
        "In this state, none of these calls can have this result:",
        "    (3) redeem A at 0 as r1, body b [clock 0] → 201 #1",
    ]
