"""Which slots a page lists: in which zone, from which date or hour on, and the way to those before and after."""

import datetime as dt
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import groupby
from typing import Final
from urllib.parse import urlencode

import msgspec

from chalicelib.api.http.call import Call
from chalicelib.domain.clock import rfc3339
from chalicelib.domain.event_types.slots import Slot
from chalicelib.domain.zones import is_zone, load_zone, wall_to_utc, zone_names
from chalicelib.pages.invitee.picker import KnownStarts, OfferedDay, offered_days
from chalicelib.wire.instants import Instant, date_of

DAYS_A_PAGE: Final = 7
MAX_STARTS: Final = 64  # 6 KB of the 60 that a first load may have
SEARCHED_DAYS: Final = 35  # how far a page looks for its days; beyond it there is a link to go on

_ZONE_LIKE: Final = re.compile(r"[A-Za-z0-9_+/:-]{0,40}")  # only such text of a URL is shown on a page

FindSlots = Callable[[datetime, datetime], Iterable[Slot]]


class Shown(msgspec.Struct, frozen=True):
    """What a page shows; `here`, `earlier` and `later` are relative URLs of it and of other times.

    `zones` are those to choose from, where they were asked for: `zones_page` is the URL that does.
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
    """Starts that stand on one page: a day's, or an hour's of a day that has too many for one page."""

    date: dt.date
    starts: Sequence[datetime]
    inner: bool  # not the day's first


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
    """Return what to show: `?timeZone=` and `?from=`, or as a posted form has them; else `zone`, from today.

    `from` is a date, or an instant within a day. `path` and `query` are the page's own relative URL.
    """
    wanted = fields.get("timeZone") or call.hint("timeZone") or ""
    zone = wanted if is_zone(wanted) else zone
    shown = load_zone(zone)
    today = now.astimezone(shown).date()
    last = today + timedelta(days=window_days)
    hint = call.hint("from") or ""
    at = _start_of(hint, shown) or _start_of(fields.get("start", ""), shown)
    asked = date_of(hint) or (min(at.date(), last) if at else today)
    first = max(asked, today)
    before = max(today, first - timedelta(days=DAYS_A_PAGE))
    beyond = first + timedelta(days=SEARCHED_DAYS)
    since, begin, end = (wall_to_utc(day, time(0), shown) for day in (before, first, beyond))
    starts = [slot.start for slot in find_slots(since, end)]

    pieces = _pieces(starts, zone)
    after = [piece for piece in pieces if piece.date >= first]
    # Within a day that is cut, a page begins at the hour that was asked for, or that has the chosen start.
    passed = sum(piece.date == first and piece.starts[-1] < at for piece in after) if at else 0
    if not (passed < len(after) and after[passed].inner):
        passed = 0
    listed = _fitting(after[passed:])
    onward = after[passed + len(listed) :]
    behind = _fitting(pieces[: len(pieces) - len(after) + passed][::-1])

    def to(begins: _Piece | date | None, **more: str) -> str | None:
        if begins is None:
            return None
        if isinstance(begins, _Piece):
            value = rfc3339(begins.starts[0]) if begins.inner else begins.date.isoformat()
        else:
            value = begins.isoformat()
        return f"{path}?{urlencode({**(query or {}), **more, 'from': value})}"

    start_here = f"{path}?{urlencode(query)}" if query else path
    here = to(after[passed] if passed else first if first > today else None) or start_here
    wrong = bool(fields.get("timeZone")) and not is_zone(wanted)
    asked_for = _ZONE_LIKE.match(wanted)
    return Shown(
        zone=zone,
        unknown_zone=(asked_for[0] or "?")
        if asked_for and wanted and not is_zone(wanted) and not wrong
        else None,
        days=offered_days([start for piece in listed for start in piece.starts], zone),
        known=KnownStarts(
            starts=[start for start in starts if start >= begin],
            begin=begin,
            end=end,
            now=now,
            last=last,
            slots=f"{path}/slots",
        ),
        here=here,
        zones_page=f"{here}{'&' if '?' in here else '?'}{urlencode({'timeZone': zone, 'zones': '1'})}",
        zones=zone_names() if call.hint("zones") == "1" or wrong else (),
        earlier=to(behind[-1] if behind else before if first > today else None, timeZone=zone),
        later=to(onward[0] if onward else beyond if beyond <= last else None, timeZone=zone),
    )


def _pieces(starts: Sequence[datetime], zone: str) -> list[_Piece]:
    """Return instants in order as what must not be torn apart by the end of a page."""
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
    """Return so many of the first pieces as go on one page: of seven days, or fewer where they have many starts."""
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
    """Return an instant that a URL or a form has, in the shown zone; None where it has none to reckon with."""
    try:
        found = msgspec.convert(text.replace(" ", "+"), type=Instant).astimezone(shown)
    except (msgspec.ValidationError, OverflowError):
        return None
    return found if date_of(found.date().isoformat()) else None
