"""Compare the stream's events with what is stored: none missing, none that never was (P6)."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chalicelib.domain.events.events import Event, EventKind
from chalicelib.store.events.outbox import events_of
from tests.support import audit


def event_faults(records: Iterable[Mapping[str, Any]], items: audit.Dump) -> list[str]:
    """Return what is wrong between the events of a table's whole stream and its last state; empty when all is well.

    Links and bookings are told again from events alone, and have to come out as they are.
    """
    events = [event for record in records for event in events_of(record)]
    return [*_repeated(events), *_links(events, items), *_bookings(events, items)]


def _repeated(events: Iterable[Event]) -> Iterator[str]:
    seen = Counter(event.event_id for event in events)
    yield from (
        f"{event_id} is the id of {count} different events" for event_id, count in seen.items() if count > 1
    )


def _links(events: Iterable[Event], items: audit.Dump) -> Iterator[str]:
    told: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.booking_id is None and event.sequence:
            told[event.link_id].append(event)
    stored = audit.links_of(items)
    for name in stored.keys() - told.keys():
        yield f"{name} is there, and no event told it"
    for name, mine in told.items():
        kinds = Counter(event.type for event in mine)
        link = stored.get(name)
        if kinds[EventKind.LINK_CREATED] != 1:
            yield f"{name} was told as created {kinds[EventKind.LINK_CREATED]} times"
        if (link is None) != (kinds[EventKind.LINK_DELETED] == 1):
            yield f"{name} was told as deleted {kinds[EventKind.LINK_DELETED]} times"
        if link is None:
            continue
        last = max(mine, key=lambda event: event.sequence)
        now = (link["usageCount"], link["status"], link["sequence"])
        as_told = (last.data["usageCount"], last.data["status"], last.sequence)
        # A change of words alone raises the sequence too, and is an event as well.
        if now != as_told:
            yield f"{name} is {now}, and was last told as {as_told}"
        sequences = sorted({event.sequence for event in mine})
        if sequences != list(range(1, len(sequences) + 1)):
            yield f"{name} was told of at {sequences}: a change is missing"


def _bookings(events: Iterable[Event], items: audit.Dump) -> Iterator[str]:
    told: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.booking_id is not None:
            told[event.booking_id].append(event)
    stored = audit.bookings_of(items)
    for name in stored.keys() - told.keys():
        yield f"{name} is there, and no event told it"
    for name in told.keys() - stored.keys():
        yield f"{name} was told of, and never was"
    for name in told.keys() & stored.keys():
        mine = sorted(told[name], key=lambda event: event.sequence)
        kinds = Counter(event.type for event in mine)
        if kinds[EventKind.BOOKING_CONFIRMED] != 1:
            yield f"{name} was told as confirmed {kinds[EventKind.BOOKING_CONFIRMED]} times"
        if kinds[EventKind.BOOKING_CANCELLED] != (stored[name]["status"] == "cancelled"):
            told_so = kinds[EventKind.BOOKING_CANCELLED]
            yield f"{name} is {stored[name]['status']}, and was told as cancelled {told_so} times"
        if [event.sequence for event in mine] != list(range(1, stored[name]["sequence"] + 1)):
            yield f"{name} was told of at {[event.sequence for event in mine]}: a change is missing"
