"""The page for a redeem that was sent twice, which confirms the booking. The first opens the booking's own page."""

from datetime import datetime

import msgspec

from chalicelib.pages.invitee.zone_rules import all_zones
from chalicelib.pages.languages import Words
from chalicelib.pages.render import moment_html, render


class BookedPage(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows of a booking after a retry without a key. `start` is UTC."""

    root: str
    title: str
    start: datetime
    zone: str


def booked_page(view: BookedPage | None, say: Words, *, emailed: bool, root: str = "") -> str:
    """Return the page that says that a time is booked, and where the confirmation is.

    Without `view`, the page doesn't say which time. It mentions an email only if the confirmation was `emailed`.
    """
    sentence: str
    if view is None:
        heading, sentence = say("pages.already-booked"), say("pages.already-booked.why")
    else:
        moment = moment_html(view.start, view.zone, say)
        heading = say("pages.repeat")
        sentence = say.html("pages.repeat.why", title=view.title, when=moment)
    return render(
        "message.html",
        root=view.root if view else root,
        say=say,
        problem=None if view else "idempotency-key-reused",
        heading=heading,
        sentence=sentence,
        next_step=say("pages.repeat.next" if emailed else "pages.repeat.next-page"),
        ask=None,
        zone_rules=all_zones(view.start, view.start) if view else "",
    )
