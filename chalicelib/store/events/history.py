"""Links' history: entries, open counts, refusals, and requests for a new link. Append-only (P6)."""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec
from pynamodb.expressions.operand import Path

from chalicelib.domain.bookings.booking import Booking
from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import to_millis
from chalicelib.domain.events.events import Event, EventKind
from chalicelib.domain.links.link import Link, Recipient
from chalicelib.domain.links.link_requests import LinkRequest, MailTo, read_request_id
from chalicelib.domain.links.visits import Opens, Visitor
from chalicelib.domain.listings import Entry
from chalicelib.store.causes import audit_actions, audit_attributes
from chalicelib.store.conditions import ABSENT, EXISTS
from chalicelib.store.items import (
    BY_HOST,
    DenialItem,
    HistoryItem,
    OpensItem,
    RequestItem,
    denial_key,
    history_key,
    link_key,
    list_sort,
    opens_key,
    purge_seconds,
    request_key,
)
from chalicelib.store.retention import Retention
from chalicelib.store.table import Table
from chalicelib.store.transactions import Transaction


class History:
    """Reads and writes of links' histories."""

    def __init__(self, table: Table, retention: Retention) -> None:
        self._table = table
        self._retention = retention

    def append(self, event: Event) -> bool:
        """Write an event from the stream; return False if it exists, because the stream record is a repeat."""
        return self._table.put(self._item_of(event), ABSENT)

    def enter(self, event: Event) -> bool:
        """Write an event that no change of an item causes; the stream publishes it. Return False if it exists."""
        return self._table.put(self._item_of(event, direct=True), ABSENT)

    def enter_within(self, transaction: Transaction, event: Event) -> None:
        """Add to a transaction an event that no change of an item causes; the stream publishes it."""
        transaction.put(self._item_of(event, direct=True), ABSENT, name="history entry")

    def page(self, link_id: str, before: str | None, limit: int) -> list[tuple[Entry, Event]]:
        """Return up to `limit` entries of a link, newest first, older than `before`; strongly consistent."""
        pk = link_key(link_id)[0]
        last = "HISTORY$" if before is None else f"HISTORY#{before}"
        items = self._table.newest(HistoryItem, pk, "HISTORY#", last, limit)
        return [(Entry(event.event_id, item.sk[8:]), event) for item in items for event in [event_of(item)]]

    def opens(self, link_id: str) -> Opens:
        """Return how many times a link was opened."""
        item = self._table.get(OpensItem, opens_key(link_id))
        if item is None:
            return Opens()
        return Opens(item.first_opened_at, int(item.persons or 0), int(item.machines or 0))

    def count_open(self, link: Link, visitor: Visitor, correlation_id: str, *, now: datetime) -> None:
        """Count an open. The link itself is not written (P5)."""
        counter = "persons" if visitor is Visitor.PERSON else "machines"
        actions = [
            Path(counter).add(1),
            Path("hostId").set(link.host_id),
            Path("eventTypeId").set(link.event_type_id),
            Path("purgeAt").set(purge_seconds(now, self._retention.history)),
            *audit_actions(Cause(visitor.value, correlation_id)),
        ]
        if link.settings.external_id is not None:
            actions.append(Path("externalId").set(link.settings.external_id))
        if link.settings.metadata:
            actions.append(Path("metadata").set(msgspec.json.encode(link.settings.metadata).decode()))
        if visitor is Visitor.PERSON:
            first = Path("firstOpenedAt")
            actions.append(first.set(first | to_millis(now)))
        self._table.update(opens_key(link.link_id), actions, None)

    def deny(self, about: Link | Booking, code: str, cause: Cause, *, now: datetime) -> None:
        """Record a refusal, at most once per link, code and minute, so that a flood of requests writes little."""
        pk, sk = denial_key(about.link_id, code, now)
        own = about.settings if isinstance(about, Link) else about
        item = DenialItem(
            pk,
            sk,
            host_id=about.host_id,
            event_type_id=about.event_type_id,
            code=code,
            denied_at=now,
            external_id=own.external_id,
            metadata=own.metadata or None,
            **audit_attributes(cause),
            purge_at=purge_seconds(now, self._retention.link),
        )
        self._table.put(item, ABSENT)

    def request(self, request: LinkRequest, cause: Cause) -> bool:
        """Store a request for a new link; return False if its slot of that day is taken."""
        pk, sk = request_key(request.link_id, request.requested_at.date(), request.slot)
        recipient = request.recipient
        item = RequestItem(
            pk,
            sk,
            host_id=request.host_id,
            event_type_id=request.event_type_id,
            requested_at=request.requested_at,
            name=request.name or None,
            email=request.email,
            message=request.message or None,
            reason=request.reason,
            recipient_name=recipient.name or None if recipient else None,
            recipient_email=recipient.email or None if recipient else None,
            external_id=request.external_id,
            metadata=request.metadata or None,
            **audit_attributes(cause),
            host_key=_list_of(request.host_id, answered=False),
            list_sort=list_sort(request.requested_at, f"{request.link_id}.{request.slot}"),
            purge_at=purge_seconds(request.requested_at, self._retention.request),
        )
        return self._table.put(item, ABSENT)

    def requests_of(self, link_id: str, day: date, limit: int) -> list[LinkRequest]:
        """Return up to `limit` requests about a link on a UTC date; strongly consistent."""
        pk, first = request_key(link_id, day, None)
        return [request_of(item) for item in self._table.newest(RequestItem, pk, first, f"{first}$", limit)]

    def request_entries(self, host_id: str, *, answered: bool, before: str | None, limit: int) -> list[Entry]:
        """Return up to `limit` index entries of a host's requests, newest first, older than `before`."""
        condition = None if before is None else Path("listSort") < before
        found = self._table.index_page(BY_HOST, _list_of(host_id, answered=answered), condition, limit)
        return [Entry(_request_id(entry["pk"], entry["sk"]), entry["listSort"]) for entry in found]

    def read_requests(self, request_ids: Sequence[str]) -> list[LinkRequest]:
        """Return the requests that exist, in their current state, in the requested order."""
        names = (read_request_id(request_id) for request_id in request_ids)
        keys = [request_key(*name) for name in names if name]
        return [request_of(item) for item in self._table.get_in_order(RequestItem, keys)]

    def answer_within(
        self, transaction: Transaction, request: LinkRequest, link_id: str, cause: Cause, now: datetime
    ) -> None:
        """Mark a request as answered by a link, in a transaction, on the condition that no link answers it yet."""
        key = request_key(request.link_id, request.requested_at.date(), request.slot)
        actions = [
            Path("answeredAt").set(to_millis(now)),
            Path("mailTo").set((request.mail_to or MailTo.NOBODY).value),
            Path("replacementLinkId").set(link_id),
            Path("hostKey").set(_list_of(request.host_id, answered=True)),
            *audit_actions(cause),
        ]
        not_answered_yet = EXISTS & Path("replacementLinkId").does_not_exist()
        transaction.update(key, actions, not_answered_yet, name="request")

    def _item_of(self, event: Event, *, direct: bool = False) -> HistoryItem:
        pk, sk = history_key(event.link_id, event.time, event.sequence, event.event_id)
        return HistoryItem(
            pk,
            sk,
            event_id=event.event_id,
            type=event.type.value,
            time=event.time,
            host_id=event.host_id,
            event_type_id=event.event_type_id,
            booking_id=event.booking_id,
            sequence=event.sequence,
            data=event.data,
            external_id=event.external_id,
            metadata=event.metadata or None,
            direct=direct or None,
            **audit_attributes(event.cause),
            purge_at=purge_seconds(event.time, self._retention.history),
        )


