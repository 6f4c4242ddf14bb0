"""Compute slots by brute force, minute by minute, to check `offered_slots` against.

Written from the docstrings of `offered_slots` and `wall_to_utc`, not from their code. It uses a zone only to get the
wall time at a UTC minute, and finds the UTC minute of a wall time by counting. Minutes are since 1970-01-01T00:00Z; the
zones' offsets must be whole minutes, as all have been since 1972.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from chalicelib.domain.bookings.occupancy import Cell
from chalicelib.domain.event_types.event_type import EventSettings
from chalicelib.domain.event_types.schedules import Schedule
from chalicelib.domain.team.hosts import TimeOff
from chalicelib.domain.zones import load_zone

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = 1440


def instant(minute: int) -> datetime:
    """Return a minute as an aware UTC datetime."""
    return _EPOCH + timedelta(minutes=minute)


@lru_cache(maxsize=1_000_000)
def clock_shows(zone: str, minute: int) -> int:
    """Return the wall time in a zone at a UTC minute, as minutes since 1970-01-01 00:00 of that wall time."""
    shown = instant(minute).astimezone(load_zone(zone))
    whole, rest = divmod((shown.replace(tzinfo=UTC) - _EPOCH).total_seconds(), 60)
    assert rest == 0, f"{zone} is off by seconds then"
    return int(whole)


@lru_cache(maxsize=100_000)
def when_clock_shows(zone: str, wall: int) -> int:
    """Return the first UTC minute with the wall time `wall`.

    If the clock skips that wall time, use the offset from before the gap (RFC 5545 §3.3.5).
    """
    minute = wall - 27 * 60  # no zone is further than 14 hours from UTC, no jump longer than a day
    while clock_shows(zone, minute) != wall:
        if clock_shows(zone, minute) < wall < clock_shows(zone, minute + 1):
            return minute + (wall - clock_shows(zone, minute))
        minute += 1
        assert minute < wall + 27 * 60, "the clock must pass every wall time"
    return minute


def day_number(day: date) -> int:
    """Return a date as days since 1970-01-01."""
    return (day - _EPOCH.date()).days


@dataclass(frozen=True)
class Stretch:
    """A period of one date that is open without a break: the minutes `[first, past)`."""

    first: int
    past: int


def wall_intervals(schedule: Schedule, day: date) -> list[tuple[int, int]]:
    """Return the intervals of a date, in minutes after its midnight."""
    found = [(i.start, i.end) for o in schedule.overrides if o.date == day for i in o.intervals]
    if not any(o.date == day for o in schedule.overrides):
        found = [(h.start, h.end) for h in schedule.weekly if _DAY_NAMES[day.weekday()] in h.days]
    return [(_minutes(start), _minutes(end)) for start, end in found]


def _minutes(wall: str) -> int:
    hours, minutes = wall.split(":")
    return int(hours) * 60 + int(minutes)


def stretches(schedule: Schedule, day: date) -> list[Stretch]:
    """Return a date's open periods in order; they end with the date."""
    zone, midnight = schedule.time_zone, day_number(day) * _DAY
    date_begins = when_clock_shows(zone, midnight)
    date_ends = when_clock_shows(zone, midnight + _DAY)
    bounds = [
        (when_clock_shows(zone, midnight + start), when_clock_shows(zone, midnight + end))
        for start, end in wall_intervals(schedule, day)
    ]
    found: list[Stretch] = []
    first: int | None = None
    for minute in range(date_begins, date_ends + 1):
        is_open = minute < date_ends and any(opens <= minute < closes for opens, closes in bounds)
        if is_open and first is None:
            first = minute
        elif not is_open and first is not None:
            found.append(Stretch(first, minute))
            first = None
    return found


def slots_by_brute_force(
    settings: EventSettings,
    *,
    start: datetime,
    end: datetime,
    now: datetime,
    time_off: Sequence[TimeOff] = (),
    busy: Collection[Cell] = frozenset(),
) -> list[tuple[datetime, datetime]]:
    """Return the `(start, end)` of every slot on offer, in order."""
    length = settings.duration_minutes
    step = settings.slot_interval_minutes or settings.duration_minutes
    today = now.astimezone(load_zone(settings.schedule.time_zone)).date()
    notice = now + timedelta(minutes=settings.minimum_notice_minutes)

    def is_free(at: int) -> bool:
        begins, ends = instant(at), instant(at + length)
        if not start <= begins < end or begins < notice:
            return False
        if any(begins < off.end and off.start < ends for off in time_off):
            return False
        occupied = range(at - settings.buffer_before_minutes, at + length + settings.buffer_after_minutes)
        return not any(_cell(minute) in busy for minute in occupied)

    found = []
    for days_ahead in range(-1, settings.booking_window_days + 1):
        for stretch in stretches(settings.schedule, today + timedelta(days=days_ahead)):
            found += [
                at
                for at in range(stretch.first, stretch.past)
                if (at - stretch.first) % step == 0 and at + length <= stretch.past and is_free(at)
            ]
    return [(instant(at), instant(at + length)) for at in sorted(found)]


def _cell(minute: int) -> Cell:
    at = instant(minute)
    return at.date(), (at.hour * 60 + at.minute) // 5
