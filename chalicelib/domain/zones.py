"""IANA time zones: the known names, their rules, and the conversion of wall times to UTC.

The only module that creates a `ZoneInfo`, with the rules of the pinned tzdata (docs/adr/0018-zone-data.md).
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import tzdata

_MIDNIGHT: Final = time(0)
_NO_PLACE: Final = frozenset({"Factory"})  # the zone of a machine that was never configured


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Return every IANA zone name of the pinned tzdata: reads one file, where `zoneinfo` would read 600."""
    names = Path(tzdata.__path__[0], "zones").read_text(encoding="ascii").split()
    return frozenset(names) - _NO_PLACE


def is_zone(name: str) -> bool:
    """Return whether `name` is an IANA zone. The letters' case must match, as in the IANA database."""
    return name in zone_names()


@lru_cache(maxsize=128)
def load_zone(name: str) -> tzinfo:
    """Return the rules of a zone that `is_zone` accepts. Raises `ZoneInfoNotFoundError` for others."""
    return ZoneInfo(name)


def wall_to_utc(day: date, wall: time | None, zone: tzinfo) -> datetime:
    """Return the UTC instant of a wall time; `None` means 24:00, the next day's midnight.

    Both DST edges follow RFC 5545 §3.3.5: a wall time that occurs twice is the first of the two; one that
    is skipped is read with the offset before the gap, so 02:30 in a 02:00→03:00 gap is 03:30 after it.
    """
    if wall is None:
        day, wall = day + timedelta(days=1), _MIDNIGHT
    return datetime.combine(day, wall, zone).astimezone(UTC)
