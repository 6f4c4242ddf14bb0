"""Read a booking by the invitee's own token."""

import msgspec

from chalicelib.domain.bookings import Booking
from chalicelib.domain.errors import NotFoundError
from chalicelib.domain.hosts import Host
from chalicelib.domain.ids import BOOKING, make_id
from chalicelib.domain.links import LinkStatus
from chalicelib.domain.tokens import Purpose, read_token
from chalicelib.service.ports import World


class OwnBooking(msgspec.Struct, frozen=True):
    """A booking, with what its page says beside it. `link_used`: the link it came by gives no more."""

    booking: Booking
    host: Host | None
    link_used: bool


def read_own_booking(world: World, token: str) -> OwnBooking:
    """Return the booking that a booking token opens. Raises `NotFoundError`."""
    claim = read_token(world.keyring(), Purpose.BOOKING, token)
    if claim is None:
        raise NotFoundError
    booking = world.store.bookings.read(make_id(BOOKING, claim.raw_id))
    if booking is None:
        raise NotFoundError
    link = world.store.links.read(booking.link_id)
    link_used = link is None or link.status_at(world.now()) is not LinkStatus.ACTIVE
    return OwnBooking(booking, world.store.hosts.read(booking.host_id), link_used)
