"""Derive the events of links and bookings from an item before and after a change (P6).

Events are not written with the change: the table's stream is the outbox, and these functions turn its records into
events.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from chalicelib.domain.bookings.booking import Booking, BookingStatus
from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import rfc3339
from chalicelib.domain.events import event_data
from chalicelib.domain.links.link import Link, LinkStatus


class EventKind(StrEnum):
    """Every kind of event. Later versions may add kinds, so consumers must ignore unknown ones."""

    LINK_CREATED = "link.created"
    LINK_UPDATED = "link.updated"
    LINK_OPENED = "link.opened"
    LINK_USED = "link.used"
    LINK_REVOKED = "link.revoked"
    LINK_EXPIRED = "link.expired"
    LINK_DELETED = "link.deleted"
    LINK_REQUESTED = "link.requested"
    LINK_DENIED = "link.denied"
    BOOKING_CONFIRMED = "booking.confirmed"
    BOOKING_CANCELLED = "booking.cancelled"
    BOOKING_RESCHEDULED = "booking.rescheduled"
    BOOKING_ERASED = "booking.erased"
    MAIL_REQUESTED = "mail.requested"
    MAIL_SENT = "mail.sent"
    MAIL_FAILED = "mail.failed"
    MAIL_BOUNCED = "mail.bounced"
    MAIL_COMPLAINED = "mail.complained"


DATA: Final[Mapping[EventKind, type[event_data.Data]]] = {
    EventKind.LINK_CREATED: event_data.LinkCreated,
    EventKind.LINK_UPDATED: event_data.LinkUpdated,
    EventKind.LINK_OPENED: event_data.LinkOpened,
    EventKind.LINK_USED: event_data.LinkUsed,
    EventKind.LINK_REVOKED: event_data.LinkRevoked,
    EventKind.LINK_EXPIRED: event_data.LinkExpired,
    EventKind.LINK_DELETED: event_data.LinkDeleted,
    EventKind.LINK_REQUESTED: event_data.LinkRequested,
    EventKind.LINK_DENIED: event_data.LinkDenied,
    EventKind.BOOKING_CONFIRMED: event_data.BookingConfirmed,
    EventKind.BOOKING_CANCELLED: event_data.BookingCancelled,
    EventKind.BOOKING_RESCHEDULED: event_data.BookingRescheduled,
    EventKind.BOOKING_ERASED: event_data.BookingErased,
    EventKind.MAIL_REQUESTED: event_data.MailRequested,
    EventKind.MAIL_SENT: event_data.MailSent,
    EventKind.MAIL_FAILED: event_data.MailFailed,
    EventKind.MAIL_BOUNCED: event_data.MailBounced,
    EventKind.MAIL_COMPLAINED: event_data.MailComplained,
}
"""The struct of each kind's `data`; `make schemas` writes the published schemas from these."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One change. It always has the same `event_id`, however often its stream record is read.

    `sequence` is the link's or booking's after the change, or 0 if neither changed. Delivery is not ordered, so
    consumers order by it. `external_id` and `metadata` are the link's. An event never contains a token (P7).
    """

    event_id: str
    type: EventKind
    time: datetime
    link_id: str
    host_id: str
    event_type_id: str
    sequence: int
    cause: Cause
    data: dict[str, Any]
    booking_id: str | None = None
    external_id: str | None = None
    metadata: dict[str, Any] = {}


def data_of(kind: EventKind, **fields: Any) -> dict[str, Any]:
    """Return an event's `data` from the fields of its kind. Raises TypeError for a missing or unknown field."""
    data: dict[str, Any] = msgspec.to_builtins(DATA[kind](**fields))
    return data


def event_id_of(*parts: object) -> str:
    """Return the id of an event. The same kind and identifying parts always give the same id."""
    raw = hashlib.sha256("\x00".join(str(part) for part in parts).encode()).digest()[:16]
    return "evt_" + base64.b32encode(raw).decode().rstrip("=").lower()


