"""A redeem near a deadline: the clock after its last read decides (P3), and it finds its own booking (P4)."""

import pytest

from tests.history.checker.specification import KEYLESS_WINDOW
from tests.history.checker.violations import violations
from tests.history.interleavings.by_hand import make_link, steps
from tests.history.interleavings.stepped import SLOW, Fate, Stepped, slot


def test_a_redeem_is_refused_if_the_link_expires_during_its_last_read(stepped: Stepped) -> None:
    """P3: the link expires while the event type is read; the write uses the time after that read."""
    name, link = make_link(stepped, expires_in=SLOW)
    redeeming = stepped.redeem(name, link, slot(1), "p0", None, "p0")
    steps(stepped, redeeming, 1)  # reads the link, not yet expired

    stepped.step(redeeming, Fate.SLOW)
    stepped.finish(redeeming)

    assert stepped.calls[-1].code == "410 link-expired"
    assert violations(stepped.end()) == []


@pytest.mark.parametrize("max_uses", [1, 2])
def test_a_redeem_returns_its_own_booking_even_if_its_receipt_has_ended(
    stepped: Stepped, max_uses: int
) -> None:
    """P4: the write's reply is lost, and the receipt ends before the redeem reads it."""
    name, link = make_link(stepped, max_uses=max_uses)
    redeeming = stepped.redeem(name, link, slot(1), "p0", None, "p0")
    steps(stepped, redeeming, 2)  # reads link and receipt, then event type and host
    stepped.step(redeeming, Fate.LOST)

    stepped.tick(KEYLESS_WINDOW)
    stepped.finish(redeeming)

    redeemed = stepped.calls[-1]
    assert redeemed.code == "201"
    assert redeemed.result["booking"], "only the time was returned, not the booking"
    assert violations(stepped.end()) == []
