"""Cancel a booking: its time is free again in the same transaction; the use comes back only by policy (P8)."""

import contextlib
from datetime import datetime
from typing import Final

import msgspec

from chalicelib.domain.bookings.booking import Booking, BookingStatus
from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import ConflictError, TryLaterError
from chalicelib.domain.links.link import Link, LinkStatus
from chalicelib.service.bookings.find import FindBooking
from chalicelib.service.contention import until_decided
from chalicelib.service.ports import World

RESTORE_LIMIT: Final = "restore-limit"  # the reason in the link's history


def cancel_booking(world: World, find: FindBooking, cause: Cause) -> Booking:
    """Cancel a booking and return it; one already cancelled is returned as it is.

    If the link has reached its limit of restored uses, the time becomes free and the use stays counted (P15).

    Raises `NotFoundError`; `ConflictError` once it has begun.
    """
    world.require_open()
    kept: list[Link] = []

    def attempt() -> Booking | None:
        kept.clear()
        booking = find()
        if booking.status is BookingStatus.CANCELLED:
            return booking
        link = world.store.links.read(booking.link_id)
        may_restore = _may_restore(world, link)
        # After the last read, so that a booking that has begun or a link that has expired by now is treated as such.
        now = world.now()
        if booking.start <= now:
            raise ConflictError("This booking has begun; it can't be cancelled any more.")
        cancelled = msgspec.structs.replace(
            booking, status=BookingStatus.CANCELLED, cancelled_at=now, sequence=booking.sequence + 1
        )
        restored = _restored(link, now) if link is not None and may_restore else None
        if restored is not None and restored.restored_uses > world.limits.restores_per_link:
            kept.append(restored)
            restored = None
        return cancelled if world.store.bookings.cancel(cancelled, restored, cause) else None

    done = until_decided(world, attempt)
    for link in kept:
        with contextlib.suppress(TryLaterError):  # a failed history entry must not hide the result
            world.store.history.deny(link, RESTORE_LIMIT, cause, now=world.now())
    return done


def _may_restore(world: World, link: Link | None) -> bool:
    """Return whether the policy of a link gives a use back, regardless of the time.

    It never does for a deleted link, a link of an archived event type, or a rolling link, which has a successor.
    """
    if link is None or not link.settings.restore_use_on_cancel or link.rolling or link.usage_count < 1:
        return False
    event_type = world.store.event_types.read(link.event_type_id)
    return event_type is not None and not event_type.archived


def _restored(link: Link, now: datetime) -> Link | None:
    """Return the link with one use given back, or None for one that is revoked or expired."""
    expires = link.settings.expires_at
    dead_by_clock = expires is not None and expires <= now
    if link.status_at(now) not in (LinkStatus.ACTIVE, LinkStatus.USED) or dead_by_clock:
        return None
    return msgspec.structs.replace(
        link,
        usage_count=link.usage_count - 1,
        restored_uses=link.restored_uses + 1,
        stored_status=LinkStatus.ACTIVE,
        used_at=None,
        sequence=link.sequence + 1,
    )
