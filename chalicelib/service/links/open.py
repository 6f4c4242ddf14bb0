"""Open a link: read what its page shows. Opening never uses the link (P5)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from chalicelib.domain.bookings.occupancy import cells_of
from chalicelib.domain.errors import (
    FieldFault,
    InvalidValueError,
    LinkDeletedError,
    LinkRevokedError,
)
from chalicelib.domain.event_types.event_type import MAX_OCCUPIED_MINUTES, EventSettings
from chalicelib.domain.event_types.offers import offer_of
from chalicelib.domain.event_types.slots import MAX_RANGE_DAYS, Slot, offered_slots
from chalicelib.domain.links.link import Link
from chalicelib.domain.team.hosts import Host, TimeOff
from chalicelib.domain.tokens import Purpose, open_token
from chalicelib.service.ports import World

_REACH = timedelta(minutes=MAX_OCCUPIED_MINUTES)


class OpenLink(msgspec.Struct, frozen=True):
    """A live link with its offer and its host."""

    link: Link
    offer: EventSettings
    host: Host
    now: datetime


def open_link(world: World, token: str) -> OpenLink:
    """Return a live link with its offer and its host; two round trips.

    Raises `NotFoundError` for anything but a genuine token, without a read (P7); a `DeadLinkError` or
    `LinkNotOpenError` for a genuine token of a link that can no longer be used or is not open yet.
    """
    link_id = open_token(world.keyring(), Purpose.LINK, token).item_id
    link = world.store.links.read(link_id)
    if link is None:
        raise LinkDeletedError
    now = world.now()
    link.require_bookable(now)
    return OpenLink(link, *offer_and_host(world, link), now)


def offer_and_host(world: World, link: Link) -> tuple[EventSettings, Host]:
    """Return a link's offer and its host; one round trip.

    Raises `LinkRevokedError` if its event type was archived: nobody can book with its links any more.
    """
    event_type, host = world.store.event_types.read_with_host(link.event_type_id, link.host_id)
    if event_type is None or host is None or event_type.archived:
        raise LinkRevokedError
    return offer_of(event_type.settings, link.settings.overrides), host


def opening_zone(world: World, token: str) -> str:
    """Return the time zone in which to show when a link opens: its schedule's, or UTC if there is none.

    It is for visitors whose browser sends no time zone. Raises `NotFoundError` for anything but a genuine token.
    """
    link_id = open_token(world.keyring(), Purpose.LINK, token).item_id
    link = world.store.links.read(link_id)
    event_type = world.store.event_types.read(link.event_type_id) if link else None
    if link is None or event_type is None:
        return "UTC"
    return offer_of(event_type.settings, link.settings.overrides).schedule.time_zone


def slots_of(
    world: World, opened: OpenLink, start: datetime, end: datetime, *, most: int | None = None
) -> Sequence[Slot]:
    """Return an open link's free slots with `start <= slot < end`, at most the first `most`, in one round trip.

    Raises `InvalidValueError` for a range that is empty or longer than 62 days.
    """
    host = opened.host
    time_off = host.settings.time_off
    return free_slots(world, opened.offer, host.host_id, time_off, start, end, now=opened.now, most=most)


def free_slots(
    world: World,
    offer: EventSettings,
    host_id: str,
    time_off: Sequence[TimeOff],
    start: datetime,
    end: datetime,
    *,
    now: datetime,
    own: tuple[datetime, datetime] | None = None,
    most: int | None = None,
) -> list[Slot]:
    """Return a host's free slots of an offer with `start <= slot < end`; `own` is time that counts as free.

    Raises `InvalidValueError` for a range that is empty or longer than 62 days.
    """
    if end <= start:
        raise InvalidValueError([FieldFault("/to", "must be after from")])
    if end - start > timedelta(days=MAX_RANGE_DAYS):
        raise InvalidValueError([FieldFault("/to", f"must be at most {MAX_RANGE_DAYS} days after from")])
    # Nothing is on offer outside these limits, and arithmetic near the first and last dates would overflow.
    start = max(start, now)
    end = min(end, now + timedelta(days=offer.booking_window_days + 2))
    if end <= start:
        return []
    first, last = (start - _REACH).astimezone(UTC).date(), (end + _REACH).astimezone(UTC).date()
    busy = world.store.days.busy_cells(host_id, first, last)
    if own is not None:
        busy -= frozenset(cells_of(*own))
    return offered_slots(offer, start=start, end=end, now=now, time_off=time_off, busy=busy, most=most)
