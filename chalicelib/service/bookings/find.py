"""Find a booking: by the invitee's token, or by id for its host. Move, cancel and erase take such a finder."""

from collections.abc import Callable

import msgspec

from chalicelib.domain.bookings.booking import Booking
from chalicelib.domain.errors import NotFoundError
from chalicelib.domain.event_types.event_type import Question
from chalicelib.domain.event_types.offers import offer_of
from chalicelib.domain.ids import BOOKING, is_id
from chalicelib.domain.links.link import LinkStatus
from chalicelib.domain.team.api_keys import Caller
from chalicelib.domain.team.hosts import Host
from chalicelib.domain.tokens import Purpose, open_token
from chalicelib.service.ports import World

FindBooking = Callable[[], Booking]
"""Reads one booking in its current state; raises `NotFoundError` if the caller may not see it."""


class OwnBooking(msgspec.Struct, frozen=True):
    """A booking and the other data of its page.

    `link_used`: its link can't be used for another booking. `questions` are those that its link asks now.
    """

    booking: Booking
    host: Host | None
    link_used: bool
    questions: tuple[Question, ...]


def own_booking(world: World, token: str) -> FindBooking:
    """Return a finder for the booking of an invitee's token. A forged token causes no read (P7)."""

    def find() -> Booking:
        claim = open_token(world.keyring(), Purpose.BOOKING, token)
        booking = world.store.bookings.read(claim.item_id)
        if booking is None:
            raise NotFoundError
        return booking

    return find


def hosts_booking(world: World, caller: Caller, booking_id: str) -> FindBooking:
    """Return a finder for a booking by id, for its host or an admin (P9)."""

    def find() -> Booking:
        found = world.store.bookings.read(booking_id) if is_id(BOOKING, booking_id) else None
        return caller.require_visible(found)

    return find


def read_own_booking(world: World, token: str) -> OwnBooking:
    """Return the data of the invitee's page of a booking. Raises `NotFoundError`."""
    booking = own_booking(world, token)()
    link = world.store.links.read(booking.link_id)
    link_used = link is None or link.status_at(world.now()) is not LinkStatus.ACTIVE
    event_type, host = world.store.event_types.read_with_host(booking.event_type_id, booking.host_id)
    questions = offer_of(event_type.settings, booking.overrides).questions if event_type else ()
    return OwnBooking(booking, host, link_used, questions)
