"""Dates, times and zones in English words, as the pages show them. No locale, no clock."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
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


@dataclass(frozen=True, slots=True)
class ZoneArea:
    """One group of the time-zone list: `(IANA name, words)` for each zone in it."""

    name: str
    zones: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SpanWords:
    """From when to when in one zone: the day, the times, and the zone with its offset."""

    day: str
    times: str
    zone: str


def weekday_words(day: date) -> str:
    """Return e.g. `Saturday 21 November`."""
    return f"{_DAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]}"


def day_words(day: date) -> str:
    """Return e.g. `Saturday 21 November 2026`."""
    return f"{weekday_words(day)} {day.year}"


def month_words(day: date) -> str:
    """Return e.g. `November 2026`."""
    return f"{_MONTHS[day.month - 1]} {day.year}"


def clock_words(local: datetime) -> str:
    """Return the wall time of a zoned datetime, e.g. `09:30`."""
    return f"{local.hour:02}:{local.minute:02}"


def offset_words(local: datetime) -> str:
    """Return a zoned datetime's offset, e.g. `UTC+1`, `UTC−3:30`, `UTC+0`."""
    minutes = (local.utcoffset() or timedelta()) // timedelta(minutes=1)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'−' if minutes < 0 else '+'}{hours}" + (f":{rest:02}" if rest else "")


def duration_words(minutes: int) -> str:
    """Return e.g. `30 minutes`, `1 hour`, `1 hour 30 minutes`."""
    hours, rest = divmod(minutes, 60)
    parts = [f"{n} {unit}{'' if n == 1 else 's'}" for n, unit in ((hours, "hour"), (rest, "minute")) if n]
    return " ".join(parts) or "0 minutes"


def place_words(zone: str) -> str:
    """Return the place an IANA zone is named after, e.g. `New York` or `Knox, Indiana`; else its name as it is."""
    area, _, place = zone.partition("/")
    return ", ".join(reversed(place.replace("_", " ").split("/"))) if area in _AREAS and place else zone


def zone_words(zone: str, moments: Iterable[datetime] = ()) -> str:
    """Return a zone in words, with the offset it has at these instants: `Berlin time, UTC+1`.

    When the offset changes on the way: `Berlin time, UTC+2, then UTC+1 from Sunday 25 October`.
    """
    if zone in _UTC_NAMES:
        return "UTC"
    place = place_words(zone)
    words = place if place == zone else f"{place} time"
    shown = None
    for moment in sorted(moments):
        local = moment.astimezone(ZoneInfo(zone))
        offset = offset_words(local)
        if shown is None:
            words += f", {offset}"
        elif offset != shown:
            words += f", then {offset} from {weekday_words(local.date())}"
        shown = offset
    return words


def moment_words(moment: datetime, zone: str) -> str:
    """Return e.g. `Saturday 21 November 2026, 09:30 (Berlin time, UTC+1)`."""
    local = moment.astimezone(ZoneInfo(zone))
    return f"{day_words(local.date())}, {clock_words(local)} ({zone_words(zone, [moment])})"


def span_words(start: datetime, end: datetime, zone: str) -> SpanWords:
    """Return from when to when in a zone. Names the second day, or both offsets, when they differ."""
    first, last = start.astimezone(ZoneInfo(zone)), end.astimezone(ZoneInfo(zone))
    one_offset = first.utcoffset() == last.utcoffset()
    from_, to = (
        clock_words(local) + ("" if one_offset else f" ({offset_words(local)})") for local in (first, last)
    )
    if first.date() != last.date():
        to += f" on {weekday_words(last.date())}"
    return SpanWords(
        day_words(first.date()), f"{from_} – {to}", zone_words(zone, [start] if one_offset else [])
    )


def same_wall_time(moments: Sequence[datetime], one: str, other: str) -> bool:
    """Tell whether the clocks of two zones read the same at each of these instants."""
    return all(
        m.astimezone(ZoneInfo(one)).utcoffset() == m.astimezone(ZoneInfo(other)).utcoffset() for m in moments
    )


def zone_areas(zones: Iterable[str], shown: str) -> tuple[ZoneArea, ...]:
    """Return the zones to choose from, by area. Old-style names such as `US/Pacific` only when shown now."""
    areas: dict[str, list[tuple[str, str]]] = {}
    for zone in {*zones, shown, "UTC"}:
        area = zone.partition("/")[0]
        if area in _AREAS:
            areas.setdefault(area, []).append((zone, place_words(zone)))
        elif zone in {"UTC", shown}:
            areas.setdefault("Other", []).append((zone, zone))
    ordered = sorted(areas.items(), key=lambda item: (item[0] == "Other", item[0]))
    return tuple(
        ZoneArea(name, tuple(sorted(members, key=lambda pair: pair[1]))) for name, members in ordered
    )
