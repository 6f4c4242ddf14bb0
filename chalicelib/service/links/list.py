"""List links: newest first, by status and event type, or found by `q` (P9, P10, ADR 0006)."""

from collections.abc import Callable, Iterator
from functools import partial
from operator import attrgetter
from typing import Final

import msgspec

from chalicelib.domain.errors import FieldFault, InvalidValueError
from chalicelib.domain.ids import LINK, is_id
from chalicelib.domain.links.batches import batch_link_id, read_batch_id
from chalicelib.domain.links.link import MAX_LINKS_PER_BATCH, Link, LinkStatus, folded_label
from chalicelib.domain.listings import Entry, LinkFilter, read_cursor, write_cursor
from chalicelib.domain.mail.email_addresses import former_normal_email, is_email, normalise_email
from chalicelib.domain.team.api_keys import Caller
from chalicelib.domain.text import faults_of_text, tidy_address, tidy_line
from chalicelib.domain.tokens import Purpose, read_token, token_in
from chalicelib.service.paging import Page, fill, merged, portion, stream
from chalicelib.service.ports import World
from chalicelib.service.team.owner import owner_of

MAX_QUERY_LENGTH: Final = 300

_ID: Final[Callable[[Link], str]] = attrgetter("link_id")

_Read = Callable[[list[str]], list[Link]]


class ListRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of a list; only an admin gives `host_id`."""

    host_id: str | None
    event_type_id: str | None
    status: LinkStatus | None
    query: str | None
    cursor: str | None
    limit: int
    batch_id: str | None = None


def list_links(world: World, caller: Caller, request: ListRequest) -> Page[Link]:
    """Return a page of a host's links.

    Raises `NotFoundError` (another host, or another host's event type), `InvalidValueError`.
    """
    if request.batch_id is not None and (request.event_type_id or request.status or request.query):
        raise InvalidValueError([FieldFault("/batchId", "can't be given together with another filter")])
    # P9: the owner follows from the caller, so no cursor or filter reaches another host's links.
    owner = owner_of(world, caller, request.host_id, request.event_type_id)
    where = LinkFilter(host_id=owner, event_type_id=request.event_type_id, status=request.status)
    if request.query is not None:
        return _search(world, where, request)
    if request.batch_id is not None:
        return _of_batch(world, where, request.batch_id, request)
    now = world.now()
    _, before = read_cursor(request.cursor, "l")
    statuses = (where.status,) if where.status else tuple(LinkStatus)
    size = portion(request.limit, len(statuses))
    streams = [stream(partial(world.store.links.entries, where, status), before, size) for status in statuses]
    if where.status is LinkStatus.EXPIRED:
        # Past expiry but not yet marked by the schedule: the list must show them as expired.
        due = world.store.due.of_host(where, now)
        streams.append(entry for entry in due.entries if before is None or entry.sort < before)
        for minute in due.crowded:
            of_minute = partial(world.store.due.of_minute, where, minute, now)
            streams.append(stream(of_minute, before, size))
    return fill(merged(streams, newest_first=True), request.limit, "l", _reader(world, where), _ID)


def _reader(world: World, where: LinkFilter) -> _Read:
    """Return a function that reads links by id and keeps those that match the filter now."""
    now = world.now()

    def fits(link: Link) -> bool:
        if link.host_id != where.host_id:
            return False
        if where.event_type_id is not None and link.event_type_id != where.event_type_id:
            return False
        return where.status is None or link.status_at(now) is where.status

    return lambda link_ids: [link for link in world.store.links.read_many(link_ids) if fits(link)]


def _of_batch(world: World, where: LinkFilter, batch_id: str, request: ListRequest) -> Page[Link]:
    """List a batch in the order of its request. The links' ids derive from the batch's id, so no index is read."""
    named = read_batch_id(batch_id)
    if named is None or named[1] > MAX_LINKS_PER_BATCH:
        raise InvalidValueError([FieldFault("/batchId", "is not a batch id")])
    seed, size = named
    _, place = read_cursor(request.cursor, "b")
    first = 0 if place is None else int(place.partition("#")[0]) + 1
    entries = (
        Entry(link_id, f"{index:014d}#{link_id}")
        for index in range(first, size)
        for link_id in [batch_link_id(seed, index)]
    )
    return fill(entries, request.limit, "b", _reader(world, where), _ID)


def _search(world: World, where: LinkFilter, request: ListRequest) -> Page[Link]:
    """Find exactly by token, URL, linkId, recipient email or externalId (newest first); then by label prefix."""
    query = tidy_address(tidy_line(request.query or ""))
    if faults_of_text(query, longest=MAX_QUERY_LENGTH, shortest=1):
        raise InvalidValueError([FieldFault("/q", f"must be 1 to {MAX_QUERY_LENGTH} printable characters")])
    stage, place = read_cursor(request.cursor, "xp")
    read = _reader(world, where)
    link_id = _link_id_of(world, query)
    if link_id is not None:
        return Page(read([link_id]), None)
    if stage == "p":
        return _by_label(world, where, query, place, request.limit, read)

    def read_exact(link_ids: list[str]) -> list[Link]:
        # Two different addresses may be equal in the form that older versions stored.
        return [link for link in read(link_ids) if _is_exact(link, query)]

    page = fill(_exact(world, where, query, place, request.limit), request.limit, "x", read_exact, _ID)
    if page.next_cursor is not None:
        return page
    if len(page.rows) == request.limit:
        return Page(page.rows, write_cursor("p", ""))
    rest = _by_label(world, where, query, None, request.limit - len(page.rows), read)
    return Page(page.rows + rest.rows, rest.next_cursor)


def _link_id_of(world: World, query: str) -> str | None:
    """Return the link id in a linkId, a token or a link's URL, or None. A forged token contains none."""
    if is_id(LINK, query):
        return query
    claim = read_token(world.keyring(), Purpose.LINK, token_in(query))
    return claim.item_id if claim else None


def _exact(world: World, where: LinkFilter, query: str, before: str | None, limit: int) -> Iterator[Entry]:
    """Yield the entries whose external id or recipient is the query, newest first."""
    links = world.store.links
    streams = []
    if query.isascii():
        fetch = partial(links.entries_by_external_id, where.host_id, query)
        streams.append(stream(fetch, before, limit + 1))
    if is_email(query):
        forms = {normalise_email(query), former_normal_email(query)}
        fetches = [partial(links.entries_by_recipient, where.host_id, form) for form in forms]
        streams += [stream(fetch, before, limit + 1) for fetch in fetches]
    return merged(streams, newest_first=True)


def _by_label(
    world: World, where: LinkFilter, query: str, after: str | None, limit: int, read: _Read
) -> Page[Link]:
    folded = folded_label(query)
    # A cursor of another search would list other labels, or give a key range that DynamoDB rejects.
    if after is not None and not folded <= after < folded + "\U0010ffff":
        raise InvalidValueError([FieldFault("/cursor", "is not a cursor of this search")])
    fetch = partial(world.store.links.entries_by_label, where.host_id, query)
    page = fill(stream(fetch, after, limit + 1), limit, "p", read, _ID)
    # Exact matches were on an earlier page. The index has only the beginning of a long label.
    rows = [link for link in page.rows if _is_labelled(link, query) and not _is_exact(link, query)]
    return Page(rows, page.next_cursor)


def _is_labelled(link: Link, query: str) -> bool:
    return (link.settings.label or "").casefold().startswith(query.casefold())


def _is_exact(link: Link, query: str) -> bool:
    if link.settings.external_id == query:
        return True
    recipient = link.settings.recipient
    if recipient is None or not recipient.email or not is_email(query):
        return False
    return normalise_email(recipient.email) == normalise_email(query)
