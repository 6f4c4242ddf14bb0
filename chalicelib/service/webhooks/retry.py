"""Queue due deliveries: those whose long wait has ended, and those that a queue or a sender lost."""

import logging
from datetime import timedelta
from typing import Final

from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import QueueUnavailableError
from chalicelib.domain.webhooks.deliveries import DELIVERY_SHARDS, Delivery, requeued
from chalicelib.logs import cause_fields, fields
from chalicelib.service.ports import World
from chalicelib.service.webhooks.fan_out import send_all

PAGE: Final = 100
TIME: Final = timedelta(seconds=45)  # the schedule runs every minute
_CAUSE: Final = Cause("system:webhooks", "retry")

log = logging.getLogger(__name__)


def retry_due(world: World) -> int:
    """Queue every due delivery, shard by shard, for at most 45 s; return how many were queued.

    The sparse due index finds them without a scan (P10). Each is first scheduled again in five minutes, on the
    condition that no other run did so: a queue that is behind does not fill up with copies.
    """
    give_up = world.now() + TIME
    queued = 0
    for shard in range(DELIVERY_SHARDS):
        while due := world.store.deliveries.due(shard, world.now(), PAGE):
            mine = [delivery for delivery in due if _take(world, delivery)]
            try:
                send_all(world, mine)
            except QueueUnavailableError as error:
                log.warning(
                    "%d deliveries not queued: the queue is unavailable; retry in five minutes",
                    len(mine),
                    extra=fields("deliveries-not-queued", deliveries=len(mine), **cause_fields(error)),
                )
            queued += len(mine)
            # The index lags: if all its entries were just queued, leave the rest to the next minute.
            if len(due) < PAGE or not mine or world.now() > give_up:
                break
    return queued


def _take(world: World, delivery: Delivery) -> bool:
    now = world.now()
    if delivery.due_at is None or delivery.due_at > now:
        return False
    return world.store.deliveries.change(requeued(delivery, now), _CAUSE, seen=delivery.sequence)
