"""Moves beside other requests, step by step: pressed twice, to a taken time, and with a slow read (P2, P3, P8)."""

from tests.history.checker.explanation import unexplained
from tests.history.interleavings.by_hand import make_link, steps
from tests.history.interleavings.stepped import Fate, Stepped, slot


def test_a_move_pressed_twice_is_done_for_both(stepped: Stepped) -> None:
    """P8, P4: the second request reads the booking before the first commits, and the day after; both get 200."""
    name, link = make_link(stepped)
    stepped.finish(stepped.redeem(name, link, slot(1), "p0", None, "p0"))
    booking = stepped.calls[-1].told["booking"]
    first, second = stepped.move(booking, slot(2)), stepped.move(booking, slot(2))
    steps(stepped, second, 1)  # the booking, where it was

    stepped.finish(first)
    stepped.finish(second)

    assert [call.code for call in stepped.calls[-2:]] == ["200", "200"]
    assert unexplained(stepped.end()) == []


def test_a_move_to_a_time_that_is_taken_is_still_told_so(stepped: Stepped) -> None:
    """P2: reading again does not hide that somebody else has the slot."""
    for at in (1, 2):
        name, link = make_link(stepped)
        stepped.finish(stepped.redeem(name, link, slot(at), f"p{at}", None, "p"))
    booking = stepped.calls[-1].told["booking"]

    stepped.finish(stepped.move(booking, slot(1)))

    assert stepped.calls[-1].code == "409 slot-taken"


def test_a_move_whose_last_read_is_slow_does_not_move_what_has_begun(stepped: Stepped) -> None:
    """P3: the booking begins while the day, which is read last, is awaited."""
    name, link = make_link(stepped)
    stepped.finish(stepped.redeem(name, link, slot(1), "p0", None, "p0"))
    moving = stepped.move(stepped.calls[-1].told["booking"], slot(2))
    steps(stepped, moving, 3)  # the booking, the event type, the link
    assert moving.waiting is not None
    assert not moving.waiting.writes

    stepped.tick(slot(1) - stepped.clock)
    stepped.finish(moving)

    assert stepped.calls[-1].code == "409 conflict"


def test_a_move_whose_reply_was_lost_may_be_told_that_the_booking_is_cancelled(stepped: Stepped) -> None:
    """P8: it was moved, then cancelled before the move was tried again: it is cancelled where it was moved to."""
    name, link = make_link(stepped)
    stepped.finish(stepped.redeem(name, link, slot(1), "p0", None, "p0"))
    booking = stepped.calls[-1].told["booking"]
    moving = stepped.move(booking, slot(2))
    steps(stepped, moving, 4)  # the booking, the event type, the link, the day
    stepped.step(moving, Fate.LOST)

    stepped.finish(stepped.cancel(booking))
    stepped.finish(moving)

    assert next(call.code for call in stepped.calls if call.kind == "move") == "409 conflict"
    assert unexplained(stepped.end()) == []
