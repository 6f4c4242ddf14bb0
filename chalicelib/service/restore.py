"""Bring a restored table up to date: redo archived events one by one, in any order, each any number of times (P1)."""

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
from chalicelib.domain.restore import ABOUT_LINKS, missing, redone_booking, redone_link, tells_all
from chalicelib.service.contention import until_decided
from chalicelib.service.paging import stream
from chalicelib.service.ports import World

ACTOR: Final = "system:restore"
_A_PAGE: Final = 100


class Redo(StrEnum):
    """What became of one event."""

    DONE = "done"
    KNOWN = "known"  # the table has it, or something later
    LOST = "lost"  # the link was made after the backup, so there is nothing of it
    NOTHING = "nothing"  # a kind that changes neither link nor booking


class Ended(msgspec.Struct, frozen=True):
    """How a restore ended: links looked at, and the ids of those revoked since what became of them is not known."""

    links: int
    revoked: list[str]


def redo(world: World, told: Envelope) -> Redo:
    """Redo one event.

    Raises `TryLaterError` when another event has to be redone first or the store did not answer, KeyError or
    ValueError for an event that is not one of ours.
    """
    cause = Cause(ACTOR, told.correlation_id)
    if told.booking_id is not None:
        return _twice(lambda: _redo_booking(world, told, cause))
    if told.type in ABOUT_LINKS or told.type == EventKind.LINK_DELETED:
        return _twice(lambda: _redo_link(world, told, cause))
    return Redo.NOTHING


def end_restore(world: World, *, everything: bool) -> Ended:
    """Revoke every link of whose events one is missing or did not say all; with `everything` every active link.

    `everything` is for an archive that does not reach back to the backup: any link may have been used since (P1).
    """
    links, revoked = 0, []
    for redone in world.store.redoing.all():
        links += 1
        link = world.store.links.read(redone.link_id)
        if link is None:
            continue
        if redone.partly or missing(redone.base, link.sequence, redone.seen):
            revoked += _revoke(world, [redone.link_id])
    if everything:
        for host_id in _hosts(world):
            revoked += _revoke(world, _active(world, host_id))
    return Ended(links, revoked)


def _twice(attempt: Callable[[], Redo | None]) -> Redo:
    """Try, and once more from fresh reads; what is in the way then is another event, and the queue has time."""
    done = attempt() or attempt()
    if done is None:
        raise ContendedError
    return done


def _redo_link(world: World, told: Envelope, cause: Cause) -> Redo | None:
    link = world.store.links.read(told.link_id or "")
    if link is None:
        return Redo.LOST
    partly = not tells_all(told)
    if told.sequence <= link.sequence:
        world.store.redoing.see(link.link_id, told.sequence, cause, partly=partly)
        return Redo.KNOWN
    if told.type == EventKind.LINK_DELETED:
        written = world.store.redoing.delete_link(link, told.sequence, cause)
    else:
        written = world.store.redoing.put_link(link, redone_link(link, told), cause, partly=partly)
    return Redo.DONE if written else None


def _redo_booking(world: World, told: Envelope, cause: Cause) -> Redo | None:
    booking = world.store.bookings.read(told.booking_id or "")
    if booking is not None and told.sequence <= booking.sequence:
        return Redo.KNOWN
    after = redone_booking(booking, told, key_id=world.keyring().current)
    return Redo.DONE if world.store.redoing.put_booking(booking, after, cause) else None


def _revoke(world: World, link_ids: list[str]) -> list[str]:
    cause = Cause(ACTOR, "restore")
    revoked = []
    for link_id in link_ids:
        link = world.store.links.read(link_id)
        if link is None:
            continue
        ended = until_decided(world, partial(_revoke_one, world, link, cause))
        if ended[0] is not None:
            revoked.append(link_id)
    return revoked


def _revoke_one(world: World, link: Link, cause: Cause) -> tuple[Link | None]:
    return (world.store.links.revoke(link, cause, now=world.now()),)


def _hosts(world: World) -> list[str]:
    return [entry.item_id for entry in stream(world.store.hosts.entries, None, _A_PAGE)]


def _active(world: World, host_id: str) -> list[str]:
    where = LinkFilter(host_id=host_id, event_type_id=None, status=LinkStatus.ACTIVE)
    fetch = partial(world.store.links.entries, where, LinkStatus.ACTIVE)
    return [entry.item_id for entry in stream(fetch, None, _A_PAGE)]
