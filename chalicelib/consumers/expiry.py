"""Every minute: mark links past their expiry as expired, and queue digests whose day has ended."""

import logging

from chalice.app import Blueprint, CloudWatchEvent, Rate

from chalicelib import bootstrap
from chalicelib.logs import fields
from chalicelib.service.links.expire import expire_due_links
from chalicelib.service.mail.queue_digests import queue_due_digests

expiry = Blueprint(__name__)
log = logging.getLogger(__name__)


@expiry.schedule(Rate(1, unit=Rate.MINUTES), name="expiry")
def expire(event: CloudWatchEvent) -> None:
    """Expire the links that are due, then queue the digests that are due."""
    del event
    world = bootstrap.world()
    if not world.is_writable:
        log.info(
            "no links expired: changes are closed while the table is restored", extra=fields("changes-closed")
        )
        return
    links = expire_due_links(world)
    log.info("marked %d links expired", links, extra=fields("links-expired", links=links))
    digests = queue_due_digests(world)
    log.info("queued %d digests", digests, extra=fields("digests-queued", digests=digests))
