"""IANA time zones: which names are known, their rules, and what a wall time on a date is in UTC.

The only module that makes a `ZoneInfo`: the rules are those of the pinned tzdata (docs/adr/0018-zone-data.md).
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import tzdata

_MIDNIGHT: Final = time(0)
_NO_PLACE: Final = frozenset({"Factory"})  # what a machine has that nobody has set up


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Return every IANA zone name that the pinned tzdata has: one file to read, where asking Python takes 600."""
    names = Path(tzdata.__path__[0], "zones").read_text(encoding="ascii").split()
    return frozenset(names) - _NO_PLACE


def is_zone(name: str) -> bool:
    """Return whether `name` is an IANA zone. The letters' case must match, as in the IANA database."""
    return name in zone_names()


@lru_cache(maxsize=128)
def load_zone(name: str) -> tzinfo:
    """Return the rules of a zone, by a name that `is_zone` knows. Raises `ZoneInfoNotFoundError` for others."""
    return ZoneInfo(name)


def wall_to_utc(day: date, wall: time | None, zone: tzinfo) -> datetime:
    """Return the UTC instant of a wall time; `None` means 24:00, the next day's midnight.

    Both DST edges follow RFC 5545 §3.3.5: a wall time that occurs twice is the first of the two; one that
    is skipped is read with the offset before the gap, so 02:30 in a 02:00→03:00 gap is 03:30 after it.
    """
    if wall is None:
        day, wall = day + timedelta(days=1), _MIDNIGHT
    return datetime.combine(day, wall, zone).astimezone(UTC)
