"""The page of `GET /b/{bookingToken}`: the invitee's own booking."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from chalicelib.domain.event_types.event_type import Location
from chalicelib.pages import times
from chalicelib.pages.invitee.places import place_after
from chalicelib.pages.invitee.zone_rules import some_zones
from chalicelib.pages.languages import Words
from chalicelib.pages.render import render, span_html, zone_html

News = Literal["booked", "moved"]
"""The visitor's last action, which the page confirms."""


class CalendarLink(NamedTuple):
    """A link that adds the booking to a calendar."""

    words: str
    href: str


class ConfirmationPage(msgspec.Struct, frozen=True, kw_only=True):
    """The invitee's own booking.

    `answers` are pairs of a question and its answer. `link_used` means that the booking's link has no uses left.
    `calendars` are links that add the booking to a calendar; `move` and `cancel` are the URLs of those pages; all three
    are empty for a booking that has started or is cancelled. `own_tab` is the page's URL if the page is shown in a
    frame, where nobody sees the address; the page's links then open in a new tab. `unreachable` means that email is on
    but the invitee's address can't be emailed.
    """

    root: str
    title: str
    start: datetime
    end: datetime
    zone: str
    host_zone: str
    location: Location | None
    host_name: str
    invitee_name: str
    invitee_email: str
    answers: Sequence[tuple[str, str]]
    status: Literal["confirmed", "cancelled"]
    news: News | None = None
    link_used: bool = True
    calendars: Sequence[CalendarLink] = ()
    move: str | None = None
    cancel: str | None = None
    notice: str | None = None
    own_tab: str | None = None
    unreachable: bool = False


def confirmation_page(view: ConfirmationPage, say: Words) -> str:
    """Return the page of a booking, confirmed or cancelled."""
    return render(
        "confirmation.html",
        root=view.root,
        view=view,
        say=say,
        when=times.span_words(view.start, view.end, view.zone, say),
        host_when=_host_when(view, say),
        place=place_after(view.location, say) if view.location else None,
        zone_rules=some_zones((view.zone, view.host_zone), view.start, view.end),
    )


def _host_when(view: ConfirmationPage, say: Words) -> str | None:
    """Return the booking's time in the host's zone, or None if it is the same wall time."""
    if times.same_wall_time((view.start, view.end), view.zone, view.host_zone):
        return None
    invitees = times.span_words(view.start, view.end, view.zone, say)
    span = times.span_words(view.start, view.end, view.host_zone, say)
    here = msgspec.structs.replace(view, zone=view.host_zone)
    when = say.html(
        "pages.times-in-zone", times=span_html(here, span.times, "span"), zone=zone_html(here, span.zone)
    )
    if span.day != invitees.day:
        when = say.html("pages.day-and-times", day=span_html(here, span.day, "day"), times=when)
    if not view.host_name:
        return say.html("pages.for-the-host", when=when)
    return say.html("pages.for-host", host=view.host_name, when=when)
