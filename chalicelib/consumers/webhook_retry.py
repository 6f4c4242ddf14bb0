"""Every minute: queue the webhook deliveries whose next attempt is due."""

import logging

from chalice.app import Blueprint, CloudWatchEvent, Rate

from chalicelib import bootstrap
from chalicelib.logs import fields
from chalicelib.service.webhooks.retry import retry_due

webhook_retry = Blueprint(__name__)
log = logging.getLogger(__name__)


@webhook_retry.schedule(Rate(1, unit=Rate.MINUTES), name="webhook_retry")
def retry(event: CloudWatchEvent) -> None:
    """Queue the deliveries that are due."""
    del event
    world = bootstrap.world()
    if not world.is_writable:
        log.info(
            "no deliveries queued: changes are closed while the table is restored",
            extra=fields("changes-closed"),
        )
        return
    queued = retry_due(world)
    log.info("queued %d deliveries", queued, extra=fields("deliveries-queued", deliveries=queued))
