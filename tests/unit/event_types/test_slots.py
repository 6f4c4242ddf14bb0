"""The offered slots: properties checked with a brute-force oracle, and an example for each rule (P2, P3).

Slots decide which starts a redeem accepts, so a wrong slot breaks P2 and P3 before the store is called.
"""

import os
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import example, given, settings, strategies as st

from chalicelib.domain.bookings.occupancy import Cell, cells_of
from chalicelib.domain.event_types.event_type import EventSettings
from chalicelib.domain.event_types.schedules import (
    DAYS,
    DateOverride,
    Interval,
    Schedule,
    WeeklyHours,
    wall_time,
)
from chalicelib.domain.event_types.slots import is_offered, merge_spans, offered_slots
from chalicelib.domain.team.hosts import TimeOff
from chalicelib.domain.zones import load_zone, wall_to_utc
from tests.dates import SHIFTED
from tests.support.brute_force_slots import clock_shows, day_number, slots_by_brute_force, when_clock_shows
from tests.support.proof.size import size

pytestmark = pytest.mark.clock


def examples(count: int) -> int:
    """Return how many examples to try: all under `make proof`, otherwise a third.

    On other dates a tenth is enough, because these tests choose their own dates.
    """
    return count // 10 if SHIFTED in os.environ else size(count // 3, count)


MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

# Dates on which a zone's clock jumps, and by how many minutes (None: an ordinary date).
EDGES: dict[str, list[tuple[date, int | None]]] = {
    "UTC": [(date(2026, 2, 28), None)],
    "Europe/Berlin": [(date(2026, 3, 29), 60), (date(2026, 10, 25), -60)],
    "Europe/Dublin": [(date(2026, 3, 29), 60), (date(2026, 10, 25), -60)],
    "America/New_York": [(date(2026, 3, 8), 60), (date(2026, 11, 1), -60)],
    "Australia/Lord_Howe": [(date(2026, 10, 4), 30), (date(2026, 4, 5), -30)],
    "Asia/Kathmandu": [(date(2026, 12, 31), None)],
    "Pacific/Apia": [(date(2011, 12, 30), 1440), (date(2021, 4, 4), -60)],
    "Pacific/Chatham": [(date(2026, 9, 27), 60), (date(2026, 4, 5), -60)],
    "America/Sao_Paulo": [(date(2018, 11, 4), 60), (date(2019, 2, 16), -60)],
    "Africa/Cairo": [(date(2026, 4, 24), 60), (date(2026, 10, 29), -60)],
    "Asia/Beirut": [(date(2026, 3, 29), 60), (date(2026, 10, 24), -60)],
    "America/Nuuk": [(date(2026, 3, 28), 60), (date(2026, 10, 25), -60)],
    "Antarctica/Troll": [(date(2026, 3, 29), 120), (date(2026, 10, 25), -120)],
    "America/St_Johns": [(date(2010, 11, 7), -60), (date(2010, 3, 14), 60)],
    "Antarctica/Casey": [(date(2010, 3, 4), -180)],
    "America/Toronto": [(date(1919, 3, 30), 60)],
}


def event(**changes: object) -> EventSettings:
    """Return settings with 30 minutes, Monday to Friday from 09:00 to 12:00 in Berlin."""
    weekdays = WeeklyHours(("mon", "tue", "wed", "thu", "fri"), "09:00", "12:00")
    plain = EventSettings(title="Talk", duration_minutes=30, schedule=Schedule("Europe/Berlin", (weekdays,)))
    return msgspec.structs.replace(plain, **changes)


def every_day(zone: str, *intervals: tuple[str, str], overrides: tuple[DateOverride, ...] = ()) -> Schedule:
    return Schedule(zone, tuple(WeeklyHours(DAYS, opens, closes) for opens, closes in intervals), overrides)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def starts(
    offer: EventSettings,
    begin: str,
    end: str,
    *,
    now: str,
    time_off: Sequence[TimeOff] = (),
    busy: Collection[Cell] = frozenset(),
) -> list[str]:
    """Return the starts in `[begin, end)` as `HH:MM` UTC."""
    found = offered_slots(offer, start=utc(begin), end=utc(end), now=utc(now), time_off=time_off, busy=busy)
    return [f"{slot.start:%H:%M}" for slot in found]


# --- Compared with the oracle -----------------------------------------------------------------------------

