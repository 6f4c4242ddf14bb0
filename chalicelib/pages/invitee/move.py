"""The page on which the invitee moves a booking."""

from datetime import datetime

from chalicelib.domain.clock import rfc3339
from chalicelib.pages import times
from chalicelib.pages.invitee.picker import PickerPage, picker_context
from chalicelib.pages.languages import Words
from chalicelib.pages.render import render, span_html, zone_html


class MovePage(PickerPage, frozen=True, kw_only=True):
    """The times a booking can move to. `back` is the booking's URL; `start` and `end` are its current times."""

    back: str
    start: datetime
    end: datetime


def move_page(view: MovePage, say: Words) -> str:
    """Return the page on which a booking is moved."""
    linked = ({"timeZone"} if view.zones else set()) | ({"start"} if view.starts else set())
    span = times.span_words(view.start, view.end, view.zone, say)
    day_and_times = say("pages.day-and-times", day=span.day, times=span.times)
    return render(
        "move.html",
        **picker_context(view, say, [view.start, view.end], moving=[rfc3339(view.start), rfc3339(view.end)]),
        linked=linked,
        when=span_html(view, day_and_times, "both"),
        zone_now=zone_html(view, span.zone),
    )
