"""List links: newest first, by status and event type, or found by `q`; a page's cost never grows (P10)."""

import heapq
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

import msgspec

from chalicelib.domain.api_keys import Caller
from chalicelib.domain.emails import is_email, normalise_email
from chalicelib.domain.errors import FieldFault, InvalidValueError, NotFoundError
from chalicelib.domain.ids import EVENT_TYPE, LINK, is_id, make_id
from chalicelib.domain.links import Link, LinkStatus
from chalicelib.domain.listings import Entry, LinkFilter, read_cursor, write_cursor
from chalicelib.domain.tokens import Purpose, read_token
from chalicelib.service.manage_event_types import owner_of
from chalicelib.service.ports import World

LONGEST_QUERY: Final = 300
_MOST_DUE: Final = 500

_Fetch = Callable[[str | None, int], list[Entry]]


class ListRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a list is asked for; `host_id` only by an admin."""

    host_id: str | None
    event_type_id: str | None
    status: LinkStatus | None
    query: str | None
    cursor: str | None
    limit: int


class LinkPage(msgspec.Struct, frozen=True):
    """One page of links, and the cursor for the next; a page may be short although more follow."""

    links: list[Link]
    next_cursor: str | None


def list_links(world: World, caller: Caller, request: ListRequest) -> LinkPage:
    """Return a page of a host's links.

    Raises `NotFoundError` (another's host or event type), `InvalidValueError`.
    """
    where = _where(world, caller, request)
    if request.query is not None:
        return _search(world, where, request)
    now = world.now()
    _, before = read_cursor(request.cursor, "l")
    streams = [
        _stream(_by_status(world, where, status), before, _portion(request.limit, where.status))
        for status in ((where.status,) if where.status else LinkStatus)
    ]
    if where.status is LinkStatus.EXPIRED:
        # Died by the clock, and the expiry schedule has not come by yet: a list must not lie meanwhile.
        due = world.store.links.due_entries(where, now, _MOST_DUE)
        streams.append(entry for entry in due if before is None or entry.sort < before)
    return _page(world, where, heapq.merge(*streams, key=_place, reverse=True), request.limit, "l", now)


def _where(world: World, caller: Caller, request: ListRequest) -> LinkFilter:
    """Return the filter, its host worked out from the caller: a cursor or filter reaches no other's (P9)."""
    event_type_id = request.event_type_id
    if event_type_id is None:
        return LinkFilter(host_id=owner_of(caller, request.host_id), status=request.status)
    event_type = world.store.event_types.read(event_type_id) if is_id(EVENT_TYPE, event_type_id) else None
    if event_type is None or not caller.may_see(event_type.host_id):
        raise NotFoundError
    if request.host_id not in (None, event_type.host_id):
        raise NotFoundError
    return LinkFilter(host_id=event_type.host_id, event_type_id=event_type_id, status=request.status)


def _portion(limit: int, status: LinkStatus | None) -> int:
    """Return how many index entries to ask for at a time, so that all of them stay within twice the page.

    One status is one partition: all at once, and one more that tells whether the list goes on. Four are
    merged: a quarter each, more from whichever runs out.
    """
    return limit + 1 if status else max(1, limit // len(LinkStatus))


def _by_status(world: World, where: LinkFilter, status: LinkStatus) -> _Fetch:
    return lambda before, limit: world.store.links.entries(where, status, before, limit)


def _stream(fetch: _Fetch, before: str | None, portion: int) -> Iterator[Entry]:
    """Yield entries in order, asking for the next portion only when the last one is used up."""
    while True:
        entries = fetch(before, portion)
        yield from entries
        if len(entries) < portion:
            return
        before = entries[-1].sort


def _place(entry: Entry) -> str:
    return entry.sort


def _page(
    world: World, where: LinkFilter, entries: Iterator[Entry], limit: int, stage: str, now: datetime
) -> LinkPage:
    """Fill a page from index entries: read the links, drop what the index had wrong, at most two rounds."""
    links: list[Link] = []
    seen: set[str] = set()
    last: Entry | None = None
    following = next(entries, None)
    for _ in range(2):
        wanted: list[str] = []
        while following is not None and len(wanted) < limit - len(links):
            last = following
            if last.item_id not in seen:  # an index may show an item under its old and its new status
                seen.add(last.item_id)
                wanted.append(last.item_id)
            following = next(entries, None)
        links += [link for link in world.store.links.read_many(wanted) if _matches(link, where, now)]
        if following is None or len(links) == limit:
            break
    return LinkPage(links, write_cursor(stage, last.sort) if last and following else None)


def _matches(link: Link, where: LinkFilter, now: datetime) -> bool:
    if link.host_id != where.host_id:
        return False
    if where.event_type_id is not None and link.event_type_id != where.event_type_id:
        return False
    return where.status is None or link.status_at(now) is where.status


def _search(world: World, where: LinkFilter, request: ListRequest) -> LinkPage:
    """Find exactly by token, URL, linkId, recipient email or externalId (newest first); then by label prefix."""
    query = (request.query or "").strip()
    if not query or len(query) > LONGEST_QUERY or not query.isprintable():
        raise InvalidValueError([FieldFault("/q", f"must be 1 to {LONGEST_QUERY} printable characters")])
    now = world.now()
    stage, place = read_cursor(request.cursor, "xp")
    link_id = _named(world, query)
    if link_id is not None:
        found = world.store.links.read_many([link_id])
        return LinkPage([link for link in found if _matches(link, where, now)], None)
    if stage == "p":
        return _by_label(world, where, query, place, request.limit, now)
    page = _page(world, where, _exact(world, where, query, place, request.limit), request.limit, "x", now)
    if page.next_cursor is not None:
        return page
    if len(page.links) == request.limit:
        return LinkPage(page.links, write_cursor("p", ""))
    rest = _by_label(world, where, query, None, request.limit - len(page.links), now)
    return LinkPage(page.links + rest.links, rest.next_cursor)


def _named(world: World, query: str) -> str | None:
    """Return the link id that a linkId, a token or a link's URL names, else None. A forged token names none."""
    if is_id(LINK, query):
        return query
    claim = read_token(
        world.keyring(), Purpose.LINK, query.split("?", maxsplit=1)[0].rstrip("/").rpartition("/")[2]
    )
    return make_id(LINK, claim.raw_id) if claim else None


def _exact(world: World, where: LinkFilter, query: str, before: str | None, limit: int) -> Iterator[Entry]:
    streams = []
    if query.isascii():

        def by_external_id(at: str | None, count: int) -> list[Entry]:
            return world.store.links.entries_by_external_id(where.host_id, query, at, count)

        streams.append(_stream(by_external_id, before, limit + 1))
    if is_email(query):

        def by_recipient(at: str | None, count: int) -> list[Entry]:
            return world.store.links.entries_by_recipient(where.host_id, query, at, count)

        streams.append(_stream(by_recipient, before, limit + 1))
    return heapq.merge(*streams, key=_place, reverse=True)


def _by_label(
    world: World, where: LinkFilter, query: str, after: str | None, limit: int, now: datetime
) -> LinkPage:
    if after is not None and not after.startswith(query.casefold()):
        raise InvalidValueError([FieldFault("/cursor", "is not a cursor of this search")])

    def fetch(at: str | None, count: int) -> list[Entry]:
        return world.store.links.entries_by_label(where.host_id, query, at, count)

    page = _page(world, where, _stream(fetch, after, limit + 1), limit, "p", now)
    # What was found exactly has been shown on an earlier page.
    return LinkPage([link for link in page.links if not _is_exact(link, query)], page.next_cursor)


def _is_exact(link: Link, query: str) -> bool:
    if link.settings.external_id == query:
        return True
    recipient = link.settings.recipient
    if recipient is None or not recipient.email or not is_email(query):
        return False
    return normalise_email(recipient.email) == normalise_email(query)
