"""Put a notice on the bus, or say that it is to be done again."""

from datetime import timedelta
from typing import Final

from chalicelib.domain.errors import QueueUnavailableError
from chalicelib.domain.events.envelopes import Envelope
from chalicelib.service.events.publish import publish
from chalicelib.service.ports import World

_TIME: Final = timedelta(seconds=20)


def notify(world: World, envelope: Envelope) -> None:
    """Put a notice on the bus. Raises `QueueUnavailableError` when it was not taken: whoever asked comes again."""
    refused = publish(world, [envelope], give_up=world.now() + _TIME)
    if refused:
        raise QueueUnavailableError(f"The bus did not take a notice: {refused[0]}.")
