"""The page of `GET /s/{token}`: a link's offer, with the form that redeems the link."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from chalicelib.domain.event_types.event_type import Location, Question
from chalicelib.pages.invitee.picker import PickerPage, picker_context
from chalicelib.pages.invitee.places import place_before
from chalicelib.pages.languages import Words
from chalicelib.pages.render import moment_html, render

_FEW_OPTIONS: Final = 5  # up to this many options are radio buttons, which are quicker to read than a list
_RULES_REACH: Final = timedelta(days=400)


class OfferPage(PickerPage, frozen=True, kw_only=True):
    """The booking page of an active link. A form sent with its `request_key` books at most once.

    The form has the picker's fields and `location` (an index), `invitee.name`, `invitee.email`, `answers.<id>`.
    `uses_left` None means unlimited. `expected_email` is the masked address that the link requires. `emails` means that
    bookings are confirmed by email.
    """

    request_key: str
    description: str
    locations: Sequence[Location]
    expires_at: datetime | None = None
    uses_left: int | None = None
    questions: Sequence[Question] = ()
    expected_email: str | None = None
    emails: bool = False

    @property
    def unreachable(self) -> bool:
        """True if email is on but the typed address can't be emailed."""
        typed = self.values.get("invitee.email", "")
        return self.emails and bool(typed) and not typed.partition("@")[0].isascii()


def offer_page(view: OfferPage, say: Words) -> str:
    """Return the booking page."""
    places = [place_before(location, say) for location in view.locations]
    soon = [view.expires_at] if view.expires_at and _is_soon(view) else []
    context = picker_context(view, say, soon, places=[place.words for place in places])
    return render(
        "redeem.html",
        **context,
        places=places,
        life=_life(view, say),
        few_options=_FEW_OPTIONS,
        linked=_linked(view),
    )


def _is_soon(view: OfferPage) -> bool:
    """Return whether the link expires within the days for which the page includes the zones' offsets."""
    return view.expires_at is not None and view.expires_at - view.known.now < _RULES_REACH


def _life(view: OfferPage, say: Words) -> str | None:
    """Return the sentence with the link's remaining uses and its expiry; None if it has neither limit."""
    until = moment_html(view.expires_at, view.zone, say, local=_is_soon(view)) if view.expires_at else None
    if until is None:
        return None if view.uses_left is None else say.count("pages.good-for", view.uses_left)
    if view.uses_left is None:
        return say.html("pages.good-until", until=until)
    return say.html_count("pages.good-for-until", view.uses_left, until=until)


def _linked(view: OfferPage) -> frozenset[str]:
    """Return the names of the fields on the page, so that an error can link to its field."""
    names = {"timeZone"} if view.zones else set()
    if view.starts:
        names |= {"start", "invitee.name", "invitee.email"} | {f"answers.{q.id}" for q in view.questions}
        if len(view.locations) > 1:
            names.add("location")
    return frozenset(names)
