"""Move a booking: free its slot and take another in one transaction; the link is not asked and not counted (P8)."""

from datetime import datetime, timedelta

import msgspec

from chalicelib.domain.bookings import Booking, BookingStatus, occupied_span
from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import as_instant
from chalicelib.domain.errors import ConflictError, SlotNotOfferedError, SlotTakenError
from chalicelib.domain.event_types import EventSettings
from chalicelib.domain.offers import offer_of
from chalicelib.domain.slots import is_offered
from chalicelib.service.contention import until_decided
from chalicelib.service.find_booking import FindBooking
from chalicelib.service.open_link import free_slots
from chalicelib.service.ports import World


class MovableBooking(msgspec.Struct, frozen=True):
    """A booking, and the slots it may move to: its own slot counts as free."""

    booking: Booking
    offer: EventSettings
    slots: list[datetime]


def move_booking(world: World, find: FindBooking, start: datetime, cause: Cause) -> Booking:
    """Move a booking to another slot on offer and return it; one that is there already is returned as it is.

    What is on offer follows the link's own overrides and the event type's notice, whatever became of the link.

    Raises `NotFoundError`; `ConflictError` once it is cancelled or has begun; `SlotNotOfferedError`;
    `SlotTakenError`.
    """
    start = as_instant(start)

    def attempt() -> Booking | None:
        booking, now = find(), world.now()
        _require_movable(booking, now)
        if booking.start == start:
            return booking
        moved = _moved(world, booking, start, now)
        written = world.store.bookings.move(booking, moved, cause)
        if written is False:
            raise SlotTakenError
        return moved if written else None

    return until_decided(world, attempt)


def slots_to_move_to(world: World, find: FindBooking, start: datetime, end: datetime) -> MovableBooking:
    """Return a booking with the starts it may move to in `[start, end)`. Raises as `move_booking` does."""
    booking, now = find(), world.now()
    _require_movable(booking, now)
    offer, host_id = _offer(world, booking), booking.host_id
    host = world.store.hosts.read(host_id)
    time_off = host.settings.time_off if host else ()
    slots = free_slots(world, offer, host_id, time_off, start, end, now=now, own=booking.occupied)
    return MovableBooking(booking, offer, [slot.start for slot in slots if slot.start != booking.start])


def _require_movable(booking: Booking, now: datetime) -> None:
    if booking.status is BookingStatus.CANCELLED:
        raise ConflictError("This booking was cancelled; it can't be moved.")
    if booking.start <= now:
        raise ConflictError("This booking has begun; it can't be moved any more.")


def _moved(world: World, booking: Booking, start: datetime, now: datetime) -> Booking:
    offer = _offer(world, booking)
    host = world.store.hosts.read(booking.host_id)
    if host is None or not is_offered(offer, start, now=now, time_off=host.settings.time_off):
        raise SlotNotOfferedError
    occupied_from, occupied_to = occupied_span(offer, start)
    return msgspec.structs.replace(
        booking,
        start=start,
        end=start + timedelta(minutes=offer.duration_minutes),
        occupied_from=occupied_from,
        occupied_to=occupied_to,
        sequence=booking.sequence + 1,
    )


def _offer(world: World, booking: Booking) -> EventSettings:
    """Return what holds for this booking: the event type's settings, the link's overrides, the booked length."""
    event_type = world.store.event_types.read(booking.event_type_id)
    if event_type is None:
        raise SlotNotOfferedError
    link = world.store.links.read(booking.link_id)
    offer = offer_of(event_type.settings, link.settings.overrides) if link else event_type.settings
    # What was booked keeps its length, though the event type's may have changed since.
    length = int((booking.end - booking.start) / timedelta(minutes=1))
    return msgspec.structs.replace(offer, duration_minutes=length)
