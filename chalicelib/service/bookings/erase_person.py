"""Erase the person from a booking: the record stays; name, email, answers and keyless hashes are removed."""

import msgspec

from chalicelib.domain.bookings.booking import Booking
from chalicelib.domain.causes import Cause
from chalicelib.service.bookings.find import FindBooking
from chalicelib.service.contention import retry_until_result
from chalicelib.service.ports import World


def erase_person(world: World, find: FindBooking, cause: Cause) -> Booking:
    """Erase the person and return the booking; if that was done before, return it unchanged. Raises `NotFoundError`."""

    def attempt() -> Booking | None:
        booking = find()
        if booking.invitee is None and not booking.answers and booking.keyless_receipt_id is None:
            return booking
        erased = msgspec.structs.replace(booking, invitee=None, answers={}, sequence=booking.sequence + 1)
        return erased if world.store.bookings.erase(erased, cause) else None

    return retry_until_result(world, attempt)