def link_events(old: Link | None, new: Link | None, cause: Cause, time: datetime) -> Iterator[Event]:
    """Yield the events between two images of a link. Raises ValueError if both are None.

    Without a new image, DynamoDB's TTL deleted the link. A delete by a host writes its own history entry.
    """
    link = new or old
    if link is None:
        raise ValueError("a change has at least one image")
    if new is None:
        link = msgspec.structs.replace(link, sequence=link.sequence + 1)
        if link.stored_status is LinkStatus.ACTIVE:  # the expiry schedule did not mark it in time
            link = msgspec.structs.replace(link, stored_status=LinkStatus.EXPIRED)
            yield _link_event(EventKind.LINK_EXPIRED, link, cause, link.settings.expires_at or time)
            link = msgspec.structs.replace(link, sequence=link.sequence + 1)
        yield _link_event(EventKind.LINK_DELETED, link, cause, time, reason="ttl")
    elif old is None:
        yield _link_event(EventKind.LINK_CREATED, new, cause, time, rolling=new.rolling)
    else:
        yield from _link_changes(old, new, cause, time)


def link_deleted(link: Link, cause: Cause, time: datetime) -> Event:
    """Return the history entry for a link that its host deletes."""
    link = msgspec.structs.replace(link, sequence=link.sequence + 1)
    return _link_event(EventKind.LINK_DELETED, link, cause, time, reason="host")


def booking_events(old: Booking | None, new: Booking | None, cause: Cause, time: datetime) -> Iterator[Event]:
    """Yield the events between two images of a booking. Deletion by TTL has no event."""
    if new is None:
        return
    if old is None:
        yield _booking_event(EventKind.BOOKING_CONFIRMED, new, cause, time)
        return
    if old.status is not new.status and new.status is BookingStatus.CANCELLED:
        yield _booking_event(EventKind.BOOKING_CANCELLED, new, cause, time)
    if old.start != new.start:
        before = {"previous_start": rfc3339(old.start), "previous_end": rfc3339(old.end)}
        yield _booking_event(EventKind.BOOKING_RESCHEDULED, new, cause, time, **before)
    if old.invitee is not None and new.invitee is None:
        yield _booking_event(EventKind.BOOKING_ERASED, new, cause, time)


def _link_changes(old: Link, new: Link, cause: Cause, time: datetime) -> Iterator[Event]:
    if new.usage_count > old.usage_count:
        yield _link_event(EventKind.LINK_USED, new, cause, time)
    if new.usage_count < old.usage_count:
        yield _link_event(EventKind.LINK_UPDATED, new, cause, time, reason="use-restored", changed=[])
    if new.edition != old.edition:
        before, after = old.settings, new.settings
        names = [_camel(n) for n in before.__struct_fields__ if getattr(before, n) != getattr(after, n)]
        yield _link_event(EventKind.LINK_UPDATED, new, cause, time, reason="settings-changed", changed=names)
    if new.stored_status is not old.stored_status:
        ended = {
            LinkStatus.REVOKED: EventKind.LINK_REVOKED,
            LinkStatus.EXPIRED: EventKind.LINK_EXPIRED,
        }.get(new.stored_status)
        if ended is not None:
            yield _link_event(ended, new, cause, time)


def _link_event(kind: EventKind, link: Link, cause: Cause, time: datetime, **more: Any) -> Event:
    data = data_of(
        kind,
        status=link.stored_status.value,
        usage_count=link.usage_count,
        max_usage_count=link.settings.max_usage_count,
        expires_at=_optional(link.settings.expires_at),
        not_before=_optional(link.settings.not_before),
        **more,
    )
    return Event(
        event_id=event_id_of(kind, link.link_id, link.sequence),
        type=kind,
        time=time,
        link_id=link.link_id,
        host_id=link.host_id,
        event_type_id=link.event_type_id,
        sequence=link.sequence,
        cause=cause,
        data=data,
        external_id=link.settings.external_id,
        metadata=link.settings.metadata,
    )


def _booking_event(kind: EventKind, booking: Booking, cause: Cause, time: datetime, **more: Any) -> Event:
    data = data_of(
        kind,
        start=rfc3339(booking.start),
        end=rfc3339(booking.end),
        occupied_from=rfc3339(booking.occupied_from),
        occupied_to=rfc3339(booking.occupied_to),
        status=booking.status.value,
        title=booking.title,
        time_zone=booking.time_zone,
        **more,
    )
    return Event(
        event_id=event_id_of(kind, booking.booking_id, booking.sequence),
        type=kind,
        time=time,
        link_id=booking.link_id,
        host_id=booking.host_id,
        event_type_id=booking.event_type_id,
        booking_id=booking.booking_id,
        sequence=booking.sequence,
        cause=cause,
        data=data,
        external_id=booking.external_id,
        metadata=booking.metadata,
    )


def _optional(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
