"""The page for a repeated redeem. It only confirms the booking; the first redeem opens the booking's page."""

from datetime import datetime

import msgspec

from chalicelib.pages.invitee.zone_rules import all_zones
from chalicelib.pages.languages import Words
from chalicelib.pages.render import moment_html, render


class BookedPage(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a booking that the page shows after a retry without an `Idempotency-Key`. `start` is UTC."""

    root: str
    title: str
    start: datetime
    zone: str


def booked_page(view: BookedPage | None, say: Words, *, emailed: bool, root: str = "") -> str:
    """Return the page that confirms that a time is booked, and where to find the confirmation.

    Without `view`, the page doesn't show the time. It mentions an email only if the confirmation was `emailed`.
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
