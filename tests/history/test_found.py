"""What the interleavings once found wrong, step by step, so that it stays right."""

import pytest

from tests.history.checker.explanation import unexplained
from tests.history.checker.machine import Link
from tests.history.interleavings.stepped import SLOW, Fate, Stepped, Task, slot


@pytest.fixture
def stepped() -> Stepped:
    made = Stepped()
    made.begin()
    return made


def made_link(
    stepped: Stepped, most: int = 1, expires_in: int | None = None, *, restore: bool = False
) -> tuple[str, Link]:
    """Make a link of the short event type; `expires_in` milliseconds."""
    short = stepped.event_types[0]
    expires = stepped.clock + expires_in if expires_in else None
    link = Link(
        short.name, most=most, expires=expires, restore=restore, before=short.before, after=short.after
    )
    stepped.finish(stepped.make(short, link))
    [(name, link)] = stepped.calls[-1].told["links"].items()
    return name, link


def steps(stepped: Stepped, task: Task, count: int) -> None:
    for _ in range(count):
        assert stepped.step(task)


def test_a_move_pressed_twice_is_done_for_both(stepped: Stepped) -> None:
    """P8, P4: the second press reads the booking before the first is committed, and the day after."""
    name, link = made_link(stepped)
    stepped.finish(stepped.redeem(name, link, slot(1), "p0", None, "p0"))
    booking = stepped.calls[-1].told["booking"]
    first, second = stepped.move(booking, slot(2)), stepped.move(booking, slot(2))
    steps(stepped, second, 1)  # the booking, where it was

    stepped.finish(first)
    stepped.finish(second)

    assert [call.code for call in stepped.calls[-2:]] == ["200", "200"]
    assert unexplained(stepped.end()) == []


def test_a_move_to_a_time_that_is_taken_is_still_told_so(stepped: Stepped) -> None:
    """P2: looking again does not hide that somebody else has it."""
    for at in (1, 2):
        name, link = made_link(stepped)
        stepped.finish(stepped.redeem(name, link, slot(at), f"p{at}", None, "p"))
    booking = stepped.calls[-1].told["booking"]

    stepped.finish(stepped.move(booking, slot(1)))

    assert stepped.calls[-1].code == "409 slot-taken"


def test_a_replacement_has_the_settings_as_they_were_last_acknowledged(stepped: Stepped) -> None:
    """P1: fewer uses were allowed between a replacement's reads and its write; the fresh link has the fewer."""
    name, link = made_link(stepped, most=3)
    replacing, limiting = stepped.replace(name, link), stepped.limit(name, 2)
    steps(stepped, replacing, 2)  # the link and its event type, as they were

    stepped.finish(limiting)
    stepped.finish(replacing)

    assert [call.code for call in stepped.calls[-2:]] == ["200", "201"]
    [fresh] = stepped.calls[-1].told["links"].values()
    assert fresh.most == 2
    assert unexplained(stepped.end()) == []


def test_a_revoke_whose_reply_is_lost_at_the_expiry_was_decided_before_it(stepped: Stepped) -> None:
    """P3: it is asked again after the expiry, finds itself done, and says so; the account knows by which clock."""
    name, link = made_link(stepped, expires_in=10)
    revoking = stepped.revoke(name)
    steps(stepped, revoking, 1)  # the link, alive by the clock

    stepped.tick(10)
    stepped.step(revoking, Fate.LOST)
    stepped.finish(revoking)

    assert stepped.calls[-1].code == "200"
    assert unexplained(stepped.end()) == []
    stepped.finish(stepped.redeem(name, link, slot(1), "p0", None, "p0"))
    assert stepped.calls[-1].code == "410 link-revoked"


def test_a_write_that_was_refused_unheard_leaves_the_later_clock_to_decide(stepped: Stepped) -> None:
    """P3: a lost reply by itself excuses nothing: only what was done may be dated before the last look at the clock."""
    name, link = made_link(stepped, expires_in=10)
    revoking = stepped.revoke(name)
    steps(stepped, revoking, 1)
    stepped.finish(stepped.redeem(name, link, slot(1), "p0", None, "p0"))
    stepped.tick(5)

    stepped.step(revoking, Fate.LOST)  # used up meanwhile, so it was refused
    stepped.finish(revoking)

    assert stepped.calls[-1].code == "409 conflict"
    assert stepped.calls[-1].clock == (stepped.clock, stepped.clock)


def test_a_redeem_whose_last_read_is_slow_is_held_against_the_clock_after_it(stepped: Stepped) -> None:
    """P3: the link expires while the event type is read; the earlier time is not used for the write."""
    name, link = made_link(stepped, expires_in=SLOW)
    redeeming = stepped.redeem(name, link, slot(1), "p0", None, "p0")
    steps(stepped, redeeming, 1)  # the link, alive by the clock

    stepped.step(redeeming, Fate.SLOW)
    stepped.finish(redeeming)

    assert stepped.calls[-1].code == "410 link-expired"
    assert unexplained(stepped.end()) == []


def test_a_move_whose_last_read_is_slow_does_not_move_what_has_begun(stepped: Stepped) -> None:
    """P3: the day is read last; by then the booking has begun."""
    name, link = made_link(stepped)
    stepped.finish(stepped.redeem(name, link, slot(1), "p0", None, "p0"))
    moving = stepped.move(stepped.calls[-1].told["booking"], slot(2))
    steps(stepped, moving, 3)  # the booking, the event type, the link
    assert moving.waiting is not None
    assert not moving.waiting.writes

    stepped.tick(slot(1) - stepped.clock)
    stepped.finish(moving)

    assert stepped.calls[-1].code == "409 conflict"


@pytest.mark.parametrize("ending", ["revoke", "replace"])
@pytest.mark.parametrize("reads", range(4))
@pytest.mark.parametrize("cancel_first", [True, False])
def test_a_link_that_is_ended_beside_a_cancel_stays_ended(
    stepped: Stepped, ending: str, reads: int, cancel_first: bool
) -> None:
    """P8, P3: in every interleaving of the two, the used link does not become active again."""
    name, link = made_link(stepped, restore=True)
    stepped.finish(stepped.redeem(name, link, slot(1), "p0", "k", "p0"))
    booking = stepped.calls[-1].told["booking"]
    cancelling = stepped.cancel(booking)
    ended = stepped.revoke(name) if ending == "revoke" else stepped.replace(name, link)
    first, second = (cancelling, ended) if cancel_first else (ended, cancelling)
    for _ in range(reads):
        if first in stepped.tasks:
            stepped.step(first)

    stepped.finish(second)
    if first in stepped.tasks:
        stepped.finish(first)

    assert {call.code for call in stepped.calls[-2:]} <= {"200", "201"}
    stepped.finish(stepped.redeem(name, link, slot(2), "p1", "other", "p1"))
    assert stepped.calls[-1].code in ("410 link-used", "410 link-revoked")
    assert unexplained(stepped.end()) == []
