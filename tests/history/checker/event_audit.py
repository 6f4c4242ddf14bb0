"""Compare the events of a table's stream with the table's final state: no event is missing or wrong (P6)."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chalicelib.domain.events.events import Event, EventKind
from chalicelib.store.events.outbox import events_of
from tests.support import audit


def event_faults(records: Iterable[Mapping[str, Any]], items: audit.Dump) -> list[str]:
    """Return the differences between the events of a table's whole stream and its final state; empty if there are none.

    Rebuilds links and bookings from the events alone and compares them with the stored items.
    """
    events = [event for record in records for event in events_of(record)]
    return [*_repeated(events), *_links(events, items), *_bookings(events, items)]


def _repeated(events: Iterable[Event]) -> Iterator[str]:
    seen = Counter(event.event_id for event in events)
    yield from (
        f"{event_id} is the id of {count} different events" for event_id, count in seen.items() if count > 1
    )


def _links(events: Iterable[Event], items: audit.Dump) -> Iterator[str]:
    published: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.booking_id is None and event.sequence:
            published[event.link_id].append(event)
    stored = audit.links_of(items)
    for name in stored.keys() - published.keys():
        yield f"{name} is stored, but has no event"
    for name, mine in published.items():
        kinds = Counter(event.type for event in mine)
        link = stored.get(name)
        if kinds[EventKind.LINK_CREATED] != 1:
            yield f"{name} has {kinds[EventKind.LINK_CREATED]} {EventKind.LINK_CREATED} events instead of 1"
        if (link is None) != (kinds[EventKind.LINK_DELETED] == 1):
            deletions = kinds[EventKind.LINK_DELETED]
            yield f"{name} is {'deleted' if link is None else 'stored'}, but has {deletions} deletion events"
        if link is None:
            continue
        last = max(mine, key=lambda event: event.sequence)
        now = (link["usageCount"], link["status"], link["sequence"])
        in_event = (last.data["usageCount"], last.data["status"], last.sequence)
        # Every change increments the sequence and creates an event, even if it only edits a text field.
        if now != in_event:
            yield f"{name} is {now}, but its last event says {in_event}"
        sequences = sorted({event.sequence for event in mine})
        if sequences != list(range(1, len(sequences) + 1)):
            yield f"{name} has events with sequences {sequences}: one is missing"


def _bookings(events: Iterable[Event], items: audit.Dump) -> Iterator[str]:
    published: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.booking_id is not None:
            published[event.booking_id].append(event)
    stored = audit.bookings_of(items)
    for name in stored.keys() - published.keys():
        yield f"{name} is stored, but has no event"
    for name in published.keys() - stored.keys():
        yield f"{name} has events, but is not stored"
    for name in published.keys() & stored.keys():
        mine = sorted(published[name], key=lambda event: event.sequence)
        kinds = Counter(event.type for event in mine)
        if kinds[EventKind.BOOKING_CONFIRMED] != 1:
            yield f"{name} has {kinds[EventKind.BOOKING_CONFIRMED]} {EventKind.BOOKING_CONFIRMED} events instead of 1"
        if kinds[EventKind.BOOKING_CANCELLED] != (stored[name]["status"] == "cancelled"):
            cancellations = kinds[EventKind.BOOKING_CANCELLED]
            yield f"{name} is {stored[name]['status']}, but has {cancellations} cancellation events"
        if [event.sequence for event in mine] != list(range(1, stored[name]["sequence"] + 1)):
            sequences = [event.sequence for event in mine]
            yield f"{name} has events with sequences {sequences}, but is at {stored[name]['sequence']}"
