"""Move a booking: free its slot and take another in one transaction; the link's status and count don't matter (P8)."""

import contextlib
from datetime import datetime, timedelta

import msgspec

from chalicelib.domain.bookings.booking import Booking, occupied_span
from chalicelib.domain.bookings.move import require_movable, require_moves_left
from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import as_instant
from chalicelib.domain.errors import (
    MoveLimitError,
    SlotNotOfferedError,
    SlotTakenError,
    TryLaterError,
)
from chalicelib.domain.event_types.event_type import MAX_OCCUPIED_MINUTES, EventSettings
from chalicelib.domain.event_types.offers import offer_of
from chalicelib.domain.event_types.slots import Slot, is_offered
from chalicelib.domain.team.hosts import Host
from chalicelib.service.bookings.find import FindBooking
from chalicelib.service.contention import retry_until_result
from chalicelib.service.links.open import free_slots
from chalicelib.service.ports import World


class MovableBooking(msgspec.Struct, frozen=True):
    """A booking that can still be moved, with the settings for its new slots. `now` is the time of the last read."""

    booking: Booking
    offer: EventSettings
    host: Host
    now: datetime


def move_booking(
    world: World, find: FindBooking, start: datetime, cause: Cause, *, by_invitee: bool = False
) -> Booking:
    """Move a booking to another slot on offer and return it; if it has that start already, return it unchanged.

    The slots on offer follow the link's overrides and the event type's notice, whatever the link's status. The number
    of moves by the invitee is limited; the write's condition enforces the limit (P15).

    Raises `NotFoundError`; `ConflictError` if it is cancelled or has started; `MoveLimitError`; `SlotNotOfferedError`;
    `SlotTakenError`.
    """
    start = as_instant(start)

    world.require_open()

    def attempt() -> Booking | None:
        booking = find()
        require_movable(booking, world.now())
        if booking.start == start:
            return booking
        if by_invitee:
            require_moves_left(booking, world.limits)
        movable = _movable(world, booking)
        moved = _moved(movable, start, by_invitee=by_invitee)

        def check() -> None:
            now = world.now()
            require_movable(booking, now)
            _require_offered(movable, start, now)

        check()
        written = world.store.bookings.move(booking, moved, cause, check=check)
        if written is False:
            # P4: the same request, sent twice, may have moved this booking there already.
            if find().sequence != booking.sequence:
                return None
            raise SlotTakenError
        return moved if written else None

    try:
        return retry_until_result(world, attempt)
    except MoveLimitError as refusal:
        with contextlib.suppress(TryLaterError):  # a failed history entry must not hide the error
            world.store.history.deny(find(), refusal.code, cause, now=world.now())
        raise


def movable_booking(world: World, find: FindBooking) -> MovableBooking:
    """Return a booking with the settings for a move by its invitee.

    Raises `NotFoundError`; `ConflictError` if it is cancelled or has started; `MoveLimitError`; `SlotNotOfferedError`
    if its event type or host does not exist.
    """
    booking = find()
    require_movable(booking, world.now())
    require_moves_left(booking, world.limits)
    return _movable(world, booking)


def slots_to_move_to(
    world: World, movable: MovableBooking, start: datetime, end: datetime, *, most: int | None = None
) -> list[Slot]:
    """Return the slots in `[start, end)` that a booking may move to. The booking's own time counts as free.

    With `most`, return at most the first `most` slots, without the booking's own start.

    Raises `InvalidValueError` for a range that is empty or longer than 62 days.
    """
    booking, host = movable.booking, movable.host
    time_off, own = host.settings.time_off, booking.occupied
    found = free_slots(
        world,
        movable.offer,
        host.host_id,
        time_off,
        start,
        end,
        now=movable.now,
        own=own,
        most=None if most is None else most + 1,
    )
    return [slot for slot in found if slot.start != booking.start][:most]


def _movable(world: World, booking: Booking) -> MovableBooking:
    """Return a booking with the settings for its move: the event type's, with link overrides and booked length."""
    event_type, host = world.store.event_types.read_with_host(booking.event_type_id, booking.host_id)
    if event_type is None or host is None:
        raise SlotNotOfferedError
    link = world.store.links.read(booking.link_id)
    offer = offer_of(event_type.settings, link.settings.overrides if link else booking.overrides)
    return MovableBooking(booking, _with_booked_length(offer, booking), host, world.now())


def _with_booked_length(offer: EventSettings, booking: Booking) -> EventSettings:
    """Return the offer with the booked length, even if the event type's length has changed since."""
    length = _minutes(booking.end - booking.start)
    before, after = offer.buffer_before_minutes, offer.buffer_after_minutes
    if before + length + after > MAX_OCCUPIED_MINUTES:
        # The current buffers are too long for the booked length: use those of the booking.
        before = _minutes(booking.start - booking.occupied_from)
        after = _minutes(booking.occupied_to - booking.end)
    return msgspec.structs.replace(
        offer, duration_minutes=length, buffer_before_minutes=before, buffer_after_minutes=after
    )


def _require_offered(movable: MovableBooking, start: datetime, now: datetime) -> None:
    if not is_offered(movable.offer, start, now=now, time_off=movable.host.settings.time_off):
        raise SlotNotOfferedError


def _moved(movable: MovableBooking, start: datetime, *, by_invitee: bool) -> Booking:
    offer = movable.offer
    occupied_from, occupied_to = occupied_span(offer, start)
    return msgspec.structs.replace(
        movable.booking,
        start=start,
        end=start + timedelta(minutes=offer.duration_minutes),
        occupied_from=occupied_from,
        occupied_to=occupied_to,
        moves_by_invitee=movable.booking.moves_by_invitee + by_invitee,
        sequence=movable.booking.sequence + 1,
    )


def _minutes(length: timedelta) -> int:
    return length // timedelta(minutes=1)
