"""Publish a notice on the bus, or raise so that the caller retries."""

from datetime import timedelta
from typing import Final

from chalicelib.domain.errors import Fault, QueueUnavailableError
from chalicelib.domain.events.envelopes import Envelope
from chalicelib.service.events.publish import publish
from chalicelib.service.ports import World

_TIME: Final = timedelta(seconds=20)


def notify(world: World, envelope: Envelope) -> None:
    """Publish a notice. Raises `QueueUnavailableError` if the bus rejected it: the caller must retry."""
    refused = publish(world, [envelope], give_up=world.now() + _TIME)
    if refused:
        fault = Fault(refused[0], "events", "PutEvents")
        raise QueueUnavailableError(f"The event bus rejected a notice: {refused[0]}.", fault=fault)
