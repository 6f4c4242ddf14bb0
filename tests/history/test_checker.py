"""The checker: on a register, where every answer is known, then on hand-made histories of the machine."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.history.checker.calls import NEVER, UNKNOWN, Call, until
from tests.history.checker.explanation import MACHINE, shrink, unexplained
from tests.history.checker.final_state import with_expiries
from tests.history.checker.linearizability import Model, UndecidedError, explain
from tests.history.checker.machine import Link

# A register: "write" puts a value, "read" is told it.


def _register(state: int, call: Call) -> list[int]:
    if call.kind == "write":
        return [call.what["value"]]
    return [state] if call.told["value"] == state else []


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
        [write(1, 5, 0, 10), read(2, 0, 1, 2), read(3, 5, 3, 4)],  # while it was being written
        [write(1, 5, 0, 10), write(2, 6, 0, 10), read(3, 6, 11, 12), read(4, 6, 13, 14)],
        [write(1, 5, 0), read(2, 0, 100, 101)],  # lost: not yet, or never
        [write(1, 5, 0), read(2, 0, 100, 101), read(3, 5, 102, 103)],  # lost: later
    ],
)
def test_what_can_be_explained_is(calls: Sequence[Call]) -> None:
    assert explain(calls, REGISTER).explained


@pytest.mark.parametrize(
    "calls",
    [
        [write(1, 5, 0, 1), read(2, 0, 2, 3)],  # a stale read
        [write(1, 5, 0, 10), read(2, 5, 1, 2), read(3, 0, 3, 4)],  # back again
        [read(1, 7, 0, 1)],  # out of thin air
        [write(1, 5, 0), read(2, 5, 1, 2), read(3, 0, 3, 4)],  # lost, and then taken back
        [write(1, 5, 2), read(2, 5, 0, 1)],  # before it was asked for
        [write(1, 5, 0, 3), write(2, 6, 4, 5), read(3, 5, 6, 7)],
    ],
)
def test_what_can_not_be_explained_is_not(calls: Sequence[Call]) -> None:
    verdict = explain(calls, REGISTER)

    assert not verdict.explained
    assert verdict.stuck


def test_an_optional_call_is_bound_to_its_time() -> None:
    again = write(1, 5, 0, 2).happened_again(9)
    between = [write(2, 6, 1, 2), read(3, 6, 3, 4)]

    assert explain([write(1, 5, 0, 2), again, *between], REGISTER).explained
    assert explain([again, read(3, 5, 3, 4)], REGISTER).explained
    # It was over at 2: it can't undo what was seen at 4.
    assert not explain([again, *between, read(4, 5, 5, 6)], REGISTER).explained


def test_it_agrees_with_trying_every_order() -> None:
    """Thousands of small random histories, half of them bad: the same verdict as by brute force."""
    rng = random.Random(7)
    bad = 0
    for _ in range(1500):
        calls = [_random_call(rng, number) for number in range(rng.randrange(1, 6))]

        expected = _by_brute_force(calls)

        assert explain(calls, REGISTER).explained == expected, calls
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
    return wrote.happened_again(number) if rng.random() < 0.3 else wrote


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


def test_it_says_when_it_can_not_tell() -> None:
    """No verdict is given for what was not searched to its end."""
    calls = [*(write(n, n, 0, 10) for n in range(1, 12)), read(99, 99, 11, 12)]

    with pytest.raises(UndecidedError):
        explain(calls, REGISTER, max_steps=2000)


# The machine. Times are small numbers; the clock stands at 0 unless it is told.

ANY = (0.0, 0.0)


def call(number: int, kind: str, code: str, at: tuple[float, float], told: Any = None, **what: Any) -> Call:
    clock = what.pop("clock", ANY)
    made = Call(number, kind, what, code, *at, clock, told or {}, who=f"c{number % 3}")
    return made if code != UNKNOWN else made.unanswered()


def make(**settings: Any) -> Call:
    link = Link("type", **settings)
    return call(0, "make", "201", (0, 1), {"links": {"A": link}}, key=None, body="", settings=link)


def redeem(
    number: int, code: str, at: tuple[float, float], booking: str | None = None, start: int = 0, **what: Any
) -> Call:
    told = {"booking": booking} if booking else {}
    asked = {"receipt": f"{start}", "keyed": False, "body": "b", **what}
    return call(number, "redeem", code, at, told, link="A", start=start, **asked)


BAD: dict[str, list[Call]] = {
    "P1: two bookings by one use": [
        make(),
        redeem(1, "201", (2, 5), "x", 0),
        redeem(2, "201", (2, 5), "y", 9),
    ],
    "P1: used, and nobody used it": [make(), redeem(1, "410 link-used", (2, 3))],
    "P1: a lost redeem counts as well": [
        make(most=2),
        redeem(1, UNKNOWN, (2, 3), start=0, candidates=("x",)),
        redeem(2, "201", (4, 5), "y", 9),
        redeem(3, "201", (6, 7), "z", 18),
        call(4, "read booking", "200", (8, 9), {"status": "confirmed", "start": 0}, booking="x"),
    ],
    "P2: two at one time": [
        make(most=None, before=2, after=5),
        redeem(1, "201", (2, 5), "x", 0),
        redeem(2, "201", (2, 5), "y", 6),
    ],
    "P2: taken by nobody": [make(), redeem(1, "409 slot-taken", (2, 3))],
    "P3: booked at the expiry": [make(expires=7), redeem(1, "201", (2, 3), "x", clock=(7, 8))],
    "P3: booked before the opening": [make(opens=7), redeem(1, "201", (2, 3), "x", clock=(5, 6))],
    "P3: booked after a revoke": [
        make(),
        call(1, "revoke", "200", (2, 3), link="A"),
        redeem(2, "201", (4, 5), "x"),
    ],
    "P3: expired before its time": [make(expires=7), redeem(1, "410 link-expired", (2, 3), clock=(5, 6))],
    "P4: a repeat that is told `used`": [
        make(),
        redeem(1, "201", (2, 3), "x"),
        redeem(2, "410 link-used", (4, 5)),
    ],
    "P4: a repeat that gets another booking": [
        make(most=2),
        redeem(1, "201", (2, 3), "x", keyed=True),
        redeem(2, "201", (4, 5), "y", start=9, receipt="0", keyed=True),
    ],
    "P4: a repeat after a cancel that gets the cancelled booking": [
        make(),
        redeem(1, "201", (2, 3), "x"),
        call(2, "cancel", "200", (4, 5), booking="x"),
        redeem(3, "201", (6, 7), "x"),
    ],
    "P8: a cancel that frees nothing": [
        make(most=None),
        redeem(1, "201", (2, 3), "x"),
        call(2, "cancel", "200", (4, 5), booking="x"),
        redeem(3, "409 slot-taken", (6, 7), receipt="other"),
    ],
    "P8: a use given back that was not to be": [
        make(),
        redeem(1, "201", (2, 3), "x"),
        call(2, "cancel", "200", (4, 5), booking="x"),
        redeem(3, "201", (6, 7), "y", 9),
    ],
    "P8: a move that counts as a use": [
        make(most=2),
        redeem(1, "201", (2, 3), "x"),
        call(2, "move", "200", (4, 5), booking="x", start=9),
        call(3, "read link", "200", (6, 7), {"status": "used", "uses": 2, "most": 2}, link="A"),
    ],
    "P8: moved to where it is, and told that it is taken": [
        make(most=2),
        redeem(1, "201", (2, 3), "x"),
        call(2, "move", "200", (4, 8), booking="x", start=9),
        call(3, "move", "409 slot-taken", (5, 9), booking="x", start=9),
    ],
}
GOOD: dict[str, list[Call]] = {
    "the last use, and another who came later": [
        make(),
        redeem(1, "201", (2, 5), "x"),
        redeem(2, "410 link-used", (2, 5), start=9),
    ],
    "at the edge, with a clock that may have stood on either side": [
        make(expires=7),
        redeem(1, "201", (2, 3), "x", clock=(6, 8)),
        redeem(2, "410 link-used", (4, 5), start=9, clock=(6, 8)),
    ],
    "a lost redeem that took effect, and its repeat": [
        make(),
        redeem(1, UNKNOWN, (2, 3), candidates=("x",)),
        redeem(2, "201", (4, 5), "x"),
    ],
    "a use given back, as the link says": [
        make(restore=True),
        redeem(1, "201", (2, 3), "x"),
        call(2, "cancel", "200", (4, 5), booking="x"),
        redeem(3, "201", (6, 7), "y"),
        redeem(4, "410 link-used", (8, 9), start=9),
    ],
    "a key used for something else": [
        make(most=2),
        redeem(1, "201", (2, 3), "x", receipt="k", keyed=True),
        redeem(2, "422 idempotency-key-reused", (4, 5), start=9, receipt="k", keyed=True, body="c"),
    ],
    "moved there twice": [
        make(most=2),
        redeem(1, "201", (2, 3), "x"),
        call(2, "move", "200", (4, 8), booking="x", start=9),
        call(3, "move", "200", (5, 9), booking="x", start=9),
        call(4, "read booking", "200", (10, 11), {"status": "confirmed", "start": 9}, booking="x"),
    ],
}


@pytest.mark.parametrize("name", BAD)
def test_a_broken_promise_has_no_explanation(name: str) -> None:
    [account] = unexplained(BAD[name])

    assert account.verdict.stuck
    assert "none of these could have been told" in str(account)


@pytest.mark.parametrize("name", GOOD)
def test_a_promise_kept_has_one(name: str) -> None:
    assert unexplained(GOOD[name]) == []


def test_every_beginning_of_a_good_history_is_good() -> None:
    """What shrinking relies on."""
    for calls in GOOD.values():
        for moment in range(12):
            assert unexplained(until(calls, moment)) == []


def test_a_bad_history_is_shrunk_to_what_is_bad_about_it() -> None:
    noise = [
        call(
            20 + n,
            "read link",
            "200",
            (10 * n + 2, 10 * n + 3),
            {"status": "active", "uses": 0, "most": 1},
            link="A",
        )
        for n in range(3)
    ]
    wrong = [redeem(1, "201", (50, 53), "x", 0), redeem(2, "201", (51, 54), "y", 9)]
    after = [redeem(30 + n, "410 link-used", (60 + n, 61 + n), start=20 + n) for n in range(5)]

    kept = shrink([make(), *noise, *wrong, *after], lambda calls: not explain(calls, MACHINE).explained)

    assert [one.number for one in kept] == [0, 1, 2]


def test_what_another_link_did_is_left_out_and_nothing_else_with_it() -> None:
    """Else what is printed is bad for another reason than the history: here a move of a booking that nobody made."""
    other = Link("type")
    wrong = [
        make(),
        call(1, "make", "201", (0, 1), {"links": {"B": other}}, key="k", body="", settings=other),
        redeem(2, "201", (2, 3), "x"),
        call(3, "move", "200", (4, 5), booking="x", start=9),
        call(4, "revoke", "200", (6, 7), link="B"),
        redeem(5, "410 link-revoked", (8, 9), start=18),
    ]

    kept = shrink(wrong, lambda calls: not explain(calls, MACHINE).explained)

    assert [one.number for one in kept] == [0, 2, 3, 5]


def test_runs_of_the_schedule_that_nobody_can_tell_apart_are_one() -> None:
    """Else a link has hundreds of them, and the search finds no end."""
    runs = [call(10 + n, "expire", "200", (10 * n, 10 * n + 1), clock=(10 * n, 10 * n + 1)) for n in range(9)]
    asked = [
        replace(make(expires=20), invoked=15, returned=18),
        call(1, "read link", "200", (45, 46), {"status": "expired", "uses": 0, "most": 1}, link="A"),
    ]

    judged = list(with_expiries([*runs, *asked]))

    assert [one.invoked for one in judged if one.kind == "expire"] == [20, 30, 40, 80]
    assert all(one.optional and one.what == {"link": "A"} for one in judged if one.kind == "expire")


def test_a_history_is_told_so_that_it_can_be_read() -> None:
    [account] = unexplained(BAD["P3: booked after a revoke"])

    assert str(account).splitlines() == [
        "  time     c0     c1     c2    ",
        "    0.000  ┬                    (1) make [clock 0]",
        "    1.000  ┴                    (1) → 201 A = active, 0 of 1",
        "    2.000         ┬             (2) revoke A [clock 0]",
        "    3.000         ┴             (2) → 200",
        "    4.000                ┬      (3) redeem A at 0 as r1, body b [clock 0]",
        "    5.000                ┴      (3) → 201 #1",
        "One at a time it goes no further than (1), (2); then there is",
        "    link A: revoked, 0 of 1",
        "and none of these could have been told what it was, next:",
        "    (3) redeem A at 0 as r1, body b [clock 0] → 201 #1",
    ]
