"""Mark due links expired, for lists, events and TTL. The redeem compares the clock and never waits for this (P3)."""

from datetime import timedelta
from typing import Final

from chalicelib.domain.causes import Cause
from chalicelib.domain.listings import DUE_SHARDS
from chalicelib.service.ports import World

PAGE: Final = 200
TIME: Final = timedelta(seconds=45)  # the schedule runs every minute
_CAUSE: Final = Cause("system:expiry", "expiry")


def expire_due_links(world: World) -> int:
    """Mark every due link, shard by shard, for at most 45 s; return how many were marked.

    The sparse due index finds them without a scan. Each link is marked on the condition that it is still due, so it is
    marked only once, even if other writes mark, use or change it meanwhile.
    """
    started = world.now()
    give_up = started + TIME
    # Each run starts at another shard, so that none is always last when one run can't mark all.
    first = started.minute % DUE_SHARDS
    marked = 0
    for shard in (*range(first, DUE_SHARDS), *range(first)):
        after: str | None = None
        while world.now() <= give_up:
            due, after = world.store.due.links(shard, world.now(), after, PAGE)
            for link in due:
                marked += world.store.links.expire(link, _CAUSE, now=world.now())
                if world.now() > give_up:
                    break
            if after is None:
                break
    return marked
