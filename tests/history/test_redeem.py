"""A redeem near a deadline: the clock after its last read decides (P3), and it finds its own booking (P4)."""

import pytest

from chalicelib.service.bookings import redeem as redeeming
from tests.history.checker.calls import Call
from tests.history.checker.specification import KEYLESS_WINDOW
from tests.history.checker.violations import violations
from tests.history.interleavings.by_hand import make_link, steps
from tests.history.interleavings.stepped import SLOW, Fate, Stepped, Task, slot
from tests.history.planted import Bug, Edit, planted
from tests.support import audit


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


@pytest.mark.parametrize("ending", ["move", "cancel"])
@pytest.mark.parametrize("max_uses", [1, 2])
@pytest.mark.parametrize("reads", range(3))
def test_a_redeem_makes_one_booking_even_if_the_host_changes_it_before_its_retry(
    stepped: Stepped, ending: str, max_uses: int, reads: int
) -> None:
    """P4: the write's reply is lost, and the host moves or cancels the booking, which deletes the keyless receipt.

    The retry returns the booking in its current state. It neither books again nor gets `link-used`.
    """
    redeemed, booking = _redeem_that_is_changed_before_its_retry(stepped, ending, max_uses, reads)

    assert (redeemed.code, redeemed.result) == ("201", {"booking": booking})
    assert list(audit.bookings_of(stepped.dump())) == [booking]
    assert violations(stepped.end()) == []


@pytest.mark.parametrize(
    ("ending", "max_uses", "restore"), [("move", 2, False), ("cancel", 2, False), ("cancel", 1, True)]
)
def test_a_redeem_returns_its_own_booking_and_not_that_of_a_later_equal_request(
    stepped: Stepped, ending: str, max_uses: int, restore: bool
) -> None:
    """P4: after the change, somebody sends an equal request, books, and has the receipt that the retry reads."""
    redeeming, booking = _redeem_with_a_lost_reply(stepped, max_uses, restore=restore)
    stepped.finish(stepped.move(booking, slot(2)) if ending == "move" else stepped.cancel(booking))
    [(name, link)] = stepped.calls[0].result["links"].items()
    stepped.finish(stepped.redeem(name, link, slot(1), "p0", None, "other"))
    assert stepped.calls[-1].result["booking"] != booking

    stepped.finish(redeeming)

    assert (stepped.calls[-1].code, stepped.calls[-1].result) == ("201", {"booking": booking})
    assert violations(stepped.end()) == []


@pytest.mark.parametrize("ending", ["move", "cancel"])
def test_a_redeem_returns_its_own_booking_even_if_its_body_has_become_invalid(
    stepped: Stepped, ending: str
) -> None:
    """P4: after the change, the host adds a required question, which the retry does not answer."""
    redeeming, booking = _redeem_with_a_lost_reply(stepped, 2)
    stepped.finish(stepped.move(booking, slot(2)) if ending == "move" else stepped.cancel(booking))
    stepped.ask(stepped.event_types[0], "Why?")

    stepped.finish(redeeming)

    assert (stepped.calls[-1].code, stepped.calls[-1].result) == ("201", {"booking": booking})


def test_a_redeem_returns_its_own_booking_even_if_it_moves_after_the_receipt_was_read(
    stepped: Stepped,
) -> None:
    """P4: the booking is moved after the retry has read its receipt. The retry does not start again."""
    redeeming, booking = _redeem_with_a_lost_reply(stepped, 2)
    steps(stepped, redeeming, 1)  # reads link and receipt
    stepped.finish(stepped.move(booking, slot(2)))

    assert not stepped.step(redeeming), "the redeem has not ended with the read of its booking"

    assert (stepped.calls[-1].code, stepped.calls[-1].result) == ("201", {"booking": booking})
    assert violations(stepped.end()) == []


