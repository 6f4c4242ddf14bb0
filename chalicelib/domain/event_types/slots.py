"""Compute the slots on offer from settings, time off and busy cells. Redeems also check their start here."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final

import msgspec

from chalicelib.domain.bookings.occupancy import Cell, cells_of
from chalicelib.domain.event_types.event_type import EventSettings
from chalicelib.domain.event_types.schedules import DAYS, Interval, Schedule, wall_time
from chalicelib.domain.team.hosts import TimeOff
from chalicelib.domain.zones import load_zone, wall_to_utc

MAX_RANGE_DAYS: Final = 62
MAX_SLOTS: Final = (
    2000  # per response: 41 days of 30-minute slots around the clock, or 6 days of 5-minute slots
)
_DAY: Final = timedelta(days=1)
_INSTANT: Final = timedelta(microseconds=1)
_LAST_START: Final = datetime.max.replace(tzinfo=UTC) - _INSTANT

Span = tuple[datetime, datetime]


class Slot(msgspec.Struct, frozen=True):
    """One start on offer and its end, aware UTC."""

    start: datetime
    end: datetime


def offered_slots(
    settings: EventSettings,
    *,
    start: datetime,
    end: datetime,
    now: datetime,
    time_off: Sequence[TimeOff] = (),
    busy: Collection[Cell] = frozenset(),
    most: int | None = None,
) -> list[Slot]:
    """Return the slots on offer that start in `[start, end)`, in order. All instants are aware UTC.

    With `most`, return at most the first `most` slots and do not search for more.

    A slot is on offer if all of the following are true:

    - It is within one open period of its date, on the grid that begins with that period.
    - It starts no sooner than the minimum notice from `now`, and no later than the booking window's last local date.
    - It overlaps no time off.
    - No cell of the slot and its buffers is busy. Buffers may extend outside the open period.

    Intervals of one date that overlap or touch are one period. A period ends at the latest at the end of its local
    date. It is never merged with a period of the next date, even if a clock change skips or shortens a date.
    """
    length = timedelta(minutes=settings.duration_minutes)
    step = timedelta(minutes=settings.slot_interval_minutes or settings.duration_minutes)
    before = timedelta(minutes=settings.buffer_before_minutes)
    after = timedelta(minutes=settings.buffer_after_minutes)
    zone = load_zone(settings.schedule.time_zone)
    earliest = max(start, now + timedelta(minutes=settings.minimum_notice_minutes))
    last_date = now.astimezone(zone).date() + timedelta(days=settings.booking_window_days)
    end = min(end, wall_to_utc(last_date, None, zone))
    if earliest >= end:
        return []  # also avoids an overflow of local dates near the years 1 and 9999

    off = merge_spans((span.start, span.end) for span in time_off)
    found = []
    for opens, closes in _open_spans(settings.schedule, zone, earliest, end):
        at = opens
        if at < earliest:
            at += -(-(earliest - at) // step) * step
        last = min(end - _INSTANT, closes - length)
        while at <= last:
            until = at + length
            if not (off and _meets(off, at, until)) and not (
                busy and not is_free(busy, at - before, until + after)
            ):
                found.append(Slot(at, until))
                if len(found) == most:
                    return found
            at += step
    return found


def is_offered(
    settings: EventSettings, start: datetime, *, now: datetime, time_off: Sequence[TimeOff] = ()
) -> bool:
    """Return whether a start is on offer. Other bookings are ignored; the store's condition checks the cells."""
    if start > _LAST_START:
        return False
    found = offered_slots(settings, start=start, end=start + _INSTANT, now=now, time_off=time_off)
    return bool(found)


def is_free(busy: Collection[Cell], start: datetime, end: datetime) -> bool:
    """Return whether no cell of `[start, end)` is busy."""
    return not any(cell in busy for cell in cells_of(start, end))


def merge_spans(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order, with those that overlap or touch merged."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _open_spans(schedule: Schedule, zone: tzinfo, start: datetime, end: datetime) -> Iterator[Span]:
    """Yield the open UTC spans of every local date that may contain a start in range, in order and disjoint."""
    overrides = {override.date: override.intervals for override in schedule.overrides}
    weekly: dict[int, list[Interval]] = {number: [] for number in range(7)}
    for hours in schedule.weekly:
        for name in hours.days:
            weekly[DAYS.index(name)].append(Interval(hours.start, hours.end))
    # Include one more day on each side: if a clock change crosses midnight, a slot can belong to the hours of one date
    # but have another local date.
    day, last = start.astimezone(zone).date() - _DAY, end.astimezone(zone).date() + _DAY
    midnight = wall_to_utc(day, time(0), zone)
    while day <= last:
        next_midnight = wall_to_utc(day, None, zone)
        spans = (
            # Cut to the date: a gap at its end, such as Nuuk's 23:00–24:00, would move 23:30 to the next date.
            (
                max(midnight, wall_to_utc(day, wall_time(interval.start), zone)),
                min(next_midnight, wall_to_utc(day, wall_time(interval.end), zone)),
            )
            for interval in overrides.get(day, weekly[day.weekday()])
        )
        # A gap can reverse or empty an interval, e.g. 02:30 to 03:00 where the clock skips 02:00–03:00.
        yield from merge_spans((opens, closes) for opens, closes in spans if opens < closes)
        day, midnight = day + _DAY, next_midnight


def _meets(spans: Sequence[Span], start: datetime, end: datetime) -> bool:
    """Return whether `[start, end)` overlaps any of the merged spans."""
    place = bisect_right(spans, start, key=lambda span: span[0])
    if place and spans[place - 1][1] > start:
        return True
    return place < len(spans) and spans[place][0] < end
