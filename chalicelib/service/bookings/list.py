"""List bookings by start: those of a link, or those of a host in a time range (P9, P10)."""

from functools import partial
from operator import attrgetter

import msgspec

from chalicelib.domain.bookings.booking import Booking, BookingStatus
from chalicelib.domain.errors import FieldFault, InvalidValueError, NotFoundError
from chalicelib.domain.ids import LINK, is_id
from chalicelib.domain.listings import BookingFilter, read_cursor
from chalicelib.domain.team.api_keys import Caller
from chalicelib.service.paging import Page, fill, merged, portion, stream
from chalicelib.service.ports import World
from chalicelib.service.team.owner import owner_of


class BookingsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of a list. `where.host_id` is empty if the caller names none."""

    where: BookingFilter
    cursor: str | None
    limit: int
    newest_first: bool = False


def list_bookings(world: World, caller: Caller, request: BookingsRequest) -> Page[Booking]:
    """Return a page of bookings. Raises `NotFoundError` (a link or event type of another host), `InvalidValueError`."""
    where = request.where
    if where.start is not None and where.end is not None and where.end <= where.start:
        raise InvalidValueError([FieldFault("/to", "must be after from")])
    # Each direction has its own cursors: one of them is not valid in the other direction.
    stage = "d" if (newest := request.newest_first) else "b"
    _, place = read_cursor(request.cursor, stage)
    bookings = world.store.bookings
    if where.link_id is not None:
        owner = _host_of(world, caller, where)
        fetch = partial(bookings.entries_of_link, where, newest_first=newest)
        streams = [stream(fetch, place, portion(request.limit, 1))]
    else:
        owner = owner_of(world, caller, where.host_id or None, where.event_type_id)
        where = msgspec.structs.replace(where, host_id=owner)
        statuses = (where.status,) if where.status else tuple(BookingStatus)
        size = portion(request.limit, len(statuses))
        streams = [
            stream(partial(bookings.entries, where, status, newest_first=newest), place, size)
            for status in statuses
        ]

    def read(booking_ids: list[str]) -> list[Booking]:
        return [booking for booking in bookings.read_many(booking_ids) if fits(booking)]

    def fits(booking: Booking) -> bool:
        if booking.host_id != owner or where.event_type_id not in (None, booking.event_type_id):
            return False
        return where.status in (None, booking.status)

    return fill(merged(streams, newest_first=newest), request.limit, stage, read, attrgetter("booking_id"))


def zone_of_dates(world: World, caller: Caller, where: BookingFilter) -> str:
    """Return the time zone for the dates of a list: its host's. Raises `NotFoundError`, `InvalidValueError`."""
    host = world.store.hosts.read(owner_of(world, caller, where.host_id or None, where.event_type_id))
    if host is None:
        raise NotFoundError
    return host.settings.time_zone


def _host_of(world: World, caller: Caller, where: BookingFilter) -> str:
    """Return the host of a link; for a deleted link, the host of its bookings. Raises `NotFoundError`."""
    link_id = where.link_id or ""
    link = world.store.links.read(link_id) if is_id(LINK, link_id) else None
    if link is not None:
        host_id = link.host_id
    else:
        first = world.store.bookings.entries_of_link(BookingFilter(host_id="", link_id=link_id), None, 1)
        found = world.store.bookings.read_many([entry.item_id for entry in first])
        if not found:
            raise NotFoundError
        host_id = found[0].host_id
    if not caller.may_see(host_id):
        raise NotFoundError
    return host_id
