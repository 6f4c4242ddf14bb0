"""Restore: apply archived events to a restored table, in any order and more than once (P1)."""

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Final

import msgspec

from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import ContendedError
from chalicelib.domain.events.envelopes import Envelope
from chalicelib.domain.events.events import EventKind
from chalicelib.domain.links.link import Link, LinkStatus
from chalicelib.domain.listings import LinkFilter
from chalicelib.domain.restore import ABOUT_LINKS, booking_after, is_complete, link_after, missing
from chalicelib.service.contention import retry_until_result
from chalicelib.service.paging import stream
from chalicelib.service.ports import World

ACTOR: Final = "system:restore"
_PAGE: Final = 100


class Applied(StrEnum):
    """The result of applying one event."""

    DONE = "done"
    KNOWN = "known"  # the table has it, or something later
    LOST = "lost"  # the link was created after the backup, so the table has nothing to change
    NOTHING = "nothing"  # a kind that changes neither link nor booking


class Ended(msgspec.Struct, frozen=True):
    """The result of a restore: the number of links with events, and the ids of links revoked for a missing event."""

    links: int
    revoked: list[str]


def apply_event(world: World, event: Envelope) -> Applied:
    """Apply one event.

    Raises `TryLaterError` if another event has to be applied first or the store did not answer; KeyError or
    ValueError for a malformed event.
    """
    cause = Cause(ACTOR, event.correlation_id)
    if event.booking_id is not None:
        return _twice(lambda: _apply_to_booking(world, event, cause))
    if event.type in ABOUT_LINKS or event.type == EventKind.LINK_DELETED:
        return _twice(lambda: _apply_to_link(world, event, cause))
    return Applied.NOTHING


def end_restore(world: World, *, everything: bool) -> Ended:
    """Revoke every link for which an event is missing or incomplete; with `everything`, every active link.

    `everything` is for an archive that does not reach back to the backup: any link may have been used since (P1).
    """
    links, revoked = 0, []
    for applied in world.store.restore.all():
        links += 1
        link = world.store.links.read(applied.link_id)
        if link is None:
            continue
        if applied.partly or missing(applied.base, link.sequence, applied.seen):
            revoked += _revoke(world, [applied.link_id])
    if everything:
        for host_id in _hosts(world):
            revoked += _revoke(world, _active(world, host_id))
    return Ended(links, revoked)


def _twice(attempt: Callable[[], Applied | None]) -> Applied:
    """Try twice, each time with fresh reads. If both fail, another event must be applied first: the queue retries."""
    done = attempt() or attempt()
    if done is None:
        raise ContendedError
    return done


def _apply_to_link(world: World, event: Envelope, cause: Cause) -> Applied | None:
    link = world.store.links.read(event.link_id or "")
    if link is None:
        return Applied.LOST
    partly = not is_complete(event)
    if event.sequence <= link.sequence:
        world.store.restore.note_seen(link.link_id, event.sequence, cause, partly=partly)
        return Applied.KNOWN
    if event.type == EventKind.LINK_DELETED:
        written = world.store.restore.delete_link(link, event.sequence, cause)
    else:
        written = world.store.restore.put_link(link, link_after(link, event), cause, partly=partly)
    return Applied.DONE if written else None


def _apply_to_booking(world: World, event: Envelope, cause: Cause) -> Applied | None:
    booking = world.store.bookings.read(event.booking_id or "")
    if booking is not None and event.sequence <= booking.sequence:
        return Applied.KNOWN
    after = booking_after(booking, event, key_id=world.keyring().current)
    return Applied.DONE if world.store.restore.put_booking(booking, after, cause) else None


def _revoke(world: World, link_ids: list[str]) -> list[str]:
    cause = Cause(ACTOR, "restore")
    revoked = []
    for link_id in link_ids:
        link = world.store.links.read(link_id)
        if link is None:
            continue
        ended = retry_until_result(world, partial(_revoke_one, world, link, cause))
        if ended[0] is not None:
            revoked.append(link_id)
    return revoked


def _revoke_one(world: World, link: Link, cause: Cause) -> tuple[Link | None]:
    return (world.store.links.revoke(link, cause, now=world.now()),)


def _hosts(world: World) -> list[str]:
    return [entry.item_id for entry in stream(world.store.hosts.entries, None, _PAGE)]


def _active(world: World, host_id: str) -> list[str]:
    where = LinkFilter(host_id=host_id, event_type_id=None, status=LinkStatus.ACTIVE)
    fetch = partial(world.store.links.entries, where, LinkStatus.ACTIVE)
    return [entry.item_id for entry in stream(fetch, None, _PAGE)]
