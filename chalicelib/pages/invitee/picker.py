"""The time picker of the booking page and the page to move a booking: the offered days and their starts in one zone."""

import datetime as dt
from base64 import b64encode
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from math import gcd
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import msgspec

from chalicelib.domain.clock import rfc3339
from chalicelib.domain.zones import load_zone, wall_to_utc
from chalicelib.pages import times
from chalicelib.pages.invitee.zone_rules import all_zones
from chalicelib.pages.languages import Words

_SCRIPT_PHRASES: Final = (  # phrases that `invitee.js` shows
    "pages.back",
    "pages.change-time",
    "pages.day-times",
    "pages.loading",
    "pages.loading-failed",
    "pages.new-time",
    "pages.next-free",
    "pages.next-month",
    "pages.no-answer-given",
    "pages.no-times-day",
    "pages.no-times-month",
    "pages.not-heard",
    "pages.previous-month",
    "pages.review",
    "pages.review-heading",
    "pages.review-move",
    "pages.sending",
    "pages.sending-again",
    "pages.times",
    "pages.try-again",
    "pages.until-now",
    "pages.what",
    "pages.when",
    "pages.where",
    "pages.zone.change",
    "pages.zone.change-what",
    "pages.zone.in",
    "pages.zone.unknown",
)
_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)
_FEW_STARTS: Final = 24  # on a page with up to this many times, every day is unfolded


class OfferedDay(msgspec.Struct, frozen=True, kw_only=True):
    """One day in the shown zone, with its starts as aware UTC instants in order."""

    date: dt.date
    starts: Sequence[datetime]


class KnownStarts(msgspec.Struct, frozen=True, kw_only=True):
    """The starts in `[begin, end)` for the script, which can be more than the page lists.

    `last` is the last date that may have starts; `slots` is the relative URL from which the script reads further ones.
    """

    starts: Sequence[datetime]
    begin: datetime
    end: datetime
    now: datetime
    last: date
    slots: str


class PickerPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page with a form to choose a time.

    `root`, `action`, `here`, `earlier` and `later` are relative URLs: of the site's root, of the form's target, of this
    page (its query is kept when the zone changes), and of pages with other dates. The keys of `values` and `errors` are
    field names: `start`, `timeZone` and the fields of the specific page. `problem` is the code of the error that the
    page reports. `zones` lists the zones to choose from. The list has 20 KB and most visitors never need it, so it is
    empty by default; `zones_page` is the URL of this page with the list.
    """

    root: str
    action: str
    here: str
    title: str
    duration_minutes: int
    host_name: str
    zone: str
    days: Sequence[OfferedDay]
    known: "KnownStarts"
    zones_page: str
    zones: Collection[str] = ()
    earlier: str | None = None
    later: str | None = None
    values: Mapping[str, str] = msgspec.field(default_factory=dict)
    errors: Mapping[str, str] = msgspec.field(default_factory=dict)
    problem: str | None = None
    notice: str | None = None
    unknown_zone: str | None = None

    @property
    def starts(self) -> list[datetime]:
        """All starts on the page, in order."""
        return [start for day in self.days for start in day.starts]


class _Start(msgspec.Struct, frozen=True):
    value: str
    words: str
    offset: str  # empty unless the day has two offsets
    chosen: bool


class _Day(msgspec.Struct, frozen=True):
    date: dt.date
    words: str
    offset: str  # empty unless the page has two offsets and this day has only one
    starts: tuple[_Start, ...]
    unfolded: bool


def offered_days(starts: Sequence[datetime], zone: str) -> tuple[OfferedDay, ...]:
    """Group sorted instants by their date in a zone.

    This searches for each midnight, because converting thousands of instants one by one takes too long.
    """
    shown = load_zone(zone)
    days: list[OfferedDay] = []
    at = 0
    while at < len(starts):
        day = starts[at].astimezone(shown).date()
        end = bisect_left(starts, wall_to_utc(day, None, shown), lo=at + 1)
        days.append(OfferedDay(date=day, starts=tuple(starts[at:end])))
        at = end
    return tuple(days)


def picker_context(
    view: PickerPage, say: Words, moments: Sequence[datetime] = (), **more: object
) -> dict[str, object]:
    """Return the context of `_picker.html`. `more` is additional data for `invitee.js`.

    `moments` are other instants that the page shows.
    """
    starts = view.starts
    days = _days(view, starts, say)
    return {
        "script": {key.removeprefix("pages."): _forms(key, say) for key in _SCRIPT_PHRASES},
        "picker": _picker(view) | more,
        "root": view.root,
        "view": view,
        "zone_rules": _zone_rules(view.known, moments),
        "say": say,
        "duration": times.duration_words(view.duration_minutes, say),
        "zone": times.zone_words(view.zone, say, starts or [view.known.now]),
        "areas": times.zone_areas(view.zones, view.zone, say) if view.zones else (),
        "kept": [pair for pair in parse_qsl(urlsplit(view.here).query) if pair[0] != "timeZone"],
        "months": [
            (words, list(members))
            for words, members in groupby(days, lambda day: times.month_words(day.date, say))
        ],
    }


def _zone_rules(known: KnownStarts, moments: Sequence[datetime]) -> str:
    """Return all zones' offsets for the days that may have times, with a margin because dates depend on the zone."""
    after = datetime.combine(known.last, time(0), UTC) + timedelta(days=3)
    return all_zones(min([known.now, *moments]) - _DAY, max([after, *moments]))


def _forms(key: str, say: Words) -> str | Mapping[str, str]:
    forms = say.forms(key)
    return forms if len(forms) > 1 else forms["other"]


def packed_starts(starts: Sequence[datetime]) -> tuple[int, int, str]:
    """Encode sorted starts as a bit set. Return the first start and the step, both in minutes, and the bits in base64.

    There is one bit for each step, from the lowest bit of the first byte; it is set if there is a start. The step is
    the greatest common divisor of the distances between the starts, which are whole minutes. The bits of 35 days have
    at most 1,680 characters; as text, a month of half-hourly starts would have 20 KB.
    """
    if not starts:
        return 0, 1, ""
    minutes = [(start - starts[0]) // _MINUTE for start in starts]
    step = gcd(*minutes) or 1
    bits = bytearray(minutes[-1] // step // 8 + 1)
    for minute in minutes:
        place = minute // step
        bits[place >> 3] |= 1 << (place & 7)
    return int(starts[0].timestamp()) // 60, step, b64encode(bits).decode()


def _picker(view: PickerPage) -> dict[str, object]:
    """Return the data that `invitee.js` builds its calendar from."""
    known = view.known
    first, step, bits = packed_starts(known.starts)
    return {
        "first": first,
        "step": step,
        "bits": bits,
        "from": rfc3339(known.begin),
        "to": rfc3339(known.end),
        "now": rfc3339(known.now),
        "last": known.last.isoformat(),
        "slots": known.slots,
        "minutes": view.duration_minutes,
        "title": view.title,
    }


def _days(view: PickerPage, starts: Sequence[datetime], say: Words) -> list[_Day]:
    """Return the days that have times. With many times, only the first day and the chosen one are unfolded."""
    shown = load_zone(view.zone)
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
                times.clock_words(local, say),
                times.offset_words(local) if len(offsets) > 1 else "",
                value == view.values.get("start"),
            )
            for start, local in zip(day.starts, locals_, strict=True)
        )
        unfolded = not days or len(starts) <= _FEW_STARTS or any(start.chosen for start in members)
        offset = offsets[0] if two_offsets and len(offsets) == 1 else ""
        days.append(_Day(day.date, times.weekday_words(day.date, say), offset, members, unfolded))
    return days