walls = st.one_of(
    st.sampled_from([0, 30, 60, 90, 120, 130, 150, 180, 185, 1350, 1380, 1395, 1410, 1440]),
    st.integers(0, 288).map(lambda cell: cell * 5),
)
pairs = st.tuples(walls, walls).filter(lambda pair: pair[0] != pair[1]).map(sorted)
buffers = st.integers(0, 12).map(lambda n: n * 5)


def hhmm(wall: int) -> str:
    return f"{wall // 60:02}:{wall % 60:02}"


@st.composite
def intervals(draw: st.DrawFn, least: int, most: int) -> list[tuple[str, str]]:
    """Draw intervals, some of them followed by an adjacent interval."""
    found: list[tuple[str, str]] = []
    for start, end in draw(st.lists(pairs, min_size=least, max_size=most)):
        found.append((hhmm(start), hhmm(end)))
        if end < 1440 and draw(st.booleans()):
            found.append((hhmm(end), hhmm(min(1440, end + 5 * draw(st.integers(1, 24))))))
    return found


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One call of `offered_slots`."""

    offer: EventSettings
    start: datetime
    end: datetime
    now: datetime
    time_off: tuple[TimeOff, ...]
    busy: frozenset[Cell]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw settings, a range around a clock change of the zone, time off and busy cells."""
    zone = draw(st.sampled_from(sorted(EDGES)))
    anchor = draw(st.sampled_from(EDGES[zone]))[0]
    weekly = tuple(WeeklyHours(DAYS, *pair) for pair in draw(intervals(1, 3)))
    if draw(st.booleans()):
        days = draw(st.lists(st.sampled_from(DAYS), min_size=1, unique=True))
        weekly = weekly[1:] + tuple(WeeklyHours(tuple(days), *pair) for pair in draw(intervals(1, 2)))
    dates = draw(st.lists(st.integers(-2, 2), max_size=2, unique=True))
    overrides = tuple(
        DateOverride(anchor + n * DAY, tuple(Interval(*pair) for pair in draw(intervals(0, 2))))
        for n in dates
    )
    offer = EventSettings(
        title="Talk",
        duration_minutes=5 * draw(st.integers(1, 20)),
        schedule=Schedule(zone, weekly, overrides),
        slot_interval_minutes=draw(st.none() | st.integers(1, 18).map(lambda n: n * 5)),
        buffer_before_minutes=draw(buffers),
        buffer_after_minutes=draw(buffers),
        minimum_notice_minutes=draw(st.sampled_from([0, 0, 30, 600, 2000])),
        booking_window_days=draw(st.sampled_from([1, 2, 3, 5])),
    )
    midday = datetime(anchor.year, anchor.month, anchor.day, 12, tzinfo=UTC)

    def near(most: int) -> datetime:
        off_grid = draw(st.sampled_from([timedelta(), MINUTE, timedelta(seconds=1, microseconds=1)]))
        return midday + 5 * MINUTE * draw(st.integers(-most * 12, most * 12)) + off_grid

    start = near(30)
    off = [near(48) for _ in range(draw(st.integers(0, 2)))]
    taken = [near(48) for _ in range(draw(st.integers(0, 3)))]
    return Case(
        offer=offer,
        start=start,
        end=start + MINUTE * draw(st.sampled_from([1, 100, 1000, 3000, 4320])),
        now=start + 5 * MINUTE * draw(st.integers(-60 * 12, 12 * 12)),
        time_off=tuple(TimeOff(at, at + MINUTE * draw(st.integers(1, 900))) for at in off),
        busy=frozenset(
            cell for at in taken for cell in cells_of(at, at + MINUTE * draw(st.integers(1, 240)))
        ),
    )


# Regressions that Hypothesis found: a gap at the end of a date moved hours over midnight.
NUUK = Case(
    offer=event(schedule=every_day("America/Nuuk", ("20:00", "23:30"), ("00:00", "01:00"))),
    start=utc("2026-03-28T22:00"),
    end=utc("2026-03-29T06:00"),
    now=utc("2026-03-27T00:00"),
    time_off=(),
    busy=frozenset(),
)
APIA = msgspec.structs.replace(
    NUUK,
    offer=event(schedule=every_day("Pacific/Apia", ("09:00", "17:00"))),
    start=utc("2011-12-29T00:00"),
    end=utc("2012-01-01T00:00"),
    now=utc("2011-12-28T00:00"),
)


