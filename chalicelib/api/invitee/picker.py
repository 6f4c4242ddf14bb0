"""Select what the booking page lists: the time zone, the slots from a date or hour on, and the URLs of other pages."""

import datetime as dt
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import groupby
from typing import Final, NamedTuple
from urllib.parse import urlencode

import msgspec

from chalicelib.api.http.call import Call
from chalicelib.domain.clock import rfc3339
from chalicelib.domain.event_types.slots import Slot
from chalicelib.domain.zones import is_zone, load_zone, wall_to_utc, zone_names
from chalicelib.pages.invitee.picker import KnownStarts, OfferedDay, offered_days
from chalicelib.wire.instants import Instant, date_of

DAYS_A_PAGE: Final = 7
MAX_STARTS: Final = 64  # per page: about 6 KB of the 60 KB budget for a first load
SEARCHED_DAYS: Final = 35  # days that a page searches for slots; later slots are on the page `later`

# An unknown zone from the URL is shown only up to the first character outside this set.
_ZONE_LIKE: Final = re.compile(r"[A-Za-z0-9_+/:-]{0,40}")

FindSlots = Callable[[datetime, datetime], Iterable[Slot]]


class Shown(msgspec.Struct, frozen=True):
    """The times that a page shows.

    `here` is the page's relative URL; `earlier` and `later` are the URLs of the pages before and after it.

    `zones` lists the zones to choose from. It is empty unless the page was opened with `zones_page` or a posted form
    has an unknown zone.
    """

    zone: str
    days: Sequence[OfferedDay]
    known: KnownStarts
    here: str
    zones_page: str
    zones: Collection[str]
    earlier: str | None
    later: str | None
    unknown_zone: str | None = None  # the zone in the URL, if the server does not know it


class _Piece(msgspec.Struct, frozen=True):
    """Starts that are always on the same page: all starts of a day, or of an hour if the day exceeds `MAX_STARTS`."""

    date: dt.date
    starts: Sequence[datetime]
    inner: bool  # False for the first piece of a day, True for the others


def shown_dates(
    call: Call,
    find_slots: FindSlots,
    *,
    now: datetime,
    window_days: int,
    zone: str,
    fields: dict[str, str],
    path: str,
    query: dict[str, str] | None = None,
) -> Shown:
    """Return the times to show.

    The zone and the first date come from the URL's `timeZone` and `from` or from a posted form; the defaults are `zone`
    and today. `from` is a date, or an instant within a day. `path` and `query` are the page's relative URL.
    """
    choice = _chosen_zone(call, fields, zone)
    shown = load_zone(choice.zone)
    today = now.astimezone(shown).date()
    last = today + timedelta(days=window_days)
    hint = call.hint("from") or ""
    at = _start_of(hint, shown) or _start_of(fields.get("start", ""), shown)
    first = max(today, date_of(hint) or (min(at.date(), last) if at else today))
    before = max(today, first - timedelta(days=DAYS_A_PAGE))
    after = first + timedelta(days=SEARCHED_DAYS)
    since, begin, end = (wall_to_utc(day, time(0), shown) for day in (before, first, after))
    starts = [slot.start for slot in find_slots(since, end)]
    listing = _listing(_pieces(starts, choice.zone), first, at)

    def page_url(begins: _Piece | date | None, **more: str) -> str | None:
        if begins is None:
            return None
        return f"{path}?{urlencode({**(query or {}), **more, 'from': _from_value(begins)})}"

    from_today = f"{path}?{urlencode(query)}" if query else path
    here = page_url(listing.cut or (first if first > today else None)) or from_today
    zones_query = urlencode({"timeZone": choice.zone, "zones": "1"})
    return Shown(
        zone=choice.zone,
        unknown_zone=choice.unknown,
        days=offered_days([start for piece in listing.shown for start in piece.starts], choice.zone),
        known=KnownStarts(
            starts=[start for start in starts if start >= begin],
            begin=begin,
            end=end,
            now=now,
            last=last,
            slots=f"{path}/slots",
        ),
        here=here,
        zones_page=f"{here}{'&' if '?' in here else '?'}{zones_query}",
        zones=zone_names() if choice.offers_others else (),
        earlier=page_url(listing.before or (before if first > today else None), timeZone=choice.zone),
        later=page_url(listing.after or (after if after <= last else None), timeZone=choice.zone),
    )


