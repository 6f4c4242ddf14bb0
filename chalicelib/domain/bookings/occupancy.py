"""A host's time in 5-minute cells of UTC days, which bookings and their buffers occupy (P2, ADR 0002)."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final

CELL_MINUTES: Final = 5
CELLS_A_DAY: Final = 288

Cell = tuple[date, int]
"""A UTC date and the number of a cell in it, 0 to 287."""

_CELL: Final = timedelta(minutes=CELL_MINUTES)


def cells_of(start: datetime, end: datetime) -> Iterator[Cell]:
    """Yield the cells that `[start, end)` touches, including those it only touches in part."""
    at = _floor(start)
    while at < end:
        yield at.date(), (at.hour * 60 + at.minute) // CELL_MINUTES
        at += _CELL


def cells_by_day(start: datetime, end: datetime) -> dict[date, frozenset[int]]:
    """Return the cells of `[start, end)` by UTC date. A booking has cells on at most two dates."""
    days: dict[date, set[int]] = {}
    for day, cell in cells_of(start, end):
        days.setdefault(day, set()).add(cell)
    return {day: frozenset(cells) for day, cells in days.items()}


def on_grid(instant: datetime) -> bool:
    """Return whether an instant is the start of a cell."""
    return _floor(instant) == instant


def _floor(instant: datetime) -> datetime:
    instant = instant.astimezone(UTC)
    return instant.replace(minute=instant.minute - instant.minute % CELL_MINUTES, second=0, microsecond=0)
