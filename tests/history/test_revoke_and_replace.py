"""Ending a link beside other requests, step by step: a revoke, a replacement and a cancel (P1, P3, P8)."""

import pytest

from tests.history.checker.explanation import unexplained
from tests.history.interleavings.by_hand import make_link, steps
from tests.history.interleavings.stepped import Fate, Stepped, slot


def test_a_replacement_has_the_settings_as_they_were_last_acknowledged(stepped: Stepped) -> None:
    """P1: the uses were reduced between a replacement's reads and its write, so the new link has the reduced number."""
    name, link = make_link(stepped, most=3)
    replacing, limiting = stepped.replace(name, link), stepped.limit(name, 2)
    steps(stepped, replacing, 2)  # the link and its event type, as they were

    stepped.finish(limiting)
    stepped.finish(replacing)

    assert [call.code for call in stepped.calls[-2:]] == ["200", "201"]
    [fresh] = stepped.calls[-1].told["links"].values()
    assert fresh.most == 2
    assert unexplained(stepped.end()) == []


def test_a_revoke_whose_reply_is_lost_at_the_expiry_was_decided_before_it(stepped: Stepped) -> None:
    """P3: the retry after the expiry finds the revoke done and returns success, dated by the clock of the first try."""
    name, link = make_link(stepped, expires_in=10)
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
    """P3: only a write that was applied may be dated before the last read of the clock; a lost refusal may not."""
    name, link = make_link(stepped, expires_in=10)
    revoking = stepped.revoke(name)
    steps(stepped, revoking, 1)
    stepped.finish(stepped.redeem(name, link, slot(1), "p0", None, "p0"))
    stepped.tick(5)

    stepped.step(revoking, Fate.LOST)  # used up meanwhile, so it was refused
    stepped.finish(revoking)

    assert stepped.calls[-1].code == "409 conflict"
    assert stepped.calls[-1].clock == (stepped.clock, stepped.clock)


@pytest.mark.parametrize("ending", ["revoke", "replace"])
@pytest.mark.parametrize("reads", range(4))
@pytest.mark.parametrize("cancel_first", [True, False])
def test_a_link_that_is_ended_beside_a_cancel_stays_ended(
    stepped: Stepped, ending: str, reads: int, cancel_first: bool
) -> None:
    """P8, P3: in every interleaving of the two, the used link does not become active again."""
    name, link = make_link(stepped, restore=True)
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
