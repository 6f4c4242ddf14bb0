"""A redeem beside the clock, step by step: the time after its last read decides (P3)."""

from tests.history.checker.explanation import unexplained
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