class _ZoneChoice(NamedTuple):
    """The time zone of a page, and whether the page lists all zones."""

    zone: str  # times are shown in it
    unknown: str | None  # the requested zone, if the server does not know it
    offers_others: bool  # list all zones


def _chosen_zone(call: Call, fields: dict[str, str], default: str) -> _ZoneChoice:
    """Return the zone in a form or the URL, or `default`. The form's field errors report an unknown zone in a form."""
    posted = fields.get("timeZone") or ""
    wanted = posted or call.hint("timeZone") or ""
    listed = call.hint("zones") == "1"
    if is_zone(wanted):
        return _ZoneChoice(wanted, None, listed)
    if posted:
        return _ZoneChoice(default, None, offers_others=True)
    found = _ZONE_LIKE.match(wanted)
    unknown = (found[0] if found else "") or "?"
    return _ZoneChoice(default, unknown if wanted else None, listed)


class _Listing(NamedTuple):
    """The pieces of one page, and the first pieces of the pages before and after it.

    `cut` is the first piece of this page if the page starts within a day.
    """

    shown: Sequence[_Piece]
    before: _Piece | None
    after: _Piece | None
    cut: _Piece | None


def _listing(pieces: Sequence[_Piece], first: date, at: datetime | None) -> _Listing:
    """Return the page that starts on `first`. If that day is split into hours, start at the hour that contains `at`."""
    begin = next((place for place, piece in enumerate(pieces) if piece.date >= first), len(pieces))
    from_first = pieces[begin:]
    skipped = sum(piece.date == first and piece.starts[-1] < at for piece in from_first) if at else 0
    if not (skipped < len(from_first) and from_first[skipped].inner):
        skipped = 0
    shown = _fitting(from_first[skipped:])
    following = from_first[skipped + len(shown) :]
    preceding = _fitting(pieces[: begin + skipped][::-1])
    return _Listing(
        shown=shown,
        before=preceding[-1] if preceding else None,
        after=following[0] if following else None,
        cut=from_first[skipped] if skipped else None,
    )


def _from_value(begins: _Piece | date) -> str:
    """Return the `from` of a page: a date, or the first instant of a piece within a day."""
    if not isinstance(begins, _Piece):
        return begins.isoformat()
    return rfc3339(begins.starts[0]) if begins.inner else begins.date.isoformat()


def _pieces(starts: Sequence[datetime], zone: str) -> list[_Piece]:
    """Group sorted starts into pieces that are never split across pages."""
    pieces: list[_Piece] = []
    shown = load_zone(zone)
    for day in offered_days(starts, zone):
        if len(day.starts) <= MAX_STARTS:
            pieces.append(_Piece(day.date, day.starts, inner=False))
            continue
        hours = groupby(
            day.starts, lambda start: (start.astimezone(shown).hour, start.astimezone(shown).utcoffset())
        )
        pieces += [_Piece(day.date, list(of_hour), inner=n > 0) for n, (_, of_hour) in enumerate(hours)]
    return pieces


def _fitting(pieces: Sequence[_Piece]) -> list[_Piece]:
    """Return the first pieces that fit on one page: up to `DAYS_A_PAGE` days and `MAX_STARTS` starts.

    A piece with more starts is returned by itself.
    """
    fit: list[_Piece] = []
    total, days = 0, set()
    for piece in pieces:
        total += len(piece.starts)
        days.add(piece.date)
        if fit and (total > MAX_STARTS or len(days) > DAYS_A_PAGE):
            break
        fit.append(piece)
    return fit


def _start_of(text: str, shown: tzinfo) -> datetime | None:
    """Return the instant in a URL or a form, in the shown zone; None if it is invalid or out of range."""
    try:
        found = msgspec.convert(text.replace(" ", "+"), type=Instant).astimezone(shown)
    except (msgspec.ValidationError, OverflowError):
        return None
    return found if date_of(found.date().isoformat()) else None
