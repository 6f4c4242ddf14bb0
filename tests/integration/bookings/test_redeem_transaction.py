"""The conditions of the redeem's transaction, tested on the store itself (P1, P2, P3, P4).

Over HTTP the service checks before it writes, so a condition rarely rejects a redeem. Here a link is read, then
changed, and then the attempt is committed without another check.
"""

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from chalicelib.domain.bookings.booking import Booking, Invitee
from chalicelib.domain.bookings.redeem import (
    AlreadyBooked,
    Booked,
    CellsTaken,
    LinkRefused,
    RedeemAttempt,
    WrittenBefore,
)
from chalicelib.domain.errors import ContendedError
from chalicelib.domain.ids import BOOKING, ID_BYTES, LINK, make_id
from chalicelib.domain.links.link import Link, LinkStatus
from chalicelib.domain.links.succession import fresh_link
from tests.support.app import CAUSE, NOW, Caller, Site, at, created, ok

HOUR = timedelta(hours=1)
START = NOW + 24 * HOUR


def attempt_on(link: Link, **changes: Any) -> RedeemAttempt:
    """Return an attempt to book half an hour with the link as it was read."""
    start = changes.pop("start", START)
    booking = Booking(
        booking_id=make_id(BOOKING, secrets.token_bytes(ID_BYTES)),
        link_id=link.link_id,
        host_id=link.host_id,
        event_type_id=link.event_type_id,
        key_id=link.key_id,
        title="Talk",
        start=start,
        end=start + HOUR / 2,
        occupied_from=start,
        occupied_to=start + HOUR / 2,
        time_zone="UTC",
        location=None,
        invitee=Invitee("Grace", "grace@x.example"),
        answers={},
        created_at=NOW,
    )
    given = {"successor": None, "receipt_id": secrets.token_hex(20), "body_hash": "hash", "now": NOW}
    return RedeemAttempt(link=link, booking=booking, **(given | changes))


def read(site: Site, link: dict[str, Any]) -> Link:
    """Return a link as stored."""
    found = site.world.store.links.read(link["linkId"])
    assert found is not None
    return found


def rejected_link(site: Site, attempt: RedeemAttempt) -> Link | None:
    """Commit an attempt, check that the link's condition rejects it without a write, and return the link it found."""
    world = site.world
    before = world.store.links.read(attempt.link.link_id)
    outcome = world.store.redeems.commit(attempt, CAUSE)
    assert isinstance(outcome, LinkRefused)
    assert outcome.link == before == world.store.links.read(attempt.link.link_id)
    assert world.store.bookings.read(attempt.booking.booking_id) is None
    assert world.store.redeems.read_receipt(attempt.link.link_id, attempt.receipt_id) is None
    return outcome.link


def test_a_commit_books_and_counts_the_use(site: Site, host: Caller) -> None:
    link = read(site, host.link())
    attempt = attempt_on(link)
    assert site.world.store.redeems.commit(attempt, CAUSE) == Booked()
    after, receipt = site.world.store.redeems.read_link_and_receipt(link.link_id, attempt.receipt_id)
    assert (after and after.usage_count, receipt and receipt.booking_id) == (1, attempt.booking.booking_id)
    assert site.world.store.bookings.read(attempt.booking.booking_id) == attempt.booking


def _change(host: Caller, link: dict[str, Any]) -> None:
    ok(host.patch(f"/v1/links/{link['linkId']}", {"label": "changed"}))


def _revoke(host: Caller, link: dict[str, Any]) -> None:
    ok(host.post(f"/v1/links/{link['linkId']}/revoke"))


def _delete(host: Caller, link: dict[str, Any]) -> None:
    host.delete(f"/v1/links/{link['linkId']}")


@pytest.mark.parametrize("change", [_change, _revoke, _delete], ids=["edition", "active", "exists"])
def test_a_redeem_of_a_link_changed_since_it_was_read_is_rejected(
    site: Site, host: Caller, change: Callable[[Caller, dict[str, Any]], None]
) -> None:
    """P1, P3: the link must exist, be active and have the edition that was read; the outcome has the current link."""
    link = host.link(maxUsageCount=2)
    attempt = attempt_on(read(site, link))
    change(host, link)
    assert (rejected_link(site, attempt) is None) is (change is _delete)


