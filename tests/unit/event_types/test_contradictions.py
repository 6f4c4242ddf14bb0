"""Settings with which nobody can book cause a warning; other settings don't."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.event_types.contradictions import (
    MAX_SEARCHES,
    MAX_WARNINGS,
    SettingsWarning,
    longest_hours,
    warnings_of_event_type,
    warnings_of_links,
)
from chalicelib.domain.event_types.event_type import EventSettings
from chalicelib.domain.event_types.offers import Overrides
from chalicelib.domain.event_types.schedules import DateOverride, Interval, Schedule, WeeklyHours
from chalicelib.domain.links.link import Link, LinkSettings, LinkStatus
from chalicelib.domain.team.hosts import TimeOff

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)  # a Monday
DAY = 1440
ZONE = "Europe/Berlin"
MORNINGS = WeeklyHours(("mon", "wed"), "09:00", "12:00")


def schedule(*weekly: WeeklyHours, dates: tuple[DateOverride, ...] = ()) -> Schedule:
    return Schedule(ZONE, weekly, dates)


def closed(days: int) -> tuple[DateOverride, ...]:
    return tuple(DateOverride(date(2026, 11, 29) + timedelta(days=n)) for n in range(days))


def opened(*dates: date) -> tuple[DateOverride, ...]:
    return tuple(DateOverride(each, (Interval("09:00", "12:00"),)) for each in dates)


def an_offer(**changes: Any) -> EventSettings:
    given: dict[str, Any] = {"title": "Intro", "duration_minutes": 30, "schedule": schedule(MORNINGS)}
    return EventSettings(**given | changes)


def a_link(status: LinkStatus = LinkStatus.ACTIVE, **settings: Any) -> Link:
    return Link(
        link_id="lnk_1",
        host_id="hst_1",
        event_type_id="ety_1",
        key_id=1,
        settings=LinkSettings(**settings),
        created_at=NOW,
        stored_status=status,
    )


def of_event_type(*time_off: TimeOff, now: datetime = NOW, **changes: Any) -> list[SettingsWarning]:
    return warnings_of_event_type(an_offer(**changes), now=now, time_off=time_off)


def of_links(offer: EventSettings, *links: Link | None, by_item: bool = False) -> list[str]:
    return [each.pointer for each in warnings_of_links(offer, links, now=NOW, by_item=by_item)]


@pytest.mark.parametrize(
    ("changes", "pointer", "words"),
    [
        (
            {"minimum_notice_minutes": 90 * DAY},
            "/minimumNoticeMinutes",
            r"notice \(90 days\).* window \(60 days\)",
        ),
        ({"schedule": schedule()}, "/schedule", "has no hours"),
        ({"schedule": schedule(dates=closed(1))}, "/schedule", "has no hours"),
        ({"duration_minutes": 240}, "/durationMinutes", "240 minutes, .* 180 minutes"),
        ({"schedule": schedule(MORNINGS, dates=closed(75))}, "/schedule", "Nobody can book now"),
        ({"schedule": schedule(dates=opened(date(2025, 1, 1)))}, "/schedule", "Nobody can book now"),
        ({"schedule": schedule(dates=opened(date(2027, 6, 1)))}, "/schedule", r"window \(60 days\)"),
    ],
)
def test_an_event_type_that_nobody_can_book_causes_a_warning(
    changes: dict[str, Any], pointer: str, words: str
) -> None:
    """The notice is longer than the window, the hours are too short, or overrides close all dates."""
    (warning,) = of_event_type(**changes)

    assert warning.pointer == pointer
    assert re.search(words, warning.detail)


@pytest.mark.parametrize("weekday", range(7))
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"duration_minutes": 180},
        {"minimum_notice_minutes": 60 * DAY},
        {"slot_interval_minutes": 1440},
        {"booking_window_days": 1},
        {"booking_window_days": 1, "minimum_notice_minutes": DAY},
        {
            "duration_minutes": 60,
            "schedule": schedule(*(WeeklyHours(("mon",), f"{h:02}:00", f"{h + 1:02}:00") for h in (9, 10))),
        },
        {"schedule": schedule(MORNINGS, dates=closed(40))},
    ],
)
def test_an_event_type_that_can_be_booked_causes_no_warning(changes: dict[str, Any], weekday: int) -> None:
    """On any weekday: hours on Mondays with a window of one day are no contradiction on a Wednesday."""
    assert of_event_type(now=NOW + timedelta(days=weekday), **changes) == []


def test_time_off_over_the_whole_window_causes_a_warning() -> None:
    """Time off that ends within the window causes no warning."""
    (warning,) = of_event_type(TimeOff(NOW, NOW + timedelta(days=70)))

    assert (warning.pointer, "time off" in warning.detail) == ("/bookingWindowDays", True)
    assert of_event_type(TimeOff(NOW, NOW + timedelta(days=50))) == []


@pytest.mark.parametrize(
    ("offer", "link", "pointer"),
    [
        (
            an_offer(),
            a_link(overrides=Overrides(minimum_notice_minutes=90 * DAY)),
            "/overrides/minimumNoticeMinutes",
        ),
        (an_offer(), a_link(overrides=Overrides(duration_minutes=240)), "/overrides/durationMinutes"),
        (
            an_offer(),
            a_link(overrides=Overrides(schedule=schedule(WeeklyHours(("mon",), "09:00", "09:15")))),
            "/overrides/schedule",
        ),
        (an_offer(), a_link(overrides=Overrides(schedule=schedule())), "/overrides/schedule"),
        (an_offer(duration_minutes=240), a_link(), "/eventTypeId"),
        (an_offer(duration_minutes=240), a_link(overrides=Overrides(title="Other")), "/eventTypeId"),
        (
            an_offer(booking_window_days=1, minimum_notice_minutes=120),
            a_link(expires_at=datetime(2026, 11, 30, 12, tzinfo=UTC)),
            "/expiresAt",
        ),
        (
            an_offer(schedule=schedule(dates=opened(date(2026, 12, 9)))),
            a_link(not_before=datetime(2027, 6, 1, tzinfo=UTC)),
            "/notBefore",
        ),
    ],
)
def test_a_link_that_nobody_can_book_causes_a_warning(offer: EventSettings, link: Link, pointer: str) -> None:
    """The pointer is that of the link's setting, or of the event type if that is the cause."""
    assert of_links(offer, link) == [pointer]


