"""Restore: apply archived events to a restored table, in any order and more than once (P1)."""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import ContendedError
from chalicelib.domain.events.envelopes import Envelope
from chalicelib.domain.events.events import EventKind
from chalicelib.domain.restore import ABOUT_LINKS, booking_after, is_complete, link_after
from chalicelib.service.ports import World

ACTOR: Final = "system:restore"


class Applied(StrEnum):
    """The result of applying one event."""

    DONE = "done"
    KNOWN = "known"  # the table has it, or something later
    LOST = "lost"  # the link was created after the backup, so the table has nothing to change
    NOTHING = "nothing"  # a kind that changes neither link nor booking


def run_cause(world: World) -> Cause:
    """Return the cause of a restore's own writes. A revoked link's history has it, so it shows which restore did it."""
    return Cause(ACTOR, f"restore:{world.store.restore.run}")


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
        written = world.store.restore.delete_link(link, event.sequence, cause, now=world.now())
    else:
        after, now = link_after(link, event), world.now()
        written = world.store.restore.put_link(link, after, cause, partly=partly, now=now)
    return Applied.DONE if written else None


def _apply_to_booking(world: World, event: Envelope, cause: Cause) -> Applied | None:
    booking = world.store.bookings.read(event.booking_id or "")
    if booking is not None and event.sequence <= booking.sequence:
        return Applied.KNOWN
    after = booking_after(booking, event, key_id=world.keyring().current)
    return Applied.DONE if world.store.restore.put_booking(booking, after, cause) else None