def test_the_last_use_is_counted_from_the_count_that_was_read(site: Site, host: Caller) -> None:
    """P1: the link is still active, but the write's new status was computed from an outdated count."""
    link = read(site, host.link(maxUsageCount=2))
    one_used = msgspec.structs.replace(link, usage_count=1)
    found = rejected_link(site, attempt_on(one_used))  # meanwhile its use was restored
    assert found is not None
    assert (found.usage_count, found.stored_status) == (0, LinkStatus.ACTIVE)

    assert site.world.store.redeems.commit(attempt_on(link), CAUSE) == Booked()
    found = rejected_link(site, attempt_on(link, start=START + HOUR))  # another redeem came first
    assert found is not None
    assert (found.usage_count, found.stored_status) == (1, LinkStatus.ACTIVE)

    assert site.world.store.redeems.commit(attempt_on(one_used, start=START + HOUR), CAUSE) == Booked()
    found = rejected_link(site, attempt_on(one_used, start=START + 2 * HOUR))
    assert found is not None
    assert (found.usage_count, found.stored_status) == (2, LinkStatus.USED)


def test_a_redeem_is_rejected_before_the_opening_and_from_the_expiry(site: Site, host: Caller) -> None:
    """P3: `notBefore <= now < expiresAt`, to the millisecond."""
    opens, expires = NOW + HOUR, NOW + 2 * HOUR
    link = read(site, host.link(notBefore=at(hours=1), expiresAt=at(hours=2), maxUsageCount=None))
    for now in (opens - timedelta(milliseconds=1), expires):
        rejected_link(site, attempt_on(link, now=now))
    for number, now in enumerate((opens, expires - timedelta(milliseconds=1))):
        attempt = attempt_on(link, now=now, start=START + number * HOUR)
        assert site.world.store.redeems.commit(attempt, CAUSE) == Booked()


def test_a_taken_slot_is_rejected(site: Site, host: Caller) -> None:
    """P2: the overlapping booking is another link's, and crosses midnight."""
    event_type = host.event_type()
    one, two = (read(site, link) for link in host.links(event_type, count=2))
    midnight = START.replace(hour=0, minute=0) + timedelta(days=1)
    assert site.world.store.redeems.commit(attempt_on(one, start=midnight), CAUSE) == Booked()
    attempt = attempt_on(two, start=midnight - HOUR / 4)
    assert site.world.store.redeems.commit(attempt, CAUSE) == CellsTaken()
    assert site.world.store.bookings.read(attempt.booking.booking_id) is None


def test_the_receipt_is_checked_before_the_link_and_the_slot(site: Site, host: Caller) -> None:
    """P4: a retry finds its booking, although its first attempt used the link and took the slot."""
    link = read(site, host.link())
    first = attempt_on(link)
    assert site.world.store.redeems.commit(first, CAUSE) == Booked()
    assert site.world.store.redeems.commit(first, CAUSE) == WrittenBefore(first.booking)  # its reply was lost
    again = site.world.store.redeems.commit(attempt_on(link, receipt_id=first.receipt_id), CAUSE)
    assert isinstance(again, AlreadyBooked)
    assert again.receipt.booking_id == first.booking.booking_id


def test_a_booking_of_another_link_with_the_same_id_is_not_returned(site: Site, host: Caller) -> None:
    """P4: only if the random ids of two calls collide. The second books nothing and gets nobody's booking."""
    one, two = (read(site, link) for link in host.links(host.event_type(), count=2))
    first = attempt_on(one)
    assert site.world.store.redeems.commit(first, CAUSE) == Booked()
    second = attempt_on(two, start=START + HOUR)
    booking = msgspec.structs.replace(second.booking, booking_id=first.booking.booking_id)
    with pytest.raises(ContendedError):
        site.world.store.redeems.commit(msgspec.structs.replace(second, booking=booking), CAUSE)


def test_a_rejected_redeem_of_a_rolling_link_creates_no_successor(site: Site, host: Caller) -> None:
    """P1: the outcome is also correct with the successor and the rolling link's pointer in the transaction."""
    path = f"/v1/event-types/{host.event_type()['eventTypeId']}/rolling-link"
    link = read(site, created(host.post(path, {})))

    def attempt(**changes: Any) -> RedeemAttempt:
        link_id = make_id(LINK, secrets.token_bytes(ID_BYTES))
        fresh = fresh_link(link, link_id=link_id, key_id=link.key_id, now=NOW, rolling=True)
        return attempt_on(link, successor=fresh, **changes)

    first = attempt()
    assert first.successor is not None
    assert site.world.store.redeems.commit(first, CAUSE) == Booked()
    assert site.world.store.rolling_links.read(link.event_type_id) == first.successor.link_id
    second = attempt(start=START + HOUR)
    rejected_link(site, second)
    assert second.successor is not None
    assert site.world.store.links.read(second.successor.link_id) is None
