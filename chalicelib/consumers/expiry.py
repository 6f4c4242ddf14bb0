"""Every minute: send the heartbeat, mark links past their expiry as expired, and queue digests that are due."""

import contextlib
import logging

from chalice.app import Blueprint, CloudWatchEvent, Rate

from chalicelib import bootstrap
from chalicelib.logs import fields
from chalicelib.service.heartbeat import send_heartbeat
from chalicelib.service.links.expire import expire_due_links
from chalicelib.service.mail.queue_digests import queue_due_digests
from chalicelib.service.ports import World

expiry = Blueprint(__name__)
log = logging.getLogger(__name__)


@expiry.schedule(Rate(1, unit=Rate.MINUTES), name="expiry")
def expire(event: CloudWatchEvent) -> None:
    """Send the heartbeat, expire the links that are due, then queue the digests that are due.

    If one of the three fails, the others still run; then this raises the failure. The heartbeat is also sent while
    changes are closed, because its alarm means that the stream is not read.
    """
    del event
    world = bootstrap.world()
    with contextlib.ExitStack() as steps:  # runs them last in, first out
        if world.is_writable:
            steps.callback(_queue_digests, world)
            steps.callback(_expire_links, world)
        else:
            log.info(
                "no links expired: changes are closed while the table is restored",
                extra=fields("changes-closed"),
            )
        steps.callback(send_heartbeat, world)


def _expire_links(world: World) -> None:
    links = expire_due_links(world)
    log.info("marked %d links expired", links, extra=fields("links-expired", links=links))


def _queue_digests(world: World) -> None:
    digests = queue_due_digests(world)
    log.info("queued %d digests", digests, extra=fields("digests-queued", digests=digests))
