"""Read a link's history: what happened, who did it, and how many times it was opened. The history outlives the link."""

import msgspec

from chalicelib.domain.errors import NotFoundError
from chalicelib.domain.events.events import Event
from chalicelib.domain.ids import LINK, is_id
from chalicelib.domain.links.visits import Opens
from chalicelib.domain.listings import read_cursor
from chalicelib.domain.team.api_keys import Caller
from chalicelib.service.paging import Page, page_of
from chalicelib.service.ports import World


class LinkHistory(msgspec.Struct, frozen=True):
    """One page of a link's history, newest first, and its open counts."""

    page: Page[Event]
    opens: Opens


def read_history(world: World, caller: Caller, link_id: str, cursor: str | None, limit: int) -> LinkHistory:
    """Return a page of a link's history, even of a deleted link. Raises `NotFoundError`, `InvalidValueError`."""
    _, before = read_cursor(cursor, "t")
    if not is_id(LINK, link_id):
        raise NotFoundError
    link = world.store.links.read(link_id)
    rows = world.store.history.page(link_id, before, limit + 1)
    owner = link.host_id if link else rows[0][1].host_id if rows else None
    if owner is None or not caller.may_see(owner):
        raise NotFoundError
    return LinkHistory(page_of(rows, limit, "t"), world.store.history.opens(link_id))