@settings(max_examples=examples(400))
@given(case=cases())
@example(case=NUUK)
@example(case=APIA)
def test_slots_are_the_same_as_the_oracles(case: Case) -> None:
    """Hours, grid, notice, window, time off, buffers and clock changes, all combined."""
    want = slots_by_brute_force(
        case.offer, start=case.start, end=case.end, now=case.now, time_off=case.time_off, busy=case.busy
    )
    got = offered_slots(
        case.offer, start=case.start, end=case.end, now=case.now, time_off=case.time_off, busy=case.busy
    )
    assert [(slot.start, slot.end) for slot in got] == want


@settings(max_examples=examples(100))
@given(case=cases(), shift=st.timedeltas(-DAY, DAY))
@example(case=NUUK, shift=MINUTE)
@example(case=APIA, shift=MINUTE)
def test_a_redeem_accepts_exactly_the_offered_starts(case: Case, shift: timedelta) -> None:
    """A start can be redeemed exactly when the page lists it, except for busy cells, to the microsecond."""
    listed = slots_by_brute_force(
        case.offer, start=case.start, end=case.end, now=case.now, time_off=case.time_off
    )
    offered = {start for start, _ in listed}
    candidates = {case.start + n * 5 * MINUTE for n in range(0, 200, 7)} | {case.start + shift}
    for start in list(offered)[:100]:
        candidates |= {start, start + timedelta(microseconds=1), start - timedelta(seconds=1), start + MINUTE}
    for start in candidates:
        if case.start <= start < case.end:
            judged = is_offered(case.offer, start, now=case.now, time_off=case.time_off)
            assert judged == (start in offered), start


@settings(max_examples=examples(40))
@given(case=cases(), cut=st.floats(0, 1))
def test_two_adjacent_ranges_have_the_slots_of_the_whole_range(case: Case, cut: float) -> None:
    """A page that reads week by week misses no slot and shows none twice."""

    def read(start: datetime, end: datetime) -> list[datetime]:
        found = offered_slots(
            case.offer, start=start, end=end, now=case.now, time_off=case.time_off, busy=case.busy
        )
        return [slot.start for slot in found]

    seam = case.start + (case.end - case.start) * cut
    whole = read(case.start, case.end)
    assert read(case.start, seam) + read(seam, case.end) == whole
    assert all(earlier < later for earlier, later in pairwise(whole))


@settings(max_examples=examples(300))
@given(
    place=st.sampled_from([(zone, edge) for zone, edges in EDGES.items() for edge in edges]),
    days=st.integers(-1, 2),
    wall=walls,
)
def test_wall_times_follow_rfc_5545_at_clock_changes(
    place: tuple[str, tuple[date, int | None]], days: int, wall: int
) -> None:
    """RFC 5545 §3.3.5: the first of two equal times, and the offset before a gap; the oracle watches a clock."""
    zone, (anchor, _) = place
    day = anchor + days * DAY
    minutes = when_clock_shows(zone, day_number(day) * 1440 + wall)
    assert wall_to_utc(day, wall_time(hhmm(wall)), load_zone(zone)) == utc("1970-01-01") + minutes * MINUTE


@pytest.mark.parametrize(
    ("zone", "day", "jump"),
    [(zone, day, jump) for zone, edges in EDGES.items() for day, jump in edges],
)
def test_the_clock_changes_of_the_properties_exist(zone: str, day: date, jump: int | None) -> None:
    """Fail if newer zone data no longer has the clock changes that the properties above use."""
    noon = int((datetime(day.year, day.month, day.day, 12, tzinfo=UTC) - utc("1970-01-01")) / MINUTE)
    offsets = {clock_shows(zone, minute) - minute for minute in range(noon - 1500, noon + 1500)}
    changed = clock_shows(zone, noon + 1500) - clock_shows(zone, noon - 1500) - 3000
    assert changed == (jump or 0)
    assert len(offsets) == (1 if jump is None else 2)


# --- Clock changes, computed by hand ----------------------------------------------------------------------


def test_a_gap_in_berlin_shortens_the_hours() -> None:
    """01:00–04:00 is two hours long when clocks go forward, because they skip 02:00."""
    offer = event(schedule=every_day("Europe/Berlin", ("01:00", "04:00")), duration_minutes=60)
    assert starts(offer, "2026-03-28T12:00", "2026-03-29T12:00", now="2026-03-20T00:00") == ["00:00", "01:00"]


