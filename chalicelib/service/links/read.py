"""Read one link for a caller."""

from chalicelib.domain.ids import LINK, is_id
from chalicelib.domain.links.link import Link
from chalicelib.domain.team.api_keys import Caller
from chalicelib.service.ports import World


def read_link(world: World, caller: Caller, link_id: str) -> Link:
    """Return a link. Raises the same `NotFoundError` if it is unknown, deleted, or another host's (P9)."""
    return caller.require_visible(world.store.links.read(link_id) if is_id(LINK, link_id) else None)


def read_link_of_any_version(world: World, caller: Caller, link_id: str) -> Link:
    """Return a link to revoke or delete, even if it needs newer code. Raises `NotFoundError`."""
    return caller.require_visible(
        world.store.links.read_any_version(link_id) if is_id(LINK, link_id) else None
    )
