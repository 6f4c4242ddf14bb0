"""Event types in the table, listed by host."""

from pynamodb.expressions.operand import Path

from chalicelib.domain.causes import Cause
from chalicelib.domain.event_types import EventType
from chalicelib.domain.hosts import Host
from chalicelib.domain.listings import Entry
from chalicelib.store.faults import RawItem
from chalicelib.store.hosts import host_of_raw
from chalicelib.store.items import BY_HOST, EventTypeItem, event_type_key, host_key, list_sort
from chalicelib.store.table import ABSENT, Table


class EventTypes:
    """Reads and writes of event types."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self, event_type_id: str) -> EventType | None:
        """Return an event type as it stands now, archived or not, or None."""
        item = self._table.get(EventTypeItem, event_type_key(event_type_id))
        return event_type_of(item) if item else None

    def read_with_host(self, event_type_id: str, host_id: str) -> tuple[EventType | None, Host | None]:
        """Return an event type and its host as they stand now, in one round trip."""
        event_type_at, host_at = event_type_key(event_type_id), host_key(host_id)
        found = self._table.get_many([event_type_at, host_at])
        event_type, host = found.get(event_type_at), found.get(host_at)
        return (
            event_type_of(EventTypeItem.from_raw_data(event_type)) if event_type else None,
            host_of_raw(host) if host else None,
        )

    def create(self, event_type: EventType, cause: Cause) -> None:
        """Make an event type; its id is fresh."""
        self._table.put(_item_of(event_type, cause), ABSENT)

    def change(self, event_type: EventType, cause: Cause, *, seen: int) -> bool:
        """Write an event type whole if its sequence is still `seen`; return False when it is not."""
        return self._table.put(_item_of(event_type, cause), Path("sequence") == seen)

    def page(self, host_id: str, before: str | None, limit: int) -> list[tuple[Entry, EventType]]:
        """Return up to `limit` of a host's event types that are not archived, newest first, older than `before`."""
        condition = None if before is None else Path("listSort") < before
        entries = self._table.index_page(BY_HOST, f"HOST#{host_id}#ETYPE", condition, limit)
        found = self._table.get_many((entry["pk"], entry["sk"]) for entry in entries)
        return [
            (Entry(entry["pk"].removeprefix("ETYPE#"), entry["listSort"]), event_type_of_raw(raw))
            for entry in entries
            if (raw := found.get((entry["pk"], entry["sk"])))
        ]


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
    listed = "ARCHIVED" if event_type.archived else "ETYPE"
    return EventTypeItem(
        pk,
        sk,
        host_id=event_type.host_id,
        settings=event_type.settings,
        created_at=event_type.created_at,
        archived_at=event_type.archived_at,
        sequence=event_type.sequence,
        actor=cause.actor,
        correlation_id=cause.correlation_id,
        host_key=f"HOST#{event_type.host_id}#{listed}",
        list_sort=list_sort(event_type.created_at, event_type.event_type_id),
    )