def test_hours_inside_a_gap_in_berlin_have_no_slots() -> None:
    """02:00–03:00 is empty when clocks go forward, and 02:30–03:00 would end before it starts."""
    for hours in (("02:00", "03:00"), ("02:30", "03:00")):
        offer = event(schedule=every_day("Europe/Berlin", hours), duration_minutes=5)
        assert starts(offer, "2026-03-28T12:00", "2026-03-29T12:00", now="2026-03-20T00:00") == []


def test_hours_that_start_in_a_gap_use_the_offset_before_it() -> None:
    """RFC 5545: 02:30 in the gap 02:00→03:00 means 03:30, so 02:30–04:00 offers only 03:30."""
    offer = event(schedule=every_day("Europe/Berlin", ("02:30", "04:00")))
    assert starts(offer, "2026-03-28T12:00", "2026-03-29T12:00", now="2026-03-20T00:00") == ["01:30"]


def test_a_repeated_hour_in_berlin_lengthens_the_hours() -> None:
    """01:00–04:00 is four hours long when clocks go back, and both hours from 02:00 can be booked."""
    offer = event(schedule=every_day("Europe/Berlin", ("01:00", "04:00")), duration_minutes=60)
    found = starts(offer, "2026-10-24T12:00", "2026-10-25T12:00", now="2026-10-20T00:00")
    assert found == ["23:00", "00:00", "01:00", "02:00"]


def test_a_repeated_wall_time_in_berlin_means_the_first() -> None:
    """RFC 5545: 02:00–02:30 is offered once when clocks go back, at its first occurrence."""
    offer = event(schedule=every_day("Europe/Berlin", ("02:00", "02:30")))
    found = starts(offer, "2026-10-24T12:00", "2026-10-25T12:00", now="2026-10-20T00:00")
    assert found == ["00:00"]


def test_new_york_keeps_its_wall_time_across_the_change() -> None:
    """09:00 local time is 14:00 UTC before the change and 13:00 UTC after it."""
    offer = event(schedule=every_day("America/New_York", ("09:00", "09:30")))
    assert starts(offer, "2026-03-07T00:00", "2026-03-09T00:00", now="2026-03-01T00:00") == ["14:00", "13:00"]


def test_a_gap_of_half_an_hour_in_lord_howe() -> None:
    """With the gap 02:00→02:30, 01:30–03:00 is one hour long."""
    offer = event(schedule=every_day("Australia/Lord_Howe", ("01:30", "03:00")))
    found = starts(offer, "2026-10-03T12:00", "2026-10-04T12:00", now="2026-10-01T00:00")
    assert found == ["15:00", "15:30"]


def test_a_date_in_beirut_without_midnight_starts_at_one() -> None:
    """If 00:00 is skipped, the date's hours start at 01:00, and the previous date still ends at its 24:00."""
    offer = event(schedule=every_day("Asia/Beirut", ("00:00", "02:00"), ("23:00", "24:00")))
    found = starts(offer, "2026-03-28T20:00", "2026-03-29T12:00", now="2026-03-20T00:00")
    assert found == ["21:00", "21:30", "22:00", "22:30"]  # 23:00 and 23:30, then 01:00 and 01:30 local time


def test_the_last_hour_of_a_date_in_cairo_is_repeated() -> None:
    """If clocks go back from 24:00 to 23:00, 22:00–24:00 is three hours long."""
    offer = event(schedule=every_day("Africa/Cairo", ("22:00", "24:00")), duration_minutes=60)
    found = starts(offer, "2026-10-29T12:00", "2026-10-30T12:00", now="2026-10-20T00:00")
    assert found == ["19:00", "20:00", "21:00"]


def test_hours_in_a_gap_at_midnight_in_nuuk_stay_on_their_date() -> None:
    """23:00→24:00 is skipped, so Saturday's hours end with Saturday, and no Sunday slot appears twice."""
    offer = event(schedule=every_day("America/Nuuk", ("22:00", "23:30"), ("00:00", "01:00")))
    found = starts(offer, "2026-03-28T12:00", "2026-03-29T12:00", now="2026-03-20T00:00")
    assert found == ["00:00", "00:30", "01:00", "01:30"]  # Saturday 22:00 and 22:30, Sunday 00:00 and 00:30


