"""Create, read, list, change and archive event types. A host key reaches only its own host's (P9)."""

from collections.abc import Callable
from datetime import timedelta
from operator import attrgetter
from typing import Final

import msgspec

from chalicelib.domain.bookings.receipt import hash_body
from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import (
    ConflictError,
    Fault,
    NotFoundError,
    StoreUnavailableError,
)
from chalicelib.domain.event_types.event_type import EventSettings, EventType, check_event_settings, slug_of
from chalicelib.domain.ids import EVENT_TYPE, is_id
from chalicelib.domain.links.link import Link, LinkStatus
from chalicelib.domain.listings import Entry, LinkFilter, read_cursor
from chalicelib.domain.team.api_keys import Caller
from chalicelib.domain.validation import Rules
from chalicelib.service.contention import retry_until_result
from chalicelib.service.create_once import identity
from chalicelib.service.paging import Page, fill, portion, stream
from chalicelib.service.ports import World
from chalicelib.service.team.owner import owner_of

REVOKE_PAGE: Final = 100
REVOKE_TIME: Final = timedelta(seconds=15)  # API Gateway times out after 29 s


def create_event_type(
    world: World,
    caller: Caller,
    host_id: str | None,
    settings: EventSettings,
    cause: Cause,
    *,
    idempotency_key: str | None = None,
) -> EventType:
    """Create an event type; with an idempotency key, a retry returns its current state.

    Raises `NotFoundError` if there is no such host, or if a retry finds the event type archived; `InvalidValueError`;
    `IdempotencyKeyReusedError`.
    """
    owner = owner_of(world, caller, host_id)
    settings = _checked(settings)
    if world.store.hosts.read(owner) is None:
        raise NotFoundError
    own = identity(world, owner, EVENT_TYPE, idempotency_key, hash_body(settings), cause)
    if own.repeated and (made := world.store.event_types.read(own.id)):
        if made.archived:
            raise NotFoundError("The event type that this request created has been archived.")
        return made
    event_type = EventType(event_type_id=own.id, host_id=owner, settings=settings, created_at=own.created_at)
    world.store.event_types.create(event_type, cause)
    # If a concurrent request created it first, return that one.
    return (world.store.event_types.read(own.id) if idempotency_key else None) or event_type


def read_event_type(world: World, caller: Caller, event_type_id: str) -> EventType:
    """Return an event type. Raises `NotFoundError` if it is unknown, archived, or another host's."""
    event_type = find_event_type(world, caller, event_type_id)
    if event_type.archived:
        raise NotFoundError
    return event_type


def list_event_types(
    world: World,
    caller: Caller,
    host_id: str | None,
    cursor: str | None,
    limit: int,
    *,
    archived: bool = False,
) -> Page[EventType]:
    """Return a page of a host's event types, or of its archived ones. Raises `NotFoundError`, `InvalidValueError`."""
    owner = owner_of(world, caller, host_id)
    _, before = read_cursor(cursor, "e")
    store = world.store.event_types

    def fetch(place: str | None, size: int) -> list[Entry]:
        return store.entries(owner, archived=archived, before=place, limit=size)

    def read(event_type_ids: list[str]) -> list[EventType]:
        # The index is eventually consistent, so check the item itself.
        return [found for found in store.read_many(event_type_ids) if found.archived is archived]

    return fill(stream(fetch, before, portion(limit, 1)), limit, "e", read, attrgetter("event_type_id"))


def change_event_type(
    world: World,
    caller: Caller,
    event_type_id: str,
    edit: Callable[[EventSettings], EventSettings],
    cause: Cause,
) -> EventType:
    """Change an event type if it still has the version that was read.

    The change applies to its links, except where they have overrides. Raises `NotFoundError`, `InvalidValueError`.
    """

    def attempt() -> EventType | None:
        event_type = read_event_type(world, caller, event_type_id)
        changed = msgspec.structs.replace(
            event_type, settings=_checked(edit(event_type.settings)), sequence=event_type.sequence + 1
        )
        return changed if world.store.event_types.change(changed, cause, seen=event_type.sequence) else None

    return retry_until_result(world, attempt)


