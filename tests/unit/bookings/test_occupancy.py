"""P2: two bookings share a cell exactly when they overlap, rounded out to five minutes."""

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
def test_cells_meet_exactly_when_the_times_do(
    at: datetime, length: timedelta, other_at: datetime, other_length: timedelta
) -> None:
    """P2: overlap is a shared cell, and neighbours that only touch share none."""
    shared = set(cells_of(at, at + length)) & set(cells_of(other_at, other_at + other_length))
    assert bool(shared) == (at < other_at + other_length and other_at < at + length)


@given(at=anywhere, length=st.timedeltas(timedelta(microseconds=1), timedelta(hours=8)))
def test_every_cell_that_is_touched_is_taken_once(at: datetime, length: timedelta) -> None:
    """P2: off the grid an interval takes each cell that it touches, whole, and no other."""
    cells = list(cells_of(at, at + length))
    midnight = datetime(at.year, at.month, at.day, tzinfo=UTC)
    want = [
        ((midnight + n * FIVE).date(), n % CELLS_A_DAY)
        for n in range(2 * CELLS_A_DAY)
        if midnight + n * FIVE < at + length and at < midnight + (n + 1) * FIVE
    ]
    assert cells == want


def test_cells_are_numbered_from_midnight_utc() -> None:
    """Cells 0..287 of the UTC date; stored, so the numbering may never change."""
    midnight = datetime(2026, 6, 16, tzinfo=UTC)
    assert list(cells_of(midnight - FIVE, midnight + FIVE)) == [(TODAY, 287), (TOMORROW, 0)]
    assert list(cells_of(ZERO, ZERO + 10 * MINUTE)) == [(TODAY, 240), (TODAY, 241)]


def test_an_instant_of_another_offset_takes_the_same_cells() -> None:
    """P2: the same time written with another offset is the same time."""
    there = ZERO.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert list(cells_of(there, there + FIVE)) == [(TODAY, 240)]


def test_an_empty_interval_takes_nothing() -> None:
    """`[start, start)` holds no time."""
    assert list(cells_of(ZERO, ZERO)) == []


@given(at=on_five, length=lengths)
def test_days_hold_the_same_cells(at: datetime, length: timedelta) -> None:
    """At most two day items and 96 cells for eight hours, none lost, none added."""
    days = cells_by_day(at, at + length)
    assert {(day, cell) for day, cells in days.items() for cell in cells} == set(cells_of(at, at + length))
    assert len(days) <= 2
    assert sum(len(cells) for cells in days.values()) == length // FIVE <= 96
    assert all(days.values()), "a day without cells would be a needless write"


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
def test_the_grid_is_of_five_minutes_utc(instant: datetime, expected: bool) -> None:
    """Every booking begins with a cell, to the microsecond."""
    assert on_grid(instant) is expected


def test_dates_are_plain_dates() -> None:
    """The day's key is written from the date; a datetime would write another key."""
    assert {type(day) for day, _ in cells_of(ZERO, ZERO + FIVE)} == {date}
