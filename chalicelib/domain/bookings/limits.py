"""How often an invitee can move a booking, and cancellations can restore a link's uses (P15)."""

import msgspec


class BookingLimits(msgspec.Struct, frozen=True):
    """How often an invitee (not a host) can move a booking, and cancellations can restore a link's uses."""

    moves_per_booking: int = 10
    restores_per_link: int = 5
