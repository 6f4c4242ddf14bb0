"""IANA time zones: the known names, their rules, and the conversion of wall times to UTC.

No other module creates a `ZoneInfo`. The rules are those of the pinned tzdata (docs/adr/0018-zone-data.md).
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
    """Return all IANA zone names of the pinned tzdata, from one file; `zoneinfo` would read 600."""
    names = Path(tzdata.__path__[0], "zones").read_text(encoding="ascii").split()
    return frozenset(names) - _NO_PLACE


def is_zone(name: str) -> bool:
    """Return whether `name` is an IANA zone. It is case-sensitive."""
    return name in zone_names()


@lru_cache(maxsize=128)
def load_zone(name: str) -> tzinfo:
    """Return the rules of a zone that `is_zone` accepts. Raises `ZoneInfoNotFoundError` for others."""
    return ZoneInfo(name)


def wall_to_utc(day: date, wall: time | None, zone: tzinfo) -> datetime:
    """Return the UTC instant of a wall time; `None` means 24:00, the next day's midnight.

    Clock changes follow RFC 5545 §3.3.5. If a wall time occurs twice, the first one is used. A wall time that is
    skipped has the offset from before the gap, so 02:30 in a gap from 02:00 to 03:00 is 03:30.
    """
    if wall is None:
        day, wall = day + timedelta(days=1), _MIDNIGHT
    return datetime.combine(day, wall, zone).astimezone(UTC)
