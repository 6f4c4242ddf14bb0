"""Postpone a message of the mail queue: what SES does not accept now is retried after growing pauses, for a day."""

from collections.abc import Mapping
from typing import Any, Final

from chalicelib.domain.errors import QueueUnavailableError
from chalicelib.service.ports import World

FIRST_PAUSE_SECONDS: Final = 30
LONGEST_PAUSE_SECONDS: Final = 3600


def mail_later(world: World, message: Mapping[str, Any]) -> None:
    """Hide a message, as Lambda gets it, for longer the more often it came: half a minute at first, at last an hour.

    Where that can't be, the queue's own pause holds.
    """
    times = int(message.get("attributes", {}).get("ApproximateReceiveCount", 1))
    mail_after(world, message, pause_after(times))


def mail_after(world: World, message: Mapping[str, Any], seconds: int) -> None:
    """Hide a message, as Lambda gets it, for some seconds. If that fails, the queue's visibility timeout applies."""
    if world.mail_queue is None:
        return
    try:
        world.mail_queue.delay(message["receiptHandle"], seconds)
    except QueueUnavailableError:
        return


def pause_after(times: int) -> int:
    """Return the seconds to wait after a message came for the 1st, 2nd, … time."""
    return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS << min(times - 1, 20))
