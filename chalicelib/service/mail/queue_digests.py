"""Queue the digests whose day is over: the updates beyond a host's email budget (P15)."""

import logging
from datetime import timedelta
from typing import Final

import msgspec

from chalicelib.domain.errors import QueueUnavailableError
from chalicelib.domain.mail.digests import DigestMessage
from chalicelib.logs import cause_fields, fields
from chalicelib.service.ports import World

PAGE: Final = 100
TIME: Final = timedelta(seconds=10)  # limit per run: the function has other work each minute
# The time until the next attempt, if the queue lost the message or is behind.
RETRY_INTERVAL: Final = timedelta(hours=1)

log = logging.getLogger(__name__)


def queue_due_digests(world: World) -> int:
    """Put every due digest on the mail queue, for at most 10 s; return how many.

    Before it is queued, each digest is scheduled again in an hour, on the condition that no other run did so and it was
    not sent. So no digest is lost, and the queue does not fill up with copies. If email is off, nothing is queued.
    """
    if world.mail_queue is None:
        return 0
    give_up = world.now() + TIME
    queued = 0
    for digest_id in world.store.mail_digests.due(world.now(), PAGE):
        now = world.now()
        if now > give_up:
            break
        if not world.store.mail_digests.reschedule(digest_id, now + RETRY_INTERVAL, now=now):
            continue
        message = DigestMessage(host_id=digest_id.host_id, day=digest_id.day)
        try:
            world.mail_queue.send(msgspec.json.encode({"digest": message}).decode())
        except QueueUnavailableError as error:
            log.warning(
                "digest of %s not queued: the queue is unavailable; retry in an hour",
                digest_id.host_id,
                extra=fields("digest-not-queued", hostId=digest_id.host_id, **cause_fields(error)),
            )
            continue
        queued += 1
    return queued
