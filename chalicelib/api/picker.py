"""Which dates of slots a page shows: in which zone, from which date on, and the way to the dates around them."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec

from chalicelib.api.call import Call
from chalicelib.api.instants import Instant, date_of
from chalicelib.domain.slots import Slot
from chalicelib.domain.zones import is_zone, wall_to_utc, zone_names
from chalicelib.pages.picker import KnownStarts, OfferedDay, offered_days

DAYS_A_PAGE: Final = 7
MOST_STARTS: Final = 100  # 10 KB of the 60 that a first load may have
SEARCHED_DAYS: Final = 35  # how far a page looks for its days; beyond it there is a link to go on

FindSlots = Callable[[datetime, datetime], Iterable[Slot]]


@dataclass(frozen=True)
class Shown:
    """What a page shows; `here`, `earlier` and `later` are relative URLs of it and of other dates.

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
    """Return the dates to show: `?timeZone=` and `?from=`, or as a posted form has them; else `zone`, from today.

    `path` and `query` are the page's own relative URL.
    """
    wanted = fields.get("timeZone") or call.hint("timeZone") or ""
    zone = wanted if is_zone(wanted) else zone
    shown = ZoneInfo(zone)
    today = now.astimezone(shown).date()
    last = today + timedelta(days=window_days)
    chosen = _date_chosen(fields.get("start", ""), shown)
    asked = date_of(call.hint("from") or "") or (min(chosen, last) if chosen else today)
    first = max(asked, today)
    beyond = first + timedelta(days=SEARCHED_DAYS)
    begin, end = wall_to_utc(first, time(0), shown), wall_to_utc(beyond, time(0), shown)
    starts = [slot.start for slot in find_slots(begin, end)]
    days = offered_days(starts, zone)
    later = beyond if beyond <= last else None
    fit = _fitting(days)
    if len(days) > fit:
        days, later = days[:fit], days[fit].date
    earlier = max(today, first - timedelta(days=DAYS_A_PAGE)) if first > today else None

    def to(day: date | None, **more: str) -> str | None:
        return f"{path}?{urlencode({**(query or {}), **more, 'from': day.isoformat()})}" if day else None

    start_here = f"{path}?{urlencode(query)}" if query else path
    here = to(first if first > today else None) or start_here
    wrong = bool(fields.get("timeZone")) and not is_zone(wanted)
    return Shown(
        zone=zone,
        days=days,
        known=KnownStarts(starts=starts, begin=begin, end=end, now=now, last=last, slots=f"{path}/slots"),
        here=here,
        zones_page=f"{here}{'&' if '?' in here else '?'}{urlencode({'timeZone': zone, 'zones': '1'})}",
        zones=zone_names() if call.hint("zones") == "1" or wrong else (),
        earlier=to(earlier, timeZone=zone),
        later=to(later, timeZone=zone),
    )


def _fitting(days: Sequence[OfferedDay]) -> int:
    """Return how many days go on one page: seven, or fewer where they have many starts."""
    total = 0
    for n, day in enumerate(days[:DAYS_A_PAGE]):
        total += len(day.starts)
        if total > MOST_STARTS and n:
            return n
    return DAYS_A_PAGE


def _date_chosen(start: str, shown: ZoneInfo) -> date | None:
    """Return the date of a start that a form sent, so that a page shown again shows what was chosen on it."""
    try:
        found = msgspec.convert(start, type=Instant).astimezone(shown).date()
    except (msgspec.ValidationError, OverflowError):
        return None
    return date_of(found.isoformat())
