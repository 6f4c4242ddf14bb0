"""Request a new link from the page of an old one: once per address, for a few addresses per link and day."""

from operator import attrgetter

import msgspec

from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import ConflictError, LinkDeletedError
from chalicelib.domain.links.link import LinkStatus
from chalicelib.domain.links.link_requests import LinkRequest, check_link_request, free_slot
from chalicelib.domain.listings import Entry, read_cursor
from chalicelib.domain.team.api_keys import Caller
from chalicelib.domain.text import tidy_address, tidy_lines, tidy_name
from chalicelib.domain.tokens import Purpose, open_token
from chalicelib.domain.validation import Rules
from chalicelib.service.paging import Page, fill, portion, stream
from chalicelib.service.ports import World
from chalicelib.service.team.owner import owner_of


def request_link(world: World, token: str, name: str, email: str, message: str, cause: Cause) -> None:
    """Store a request for a new link, or drop it. The caller does not learn which.

    Per UTC date one request is stored per address, for at most `requests_per_day` addresses and the recipient's own.

    Raises `NotFoundError` (not a genuine token), `LinkDeletedError` (there is no host to ask),
    `ConflictError` (the link can still be used), `InvalidValueError`.
    """
    link_id = open_token(world.keyring(), Purpose.LINK, token).item_id
    name, email, message = tidy_name(name), tidy_address(email), tidy_lines(message).strip()
    rules = Rules()
    check_link_request(name, email, message, rules)
    rules.enforce()
    link = world.store.links.read(link_id)
    if link is None:
        raise LinkDeletedError
    now = world.now()
    status = link.status_at(now).value
    if status == LinkStatus.ACTIVE:
        event_type = world.store.event_types.read(link.event_type_id)
        if event_type is not None and not event_type.archived:
            raise ConflictError("This link can still be used to book.")
        status = LinkStatus.REVOKED.value
    request = LinkRequest(
        link_id=link.link_id,
        host_id=link.host_id,
        event_type_id=link.event_type_id,
        requested_at=now,
        name=name,
        email=email,
        message=message,
        reason=status,
        recipient=link.settings.recipient,
        external_id=link.settings.external_id,
        metadata=link.settings.metadata,
    )
    _keep(world, request, cause)


def _keep(world: World, request: LinkRequest, cause: Cause) -> None:
    """Put a request into a free slot of its day; retry with another slot if a concurrent request takes it."""
    history, most = world.store.history, world.requests_per_day
    for _ in range(most + 1):
        day = request.requested_at.date()
        slot = free_slot(request, history.requests_of(request.link_id, day, most + 2), most)
        if slot is None or history.request(msgspec.structs.replace(request, slot=slot), cause):
            return


def list_link_requests(
    world: World,
    caller: Caller,
    host_id: str | None,
    cursor: str | None,
    limit: int,
    *,
    answered: bool = False,
) -> Page[LinkRequest]:
    """Return a page of a host's open requests, or of the answered ones, newest first.

    Raises `NotFoundError`, `InvalidValueError`.
    """
    owner = owner_of(world, caller, host_id)
    _, before = read_cursor(cursor, "q")
    history = world.store.history

    def fetch(place: str | None, size: int) -> list[Entry]:
        return history.request_entries(owner, answered=answered, before=place, limit=size)

    def read(request_ids: list[str]) -> list[LinkRequest]:
        # The index is eventually consistent, so check the item itself.
        found = history.read_requests(request_ids)
        return [request for request in found if (request.answered_at is not None) is answered]

    return fill(stream(fetch, before, portion(limit, 1)), limit, "q", read, attrgetter("request_id"))
