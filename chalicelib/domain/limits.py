"""How often what an invitee does to one booking, or by one link, can be done again (P15)."""

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """Moves of one booking by its invitee, and uses that cancels give back to one link. Hosts have no such limit."""

    moves_per_booking: int = 10
    restores_per_link: int = 5
