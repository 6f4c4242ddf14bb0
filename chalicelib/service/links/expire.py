"""Mark due links expired, for lists, events and TTL. The redeem compares the clock and never waits for this (P3)."""

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

    It finds them through the sparse due index, never by scanning. Each is marked on the condition that it is still due,
    so once, whatever else marks, redeems or changes it meanwhile.
    """
    begun = world.now()
    give_up = begun + TIME
    # So that no shard is always the last if there is more than one run can do.
    first = begun.minute % DUE_SHARDS
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