def test_a_skipped_date_in_apia_has_no_hours() -> None:
    """Apia skipped 30 December 2011."""
    offer = event(schedule=every_day("Pacific/Apia", ("09:00", "10:00")), duration_minutes=60)
    found = offered_slots(
        offer, start=utc("2011-12-29T00:00"), end=utc("2011-12-31T12:00"), now=utc("2011-12-28T00:00")
    )
    assert [slot.start for slot in found] == [utc("2011-12-29T19:00"), utc("2011-12-30T19:00")]


def test_a_gap_over_midnight_in_toronto_gives_each_slot_to_one_date() -> None:
    """With the gap 23:30→00:30, the evening has its full hour by RFC 5545, and the morning starts after it."""
    offer = event(schedule=every_day("America/Toronto", ("23:00", "24:00"), ("00:30", "02:00")))
    now = utc("1919-03-30T12:00")
    found = starts(offer, "1919-03-31T00:00", "1919-03-31T12:00", now="1919-03-30T12:00")
    assert found == ["04:00", "04:30", "05:00", "05:30"]
    assert is_offered(offer, utc("1919-03-31T04:30"), now=now)  # the clock shows the morning's 00:30


def test_a_return_to_the_previous_date_in_st_johns_keeps_the_new_dates_hours() -> None:
    """With 00:01→23:01, Sunday starts at the first midnight, and its hours apply while clocks show Saturday."""
    offer = event(schedule=every_day("America/St_Johns", ("00:00", "01:00")))
    found = starts(offer, "2010-11-07T00:00", "2010-11-07T12:00", now="2010-11-06T12:00")
    assert found == ["02:30", "03:00", "03:30", "04:00"]
    for start in found:
        assert is_offered(offer, utc(f"2010-11-07T{start}"), now=utc("2010-11-06T12:00"))


# --- Other rules, computed by hand (2026-06-15 is a Monday; Berlin is two hours ahead of UTC) -------------

MONDAY = ("2026-06-15T00:00", "2026-06-16T00:00", "2026-06-14T00:00")


def monday(offer: EventSettings, **more: object) -> list[str]:
    begin, end, now = MONDAY
    return starts(offer, begin, end, **{"now": now, **more})  # type: ignore[arg-type]  # the caller's keywords


def test_hours_are_wall_times_of_the_schedules_zone() -> None:
    """The last slot ends when the hours end."""
    assert monday(event()) == ["07:00", "07:30", "08:00", "08:30", "09:00", "09:30"]


def test_a_slot_has_its_end() -> None:
    """A slot is as long as the duration."""
    begin, end, now = (utc(text) for text in MONDAY)
    found = offered_slots(event(duration_minutes=45), start=begin, end=end, now=now)
    assert [slot.end - slot.start for slot in found] == [45 * MINUTE] * 4


def test_other_days_are_closed() -> None:
    """A day without hours has no slots."""
    assert starts(event(), "2026-06-13T00:00", "2026-06-15T00:00", now="2026-06-10T00:00") == []


def test_a_range_includes_its_start_and_excludes_its_end() -> None:
    """A slot that starts at `to` belongs to the next range."""
    assert starts(event(), "2026-06-15T08:00", "2026-06-15T09:00", now="2026-06-14T00:00") == [
        "08:00",
        "08:30",
    ]


def test_a_slot_may_end_after_the_range() -> None:
    """Only its start must be in the range."""
    assert starts(event(), "2026-06-15T08:20", "2026-06-15T08:31", now="2026-06-14T00:00") == ["08:30"]


def test_the_slot_interval_sets_the_grid_not_the_duration() -> None:
    """Slots start every 45 minutes and end before the hours end."""
    assert monday(event(slot_interval_minutes=45)) == ["07:00", "07:45", "08:30", "09:15"]


def test_a_range_that_starts_off_the_grid_does_not_move_it() -> None:
    """The grid starts with the hours, not with the range or with `now`."""
    assert starts(event(), "2026-06-15T07:01", "2026-06-15T08:30", now="2026-06-14T00:00") == [
        "07:30",
        "08:00",
    ]


def test_adjacent_intervals_count_as_one() -> None:
    """A slot may cross from 09:00–10:15 into 10:15–11:30."""
    offer = event(schedule=every_day("UTC", ("10:15", "11:30"), ("09:00", "10:15")))
    assert monday(offer) == ["09:00", "09:30", "10:00", "10:30", "11:00"]


def test_overlapping_intervals_offer_each_slot_once() -> None:
    """09:00–10:30 and 10:00–11:00 have one grid."""
    offer = event(schedule=every_day("UTC", ("09:00", "10:30"), ("10:00", "11:00")))
    assert monday(offer) == ["09:00", "09:30", "10:00", "10:30"]


