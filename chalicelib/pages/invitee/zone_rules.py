"""The zones' offsets that pages include, so that scripts use the same rules as the server (ADR 0018).

A browser's rules may be older or newer. `zone_rules.json` has the offsets of every zone for about twenty years. `make
zone-rules` writes it from the pinned tzdata, because reading 600 files would take longer than the rest of a page.
"""

from base64 import b64decode, b64encode
from bisect import bisect_right
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

from chalicelib.domain.zones import load_zone, zone_names

FILE: Final = Path(__file__).with_name("zone_rules.json")
_QUARTER: Final = 15
_DAY: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Steps = tuple[tuple[int, int], ...]
"""A zone's offsets in minutes, each with the minute since 1970 from which it applies."""


class ZoneGroup(msgspec.Struct, frozen=True, array_like=True):
    """Zones that never differ: the hashes of their names, two bytes each in base64, and their offsets."""

    hashes: str
    steps: Steps


class ZoneRules(msgspec.Struct, frozen=True):
    """The offsets of all zones in `[begin, end)`, in minutes since 1970, from one version of tzdata."""

    tzdata: str
    factor: int
    begin: int
    end: int
    groups: tuple[ZoneGroup, ...]


def zone_hash(name: str, factor: int) -> int:
    """Return a name's hash, which `invitee/rules.js` also computes. The `factor` gives every zone a different hash."""
    found = 0
    for letter in name:
        found = (found * factor + ord(letter)) % 65536
    return found


def all_zones(begin: datetime, end: datetime) -> str:
    """Return every zone's offsets in `[begin, end]`, extended to whole days: about 2 KB."""
    first, last = _minutes(begin) // 1440, -(-_minutes(end) // 1440)
    return _all_zones(first * 1440, last * 1440)


def some_zones(names: Collection[str], begin: datetime, end: datetime) -> str:
    """Return the offsets of a few zones in `[begin, end]`."""
    factor = _rules().factor
    hashes = {name: zone_hash(name, factor).to_bytes(2, "big") for name in sorted(set(names))}
    groups = [(hashes[name], steps_of(name, begin, end)) for name in hashes]
    return _packed(factor, groups)


def steps_of(name: str, begin: datetime, end: datetime) -> Steps:
    """Return a zone's offsets in `[begin, end]`. Compares every day with the next. Raises the errors of `load_zone`."""
    zone = load_zone(name)

    def offset(at: datetime) -> int:
        return (at.astimezone(zone).utcoffset() or timedelta()) // _MINUTE

    steps = [(_minutes(begin), offset(begin))]
    for day, following in pairwise(_days(begin, end)):
        before, after = offset(day), offset(following)
        if before == after:
            continue
        low, high = _minutes(day), _minutes(following)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset(_instant(middle)) == before else (low, middle)
        steps.append((high, after))
    return tuple(steps)


def _days(begin: datetime, end: datetime) -> Iterator[datetime]:
    at = begin
    while at < end:
        yield at
        at += _DAY
    yield end


@lru_cache(maxsize=1)
def _rules() -> ZoneRules:
    return msgspec.json.decode(FILE.read_bytes(), type=ZoneRules)


@lru_cache(maxsize=64)
def _all_zones(begin: int, end: int) -> str:
    rules = _rules()
    if begin < rules.begin or end > rules.end:
        names = sorted(zone_names())
        groups = [
            (
                zone_hash(name, rules.factor).to_bytes(2, "big"),
                steps_of(name, _instant(begin), _instant(end)),
            )
            for name in names
        ]
        return _packed(rules.factor, groups)
    return _packed(
        rules.factor, [(b64decode(group.hashes), _within(group.steps, begin, end)) for group in rules.groups]
    )


def _within(steps: Steps, begin: int, end: int) -> Steps:
    first = bisect_right(steps, begin, key=lambda step: step[0]) - 1
    last = bisect_right(steps, end, key=lambda step: step[0])
    return ((begin, steps[first][1]), *steps[first + 1 : last])


def _packed(factor: int, groups: Collection[tuple[bytes, Steps]]) -> str:
    """Return zones and their offsets as text, in quarters of an hour, e.g. `31,1991764;4,116,8:3q2+7w==;…`.

    First come the hashes' factor and the first quarter since 1970. Each group that follows has an offset, then for each
    change the quarter (counted from the first one) and the new offset, then the hashes of its zones. Since 1972, zones
    have changed only at quarters of an hour and by quarters of an hour.
    """
    first = min((steps[0][0] for _, steps in groups), default=0) // _QUARTER
    together: dict[str, bytes] = {}
    for hashes, steps in groups:
        later = (f"{minute // _QUARTER - first},{offset // _QUARTER}" for minute, offset in steps[1:])
        words = ",".join([str(steps[0][1] // _QUARTER), *later])
        together[words] = together.get(words, b"") + hashes
    packed = (f"{words}:{b64encode(hashes).decode()}" for words, hashes in together.items())
    return ";".join([f"{factor},{first}", *packed])


def _minutes(at: datetime) -> int:
    return (at - _EPOCH) // _MINUTE


def _instant(minute: int) -> datetime:
    return _EPOCH + minute * _MINUTE
