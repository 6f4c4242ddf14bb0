"""Mark links expired whose time has come, so that lists, events and TTL know it too (P3 never waits for this)."""

from datetime import timedelta
from typing import Final

from chalicelib.domain.causes import Cause
from chalicelib.domain.listings import DUE_SHARDS
from chalicelib.service.ports import World

PAGE: Final = 200
TIME: Final = timedelta(seconds=45)  # it comes every minute
_CAUSE: Final = Cause("system:expiry", "expiry")


def expire_due_links(world: World) -> int:
    """Mark every due link, shard by shard, for at most 45 s; return how many were marked.

    Found through the sparse due index, never by scanning; marked on the condition that it is still so, hence
    once each, whoever else marks, redeems or changes them meanwhile.
    """
    give_up = world.now() + TIME
    marked = 0
    for shard in range(DUE_SHARDS):
        while due := world.store.links.due_links(shard, world.now(), PAGE):
            now = world.now()
            done = sum(world.store.links.expire(link, _CAUSE, now=now) for link in due)
            marked += done
            # An index lags: entries that were all marked a moment ago are for the next minute.
            if len(due) < PAGE or not done or world.now() > give_up:
                break
    return marked
