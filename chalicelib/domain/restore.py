"""Redoing what a restored table has forgotten: a link or booking as an event, told before the restore, left it.

A table restored to a point in time knows nothing of what happened since. The archive of events does: applied in any
order, each any number of times, they bring links and bookings to where the last of them left off (P1, P2).
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

# Settings whose new value an event tells, or that decide nothing. A change of any other is unknown after a restore.
_TOLD: Final = frozenset({"maxUsageCount", "expiresAt", "notBefore", "label", "metadata", "externalId"})

ABOUT_LINKS: Final = frozenset(
    {
        EventKind.LINK_CREATED,
        EventKind.LINK_UPDATED,
        EventKind.LINK_USED,
        EventKind.LINK_REVOKED,
        EventKind.LINK_EXPIRED,
    }
)


class Redone(msgspec.Struct, frozen=True):
    """What is known of a link's events since the backup, in which its sequence was `base`.

    `partly` when one of them did not say all that it changed.
    """

    link_id: str
    base: int
    seen: frozenset[int]
    partly: bool


def redone_link(link: Link, told: Envelope) -> Link:
    """Return the link as a later event of it, of one of the kinds `ABOUT_LINKS`, left it.

    Raises KeyError or ValueError for an event that does not say what those say.
    """
    data = told.data
    status, at = LinkStatus(data["status"]), _instant(told.time)
    settings = msgspec.structs.replace(
        link.settings,
        max_usage_count=data["maxUsageCount"],
        expires_at=_optional(data["expiresAt"]),
        not_before=_optional(data["notBefore"]),
        external_id=told.external_id,
        metadata=told.metadata,
    )
    return msgspec.structs.replace(
        link,
        settings=settings,
        stored_status=status,
        usage_count=int(data["usageCount"]),
        used_at=(link.used_at or at) if status is LinkStatus.USED else None,
        revoked_at=(link.revoked_at or at) if status is LinkStatus.REVOKED else None,
        sequence=told.sequence,
        edition=link.edition + 1,
    )


def tells_all(told: Envelope) -> bool:
    """Return whether an event of a link says everything that changed."""
    return told.type != EventKind.LINK_UPDATED or _TOLD.issuperset(told.data["changed"])


def redone_booking(booking: Booking | None, told: Envelope, *, key_id: int) -> Booking:
    """Return the booking as a later event of it left it; one that is not there is made, without its person.

    Who booked is in no event, so it can't come back. Raises KeyError or ValueError for an event that is unlike ours.
    """
    data, at = told.data, _instant(told.time)
    start, end = _instant(data["start"]), _instant(data["end"])
    if booking is None:
        booking = Booking(
            booking_id=_text(told.booking_id),
            link_id=_text(told.link_id),
            host_id=_text(told.host_id),
            event_type_id=_text(told.event_type_id),
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
            external_id=told.external_id,
            metadata=told.metadata,
        )
    cancelled = data["status"] == BookingStatus.CANCELLED
    erased = told.type == EventKind.BOOKING_ERASED
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
        sequence=told.sequence,
    )


def missing(base: int, last: int, seen: Collection[int]) -> list[int]:
    """Return the sequences after `base`, up to `last`, of which no event came: a gap in what was told."""
    return [number for number in range(base + 1, last + 1) if number not in seen]


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.utcoffset() != timedelta(0):
        raise ValueError("an event's time is UTC")
    return as_instant(found)


def _optional(text: str | None) -> datetime | None:
    return None if text is None else _instant(text)


def _text(value: str | None) -> str:
    if not value:
        raise ValueError("an event of a booking names it, its link, its host and its event type")
    return value
