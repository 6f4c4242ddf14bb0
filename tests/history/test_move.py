"""Moves with concurrent requests: sent twice, to a taken slot, with a slow read, with a lost reply (P2, P3, P8)."""

from tests.history.checker.violations import violations
from tests.history.interleavings.by_hand import make_link, steps
from tests.history.interleavings.stepped import Fate, Stepped, slot


def test_two_identical_concurrent_moves_both_succeed(stepped: Stepped) -> None:
    """P8, P4: the second reads the booking before the first commits, and the day after it; both return 200."""
    name, link = make_link(stepped)
    stepped.finish(stepped.redeem(name, link, slot(1), "p0", None, "p0"))
    booking = stepped.calls[-1].result["booking"]
    first, second = stepped.move(booking, slot(2)), stepped.move(booking, slot(2))
    steps(stepped, second, 1)  # reads the booking at its old slot

    stepped.finish(first)
    stepped.finish(second)

    assert [call.code for call in stepped.calls[-2:]] == ["200", "200"]
    assert violations(stepped.end()) == []


def test_a_move_to_a_taken_slot_is_refused(stepped: Stepped) -> None:
    """P2: the second read for an identical move does not hide that another booking has the slot."""
    for at in (1, 2):
        name, link = make_link(stepped)
        stepped.finish(stepped.redeem(name, link, slot(at), f"p{at}", None, "p"))
    booking = stepped.calls[-1].result["booking"]

    stepped.finish(stepped.move(booking, slot(1)))

    assert stepped.calls[-1].code == "409 slot-taken"


def test_a_move_is_refused_if_the_booking_starts_during_its_last_read(stepped: Stepped) -> None:
    """P3: the move checks the clock after its last read, of the day."""
    name, link = make_link(stepped)
    stepped.finish(stepped.redeem(name, link, slot(1), "p0", None, "p0"))
    moving = stepped.move(stepped.calls[-1].result["booking"], slot(2))
    steps(stepped, moving, 3)  # reads the booking, the event type, the link
    assert moving.waiting is not None
    assert not moving.waiting.writes

    stepped.tick(slot(1) - stepped.clock)
    stepped.finish(moving)

    assert stepped.calls[-1].code == "409 conflict"


def test_a_move_that_took_effect_is_refused_if_its_retry_finds_a_cancelled_booking(stepped: Stepped) -> None:
    """P8: the move's reply is lost, and a cancel comes before its retry. The booking is cancelled at its new slot."""
    name, link = make_link(stepped)
    stepped.finish(stepped.redeem(name, link, slot(1), "p0", None, "p0"))
    booking = stepped.calls[-1].result["booking"]
    moving = stepped.move(booking, slot(2))
    steps(stepped, moving, 4)  # reads the booking, the event type, the link, the day
    stepped.step(moving, Fate.LOST)

    stepped.finish(stepped.cancel(booking))
    stepped.finish(moving)

    assert next(call.code for call in stepped.calls if call.kind == "move") == "409 conflict"
    assert violations(stepped.end()) == []
