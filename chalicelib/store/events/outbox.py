"""Derive events from the table's stream, which serves as the outbox: no second write is needed (P6)."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import as_instant
from chalicelib.domain.events.events import (
    Event,
    EventKind,
    booking_events,
    data_of,
    event_id_of,
    link_events,
)
from chalicelib.store.bookings.bookings import booking_of
from chalicelib.store.events.history import event_of
from chalicelib.store.faults import RawItem
from chalicelib.store.items import (
    BookingItem,
    DenialItem,
    HistoryItem,
    Item,
    LinkItem,
    OpensItem,
    RequestItem,
)
from chalicelib.store.links.links import link_of

TTL_PRINCIPAL: Final = "dynamodb.amazonaws.com"
BY_TTL: Final = Cause("system:ttl", "ttl")


class _Change(msgspec.Struct, frozen=True):
    """An item before and after a change; `time` is DynamoDB's, to the second."""

    old: RawItem | None
    new: RawItem | None
    time: datetime
    by_ttl: bool


_Reader = Callable[[_Change], list[Event]]


def events_of(record: Mapping[str, Any]) -> list[Event]:
    """Return the events of a stream record (as Lambda gets it, new and old images); none for other kinds of item.

    Raises KeyError or ValueError for a malformed record, which its reader must dead-letter.
    """
    images = record["dynamodb"]
    kind = images["Keys"]["sk"]["S"].partition("#")[0]
    reader = _READERS.get(kind)
    if reader is None:
        return []
    by_ttl = (record.get("userIdentity") or {}).get("principalId") == TTL_PRINCIPAL
    time = as_instant(datetime.fromtimestamp(float(images["ApproximateCreationDateTime"]), UTC))
    return reader(_Change(images.get("OldImage"), images.get("NewImage"), time, by_ttl))


def _of_link(change: _Change) -> list[Event]:
    if change.new is None and not change.by_ttl:
        return []  # the host's delete wrote a history entry, in the same transaction
    before = LinkItem.of_any_version(change.old) if change.old else None
    after = LinkItem.of_any_version(change.new) if change.new else None
    cause = _cause_of(after) if after else BY_TTL
    return list(
        link_events(
            link_of(before) if before else None, link_of(after) if after else None, cause, change.time
        )
    )


def _of_booking(change: _Change) -> list[Event]:
    if change.new is None:
        return []
    before = BookingItem.of_any_version(change.old) if change.old else None
    after = BookingItem.of_any_version(change.new)
    return list(
        booking_events(
            booking_of(before) if before else None, booking_of(after), _cause_of(after), change.time
        )
    )


def _of_opens(change: _Change) -> list[Event]:
    if (
        change.new is None
        or "firstOpenedAt" not in change.new
        or (change.old and "firstOpenedAt" in change.old)
    ):
        return []
    item = OpensItem.from_raw_data(change.new)
    return [
        _about(EventKind.LINK_OPENED, item, item.first_opened_at, data_of(EventKind.LINK_OPENED), item.pk)
    ]


def _of_denial(change: _Change) -> list[Event]:
    if change.new is None or change.old is not None:
        return []
    item = DenialItem.from_raw_data(change.new)
    return [
        _about(
            EventKind.LINK_DENIED,
            item,
            item.denied_at,
            data_of(EventKind.LINK_DENIED, reason=item.code),
            item.pk,
            item.sk,
        )
    ]


def _of_request(change: _Change) -> list[Event]:
    if change.new is None or change.old is not None:
        return []
    item = RequestItem.from_raw_data(change.new)
    # The event does not say who asked: only the request does, which is deleted sooner than the history.
    data = data_of(EventKind.LINK_REQUESTED, reason=item.reason)
    return [_about(EventKind.LINK_REQUESTED, item, item.requested_at, data, item.pk, item.sk)]


def _of_entry(change: _Change) -> list[Event]:
    """Return the event of an entry that was not derived from the stream, such as a host's delete."""
    if change.new is None or change.old is not None or "direct" not in change.new:
        return []
    return [event_of(HistoryItem.from_raw_data(change.new))]


def _of_heartbeat(change: _Change) -> list[Event]:
    """Return no event: a heartbeat only shows that its record reached the outbox."""
    del change
    return []


_READERS: Final[Mapping[str, _Reader]] = {
    "LINK": _of_link,
    "BOOKING": _of_booking,
    "OPENS": _of_opens,
    "DENIAL": _of_denial,
    "REQUEST": _of_request,
    "HISTORY": _of_entry,
    "HEARTBEAT": _of_heartbeat,
}


def _about(
    kind: EventKind,
    item: OpensItem | DenialItem | RequestItem,
    time: datetime,
    data: dict[str, Any],
    *identity: object,
) -> Event:
    return Event(
        event_id=event_id_of(kind, *identity),
        type=kind,
        time=time,
        link_id=item.pk.removeprefix("LINK#"),
        host_id=item.host_id,
        event_type_id=item.event_type_id,
        sequence=0,
        cause=_cause_of(item),
        data=data,
        external_id=item.external_id,
        metadata=item.metadata or {},
    )


def _cause_of(item: Item) -> Cause:
    return Cause(item.actor or "", item.correlation_id or "")