def test_the_grid_restarts_after_a_break() -> None:
    """Each interval has its own grid."""
    offer = event(schedule=every_day("UTC", ("09:00", "09:45"), ("13:10", "14:10")))
    assert monday(offer) == ["09:00", "13:10", "13:40"]


def test_a_slot_never_crosses_midnight() -> None:
    """A slot may end at `24:00`, but the next date's hours don't continue those before."""
    offer = event(schedule=every_day("UTC", ("00:00", "00:50"), ("23:10", "24:00")))
    found = starts(offer, "2026-06-15T12:00", "2026-06-16T12:00", now="2026-06-14T00:00")
    assert found == ["23:10", "00:00"]
    offer = event(schedule=every_day("UTC", ("23:00", "24:00")))
    assert monday(offer) == ["23:00", "23:30"]


def test_an_override_replaces_the_weekly_hours() -> None:
    """Only the override's hours apply on its date."""
    override = DateOverride(date(2026, 6, 15), (Interval("14:00", "15:00"),))
    offer = event(schedule=msgspec.structs.replace(event().schedule, overrides=(override,)))
    assert monday(offer) == ["12:00", "12:30"]
    assert starts(offer, "2026-06-16T00:00", "2026-06-17T00:00", now="2026-06-14T00:00") == monday(event())


def test_an_override_without_intervals_closes_the_date() -> None:
    """An empty override isn't the same as no override."""
    closed = (DateOverride(date(2026, 6, 15)),)
    offer = event(schedule=msgspec.structs.replace(event().schedule, overrides=closed))
    assert monday(offer) == []


def test_an_override_opens_a_closed_day() -> None:
    """Here it opens a Saturday."""
    override = DateOverride(date(2026, 6, 13), (Interval("10:00", "10:30"),))
    offer = event(schedule=msgspec.structs.replace(event().schedule, overrides=(override,)))
    assert starts(offer, "2026-06-13T00:00", "2026-06-14T00:00", now="2026-06-10T00:00") == ["08:00"]


def test_no_slot_starts_before_now() -> None:
    """Without notice, a slot is offered until its start."""
    assert monday(event(), now="2026-06-15T08:30") == ["08:30", "09:00", "09:30"]
    assert monday(event(), now="2026-06-15T08:30:00.001") == ["09:00", "09:30"]


def test_minimum_notice_counts_from_now() -> None:
    """With a notice of 60 minutes, the first slot starts in exactly 60 minutes."""
    offer = event(minimum_notice_minutes=60)
    assert monday(offer, now="2026-06-15T08:00") == ["09:00", "09:30"]
    assert monday(offer, now="2026-06-15T08:00:01") == ["09:30"]


def test_the_window_ends_with_its_last_local_date() -> None:
    """A window of one day ends with tomorrow in the schedule's zone, not in UTC."""
    offer = event(schedule=every_day("Europe/Berlin", ("00:00", "24:00")), booking_window_days=1)
    offer = msgspec.structs.replace(offer, duration_minutes=240)
    # At 23:30 on Sunday in Berlin the last date is Monday; half an hour later it is Tuesday.
    found = starts(offer, "2026-06-15T14:00", "2026-06-20T00:00", now="2026-06-14T21:30")
    assert found == ["14:00", "18:00"]
    found = starts(offer, "2026-06-15T14:00", "2026-06-20T00:00", now="2026-06-14T22:00")
    assert found == ["14:00", "18:00", "22:00", "02:00", "06:00", "10:00", "14:00", "18:00"]


def test_time_off_removes_the_slots_that_overlap_it() -> None:
    """A slot may end when time off starts and start when it ends; buffers may overlap time off."""
    off = (TimeOff(utc("2026-06-15T08:00"), utc("2026-06-15T09:00")),)
    offer = event(buffer_before_minutes=30, buffer_after_minutes=30)
    assert monday(offer, time_off=off) == ["07:00", "07:30", "09:00", "09:30"]


def test_time_off_inside_a_slot_removes_it() -> None:
    """For example, one minute in the middle of a slot, and overlapping time off."""
    off = (
        TimeOff(utc("2026-06-15T08:00"), utc("2026-06-15T09:00")),
        TimeOff(utc("2026-06-15T08:10"), utc("2026-06-15T08:20")),
        TimeOff(utc("2026-06-15T07:10"), utc("2026-06-15T07:11")),
    )
    assert monday(event(), time_off=off) == ["07:30", "09:00", "09:30"]


