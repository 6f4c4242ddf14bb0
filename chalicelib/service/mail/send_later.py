"""Postpone a message of the mail queue: an email that SES does not accept now is retried at growing intervals."""

from collections.abc import Mapping
from typing import Any, Final

from chalicelib.domain.errors import QueueUnavailableError
from chalicelib.service.ports import World

FIRST_PAUSE_SECONDS: Final = 30
MAX_PAUSE_SECONDS: Final = 3600


def retry_later(world: World, message: Mapping[str, Any]) -> None:
    """Hide a message, as Lambda gets it, until its retry: after 30 seconds at first, after an hour at most."""
    times = int(message.get("attributes", {}).get("ApproximateReceiveCount", 1))
    retry_after(world, message, pause_after(times))


def retry_after(world: World, message: Mapping[str, Any], seconds: int) -> None:
    """Hide a message, as Lambda gets it, for some seconds. If that fails, the queue's visibility timeout applies."""
    if world.mail_queue is None:
        return
    try:
        world.mail_queue.delay(message["receiptHandle"], seconds)
    except QueueUnavailableError:
        return


def pause_after(times: int) -> int:
    """Return the seconds to wait after the 1st, 2nd, … delivery of a message."""
    return min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS << min(times - 1, 20))