@pytest.mark.parametrize("fate", [Fate.PARTLY, Fate.PARTLY_LAST])
def test_a_double_click_is_confirmed_even_if_link_and_receipt_are_read_at_different_times(
    stepped: Stepped, fate: Fate
) -> None:
    """P4: an equal request books between the two reads. DynamoDB may read the keys of a batch in any order."""
    name, link = make_link(stepped)
    redeeming = stepped.redeem(name, link, slot(1), "p0", None, "p0")
    stepped.step(redeeming, fate)
    stepped.finish(stepped.redeem(name, link, slot(1), "p0", None, "p0"))

    stepped.finish(redeeming)

    assert (stepped.calls[-1].code, stepped.calls[-1].result) == ("201", {"start": slot(1)})
    assert violations(stepped.end()) == []


@pytest.mark.parametrize("key", [None, "k"])
def test_a_retry_is_confirmed_even_if_the_host_adds_a_question_after_the_booking(
    stepped: Stepped, key: str | None
) -> None:
    """P4: an equal request books between the retry's two reads, so the retry's answers no longer suffice."""
    name, link = make_link(stepped)
    retry = stepped.redeem(name, link, slot(1), "p0", key, "p0")
    steps(stepped, retry, 1)  # reads the link, and no receipt
    stepped.finish(stepped.redeem(name, link, slot(1), "p0", key, "p0"))
    booked = stepped.calls[-1].result
    stepped.ask(stepped.event_types[0], "Why?")

    stepped.finish(retry)

    expected = {"start": slot(1)} if key is None else booked
    assert (stepped.calls[-1].code, stepped.calls[-1].result) == ("201", expected)


def test_a_redeem_looks_for_its_own_booking_only_if_it_may_exist(stepped: Stepped) -> None:
    """A conflict writes nothing, so the loser of a race for a link sends no request more than it needs."""
    name, link = make_link(stepped)
    redeeming = stepped.redeem(name, link, slot(1), "p0", None, "p0")
    steps(stepped, redeeming, 2)  # reads link and receipt, then event type and host
    stepped.step(redeeming, Fate.CONFLICT)
    stepped.finish(stepped.redeem(name, link, slot(2), "p1", None, "p1"))
    before = len(stepped.steps)

    stepped.finish(redeeming)

    assert stepped.calls[-1].code == "410 link-used"
    number = redeeming.call.number
    assert stepped.steps[before:] == [f"({number}) BatchGetItem: done"] * 2


def test_a_redeem_with_a_booking_id_for_each_attempt_books_twice(stepped: Stepped) -> None:
    """Red control of the test above."""
    fresh_id = "booking_id=make_id(BOOKING, world.random_bytes(ID_BYTES))"
    with planted(Bug((Edit(redeeming._plan, "booking_id=identified.booking_id", fresh_id),))):
        _redeem_that_is_changed_before_its_retry(stepped, "move", 2, 0)

    assert len(audit.bookings_of(stepped.dump())) == 2


def _redeem_with_a_lost_reply(stepped: Stepped, max_uses: int, *, restore: bool = False) -> tuple[Task, str]:
    """Return a redeem of `slot(1)` without a key before its retry, and the booking that it has made."""
    name, link = make_link(stepped, max_uses=max_uses, restore=restore)
    redeeming = stepped.redeem(name, link, slot(1), "p0", None, "p0")
    steps(stepped, redeeming, 2)  # reads link and receipt, then event type and host
    stepped.step(redeeming, Fate.LOST)
    [booking] = audit.bookings_of(stepped.dump())
    return redeeming, booking


def _redeem_that_is_changed_before_its_retry(
    stepped: Stepped, ending: str, max_uses: int, reads: int
) -> tuple[Call, str]:
    """Return the redeem after its retry, and the booking that it made first. The change comes after `reads` reads."""
    redeeming, booking = _redeem_with_a_lost_reply(stepped, max_uses)
    ended = stepped.move(booking, slot(2)) if ending == "move" else stepped.cancel(booking)
    for _ in range(reads):
        if redeeming in stepped.tasks:
            stepped.step(redeeming)

    stepped.finish(ended)
    if redeeming in stepped.tasks:
        stepped.finish(redeeming)

    return next(call for call in stepped.calls if call.kind == "redeem"), booking
