"""The zone offsets in pages are those of the pinned tzdata (docs/adr/0018-zone-data.md)."""

from base64 import b64decode
from datetime import UTC, datetime, timedelta

import pytest
import tzdata

from chalicelib.domain.zones import load_zone, zone_names
from chalicelib.pages.invitee import zone_rules
from chalicelib.pages.invitee.zone_rules import all_zones, some_zones, zone_hash

QUARTER = timedelta(minutes=15)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


Steps = list[tuple[datetime, timedelta]]


def unpacked(packed: str) -> tuple[int, dict[int, Steps]]:
    """Read offsets as `invitee/rules.js` does; return the hash factor, and the offsets with their starts by hash."""
    head, *groups = packed.split(";")
    factor, first = map(int, head.split(","))
    found: dict[int, Steps] = {}
    for group in groups:
        words, hashes = group.split(":")
        offset, *later = map(int, words.split(","))
        steps = [(EPOCH, offset * QUARTER)]
        for place, then in zip(later[::2], later[1::2], strict=True):
            steps.append((EPOCH + (first + place) * QUARTER, then * QUARTER))
        names = b64decode(hashes)
        found |= {int.from_bytes(names[n : n + 2], "big"): steps for n in range(0, len(names), 2)}
    return factor, found


def offset_in(rules: tuple[int, dict[int, Steps]], zone: str, at: datetime) -> timedelta | None:
    steps = rules[1].get(zone_hash(zone, rules[0]), [])
    return next((offset for begin, offset in reversed(steps) if begin <= at), None)


@pytest.mark.parametrize(("begin", "days"), [("2026-02-10", 90), ("2026-11-30", 400), ("2043-12-15", 30)])
def test_every_zone_has_the_same_offsets_as_on_the_server(begin: str, days: int) -> None:
    """The test covers dates within and beyond the years of the file, on both sides of each clock change."""
    start = datetime.fromisoformat(begin).replace(tzinfo=UTC)
    packed = all_zones(start, start + timedelta(days=days))
    assert len(packed) < 3_000  # of the 60,000 bytes that a first load may have
    rules = unpacked(packed)
    for name in sorted(zone_names()):
        zone = load_zone(name)
        for day in range(0, days, 5):
            at = start + timedelta(days=day)
            assert offset_in(rules, name, at) == at.astimezone(zone).utcoffset(), (name, at)


def test_the_file_is_generated_from_the_pinned_tzdata() -> None:
    """After an upgrade of tzdata, run `make zone-rules`."""
    assert zone_rules._rules().tzdata == tzdata.__version__


@pytest.mark.parametrize("name", ["", "Etc/Unknown", "undefined", "Factory"])
def test_an_unknown_zone_has_no_offset(name: str) -> None:
    rules = unpacked(all_zones(datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 12, 2, tzinfo=UTC)))
    assert offset_in(rules, name, datetime(2026, 12, 1, tzinfo=UTC)) is None


def test_a_bookings_page_has_only_its_own_zones() -> None:
    start = datetime(2026, 12, 15, 17, tzinfo=UTC)
    packed = some_zones(("America/Vancouver", "Europe/Berlin"), start, start + timedelta(minutes=30))
    rules = unpacked(packed)
    assert offset_in(rules, "America/Vancouver", start) == timedelta(hours=-7)
    assert offset_in(rules, "Asia/Tokyo", start) is None
    assert len(packed) < 60
