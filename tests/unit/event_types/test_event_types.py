"""The rules for an event type: each violation is reported once, with its pointer (P2)."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from chalicelib.domain.event_types.event_type import (
    EventSettings,
    EventType,
    Location,
    Question,
    check_event_settings,
    slug_of,
)
from chalicelib.domain.event_types.schedules import Schedule
from tests.support.faults import pointers_of

PLAIN = EventSettings(title="Talk", duration_minutes=30, schedule=Schedule("UTC"), slug="talk")
CHOICE = Question("size", "Which size?", "choice", options=("S", "M"))
TEXT = Question("topic", "What about?")


def faults(**changes: Any) -> list[str]:
    offer = msgspec.structs.replace(PLAIN, **changes)
    return pointers_of(lambda rules: check_event_settings(offer, rules))


def choice(*options: str) -> tuple[Question, ...]:
    return (TEXT, msgspec.structs.replace(CHOICE, options=options))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"title": "x" * 200, "description": "line\n" * 800},
        {"slug": "a-b-3"},
        {"slug": "a" * 60},
        {"duration_minutes": 5},
        {"duration_minutes": 480},
        {"duration_minutes": 60, "buffer_before_minutes": 210, "buffer_after_minutes": 210},
        {"slot_interval_minutes": 5},
        {"slot_interval_minutes": 1440},
        {"minimum_notice_minutes": 365 * 24 * 60},
        {"booking_window_days": 1},
        {"booking_window_days": 730},
        {"locations": (Location("video", "x" * 500),) * 10},
        {"questions": (CHOICE, TEXT)},
        {"questions": tuple(Question(f"q{n}", "?") for n in range(20))},
        {"questions": (Question("A_-9" * 10, "x" * 300),)},
        {"questions": choice(*(f"{n} " * 40 for n in range(50)))},
    ],
)
def test_valid_settings_have_no_faults(changes: dict[str, Any]) -> None:
    """The limits themselves are allowed."""
    assert faults(**changes) == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"title": ""}, "/title"),
        ({"title": " "}, "/title"),
        ({"title": "x" * 201}, "/title"),
        ({"title": "a\nb"}, "/title"),
        ({"slug": ""}, "/slug"),
        ({"slug": "a" * 61}, "/slug"),
        ({"slug": "Talk"}, "/slug"),
        ({"slug": "a--b"}, "/slug"),
        ({"slug": "-a"}, "/slug"),
        ({"slug": "a/b"}, "/slug"),
        ({"slug": "a\n"}, "/slug"),
        ({"description": "x" * 4001}, "/description"),
        ({"description": "\x00"}, "/description"),
        ({"duration_minutes": 0}, "/durationMinutes"),
        ({"duration_minutes": -5}, "/durationMinutes"),
        ({"duration_minutes": 31}, "/durationMinutes"),
        ({"duration_minutes": 485}, "/durationMinutes"),
        ({"duration_minutes": 475, "buffer_after_minutes": 10}, "/durationMinutes"),
        ({"duration_minutes": 475, "buffer_before_minutes": 10}, "/durationMinutes"),
        ({"buffer_before_minutes": -5}, "/bufferBeforeMinutes"),
        ({"buffer_before_minutes": 3}, "/bufferBeforeMinutes"),
        ({"buffer_before_minutes": 485}, "/bufferBeforeMinutes"),
        ({"buffer_after_minutes": -5}, "/bufferAfterMinutes"),
        ({"buffer_after_minutes": 3}, "/bufferAfterMinutes"),
        ({"buffer_after_minutes": 485}, "/bufferAfterMinutes"),
        ({"minimum_notice_minutes": -5}, "/minimumNoticeMinutes"),
        ({"minimum_notice_minutes": 1}, "/minimumNoticeMinutes"),
        ({"minimum_notice_minutes": 365 * 24 * 60 + 5}, "/minimumNoticeMinutes"),
        ({"slot_interval_minutes": 0}, "/slotIntervalMinutes"),
        ({"slot_interval_minutes": 7}, "/slotIntervalMinutes"),
        ({"slot_interval_minutes": 1445}, "/slotIntervalMinutes"),
        ({"booking_window_days": 0}, "/bookingWindowDays"),
        ({"booking_window_days": 731}, "/bookingWindowDays"),
        ({"schedule": Schedule("Mars/Base")}, "/schedule/timeZone"),
        ({"locations": (Location("phone"),) * 11}, "/locations"),
        ({"locations": (Location("phone"), Location("video", "x" * 501))}, "/locations/1/detail"),
        ({"locations": (Location("video", "https://a\r\nb"),)}, "/locations/0/detail"),
        ({"questions": tuple(Question(f"q{n}", "?") for n in range(21))}, "/questions"),
        ({"questions": (TEXT, CHOICE, TEXT)}, "/questions"),
        ({"questions": (Question("", "?"),)}, "/questions/0/id"),
        ({"questions": (TEXT, Question("a b", "?"))}, "/questions/1/id"),
        ({"questions": (Question("a" * 41, "?"),)}, "/questions/0/id"),
        ({"questions": (Question("a/b", "?"),)}, "/questions/0/id"),
        ({"questions": (Question("a\n", "?"),)}, "/questions/0/id"),
        ({"questions": (Question("a", ""),)}, "/questions/0/label"),
        ({"questions": (Question("a", "x" * 301),)}, "/questions/0/label"),
        ({"questions": (Question("a", "?", "text", options=("x",)),)}, "/questions/0/options"),
        ({"questions": choice()}, "/questions/1/options"),
        ({"questions": choice("S", "M", "S")}, "/questions/1/options"),
        ({"questions": choice(*(str(n) for n in range(51)))}, "/questions/1/options"),
        ({"questions": choice("S", "")}, "/questions/1/options/1"),
        ({"questions": choice("x" * 201)}, "/questions/1/options/0"),
    ],
)
def test_each_violation_is_reported_once_with_its_pointer(changes: dict[str, Any], pointer: str) -> None:
    """The pointer is that of the field in the request."""
    assert faults(**changes) == [pointer]


def test_all_faults_are_reported_at_once() -> None:
    """A caller can fix a request in one step."""
    found = faults(title="", duration_minutes=7, booking_window_days=0)
    assert found == ["/title", "/durationMinutes", "/bookingWindowDays"]


@given(
    length=st.integers(-1, 100),
    before=st.integers(-1, 100),
    after=st.integers(-1, 100),
    off=st.integers(0, 4),
)
def test_valid_durations_and_buffers_fit_one_condition(
    length: int, before: int, after: int, off: int
) -> None:
    """P2: a booking occupies 1 to 96 whole cells, which one DynamoDB condition can hold."""
    passes = not faults(
        duration_minutes=length * 5 + off, buffer_before_minutes=before * 5, buffer_after_minutes=after * 5
    )
    fits = length >= 1 and before >= 0 and after >= 0 and off == 0 and length + before + after <= 96
    assert passes == fits


@given(st.text(max_size=100))
def test_any_title_has_a_valid_slug(title: str) -> None:
    """The default slug is valid for titles in any script."""
    assert faults(slug=slug_of(title)) == []


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Intro Call (30 min)", "intro-call-30-min"),
        ("日本", "event"),
        ("--A--", "a"),
        ("a" * 59 + " b", "a" * 59),
    ],
)
def test_a_slug_has_the_letters_and_digits_of_the_title(title: str, slug: str) -> None:
    """Only ASCII letters and digits are kept."""
    assert slug_of(title) == slug


def test_an_event_type_with_an_archive_date_is_archived() -> None:
    """A redeem then rejects its links."""
    made = datetime(2026, 6, 15, tzinfo=UTC)
    alive = EventType(event_type_id="ety_x", host_id="hst_x", settings=PLAIN, created_at=made)
    assert not alive.archived
    assert msgspec.structs.replace(alive, archived_at=made).archived
