"""Cancel a booking: its time is free again in the same transaction; the use comes back only by policy (P8)."""

from datetime import datetime

import msgspec

from chalicelib.domain.bookings import Booking, BookingStatus
from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import ConflictError
from chalicelib.domain.links import Link, LinkStatus
from chalicelib.service.contention import until_decided
from chalicelib.service.find_booking import FindBooking
from chalicelib.service.ports import World


def cancel_booking(world: World, find: FindBooking, cause: Cause) -> Booking:
    """Cancel a booking and return it; one already cancelled is returned as it is.

    Raises `NotFoundError`; `ConflictError` once it has begun.
    """
    world.require_open()

    def attempt() -> Booking | None:
        booking, now = find(), world.now()
        if booking.status is BookingStatus.CANCELLED:
            return booking
        if booking.start <= now:
            raise ConflictError("This booking has begun; it can't be cancelled any more.")
        cancelled = msgspec.structs.replace(
            booking, status=BookingStatus.CANCELLED, cancelled_at=now, sequence=booking.sequence + 1
        )
        restored = _restored(world, world.store.links.read(booking.link_id), now)
        return cancelled if world.store.bookings.cancel(cancelled, restored, cause) else None

    return until_decided(world, attempt)


def _restored(world: World, link: Link | None, now: datetime) -> Link | None:
    """Return the link with one use given back, or None where its policy or its state says no.

    Never on a deleted, revoked or expired link, nor on one of an archived event type, nor on a rolling one,
    whose successor is out already.
    """
    if link is None or not link.settings.restore_use_on_cancel or link.rolling or link.usage_count < 1:
        return None
    expires = link.settings.expires_at
    dead_by_clock = expires is not None and expires <= now
    if link.status_at(now) not in (LinkStatus.ACTIVE, LinkStatus.USED) or dead_by_clock:
        return None
    event_type = world.store.event_types.read(link.event_type_id)
    if event_type is None or event_type.archived:
        return None
    return msgspec.structs.replace(
        link,
        usage_count=link.usage_count - 1,
        stored_status=LinkStatus.ACTIVE,
        used_at=None,
        sequence=link.sequence + 1,
    )
