"""Every minute: send the heartbeat, mark links past their expiry as expired, and queue digests that are due."""

import logging

from chalice.app import Blueprint, CloudWatchEvent, Rate

from chalicelib import bootstrap
from chalicelib.logs import fields
from chalicelib.service.heartbeat import send_heartbeat
from chalicelib.service.links.expire import expire_due_links
from chalicelib.service.mail.queue_digests import queue_due_digests

expiry = Blueprint(__name__)
log = logging.getLogger(__name__)


@expiry.schedule(Rate(1, unit=Rate.MINUTES), name="expiry")
def expire(event: CloudWatchEvent) -> None:
    """Send the heartbeat, expire the links that are due, then queue the digests that are due.

    The heartbeat comes first, also while changes are closed: its alarm means that the stream is not read.
    """
    del event
    world = bootstrap.world()
    send_heartbeat(world)
    if not world.is_writable:
        log.info(
            "no links expired: changes are closed while the table is restored", extra=fields("changes-closed")
        )
        return
    links = expire_due_links(world)
    log.info("marked %d links expired", links, extra=fields("links-expired", links=links))
    digests = queue_due_digests(world)
    log.info("queued %d digests", digests, extra=fields("digests-queued", digests=digests))
