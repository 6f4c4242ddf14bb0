"""IANA time zones: which names are known, and what a wall time on a date is in UTC."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

_MIDNIGHT: Final = time(0)


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Return every IANA zone name that this installation knows, without the `posix/`, `right/` and local ones."""
    return frozenset(available_timezones() - {"localtime", "Factory", "posixrules"})


def is_zone(name: str) -> bool:
    """Tell whether `name` is an IANA zone. The letters' case must match, as in the IANA database."""
    return name in zone_names()


def wall_to_utc(day: date, wall: time | None, zone: ZoneInfo) -> datetime:
    """Return the UTC instant of a wall time; `None` means 24:00, the next day's midnight.

    Both DST edges follow RFC 5545 §3.3.5: a wall time that occurs twice is the first of the two; one that
    is skipped is read with the offset before the gap, so 02:30 in a 02:00→03:00 gap is 03:30 after it.
    """
    if wall is None:
        day, wall = day + timedelta(days=1), _MIDNIGHT
    return datetime.combine(day, wall, zone).astimezone(UTC)