def event_of(item: HistoryItem) -> Event:
    """Return the event that an entry holds."""
    return Event(
        event_id=item.event_id,
        type=EventKind(item.type),
        time=item.time,
        link_id=item.pk.removeprefix("LINK#"),
        host_id=item.host_id,
        event_type_id=item.event_type_id,
        booking_id=item.booking_id,
        sequence=int(item.sequence),
        cause=Cause(item.actor or "", item.correlation_id or ""),
        data=item.data,
        external_id=item.external_id,
        metadata=item.metadata or {},
    )


def _list_of(host_id: str, *, answered: bool) -> str:
    return f"HOST#{host_id}#{'ANSWERED' if answered else 'REQUEST'}"


def _request_id(pk: str, sk: str) -> str:
    return f"{pk.removeprefix('LINK#')}.{sk.removeprefix('REQUEST#').replace('#', '.')}"


def request_of(item: RequestItem) -> LinkRequest:
    """Return the request for a new link that an item holds."""
    slot = item.sk.split("#")[2:]
    known = item.recipient_name or item.recipient_email
    return LinkRequest(
        link_id=item.pk.removeprefix("LINK#"),
        host_id=item.host_id,
        event_type_id=item.event_type_id,
        requested_at=item.requested_at,
        name=item.name or "",
        email=item.email,
        message=item.message or "",
        reason=item.reason,
        slot=int(slot[0]) if slot else None,
        recipient=Recipient(item.recipient_name or "", item.recipient_email or "") if known else None,
        external_id=item.external_id,
        metadata=item.metadata or {},
        answered_at=item.answered_at,
        replacement_link_id=item.replacement_link_id,
        mail_to=MailTo(item.mail_to) if item.mail_to else None,
    )