def archive_event_type(
    world: World, caller: Caller, event_type_id: str, *, revoke_links: bool, cause: Cause
) -> None:
    """Archive an event type; redeems then raise `LinkRevokedError`. A repeated call revokes the remaining links.

    Raises `NotFoundError`; `ConflictError` while it has live links, unless `revoke_links`;
    `StoreUnavailableError` if there was no time to mark every link revoked.
    """
    event_type = find_event_type(world, caller, event_type_id)
    if event_type.archived and not revoke_links:
        raise NotFoundError
    if not event_type.archived:
        if not revoke_links and _has_live_link(world, event_type):
            raise ConflictError(
                "This event type has live links. Repeat with ?revokeLinks=true to revoke them."
            )
        retry_until_result(world, lambda: _archive(world, caller, event_type_id, cause))
    if revoke_links:
        _revoke_all(world, event_type, cause)


def _archive(world: World, caller: Caller, event_type_id: str, cause: Cause) -> bool | None:
    event_type = find_event_type(world, caller, event_type_id)
    if event_type.archived:
        return True
    archived = msgspec.structs.replace(event_type, archived_at=world.now(), sequence=event_type.sequence + 1)
    return world.store.event_types.change(archived, cause, seen=event_type.sequence) or None


def _has_live_link(world: World, event_type: EventType) -> bool:
    where = LinkFilter(host_id=event_type.host_id, event_type_id=event_type.event_type_id)
    before: str | None = None
    while entries := world.store.links.entries(where, LinkStatus.ACTIVE, before, REVOKE_PAGE):
        links = world.store.links.read_many_any_version([entry.item_id for entry in entries])
        if any(link.status_at(world.now()) is LinkStatus.ACTIVE for link in links):
            return True
        before = entries[-1].sort
    return False


def _revoke_all(world: World, event_type: EventType, cause: Cause) -> None:
    """Mark every live link revoked, so that lists show it. The redeem already rejects all of them.

    Then mark the used links that a cancellation could restore, as long as time is left. That may stay incomplete,
    because a cancellation never restores a link of an archived event type.
    """
    where = LinkFilter(host_id=event_type.host_id, event_type_id=event_type.event_type_id)
    give_up = world.now() + REVOKE_TIME
    before: str | None = None
    while entries := world.store.links.entries(where, LinkStatus.ACTIVE, before, REVOKE_PAGE):
        if world.now() > give_up:
            raise StoreUnavailableError(
                "The event type is archived, and nobody can book with its links. Some links are not marked "
                "revoked yet: repeat the request to continue.",
                fault=Fault("out-of-time"),
            )
        for link in world.store.links.read_many_any_version([entry.item_id for entry in entries]):
            _revoke(world, link, cause)
        before = entries[-1].sort
    before = None
    while entries := world.store.links.entries(where, LinkStatus.USED, before, REVOKE_PAGE):
        for link in world.store.links.read_many_any_version([entry.item_id for entry in entries]):
            if world.now() > give_up:
                return
            if link.is_restorable(world.now()):
                _revoke(world, link, cause)
        before = entries[-1].sort


def _revoke(world: World, link: Link, cause: Cause) -> None:
    """Revoke a link unless it has ended; each attempt reads the clock again."""
    retry_until_result(world, lambda: (world.store.links.revoke(link, cause, now=world.now()),))


def find_event_type(world: World, caller: Caller, event_type_id: str) -> EventType:
    """Return an event type, archived or not. Raises `NotFoundError` if it is unknown or another host's (P9)."""
    found = world.store.event_types.read(event_type_id) if is_id(EVENT_TYPE, event_type_id) else None
    return caller.require_visible(found)


def _checked(settings: EventSettings) -> EventSettings:
    if not settings.slug:
        settings = msgspec.structs.replace(settings, slug=slug_of(settings.title))
    rules = Rules()
    check_event_settings(settings, rules)
    rules.enforce()
    return settings
