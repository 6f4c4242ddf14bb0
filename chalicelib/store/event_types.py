"""Event types in the table, listed by host."""

from collections.abc import Sequence

from pynamodb.expressions.operand import Path

from chalicelib.domain.causes import Cause
from chalicelib.domain.event_types.event_type import EventType
from chalicelib.domain.listings import Entry
from chalicelib.domain.team.hosts import Host
from chalicelib.store.causes import audit_attributes
from chalicelib.store.conditions import ABSENT, unchanged_since
from chalicelib.store.faults import RawItem
from chalicelib.store.items import BY_HOST, EventTypeItem, event_type_key, host_key, list_sort
from chalicelib.store.table import Table
from chalicelib.store.team.hosts import host_of_raw


class EventTypes:
    """Reads and writes of event types."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self, event_type_id: str) -> EventType | None:
        """Return an event type in its current state, archived or not, or None."""
        item = self._table.get(EventTypeItem, event_type_key(event_type_id))
        return event_type_of(item) if item else None

    def read_with_host(self, event_type_id: str, host_id: str) -> tuple[EventType | None, Host | None]:
        """Return an event type and its host in their current state, in one round trip."""
        event_type_at, host_at = event_type_key(event_type_id), host_key(host_id)
        found = self._table.get_many([event_type_at, host_at])
        event_type, host = found.get(event_type_at), found.get(host_at)
        return (
            event_type_of(EventTypeItem.from_raw_data(event_type)) if event_type else None,
            host_of_raw(host) if host else None,
        )

    def create(self, event_type: EventType, cause: Cause) -> None:
        """Create an event type under a new id."""
        self._table.put(_item_of(event_type, cause), ABSENT)

    def change(self, event_type: EventType, cause: Cause, *, seen: int) -> bool:
        """Write the whole event type if its sequence is still `seen`; otherwise return False."""
        return self._table.put(_item_of(event_type, cause), unchanged_since(seen))

    def entries(self, host_id: str, *, archived: bool, before: str | None, limit: int) -> list[Entry]:
        """Return up to `limit` index entries of a host's event types, newest first, older than `before`."""
        condition = None if before is None else Path("listSort") < before
        found = self._table.index_page(BY_HOST, _list_of(host_id, archived=archived), condition, limit)
        return [Entry(entry["pk"].removeprefix("ETYPE#"), entry["listSort"]) for entry in found]

    def read_many(self, event_type_ids: Sequence[str]) -> list[EventType]:
        """Return the event types that exist, in the requested order."""
        items = self._table.get_in_order(EventTypeItem, map(event_type_key, event_type_ids))
        return [event_type_of(item) for item in items]


def event_type_of(item: EventTypeItem) -> EventType:
    """Return the event type that an item holds."""
    return EventType(
        event_type_id=item.pk.removeprefix("ETYPE#"),
        host_id=item.host_id,
        settings=item.settings,
        created_at=item.created_at,
        sequence=int(item.sequence),
        archived_at=item.archived_at,
    )


def event_type_of_raw(raw: RawItem) -> EventType:
    """Return the event type that a raw item holds."""
    return event_type_of(EventTypeItem.from_raw_data(raw))


def _item_of(event_type: EventType, cause: Cause) -> EventTypeItem:
    pk, sk = event_type_key(event_type.event_type_id)
    return EventTypeItem(
        pk,
        sk,
        host_id=event_type.host_id,
        settings=event_type.settings,
        created_at=event_type.created_at,
        archived_at=event_type.archived_at,
        sequence=event_type.sequence,
        **audit_attributes(cause),
        host_key=_list_of(event_type.host_id, archived=event_type.archived),
        list_sort=list_sort(event_type.created_at, event_type.event_type_id),
    )


def _list_of(host_id: str, *, archived: bool) -> str:
    return f"HOST#{host_id}#{'ARCHIVED' if archived else 'ETYPE'}"
