"""Two bookings share a cell exactly when they overlap, rounded outward to five minutes (P2)."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from chalicelib.domain.bookings.occupancy import CELLS_A_DAY, cells_by_day, cells_of, on_grid

ZERO = datetime(2026, 6, 15, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FIVE = 5 * MINUTE
TODAY, TOMORROW = ZERO.date(), ZERO.date() + timedelta(days=1)

on_five = st.integers(0, 8 * 12).map(lambda n: ZERO + n * FIVE)
lengths = st.integers(1, 96).map(lambda n: n * FIVE)
anywhere = st.timedeltas(timedelta(), timedelta(hours=8)).map(lambda past: ZERO + past)


@given(at=on_five, length=lengths, other_at=on_five, other_length=lengths)
def test_times_share_a_cell_exactly_when_they_overlap(
    at: datetime, length: timedelta, other_at: datetime, other_length: timedelta
) -> None:
    """P2: adjacent times share no cell."""
    shared = set(cells_of(at, at + length)) & set(cells_of(other_at, other_at + other_length))
    assert bool(shared) == (at < other_at + other_length and other_at < at + length)


@given(at=anywhere, length=st.timedeltas(timedelta(microseconds=1), timedelta(hours=8)))
def test_an_interval_takes_each_touched_cell_once(at: datetime, length: timedelta) -> None:
    """P2: also if it isn't on the grid of five minutes."""
    cells = list(cells_of(at, at + length))
    midnight = datetime(at.year, at.month, at.day, tzinfo=UTC)
    want = [
        ((midnight + n * FIVE).date(), n % CELLS_A_DAY)
        for n in range(2 * CELLS_A_DAY)
        if midnight + n * FIVE < at + length and at < midnight + (n + 1) * FIVE
    ]
    assert cells == want


def test_cells_are_numbered_from_midnight_utc() -> None:
    """Cells are stored, so their numbers (0 to 287 per UTC date) must never change."""
    midnight = datetime(2026, 6, 16, tzinfo=UTC)
    assert list(cells_of(midnight - FIVE, midnight + FIVE)) == [(TODAY, 287), (TOMORROW, 0)]
    assert list(cells_of(ZERO, ZERO + 10 * MINUTE)) == [(TODAY, 240), (TODAY, 241)]


def test_an_instant_with_another_offset_takes_the_same_cells() -> None:
    """P2: the UTC offset in which a time is written doesn't matter."""
    there = ZERO.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert list(cells_of(there, there + FIVE)) == [(TODAY, 240)]


def test_an_empty_interval_takes_nothing() -> None:
    """`[start, start)` is empty."""
    assert list(cells_of(ZERO, ZERO)) == []


@given(at=on_five, length=lengths)
def test_cells_by_day_are_the_same_cells(at: datetime, length: timedelta) -> None:
    """Eight hours have 96 cells on at most two days; none is lost or added."""
    days = cells_by_day(at, at + length)
    assert {(day, cell) for day, cells in days.items() for cell in cells} == set(cells_of(at, at + length))
    assert len(days) <= 2
    assert sum(len(cells) for cells in days.values()) == length // FIVE <= 96
    assert all(days.values()), "a day without cells would be an unnecessary write"


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        (datetime(2026, 6, 15, 0, 0, tzinfo=UTC), True),
        (datetime(2026, 6, 15, 23, 55, tzinfo=UTC), True),
        (datetime(2026, 6, 15, 5, 45, tzinfo=timezone(timedelta(hours=5, minutes=45))), True),
        (datetime(2026, 6, 15, 12, 3, tzinfo=UTC), False),
        (datetime(2026, 6, 15, 12, 5, 1, tzinfo=UTC), False),
        (datetime(2026, 6, 15, 12, 5, 0, 1, tzinfo=UTC), False),
        (datetime(2026, 6, 15, 12, 5, tzinfo=timezone(timedelta(minutes=2))), False),
    ],
)
def test_the_grid_has_five_minutes_in_utc(instant: datetime, expected: bool) -> None:
    """Every booking starts exactly at the start of a cell."""
    assert on_grid(instant) is expected


def test_dates_are_plain_dates() -> None:
    """The date is part of the day item's key, and a datetime would give another key."""
    assert {type(day) for day, _ in cells_of(ZERO, ZERO + FIVE)} == {date}
