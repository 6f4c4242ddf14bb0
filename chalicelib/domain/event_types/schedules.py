"""A schedule: weekly hours and date overrides, in one IANA zone."""

import datetime as dt
import re
from datetime import time
from typing import Final, Literal

import msgspec

from chalicelib.domain.validation import Rules
from chalicelib.domain.zones import is_zone

GRID_MINUTES: Final = 5  # every time in a schedule, duration, buffer and interval is a multiple of this
MAX_OVERRIDES: Final = 400

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_WALL: Final = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]\Z|24:00\Z")


class Interval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A period on one date, from one wall time to a later one, `HH:MM`; `to` may be `24:00`."""

    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")


class WeeklyHours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One interval that repeats on the named days of every week."""

    days: tuple[Day, ...]
    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")


class DateOverride(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The hours of one date, in place of the weekly hours. Without intervals, the date is closed."""

    date: dt.date
    intervals: tuple[Interval, ...] = ()


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """When slots are on offer: weekly hours, and dates with other hours."""

    time_zone: str
    weekly: tuple[WeeklyHours, ...] = ()
    overrides: tuple[DateOverride, ...] = ()


def wall_minutes(wall: str) -> int:
    """Return a checked `HH:MM` as minutes after midnight, 0 to 1440."""
    return int(wall[:2]) * 60 + int(wall[3:])


def wall_time(wall: str) -> time | None:
    """Return a checked `HH:MM` as a time, or None for `24:00`."""
    return None if wall == "24:00" else time(int(wall[:2]), int(wall[3:]))


def check_schedule(schedule: Schedule, rules: Rules) -> None:
    """Record every fault in a schedule, such as an unknown zone, times off the 5-minute grid and empty intervals."""
    rules.at("timeZone").require(is_zone(schedule.time_zone), "is not an IANA time zone, e.g. Europe/Berlin")
    if rules.at("weekly").length(schedule.weekly, most=100):
        for index, hours in enumerate(schedule.weekly):
            here = rules.at("weekly", index)
            here.at("days").length(hours.days, least=1, most=7)
            here.at("days").unique(hours.days, "must not have the same day twice")
            _check_interval(hours.start, hours.end, here)
    if rules.at("overrides").length(schedule.overrides, most=MAX_OVERRIDES):
        rules.at("overrides").unique(
            (o.date for o in schedule.overrides), "must not have the same date twice"
        )
        for index, override in enumerate(schedule.overrides):
            here = rules.at("overrides", index, "intervals")
            if here.length(override.intervals, most=24):
                for place, interval in enumerate(override.intervals):
                    _check_interval(interval.start, interval.end, here.at(place))


def _check_interval(start: str, end: str, rules: Rules) -> None:
    well_formed = True
    for name, wall in (("from", start), ("to", end)):
        here = rules.at(name)
        if here.form(wall, _WALL, "must be HH:MM, 00:00 to 24:00"):
            here.require(
                wall_minutes(wall) % GRID_MINUTES == 0, f"must be a multiple of {GRID_MINUTES} minutes"
            )
        else:
            well_formed = False
    if well_formed:
        rules.at("to").require(wall_minutes(end) > wall_minutes(start), "must be after from")