def test_a_busy_cell_removes_slots_whose_time_or_buffers_include_it() -> None:
    """P2: a slot is offered only if its time and both buffers are free."""
    busy = frozenset(cells_of(utc("2026-06-15T08:00"), utc("2026-06-15T08:30")))
    assert monday(event(), busy=busy) == ["07:00", "07:30", "08:30", "09:00", "09:30"]
    assert monday(event(buffer_before_minutes=5), busy=busy) == ["07:00", "07:30", "09:00", "09:30"]
    assert monday(event(buffer_after_minutes=5), busy=busy) == ["07:00", "08:30", "09:00", "09:30"]


def test_buffers_of_two_bookings_add_up() -> None:
    """As the API and the console document, 60 minutes after one and 60 before the next make two hours."""
    offer = event(
        schedule=every_day("UTC", ("08:00", "13:00")), buffer_before_minutes=60, buffer_after_minutes=60
    )
    nine_to_half_past = frozenset(cells_of(utc("2026-06-15T08:00"), utc("2026-06-15T10:30")))
    assert monday(offer, busy=nine_to_half_past) == ["11:30", "12:00", "12:30"]


def test_buffers_may_extend_beyond_the_hours_and_over_midnight() -> None:
    """P2: the cells of a buffer before 00:00 UTC are those of the previous day."""
    offer = event(schedule=every_day("UTC", ("00:00", "00:30")), buffer_before_minutes=15)
    assert monday(offer) == ["00:00"]
    assert monday(offer, busy={(date(2026, 6, 14), 284)}) == ["00:00"]
    assert monday(offer, busy={(date(2026, 6, 14), 285)}) == []


def test_is_offered_ignores_busy_cells() -> None:
    """P2: the condition of the write checks cells, so `is_offered` checks only hours and time off."""
    at, now = utc("2026-06-15T08:00"), utc("2026-06-14T00:00")
    assert is_offered(event(), at, now=now)
    assert not is_offered(event(), at, now=now, time_off=(TimeOff(at, at + MINUTE),))
    assert not is_offered(event(), at + timedelta(microseconds=1), now=now)
    assert not is_offered(event(), at + timedelta(seconds=30), now=now)
    assert not is_offered(event(), at + 5 * MINUTE, now=now)


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Berlin"])
@pytest.mark.parametrize("start", [datetime.min, datetime(1, 1, 2), datetime(9999, 12, 30), datetime.max])  # noqa: DTZ001, DTZ901  # made aware below
def test_starts_at_the_ends_of_the_calendar_are_rejected(start: datetime, zone: str) -> None:
    """A start in year 1 or 9999 raises no unexpected exception."""
    offer = event(schedule=every_day(zone, ("00:00", "24:00")), booking_window_days=730)
    assert not is_offered(offer, start.replace(tzinfo=UTC), now=utc("2026-06-14T00:00"))


def test_a_range_over_the_whole_calendar_is_limited_to_the_window() -> None:
    """A range far beyond the window costs no more than the window."""
    whole = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    found = offered_slots(
        event(booking_window_days=1), start=whole[0], end=whole[1], now=utc("2026-06-14T12:00")
    )
    assert [f"{slot.start:%d %H:%M}" for slot in found] == [f"15 {start}" for start in monday(event())]


def test_an_empty_range_has_no_slots() -> None:
    """A range whose end isn't after its start is empty."""
    at = utc("2026-06-15T08:00")
    assert offered_slots(event(), start=at, end=at, now=at - DAY) == []
    assert offered_slots(event(), start=at, end=at - HOUR, now=at - DAY) == []


@settings(max_examples=examples(100))
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=8))
def test_merged_spans_cover_the_same_minutes_once(spans: list[tuple[int, int]]) -> None:
    """Overlapping and adjacent spans are merged, in order, without loss."""
    zero = utc("2026-06-15T00:00")
    merged = merge_spans((zero + at * MINUTE, zero + (at + length) * MINUTE) for at, length in spans)
    minutes = {at + n for at, length in spans for n in range(length)}
    assert {
        (start - zero) // MINUTE + n for start, end in merged for n in range((end - start) // MINUTE)
    } == minutes
    assert all(earlier[1] < later[0] for earlier, later in pairwise(merged))
