"""Cancel a booking: free its time and, if the link's settings say so, restore the use, in one transaction (P8)."""

import contextlib
from datetime import datetime
from typing import Final

import msgspec

from chalicelib.domain.bookings.booking import Booking, BookingStatus
from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import ConflictError, TryLaterError
from chalicelib.domain.links.link import Link, LinkStatus
from chalicelib.service.bookings.find import FindBooking
from chalicelib.service.contention import retry_until_result
from chalicelib.service.ports import World

RESTORE_LIMIT: Final = "restore-limit"  # the reason in the link's history


def cancel_booking(world: World, find: FindBooking, cause: Cause) -> Booking:
    """Cancel a booking and return it; if it is cancelled already, return it unchanged.

    If the link has reached its limit of restored uses, the time becomes free but the use stays counted (P15).

    Raises `NotFoundError`; `ConflictError` if it has already started.
    """
    world.require_open()
    over_limit: list[Link] = []

    def attempt() -> Booking | None:
        over_limit.clear()
        booking = find()
        if booking.status is BookingStatus.CANCELLED:
            return booking
        link = world.store.links.read(booking.link_id)
        may_restore = _may_restore(world, link)
        now = world.now()  # P3: after the last read, because it decides what has started or expired
        if booking.start <= now:
            raise ConflictError("This booking has already started and can't be cancelled.")
        cancelled = msgspec.structs.replace(
            booking, status=BookingStatus.CANCELLED, cancelled_at=now, sequence=booking.sequence + 1
        )
        restored = _restored(link, now) if link is not None and may_restore else None
        if restored is not None and restored.restored_uses > world.limits.restores_per_link:
            over_limit.append(restored)
            restored = None
        return cancelled if world.store.bookings.cancel(cancelled, restored, cause) else None

    done = retry_until_result(world, attempt)
    for link in over_limit:
        with contextlib.suppress(TryLaterError):  # a failed history entry must not hide the result
            world.store.history.deny(link, RESTORE_LIMIT, cause, now=world.now())
    return done


def _may_restore(world: World, link: Link | None) -> bool:
    """Return whether a link's settings restore a use on cancellation. Its expiry is checked separately.

    The use of a deleted link, of a link of an archived event type, or of a rolling link is never restored. A rolling
    link has a successor.
    """
    if link is None or not link.settings.restore_use_on_cancel or link.rolling or link.usage_count < 1:
        return False
    event_type = world.store.event_types.read(link.event_type_id)
    return event_type is not None and not event_type.archived


def _restored(link: Link, now: datetime) -> Link | None:
    """Return the link with one use restored, or None if it is revoked or expired."""
    expires = link.settings.expires_at
    has_expired = expires is not None and expires <= now
    if link.status_at(now) not in (LinkStatus.ACTIVE, LinkStatus.USED) or has_expired:
        return None
    return msgspec.structs.replace(
        link,
        usage_count=link.usage_count - 1,
        restored_uses=link.restored_uses + 1,
        stored_status=LinkStatus.ACTIVE,
        used_at=None,
        sequence=link.sequence + 1,
    )
