"""The pages of `/s/{token}`: what a link offers, why it is dead, and what went wrong; each with its view."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from chalicelib.domain.event_types import Location, Question
from chalicelib.pages import times
from chalicelib.pages.picker import PickerPage, picker_context
from chalicelib.pages.places import place_before
from chalicelib.pages.render import render

DeadReason = Literal[
    "used", "expired", "revoked", "deleted", "not-open", "not-found", "unavailable", "too-many"
]

_FEW_OPTIONS: Final = 5  # so many options are quicker to read as radios than as a list
_ASK: Final = "Ask the person who sent it for a new one."
_IF_YOURS: Final = (
    "If it was you who booked, your confirmation is at the address you saw after booking. "
    "If not, ask the person who sent the link for a new one."
)
_TRY_AGAIN: Final = (  # P4: the same request again gets the same booking
    "Wait a minute, then try again. If you had just pressed Book, sending the same again is safe: it never books twice."
)
_REPEAT: Final = "Wait a minute, then try again. Sending the same again is safe."

# For each reason: what happened, a sentence about it, and what to do next. Nothing about host or event.
_DEAD: Final[Mapping[DeadReason, tuple[str, str, str]]] = {
    "used": (
        "This link has been used",
        "Every booking it was good for has been made.",
        _IF_YOURS,
    ),
    "expired": ("This link has expired", "The time to book with it is over.", _ASK),
    "revoked": ("This link is no longer active", "It was switched off and can’t be used to book.", _ASK),
    "deleted": ("This link no longer exists", "It was removed and can’t be used to book.", _ASK),
    "not-open": (
        "This link isn’t open yet",
        "It can’t be used to book so far.",
        "Come back later with this same address.",
    ),
    "not-found": (
        "There is nothing here",
        "The address may be incomplete or mistyped.",
        "Open the link again from the message it came in, or ask the person who sent it for a new one.",
    ),
    "unavailable": (
        "We can’t take bookings right now",
        "Something on our side isn’t answering.",
        _TRY_AGAIN,
    ),
    "too-many": (
        "Too many tries at once",
        "To keep bookings safe, we have to slow down for a moment.",
        _TRY_AGAIN,
    ),
}

_PROBLEMS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("We couldn’t read that request", "Go back, reload the page and try again."),
    403: ("That isn’t possible", "Go back to the link you were sent and start again from there."),
    404: ("There is nothing here", "Check the address, or open the link again from the message it came in."),
    405: ("That isn’t possible", "Go back to the link you were sent and start again from there."),
    413: ("That was too much to send", "Go back, shorten what you typed and try again."),
    415: ("We couldn’t read that request", "Go back to the page and use its form to book."),
    429: ("Too many tries at once", _REPEAT),
    503: ("Something on our side isn’t answering", _REPEAT),
}
_OTHER_PROBLEM: Final = ("Something went wrong", "Go back, reload the page and try again.")


@dataclass(frozen=True, kw_only=True)
class OfferPage(PickerPage):
    """The booking page of a live link.

    Fields besides the picker's: `location` (an index), `invitee.name`, `invitee.email`, `answers.<id>`.
    `uses_left` None means unlimited. `expected_email` is the masked address that the link insists on.
    """

    description: str
    locations: Sequence[Location]
    expires_at: datetime | None = None
    uses_left: int | None = None
    questions: Sequence[Question] = ()
    expected_email: str | None = None


@dataclass(frozen=True, kw_only=True)
class AskForm:
    """The form that asks the host for a new link; `sent` once it was. Fields: `name`, `email`, `message`."""

    action: str
    sent: bool = False
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    notice: str | None = None


@dataclass(frozen=True, kw_only=True)
class DeadPage:
    """A link that can't be used, and why. `opens_at` (UTC), shown in `zone`, only for `not-open`.

    `ask` is the form by which its holder asks for a new one, where somebody is there to be asked.
    """

    root: str
    reason: DeadReason
    opens_at: datetime | None = None
    zone: str = "UTC"
    ask: AskForm | None = None


@dataclass(frozen=True, kw_only=True)
class ProblemPage:
    """A request that failed for no reason of the link's. `status` is the HTTP status; `detail` a sentence."""

    root: str
    status: int
    detail: str = ""


def offer_page(view: OfferPage) -> str:
    """Return the booking page."""
    return render(
        "offer.html",
        **picker_context(view),
        places=[place_before(location) for location in view.locations],
        expires=times.moment_words(view.expires_at, view.zone) if view.expires_at else None,
        few_options=_FEW_OPTIONS,
        linked=_linked(view),
    )


def dead_page(view: DeadPage) -> str:
    """Return the page of a link that can't be used. It says nothing about the host or the event."""
    heading, sentence, next_step = _DEAD[view.reason]
    if view.reason == "not-open" and view.opens_at is not None:
        sentence = f"It opens on {times.moment_words(view.opens_at, view.zone)}."
        next_step = "Come back then with this same address."
    return render(
        "message.html",
        root=view.root,
        heading=heading,
        sentence=sentence,
        next_step=next_step,
        ask=view.ask,
    )


def problem_page(view: ProblemPage) -> str:
    """Return the page of a failed request."""
    heading, next_step = _PROBLEMS.get(view.status, _OTHER_PROBLEM)
    return render(
        "message.html",
        root=view.root,
        heading=heading,
        sentence=view.detail,
        next_step=next_step,
        ask=None,
    )


def _linked(view: OfferPage) -> frozenset[str]:
    """Return the names of the fields that are on the page, so that an error can lead to each."""
    names = {"timeZone"}
    if view.starts:
        names |= {"start", "invitee.name", "invitee.email"} | {f"answers.{q.id}" for q in view.questions}
        if len(view.locations) > 1:
            names.add("location")
    return frozenset(names)