@pytest.mark.parametrize(
    "link",
    [
        a_link(),
        a_link(not_before=NOW + timedelta(days=400)),
        a_link(not_before=datetime(9999, 12, 30, tzinfo=UTC), expires_at=datetime(9999, 12, 31, tzinfo=UTC)),
        a_link(expires_at=NOW + timedelta(hours=1)),
        a_link(expires_at=datetime(9999, 12, 31, tzinfo=UTC)),
        a_link(overrides=Overrides(duration_minutes=180)),
        a_link(LinkStatus.REVOKED, overrides=Overrides(duration_minutes=240)),
        a_link(expires_at=NOW, overrides=Overrides(duration_minutes=240)),
        None,
    ],
)
def test_a_link_that_can_be_booked_causes_no_warning(link: Link | None) -> None:
    """The window moves while a link is active; dead links aren't checked."""
    assert of_links(an_offer(), link) == []


def test_warnings_for_many_links_have_the_index_of_the_item() -> None:
    """A deleted link keeps its index; a problem of the event type is reported once."""
    long = a_link(overrides=Overrides(duration_minutes=240))

    assert of_links(an_offer(), a_link(), None, long, by_item=True) == ["/items/2/overrides/durationMinutes"]
    assert of_links(an_offer(), long, long) == ["/overrides/durationMinutes"]
    assert of_links(an_offer(schedule=schedule()), a_link(), a_link(), by_item=True) == ["/eventTypeId"]


def test_the_warnings_of_one_request_are_limited() -> None:
    """So a thousand links with different problems don't take too much time."""
    long = [a_link(overrides=Overrides(duration_minutes=185 + 5 * n)) for n in range(50)]
    fine = [a_link(expires_at=NOW + timedelta(days=n + 1)) for n in range(MAX_SEARCHES)]

    assert len(of_links(an_offer(), *long, by_item=True)) == MAX_WARNINGS
    assert of_links(an_offer(), *fine, *long, by_item=True) == []


def test_adjacent_hours_count_as_one_interval() -> None:
    both = schedule(WeeklyHours(("mon",), "09:00", "10:00"), WeeklyHours(("mon",), "10:00", "12:30"))
    assert longest_hours(an_offer(schedule=both)) == 210
    assert longest_hours(an_offer(schedule=schedule())) == 0
