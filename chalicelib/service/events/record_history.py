"""Write history: the events of a stream record as entries of their link. Repeating a record changes nothing (P6)."""

from collections.abc import Mapping
from typing import Any

from chalicelib.domain.events.events import Event
from chalicelib.service.ports import World


def record_history(world: World, record: Mapping[str, Any]) -> list[Event]:
    """Return the events of one stream record, after each is in the history, now or from an earlier reading."""
    events = world.store.events_of(record)
    for event in events:
        world.store.history.append(event)
    return events
