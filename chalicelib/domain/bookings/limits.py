"""How often an invitee can move a booking, and cancellations can restore a link's uses (P15)."""

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """Limits on moves of a booking by its invitee (not its host), and on uses that cancellations restore to a link."""

    moves_per_booking: int = 10
    restores_per_link: int = 5
