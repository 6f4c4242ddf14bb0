"""Write dates, times and zones in a reader's language, for pages and emails. Nothing here reads the clock.

Names and patterns are from Unicode CLDR, in `phrases/<language>/times.json`, `places.json` and `zones.json`. Zones have
the names that `Intl` gives them in a browser. Therefore a page with JavaScript, the page without it, and an email have
the same texts.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Final

import msgspec

from chalicelib.domain.zones import load_zone
from chalicelib.pages.languages import Words

_AREAS: Final = (
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
)
_UTC_NAMES: Final = frozenset(
    {"UTC", "Etc/UTC", "Etc/UCT", "UCT", "Zulu", "Etc/Zulu", "Universal", "Etc/Universal"}
)


class ZoneArea(msgspec.Struct, frozen=True):
    """One group in the list of time zones, with `(IANA name, words)` for each zone."""

    name: str
    zones: tuple[tuple[str, str], ...]


class SpanWords(msgspec.Struct, frozen=True):
    """A start and an end in one zone, in words: the day, the times, and the zone with its offset."""

    day: str
    times: str
    zone: str


def weekday_words(day: date, say: Words) -> str:
    """Return e.g. `Saturday 21 November`."""
    return say("times.day-of-year", **_parts(day, say))


def day_words(day: date, say: Words) -> str:
    """Return e.g. `Saturday 21 November 2026`."""
    return say("times.day", **_parts(day, say))


def month_words(day: date, say: Words) -> str:
    """Return e.g. `November 2026`."""
    return say("times.month", **_parts(day, say))


def clock_words(local: datetime, say: Words) -> str:
    """Return the wall time of a zoned datetime, e.g. `09:30`."""
    return say("times.clock", hour=local.hour, minute=local.minute)


def offset_words(local: datetime) -> str:
    """Return a zoned datetime's offset, e.g. `UTC+1`, `UTC−3:30`, `UTC+0`."""
    minutes = (local.utcoffset() or timedelta()) // timedelta(minutes=1)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'−' if minutes < 0 else '+'}{hours}" + (f":{rest:02}" if rest else "")


def duration_words(minutes: int, say: Words) -> str:
    """Return e.g. `30 minutes`, `1 hour`, `1 hour 30 minutes`."""
    hours, rest = divmod(minutes, 60)
    if hours and rest:
        return say(
            "times.duration", hours=say.count("times.hours", hours), minutes=say.count("times.minutes", rest)
        )
    return say.count("times.hours", hours) if hours else say.count("times.minutes", rest)


def place_words(zone: str, say: Words) -> str:
    """Return the place that an IANA zone is named after, e.g. `New York` or `Knox, Indiana`; or the zone's name."""
    area, _, place = zone.partition("/")
    if area not in _AREAS or not place:
        return zone
    return say.place(zone) or ", ".join(reversed(place.replace("_", " ").split("/")))


def zone_words(zone: str, say: Words, moments: Iterable[datetime] = ()) -> str:
    """Return a zone in words, with its offset at these instants, e.g. `Central European Time, UTC+1`.

    If the offset changes: `Central European Time, UTC+2, then UTC+1 from Sunday 25 October`.
    """
    if zone in _UTC_NAMES:
        return "UTC"
    words = say.zone(zone)
    if words is None:
        place = place_words(zone, say)
        words = place if place == zone else say("times.zone", place=place)
    shown = None
    for moment in sorted(moments):
        local = moment.astimezone(load_zone(zone))
        offset = offset_words(local)
        if shown is None:
            words = say("times.zone-at", zone=words, offset=offset)
        elif offset != shown:
            day = weekday_words(local.date(), say)
            words = say("times.zone-then", zone=words, offset=offset, day=day)
        shown = offset
    return words


def moment_words(moment: datetime, zone: str, say: Words) -> str:
    """Return e.g. `Saturday 21 November 2026, 09:30 (Central European Time, UTC+1)`."""
    local = moment.astimezone(load_zone(zone))
    return say(
        "times.moment",
        day=day_words(local.date(), say),
        clock=clock_words(local, say),
        zone=zone_words(zone, say, [moment]),
    )


def span_words(start: datetime, end: datetime, zone: str, say: Words) -> SpanWords:
    """Return a start and an end in a zone. Includes the second day, or both offsets, if they differ."""
    first, last = start.astimezone(load_zone(zone)), end.astimezone(load_zone(zone))
    steady = one_offset(start, end, zone)

    def clock(local: datetime) -> str:
        words = clock_words(local, say)
        return words if steady else say("times.clock-at", clock=words, offset=offset_words(local))

    if first.date() == last.date():
        span = say("times.span", from_=clock(first), to=clock(last))
    else:
        day = weekday_words(last.date(), say)
        span = say("times.span-over-midnight", from_=clock(first), to=clock(last), day=day)
    return SpanWords(day_words(first.date(), say), span, zone_words(zone, say, [start] if steady else []))


def one_offset(start: datetime, end: datetime, zone: str) -> bool:
    """Return whether a zone has the same offset at both instants."""
    return start.astimezone(load_zone(zone)).utcoffset() == end.astimezone(load_zone(zone)).utcoffset()


def same_wall_time(moments: Sequence[datetime], one: str, other: str) -> bool:
    """Return whether the clocks of two zones read the same at each of these instants."""
    return all(
        m.astimezone(load_zone(one)).utcoffset() == m.astimezone(load_zone(other)).utcoffset()
        for m in moments
    )


def zone_areas(zones: Iterable[str], shown: str, say: Words) -> tuple[ZoneArea, ...]:
    """Return the zones to choose from, by area. An old name such as `US/Pacific` is listed only if it is `shown`."""
    areas: dict[str, list[tuple[str, str]]] = {}
    for zone in {*zones, shown, "UTC"}:
        area = zone.partition("/")[0]
        if area in _AREAS:
            areas.setdefault(area, []).append((zone, place_words(zone, say)))
        elif zone in {"UTC", shown}:
            areas.setdefault("Other", []).append((zone, zone))
    ordered = sorted(
        areas.items(), key=lambda item: (item[0] == "Other", _sorting(say("times.area." + item[0])))
    )
    return tuple(ZoneArea(say("times.area." + name), _members(members, shown)) for name, members in ordered)


def _members(zones: Iterable[tuple[str, str]], shown: str) -> tuple[tuple[str, str], ...]:
    """Return an area's zones, sorted by name.

    If several zones have the same name, only one is returned: `shown`, otherwise the zone that is spelt like the name,
    otherwise the last one in alphabetical order.
    """

    def preference(pair: tuple[str, str]) -> tuple[bool, bool, str]:
        zone, words = pair
        return zone == shown, zone.rpartition("/")[2].replace("_", " ") == words, zone

    named = {words: zone for zone, words in sorted(zones, key=preference)}
    return tuple((named[words], words) for words in sorted(named, key=_sorting))


def _parts(day: date, say: Words) -> dict[str, object]:
    return {
        "weekday": say.list("times.weekdays")[day.weekday()],
        "day": day.day,
        "month": say.list("times.months")[day.month - 1],
        "year": day.year,
    }


def _sorting(text: str) -> str:
    """Return a name's sort key: its letters without accents."""
    return "".join(
        ch for ch in unicodedata.normalize("NFKD", text) if not unicodedata.combining(ch)
    ).casefold()
