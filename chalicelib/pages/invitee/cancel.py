"""The page that asks for confirmation before a booking is cancelled."""

from datetime import datetime

import msgspec

from chalicelib.pages import times
from chalicelib.pages.invitee.zone_rules import some_zones
from chalicelib.pages.languages import Words
from chalicelib.pages.render import render


class CancelPage(msgspec.Struct, frozen=True, kw_only=True):
    """The booking on the page. `action` is the URL that the form posts to, `back` is the URL of the booking's page."""

    root: str
    action: str
    back: str
    title: str
    start: datetime
    end: datetime
    zone: str
    host_name: str


def cancel_page(view: CancelPage, say: Words) -> str:
    """Return the page that asks for confirmation before a booking is cancelled."""
    when = times.span_words(view.start, view.end, view.zone, say)
    zone_rules = some_zones((view.zone,), view.start, view.end)
    return render("cancel.html", root=view.root, view=view, say=say, when=when, zone_rules=zone_rules)
