"""A redeem beside the clock, step by step: the time after its last read decides (P3), and no booking is lost (P4)."""

import pytest

from tests.history.checker.explanation import unexplained
from tests.history.checker.machine import KEYLESS_WINDOW
from tests.history.interleavings.by_hand import make_link, steps
from tests.history.interleavings.stepped import SLOW, Fate, Stepped, slot


def test_a_redeem_whose_last_read_is_slow_is_held_against_the_clock_after_it(stepped: Stepped) -> None:
    """P3: the link expires while the event type is read; the write uses the time after that read."""
    name, link = make_link(stepped, expires_in=SLOW)
    redeeming = stepped.redeem(name, link, slot(1), "p0", None, "p0")
    steps(stepped, redeeming, 1)  # the link, alive by the clock

    stepped.step(redeeming, Fate.SLOW)
    stepped.finish(redeeming)

    assert stepped.calls[-1].code == "410 link-expired"
    assert unexplained(stepped.end()) == []


@pytest.mark.parametrize("most", [1, 2])
def test_a_redeem_finds_its_own_booking_however_long_it_waited_for_the_reply(
    stepped: Stepped, most: int
) -> None:
    """P4: it booked, the reply was lost, and its receipt has ended when it looks. It still gets its own booking."""
    name, link = make_link(stepped, most=most)
    redeeming = stepped.redeem(name, link, slot(1), "p0", None, "p0")
    steps(stepped, redeeming, 2)  # link and receipt; event type and host
    stepped.step(redeeming, Fate.LOST)

    stepped.tick(KEYLESS_WINDOW)
    stepped.finish(redeeming)

    redeemed = stepped.calls[-1]
    assert redeemed.code == "201"
    assert redeemed.told["booking"], "whole, not only its time"
    assert unexplained(stepped.end()) == []
