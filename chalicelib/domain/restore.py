"""Apply archived events to the links and bookings of a restored table.

A table that is restored to a point in time lacks all later changes. The archive of events contains them. Events can be
applied in any order and more than once: links and bookings end in the state after the last event (P1, P2).
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

import msgspec

from chalicelib.domain.bookings.booking import Booking, BookingStatus
from chalicelib.domain.clock import as_instant
from chalicelib.domain.events.envelopes import Envelope
from chalicelib.domain.events.events import EventKind
from chalicelib.domain.links.link import Link, LinkStatus

# Settings whose new values are in the event, or that affect no decision. Changes of other settings are lost.
_IN_EVENTS: Final = frozenset({"maxUsageCount", "expiresAt", "notBefore", "label", "metadata", "externalId"})

ABOUT_LINKS: Final = frozenset(
    {
        EventKind.LINK_CREATED,
        EventKind.LINK_UPDATED,
        EventKind.LINK_USED,
        EventKind.LINK_REVOKED,
        EventKind.LINK_EXPIRED,
    }
)


class AppliedEvents(msgspec.Struct, frozen=True):
    """The events of a link that were applied since the backup. `base` is the link's sequence in the backup.

    `last` is its current one, or None if the link was deleted. `partly` is True if an event did not contain everything
    that had changed.
    """

    link_id: str
    base: int
    last: int | None
    seen: frozenset[int]
    partly: bool


def link_after(link: Link, event: Envelope) -> Link:
    """Return the link as a later event left it. The kind of event must be in `ABOUT_LINKS`.

    Raises KeyError or ValueError for a malformed event.
    """
    data = event.data
    status, at = LinkStatus(data["status"]), _instant(event.time)
    settings = msgspec.structs.replace(
        link.settings,
        max_usage_count=data["maxUsageCount"],
        expires_at=_optional(data["expiresAt"]),
        not_before=_optional(data["notBefore"]),
        external_id=event.external_id,
        metadata=event.metadata,
    )
    return msgspec.structs.replace(
        link,
        settings=settings,
        stored_status=status,
        usage_count=int(data["usageCount"]),
        used_at=(link.used_at or at) if status is LinkStatus.USED else None,
        revoked_at=(link.revoked_at or at) if status is LinkStatus.REVOKED else None,
        sequence=event.sequence,
        edition=link.edition + 1,
    )


def is_complete(event: Envelope) -> bool:
    """Return whether an event of a link contains everything that had changed."""
    return event.type != EventKind.LINK_UPDATED or _IN_EVENTS.issuperset(event.data["changed"])


def booking_after(booking: Booking | None, event: Envelope, *, key_id: int) -> Booking:
    """Return the booking as a later event left it; a missing booking is created without the invitee.

    Events do not contain the invitee, so their name is lost. Raises KeyError or ValueError for a malformed event.
    """
    data, at = event.data, _instant(event.time)
    start, end = _instant(data["start"]), _instant(data["end"])
    if booking is None:
        booking = Booking(
            booking_id=_text(event.booking_id),
            link_id=_text(event.link_id),
            host_id=_text(event.host_id),
            event_type_id=_text(event.event_type_id),
            key_id=key_id,
            title=data["title"],
            start=start,
            end=end,
            occupied_from=start,
            occupied_to=end,
            time_zone=data["timeZone"],
            location=None,
            invitee=None,
            answers={},
            created_at=at,
            external_id=event.external_id,
            metadata=event.metadata,
        )
    cancelled = data["status"] == BookingStatus.CANCELLED
    erased = event.type == EventKind.BOOKING_ERASED
    return msgspec.structs.replace(
        booking,
        start=start,
        end=end,
        occupied_from=_instant(data["occupiedFrom"]),
        occupied_to=_instant(data["occupiedTo"]),
        status=BookingStatus(data["status"]),
        cancelled_at=(booking.cancelled_at or at) if cancelled else None,
        invitee=None if erased else booking.invitee,
        answers={} if erased else booking.answers,
        sequence=event.sequence,
    )


def missing(base: int, last: int, seen: Collection[int]) -> list[int]:
    """Return the sequences after `base` up to `last` that no event has: a gap in the archive."""
    return [number for number in range(base + 1, last + 1) if number not in seen]


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.utcoffset() != timedelta(0):
        raise ValueError("an event's time must be UTC")
    return as_instant(found)


def _optional(text: str | None) -> datetime | None:
    return None if text is None else _instant(text)


def _text(value: str | None) -> str:
    if not value:
        raise ValueError("an event of a booking must have the ids of the booking, link, host and event type")
    return value
