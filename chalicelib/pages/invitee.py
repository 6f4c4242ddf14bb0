"""The invitee's pages: what each one shows, and the function that makes its HTML."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from typing import Final, Literal
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

from chalicelib.domain.clock import rfc3339
from chalicelib.domain.event_types import Location, Question
from chalicelib.pages import times
from chalicelib.pages.render import render

DeadReason = Literal[
    "used", "expired", "revoked", "deleted", "not-open", "not-found", "unavailable", "too-many"
]

_FEW_STARTS: Final = 24  # so many times fit a page with every day unfolded
_FEW_OPTIONS: Final = 5  # so many options are quicker to read as radios than as a list
_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()./-]{3,30}\Z")
_KIND_WORDS: Final = {
    "video": "Video call",
    "phone": "Phone call",
    "in_person": "In person",
    "custom": "Where",
}
_ASK: Final = "Ask the person who sent it for a new one."
_IF_YOURS: Final = (
    "If it was you who booked, your confirmation is at the address you saw after booking. "
    "If not, ask the person who sent the link for a new one."
)
_TRY_AGAIN: Final = (  # P4: the same request again gets the same booking
    "Wait a minute, then try again. If you had just pressed Book, sending the same again is safe: it never books twice."
)

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
    503: (
        "Something on our side isn’t answering",
        _TRY_AGAIN,
    ),
}
_OTHER_PROBLEM: Final = ("Something went wrong", "Go back, reload the page and try again.")


@dataclass(frozen=True, kw_only=True)
class OfferedDay:
    """One day in the shown zone, with its starts as aware UTC instants in order."""

    date: date
    starts: Sequence[datetime]


@dataclass(frozen=True, kw_only=True)
class OfferPage:
    """The booking page of a live link.

    `root` leads to the site's root, `action` is where the form posts, `here` is this page (a query is kept when
    the zone changes), `earlier` and `later` lead to other dates; all are relative URLs. `values` and `errors` go
    by field name: `start`, `timeZone`, `location` (an index), `invitee.name`, `invitee.email`, `answers.<id>`.
    `uses_left` None means unlimited.
    """

    root: str
    action: str
    here: str
    title: str
    description: str
    duration_minutes: int
    locations: Sequence[Location]
    host_first_name: str
    zone: str
    zones: Iterable[str]
    days: Sequence[OfferedDay]
    earlier: str | None = None
    later: str | None = None
    expires_at: datetime | None = None
    uses_left: int | None = None
    questions: Sequence[Question] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    notice: str | None = None


@dataclass(frozen=True, kw_only=True)
class ConfirmationPage:
    """The invitee's own booking. `link_used` says that the link it came by has no uses left."""

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
    just_booked: bool
    link_used: bool = True


@dataclass(frozen=True, kw_only=True)
class DeadPage:
    """A link that can't be used, and why. `opens_at` (UTC), shown in `zone`, only for `not-open`."""

    root: str
    reason: DeadReason
    opens_at: datetime | None = None
    zone: str = "UTC"


@dataclass(frozen=True, kw_only=True)
class ProblemPage:
    """A request that failed for no reason of the link's. `status` is the HTTP status; `detail` a sentence."""

    root: str
    status: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Start:
    value: str
    words: str
    offset: str  # only on a day that has two
    chosen: bool


@dataclass(frozen=True, slots=True)
class _Day:
    date: date
    words: str
    offset: str  # only on a page that has two, and then only where the times don’t say it themselves
    starts: tuple[_Start, ...]
    unfolded: bool


@dataclass(frozen=True, slots=True)
class _Place:
    kind: str
    words: str
    detail: str
    href: str | None = None


def offered_days(starts: Iterable[datetime], zone: str) -> tuple[OfferedDay, ...]:
    """Group instants in order by their date in a zone."""
    shown = ZoneInfo(zone)
    days = groupby(starts, lambda start: start.astimezone(shown).date())
    return tuple(OfferedDay(date=day, starts=tuple(members)) for day, members in days)


