"""The pages of `/b/{bookingToken}`: the invitee's own booking, moving it, and asking before it is cancelled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from chalicelib.domain.event_types import Location
from chalicelib.pages import times
from chalicelib.pages.picker import PickerPage, picker_context
from chalicelib.pages.places import place_after
from chalicelib.pages.render import render

News = Literal["booked", "moved"]
"""What the visitor has just done."""


class CalendarLink(NamedTuple):
    """A way to put the booking in a calendar."""

    words: str
    href: str


@dataclass(frozen=True, kw_only=True)
class ConfirmationPage:
    """The invitee's own booking.

    `link_used` says that the link it came by has no uses left. `calendars` are the ways into a calendar; `move`
    and `cancel` lead to the pages of those names; all are left out where the booking is over or cancelled.
    `own_tab` is this page's URL, where it is shown in a frame: there nobody sees its address, and all it leads to
    opens in a tab.
    """

    root: str
    title: str
    start: datetime
    end: datetime
    zone: str
    host_zone: str
    location: Location | None
    host_first_name: str
    invitee_name: str
    invitee_email: str
    status: Literal["confirmed", "cancelled"]
    news: News | None = None
    link_used: bool = True
    calendars: Sequence[CalendarLink] = ()
    move: str | None = None
    cancel: str | None = None
    notice: str | None = None
    own_tab: str | None = None


@dataclass(frozen=True, kw_only=True)
class MovePage(PickerPage):
    """Where a booking is moved: the times it may move to. `back` leads to the booking, `start`, `end` are its own."""

    back: str
    start: datetime
    end: datetime


@dataclass(frozen=True, kw_only=True)
class CancelPage:
    """The question before a booking is cancelled. `action` is where the form posts, `back` leads to the booking."""

    root: str
    action: str
    back: str
    title: str
    start: datetime
    end: datetime
    zone: str
    host_first_name: str


def confirmation_page(view: ConfirmationPage) -> str:
    """Return the page of a booking, confirmed or cancelled."""
    same = times.same_wall_time((view.start, view.end), view.zone, view.host_zone)
    return render(
        "confirmation.html",
        view=view,
        when=times.span_words(view.start, view.end, view.zone),
        host_when=None if same else times.span_words(view.start, view.end, view.host_zone),
        place=place_after(view.location) if view.location else None,
    )


def move_page(view: MovePage) -> str:
    """Return the page on which a booking is moved."""
    linked = {"timeZone", "start"} if view.starts else {"timeZone"}
    when = times.span_words(view.start, view.end, view.zone)
    return render("move.html", **picker_context(view), linked=linked, when=when)


def cancel_page(view: CancelPage) -> str:
    """Return the page that asks before a booking is cancelled."""
    return render("cancel.html", view=view, when=times.span_words(view.start, view.end, view.zone))
