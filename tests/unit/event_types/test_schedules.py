"""The rules for a schedule: each violation is reported once, with its pointer."""

from datetime import date

import msgspec
import pytest

from chalicelib.domain.event_types.schedules import (
    DAYS,
    DateOverride,
    Interval,
    Schedule,
    WeeklyHours,
    check_schedule,
)
from tests.support.faults import pointers_of

NINE_TO_FIVE = WeeklyHours(("mon", "fri"), "09:00", "17:00")
THAT_DAY = date(2026, 12, 24)


def faults(schedule: Schedule) -> list[str]:
    return pointers_of(lambda rules: check_schedule(schedule, rules.at("schedule")))


def weekly(start: str, end: str) -> Schedule:
    return Schedule("UTC", (NINE_TO_FIVE, WeeklyHours(DAYS, start, end)))


def overridden(*intervals: Interval) -> Schedule:
    return Schedule("UTC", (), (DateOverride(THAT_DAY, intervals),))


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule("Europe/Berlin"),
        weekly("00:00", "24:00"),
        weekly("00:00", "00:05"),
        weekly("23:55", "24:00"),
        Schedule("UTC", (NINE_TO_FIVE,) * 100),
        overridden(),
        overridden(*[Interval("10:00", "10:05")] * 24),
        Schedule("UTC", (), tuple(DateOverride(date.fromordinal(n)) for n in range(1, 401))),
        Schedule("UTC", (), (DateOverride(date.min), DateOverride(date.max))),
    ],
)
def test_valid_schedules_have_no_faults(schedule: Schedule) -> None:
    """The limits themselves are allowed, and hours may overlap."""
    assert faults(schedule) == []


@pytest.mark.parametrize(
    ("schedule", "pointer"),
    [
        (Schedule("Europe/Bonn"), "/timeZone"),
        (Schedule(""), "/timeZone"),
        (Schedule("UTC", (NINE_TO_FIVE,) * 101), "/weekly"),
        (Schedule("UTC", (NINE_TO_FIVE, WeeklyHours((), "09:00", "10:00"))), "/weekly/1/days"),
        (Schedule("UTC", (WeeklyHours(("mon", "tue", "mon"), "09:00", "10:00"),)), "/weekly/0/days"),
        (weekly("9:00", "17:00"), "/weekly/1/from"),
        (weekly("09:00 ", "17:00"), "/weekly/1/from"),
        (weekly("09:00\n", "17:00"), "/weekly/1/from"),
        (weekly("٠٩:00", "17:00"), "/weekly/1/from"),
        (weekly("09:60", "17:00"), "/weekly/1/from"),
        (weekly("25:00", "24:00"), "/weekly/1/from"),
        (weekly("09:00", "24:05"), "/weekly/1/to"),
        (weekly("09:00", ""), "/weekly/1/to"),
        (weekly("09:01", "17:00"), "/weekly/1/from"),
        (weekly("09:00", "17:04"), "/weekly/1/to"),
        (weekly("09:00", "09:00"), "/weekly/1/to"),
        (weekly("17:00", "09:00"), "/weekly/1/to"),
        (weekly("24:00", "24:00"), "/weekly/1/to"),
        (weekly("22:00", "00:00"), "/weekly/1/to"),
        (overridden(Interval("09:00", "10:00"), Interval("9", "10:00")), "/overrides/0/intervals/1/from"),
        (overridden(Interval("09:00", "08:00")), "/overrides/0/intervals/0/to"),
        (overridden(*[Interval("10:00", "10:05")] * 25), "/overrides/0/intervals"),
        (Schedule("UTC", (), (DateOverride(THAT_DAY), DateOverride(THAT_DAY))), "/overrides"),
        (Schedule("UTC", (), tuple(DateOverride(date.fromordinal(n)) for n in range(1, 402))), "/overrides"),
    ],
)
def test_each_violation_is_reported_once_with_its_pointer(schedule: Schedule, pointer: str) -> None:
    """The pointer is that of the field in the request."""
    assert faults(schedule) == [f"/schedule{pointer}"]


def test_more_than_seven_days_and_a_duplicate_are_two_faults() -> None:
    """A list of eight days breaks two rules."""
    assert (
        faults(Schedule("UTC", (WeeklyHours((*DAYS, "mon"), "09:00", "10:00"),)))
        == ["/schedule/weekly/0/days"] * 2
    )


def test_faults_at_both_ends_of_an_interval_are_reported() -> None:
    """All faults are reported at once."""
    assert faults(weekly("9", "17:03")) == ["/schedule/weekly/1/from", "/schedule/weekly/1/to"]


def test_the_json_of_a_schedule_never_changes() -> None:
    """It has `from`, `to` and `timeZone`; an override without intervals closes its date."""
    text = (
        b'{"timeZone":"Europe/Berlin","weekly":[{"days":["mon","fri"],"from":"09:00","to":"17:00"}],'
        b'"overrides":[{"date":"2026-12-24","intervals":[]}]}'
    )
    schedule = Schedule("Europe/Berlin", (NINE_TO_FIVE,), (DateOverride(THAT_DAY),))
    assert msgspec.json.decode(text, type=Schedule) == schedule
    assert msgspec.json.encode(schedule) == text


@pytest.mark.parametrize(
    "text",
    [
        b'{"weekly":[]}',
        b'{"timeZone":"UTC","weekly":[{"days":["MON"],"from":"09:00","to":"17:00"}]}',
        b'{"timeZone":"UTC","weekly":[{"days":["mon"],"start":"09:00","end":"17:00"}]}',
        b'{"timeZone":"UTC","overrides":[{"date":"2026-02-30"}]}',
        b'{"timeZone":"UTC","hours":[]}',
    ],
)
def test_json_that_breaks_the_schema_is_rejected(text: bytes) -> None:
    """Unknown fields and wrong types are not ignored."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=Schedule)
