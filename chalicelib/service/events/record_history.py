"""Write the events of a stream record to their link's history; a repeated record changes nothing (P6)."""

from collections.abc import Mapping
from typing import Any

from chalicelib.domain.events.events import Event
from chalicelib.service.ports import World


def record_history(world: World, record: Mapping[str, Any]) -> list[Event]:
    """Write the events of one stream record to the history if they are missing, and return all of them."""
    events = world.store.events_of(record)
    for event in events:
        world.store.history.append(event)
    return events
