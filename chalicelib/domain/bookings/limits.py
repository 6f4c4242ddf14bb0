"""The limits on moves by invitees and on restored uses (P15)."""

import msgspec


class BookingLimits(msgspec.Struct, frozen=True):
    """How many times the invitee (not the host) can move a booking, and cancellations can restore a use of a link."""

    moves_per_booking: int = 10
    restores_per_link: int = 5
