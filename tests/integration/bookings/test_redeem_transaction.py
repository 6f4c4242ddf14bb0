"""The redeem's transaction: which condition stops what, asked of the store itself (P1, P2, P3, P4).

The service looks before it writes, so over HTTP it is seldom the condition that says no. Here nothing looks first: the
link is read, then changed, then the attempt is committed as if nothing had happened.
"""

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from chalicelib.domain.bookings.booking import Booking, Invitee
from chalicelib.domain.bookings.redeem import AlreadyBooked, Booked, CellsTaken, LinkRefused, RedeemAttempt
from chalicelib.domain.ids import BOOKING, ID_BYTES, LINK, make_id
from chalicelib.domain.links.link import Link, LinkStatus
from chalicelib.domain.links.succession import fresh_link
from tests.support.app import CAUSE, NOW, Caller, Site, at, made, ok

HOUR = timedelta(hours=1)
START = NOW + 24 * HOUR


def attempt_on(link: Link, **changes: Any) -> RedeemAttempt:
    """Return an attempt to book half an hour with a link as it was read."""
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
    """Return a link as the store has it."""
    found = site.world.store.links.read(link["linkId"])
    assert found is not None
    return found


def refused_link(site: Site, attempt: RedeemAttempt) -> Link | None:
    """Commit an attempt that the link's condition refuses, see that nothing was written, and return the link found."""
    world = site.world
    before = world.store.links.read(attempt.link.link_id)
    outcome = world.store.redeems.commit(attempt, CAUSE)
    assert isinstance(outcome, LinkRefused)
    assert outcome.link == before == world.store.links.read(attempt.link.link_id)
    assert world.store.bookings.read(attempt.booking.booking_id) is None
    assert world.store.redeems.read_receipt(attempt.link.link_id, attempt.receipt_id) is None
    return outcome.link


def test_it_books_and_counts(site: Site, host: Caller) -> None:
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
def test_a_link_changed_since_it_was_read_is_refused(
    site: Site, host: Caller, change: Callable[[Caller, dict[str, Any]], None]
) -> None:
    """P1, P3: the link exists, is active, and has the edition that was read; the refusal brings it as it is."""
    link = host.link(maxUsageCount=2)
    attempt = attempt_on(read(site, link))
    change(host, link)
    assert (refused_link(site, attempt) is None) is (change is _delete)


def test_the_last_use_is_counted_from_the_count_that_was_read(site: Site, host: Caller) -> None:
    """P1: the link is still active, but what the write makes of it follows from a count that is no longer true."""
    link = read(site, host.link(maxUsageCount=2))
    one_used = msgspec.structs.replace(link, usage_count=1)
    found = refused_link(site, attempt_on(one_used))  # its use was given back meanwhile
    assert found is not None
    assert (found.usage_count, found.stored_status) == (0, LinkStatus.ACTIVE)

    assert site.world.store.redeems.commit(attempt_on(link), CAUSE) == Booked()
    found = refused_link(site, attempt_on(link, start=START + HOUR))  # another redeem was first
    assert found is not None
    assert (found.usage_count, found.stored_status) == (1, LinkStatus.ACTIVE)

    assert site.world.store.redeems.commit(attempt_on(one_used, start=START + HOUR), CAUSE) == Booked()
    found = refused_link(site, attempt_on(one_used, start=START + 2 * HOUR))
    assert found is not None
    assert (found.usage_count, found.stored_status) == (2, LinkStatus.USED)


def test_the_clock_decides_between_opening_and_expiry(site: Site, host: Caller) -> None:
    """P3: `notBefore <= now < expiresAt`, to the millisecond."""
    opens, expires = NOW + HOUR, NOW + 2 * HOUR
    link = read(site, host.link(notBefore=at(hours=1), expiresAt=at(hours=2), maxUsageCount=None))
    for now in (opens - timedelta(milliseconds=1), expires):
        refused_link(site, attempt_on(link, now=now))
    for number, now in enumerate((opens, expires - timedelta(milliseconds=1))):
        attempt = attempt_on(link, now=now, start=START + number * HOUR)
        assert site.world.store.redeems.commit(attempt, CAUSE) == Booked()


def test_taken_time_is_refused(site: Site, host: Caller) -> None:
    """P2: another link of the host, an overlapping half hour, also over midnight."""
    event_type = host.event_type()
    one, two = (read(site, link) for link in host.links(event_type, count=2))
    midnight = START.replace(hour=0, minute=0) + timedelta(days=1)
    assert site.world.store.redeems.commit(attempt_on(one, start=midnight), CAUSE) == Booked()
    attempt = attempt_on(two, start=midnight - HOUR / 4)
    assert site.world.store.redeems.commit(attempt, CAUSE) == CellsTaken()
    assert site.world.store.bookings.read(attempt.booking.booking_id) is None


def test_the_receipt_is_asked_before_link_and_time(site: Site, host: Caller) -> None:
    """P4: a retry finds its booking though its own first try used the link and took the time."""
    link = read(site, host.link())
    first = attempt_on(link)
    assert site.world.store.redeems.commit(first, CAUSE) == Booked()
    assert site.world.store.redeems.commit(first, CAUSE) == Booked()  # its reply was lost
    again = site.world.store.redeems.commit(attempt_on(link, receipt_id=first.receipt_id), CAUSE)
    assert isinstance(again, AlreadyBooked)
    assert again.receipt.booking_id == first.booking.booking_id


def test_a_rolling_link_is_refused_as_a_link(site: Site, host: Caller) -> None:
    """P1: with a successor and a pointer in the transaction, each refusal still has its own name."""
    path = f"/v1/event-types/{host.event_type()['eventTypeId']}/rolling-link"
    link = read(site, made(host.post(path, {})))

    def attempt(**changes: Any) -> RedeemAttempt:
        link_id = make_id(LINK, secrets.token_bytes(ID_BYTES))
        fresh = fresh_link(link, link_id=link_id, key_id=link.key_id, now=NOW, rolling=True)
        return attempt_on(link, successor=fresh, **changes)

    first = attempt()
    assert first.successor is not None
    assert site.world.store.redeems.commit(first, CAUSE) == Booked()
    assert site.world.store.rolling_links.read(link.event_type_id) == first.successor.link_id
    second = attempt(start=START + HOUR)
    refused_link(site, second)
    assert second.successor is not None
    assert site.world.store.links.read(second.successor.link_id) is None
