"""The pages of `/s/{token}`: what a link offers, why it is dead, and what went wrong; each with its view."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from chalicelib.domain.event_types.event_type import Location, Question
from chalicelib.pages.invitee.picker import PickerPage, picker_context
from chalicelib.pages.invitee.places import place_before
from chalicelib.pages.invitee.zone_rules import all_zones
from chalicelib.pages.languages import Words
from chalicelib.pages.render import moment_html, render

DeadReason = Literal[
    "used", "expired", "revoked", "deleted", "not-open", "not-found", "unavailable", "too-many"
]

_FEW_OPTIONS: Final = 5  # so many options are quicker to read as radios than as a list

_RULES_REACH: Final = timedelta(days=400)

_DEAD_FOR_GOOD: Final = frozenset({"used", "expired", "revoked", "deleted"})
_PROBLEMS: Final[Mapping[int, str]] = {
    400: "unread",
    403: "impossible",
    404: "nothing",
    405: "impossible",
    413: "too-much",
    415: "not-form",
    429: "too-many",
    503: "unavailable",
}


class OfferPage(PickerPage, frozen=True, kw_only=True):
    """The booking page of an active link. A form sent with its `request_key` books at most once.

    Fields besides the picker's: `location` (an index), `invitee.name`, `invitee.email`, `answers.<id>`.
    `uses_left` None means unlimited. `expected_email` is the masked address that the link insists on.
    `emails` says that bookings are confirmed by email.
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
        """Whether email is on but the typed address can't be emailed."""
        typed = self.values.get("invitee.email", "")
        return self.emails and bool(typed) and not typed.partition("@")[0].isascii()


class AskForm(msgspec.Struct, frozen=True, kw_only=True):
    """The form that asks the host for a new link; `sent` once it was. Fields: `name`, `email`, `message`."""

    action: str
    sent: bool = False
    values: Mapping[str, str] = msgspec.field(default_factory=dict)
    errors: Mapping[str, str] = msgspec.field(default_factory=dict)
    notice: str | None = None


class DeadPage(msgspec.Struct, frozen=True, kw_only=True):
    """A link that can't be used, and why. `opens_at` (UTC), shown in `zone`, only for `not-open`.

    `ask` is the form by which its holder asks for a new one, where somebody is there to be asked.
    """

    root: str
    reason: DeadReason
    opens_at: datetime | None = None
    zone: str = "UTC"
    ask: AskForm | None = None


class BookedPage(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows of a booking after a retry without a key. `start` is UTC."""

    root: str
    title: str
    start: datetime
    zone: str


class ProblemPage(msgspec.Struct, frozen=True, kw_only=True):
    """A request that failed for no reason of the link's. `status` is the HTTP status."""

    root: str
    status: int


def offer_page(view: OfferPage, say: Words) -> str:
    """Return the booking page."""
    places = [place_before(location, say) for location in view.locations]
    soon = [view.expires_at] if view.expires_at and _is_soon(view) else []
    context = picker_context(view, say, soon, places=[place.words for place in places])
    return render(
        "offer.html",
        **context,
        places=places,
        life=_life(view, say),
        few_options=_FEW_OPTIONS,
        linked=_linked(view),
    )


def dead_page(view: DeadPage, say: Words) -> str:
    """Return the page of a link that can't be used. It says nothing about the host or the event."""
    key = f"pages.dead.{view.reason}"
    sentence: str
    zone_rules = ""
    if view.reason == "not-open" and view.opens_at is not None:
        sentence = say.html(f"{key}.opens", when=moment_html(view.opens_at, view.zone, say))
        next_step = say(f"{key}.then")
        zone_rules = all_zones(view.opens_at, view.opens_at)
    else:
        sentence, next_step = say(f"{key}.why"), say(f"{key}.next")
    return render(
        "message.html",
        root=view.root,
        say=say,
        problem=f"link-{view.reason}" if view.reason in _DEAD_FOR_GOOD else None,
        heading=say(key),
        sentence=sentence,
        next_step=next_step,
        ask=view.ask,
        zone_rules=zone_rules,
    )


def booked_page(view: BookedPage | None, say: Words, *, emailed: bool, root: str = "") -> str:
    """Return the page that says that a time is booked and where the confirmation is; without `view` not which time.

    `emailed` says that the confirmation could be emailed; otherwise the page does not mention an email.
    """
    sentence: str
    if view is None:
        heading, sentence = say("pages.stands"), say("pages.stands.why")
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


def problem_page(view: ProblemPage, say: Words) -> str:
    """Return the page of a failed request."""
    key = f"pages.problem.{_PROBLEMS.get(view.status, 'other')}"
    return render(
        "message.html",
        root=view.root,
        say=say,
        problem=None,
        heading=say(key),
        sentence="",
        next_step=say(f"{key}.next"),
        ask=None,
        zone_rules="",
    )


def _is_soon(view: OfferPage) -> bool:
    """Return whether the link ends within the days for which the page includes the zones' offsets."""
    return view.expires_at is not None and view.expires_at - view.known.now < _RULES_REACH


def _life(view: OfferPage, say: Words) -> str | None:
    """Return how many bookings the link is good for, and until when; None where it has neither limit."""
    until = moment_html(view.expires_at, view.zone, say, local=_is_soon(view)) if view.expires_at else None
    if until is None:
        return None if view.uses_left is None else say.count("pages.good-for", view.uses_left)
    if view.uses_left is None:
        return say.html("pages.good-until", until=until)
    return say.html_count("pages.good-for-until", view.uses_left, until=until)


def _linked(view: OfferPage) -> frozenset[str]:
    """Return the names of the fields that are on the page, so that an error can lead to each."""
    names = {"timeZone"} if view.zones else set()
    if view.starts:
        names |= {"start", "invitee.name", "invitee.email"} | {f"answers.{q.id}" for q in view.questions}
        if len(view.locations) > 1:
            names.add("location")
    return frozenset(names)
