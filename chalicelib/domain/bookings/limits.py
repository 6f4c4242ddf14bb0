"""The limits on moves by invitees and on restored uses (P15)."""

import msgspec


class BookingLimits(msgspec.Struct, frozen=True):
    """How often the invitee (not the host) can move a booking, and how often cancellations restore a link's uses."""

    moves_per_booking: int = 10
    restores_per_link: int = 5
