"""Publish events on the event bus; retry the rejected ones with exponential backoff (P6)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from chalicelib.domain.events.envelopes import Envelope
from chalicelib.service.contention import pause_before
from chalicelib.service.ports import World

TRIES: Final = 5
OUT_OF_TIME: Final = "OutOfTime"
_AT_A_TIME: Final = 10  # events per call to the bus; the clock is checked before each call


def publish(world: World, envelopes: Sequence[Envelope], *, give_up: datetime) -> dict[int, str]:
    """Publish events; return the index and reason of each that the bus still rejects after five tries or at `give_up`.

    Without a bus, nothing is rejected. An event may be published twice, with the same id: a lost reply leaves open
    whether the bus accepted it.
    """
    if world.event_bus is None:
        return {}
    waiting: dict[int, str] = dict.fromkeys(range(len(envelopes)), OUT_OF_TIME)
    for attempt in range(TRIES):
        if attempt:
            world.sleep(pause_before(world, attempt))
        waiting = _round(world, envelopes, waiting, give_up)
        if not waiting or world.now() > give_up:
            break
    return waiting


def _round(
    world: World, envelopes: Sequence[Envelope], waiting: dict[int, str], give_up: datetime
) -> dict[int, str]:
    """Send the waiting events once, ten per call; return those that still wait, with the reason."""
    bus = world.event_bus
    if bus is None:
        raise RuntimeError("no bus")
    places = list(waiting)
    still: dict[int, str] = {}
    for at in range(0, len(places), _AT_A_TIME):
        some = places[at : at + _AT_A_TIME]
        if world.now() > give_up:
            still |= {place: waiting[place] for place in some}
            continue
        refused = bus.put([envelopes[place] for place in some])
        still |= {some[index]: why for index, why in refused.items()}
    return still