def offer_page(view: OfferPage) -> str:
    """Return the booking page."""
    starts = [start for day in view.days for start in day.starts]
    days = _days(view, starts)
    return render(
        "offer.html",
        view=view,
        duration=times.duration_words(view.duration_minutes),
        places=[_place_before(location) for location in view.locations],
        zone=times.zone_words(view.zone, starts),
        areas=times.zone_areas(view.zones, view.zone),
        kept=[pair for pair in parse_qsl(urlsplit(view.here).query) if pair[0] != "timeZone"],
        months=[
            (words, list(members))
            for words, members in groupby(days, lambda day: times.month_words(day.date))
        ],
        expires=times.moment_words(view.expires_at, view.zone) if view.expires_at else None,
        few_options=_FEW_OPTIONS,
        linked=_linked(view, has_starts=bool(starts)),
    )


def confirmation_page(view: ConfirmationPage) -> str:
    """Return the page of a booking, confirmed or cancelled."""
    same = times.same_wall_time((view.start, view.end), view.zone, view.host_zone)
    return render(
        "confirmation.html",
        view=view,
        when=times.span_words(view.start, view.end, view.zone),
        host_when=None if same else times.span_words(view.start, view.end, view.host_zone),
        place=_place_after(view.location) if view.location else None,
    )


def dead_page(view: DeadPage) -> str:
    """Return the page of a link that can't be used. It says nothing about the host or the event."""
    heading, sentence, next_step = _DEAD[view.reason]
    if view.reason == "not-open" and view.opens_at is not None:
        sentence = f"It opens on {times.moment_words(view.opens_at, view.zone)}."
        next_step = "Come back then with this same address."
    return render("message.html", root=view.root, heading=heading, sentence=sentence, next_step=next_step)


def problem_page(view: ProblemPage) -> str:
    """Return the page of a failed request."""
    heading, next_step = _PROBLEMS.get(view.status, _OTHER_PROBLEM)
    return render("message.html", root=view.root, heading=heading, sentence=view.detail, next_step=next_step)


def _days(view: OfferPage, starts: Sequence[datetime]) -> list[_Day]:
    """Return the days that have times. Few times are all unfolded; of many, the first day and the chosen one."""
    shown = ZoneInfo(view.zone)
    two_offsets = len({start.astimezone(shown).utcoffset() for start in starts}) > 1
    days: list[_Day] = []
    for day in view.days:
        if not day.starts:
            continue
        locals_ = [start.astimezone(shown) for start in day.starts]
        offsets = list(dict.fromkeys(times.offset_words(local) for local in locals_))
        members = tuple(
            _Start(
                value := rfc3339(start),
                times.clock_words(local),
                times.offset_words(local) if len(offsets) > 1 else "",
                value == view.values.get("start"),
            )
            for start, local in zip(day.starts, locals_, strict=True)
        )
        unfolded = not days or len(starts) <= _FEW_STARTS or any(start.chosen for start in members)
        offset = offsets[0] if two_offsets and len(offsets) == 1 else ""
        days.append(_Day(day.date, times.weekday_words(day.date), offset, members, unfolded))
    return days


def _linked(view: OfferPage, *, has_starts: bool) -> frozenset[str]:
    """Return the names of the fields that are on the page, so that an error can lead to each."""
    names = {"timeZone"}
    if has_starts:
        names |= {"start", "invitee.name", "invitee.email"} | {f"answers.{q.id}" for q in view.questions}
        if len(view.locations) > 1:
            names.add("location")
    return frozenset(names)


def _place_before(location: Location) -> _Place:
    """Return a location as a stranger may see it: how to join a call is told only once it is booked."""
    words = _KIND_WORDS[location.kind]
    private = location.kind in {"video", "phone"} or "://" in location.detail or "www." in location.detail
    if location.kind == "custom" and (private or not location.detail):
        return _Place(location.kind, "Told after you book", "")
    if location.kind == "custom":
        return _Place(location.kind, location.detail, "")
    return _Place(location.kind, words, "" if private else location.detail)


def _place_after(location: Location) -> _Place:
    """Return a location in full, with a link to join or call where its detail is one."""
    words, detail = _KIND_WORDS[location.kind], location.detail.strip()
    href = None
    if detail.lower().startswith(("https://", "http://")) and not re.search(r"\s", detail):
        href = detail
    elif location.kind == "phone" and _PHONE.match(detail):
        href = "tel:" + re.sub(r"[^0-9+]", "", detail)
    if location.kind == "custom":
        words = ""
    return _Place(location.kind, words, detail, href)
