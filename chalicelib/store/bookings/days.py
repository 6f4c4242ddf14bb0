"""A host's days: take, free and swap busy cells as parts of a transaction (P2, P8, ADR 0002)."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Final

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.domain.bookings.occupancy import Cell, cells_by_day
from chalicelib.domain.causes import Cause
from chalicelib.store.causes import audit_actions
from chalicelib.store.faults import TransactionRefused
from chalicelib.store.items import DayItem, day_key, purge_seconds
from chalicelib.store.retention import Retention
from chalicelib.store.table import Table
from chalicelib.store.transactions import Transaction

Span = tuple[datetime, datetime]
_NONE: Final[frozenset[int]] = frozenset()


class Days:
    """Reads of busy cells, and the operations on days that are parts of other writes."""

    def __init__(self, table: Table, retention: Retention) -> None:
        self._table = table
        self._retention = retention

    def busy_cells(self, host_id: str, first: date, last: date) -> frozenset[Cell]:
        """Return a host's busy cells from one UTC date to another, inclusive; eventually consistent."""
        pk, sort_from = day_key(host_id, first)
        days = self._table.query(DayItem, pk, sort_from, day_key(host_id, last)[1])
        return frozenset(
            (date.fromisoformat(day.sk.removeprefix("DAY#")), int(cell))
            for day in days
            for cell in day.busy or ()
        )

    def take(self, transaction: Transaction, host_id: str, span: Span, cause: Cause) -> None:
        """Add a span's cells to each UTC day it touches, on the condition that none of them is busy (P2)."""
        for day, cells in cells_by_day(*span).items():
            self._update(transaction, host_id, day, DayItem.busy.add(set(cells)), _none_busy(cells), cause)

    def free(self, transaction: Transaction, host_id: str, span: Span, cause: Cause) -> None:
        """Remove a span's cells from each UTC day it touches. The booking's condition makes this happen only once."""
        for day, cells in cells_by_day(*span).items():
            self._update(transaction, host_id, day, DayItem.busy.delete(set(cells)), None, cause)

    def swap(self, transaction: Transaction, host_id: str, old: Span, new: Span, cause: Cause) -> bool:
        """Free one span and take another, one operation per day; return False if a cell of the new one is busy.

        The days to take are read first, so that a busy cell is found before the write. One update can't add to and
        delete from the same set, so on a day that both spans touch, the set is written whole, on the condition that it
        has not changed since it was read. If any other write changed that day, read again and retry.
        """
        freed, taken = cells_by_day(*old), cells_by_day(*new)
        for day in sorted(freed.keys() | taken.keys()):
            removed, added = freed.get(day, _NONE), taken.get(day, _NONE)
            seen = self._busy(host_id, day) if added else set()
            if (seen - removed) & added:
                return False
            if not added:
                self._update(transaction, host_id, day, DayItem.busy.delete(set(removed)), None, cause)
            elif not removed:
                self._update(
                    transaction, host_id, day, DayItem.busy.add(set(added)), _none_busy(added), cause
                )
            else:
                day_unchanged = DayItem.busy == seen if seen else DayItem.busy.does_not_exist()
                action = DayItem.busy.set((seen - removed) | added)
                self._update(transaction, host_id, day, action, day_unchanged, cause)
        return True

    def refused_in(self, refused: TransactionRefused, span: Span) -> bool:
        """Return whether `take` of this span was refused, because another booking holds some of its cells."""
        return any(_operation(day) in refused for day in cells_by_day(*span))

    def _busy(self, host_id: str, day: date) -> set[int]:
        item = self._table.get(DayItem, day_key(host_id, day))
        return {int(cell) for cell in (item.busy if item else None) or ()}

    def _update(
        self,
        transaction: Transaction,
        host_id: str,
        day: date,
        action: Action,
        condition: Condition | None,
        cause: Cause,
    ) -> None:
        kept_until = datetime(day.year, day.month, day.day, tzinfo=UTC)
        actions = [
            action,
            Path("purgeAt").set(purge_seconds(kept_until, self._retention.day)),
            *audit_actions(cause),
        ]
        transaction.update(day_key(host_id, day), actions, condition, name=_operation(day))


def _operation(day: date) -> str:
    return f"day {day.isoformat()}"


def _none_busy(cells: Iterable[int]) -> Condition:
    first, *rest = sorted(cells)
    taken: Condition = DayItem.busy.contains(first)
    for cell in rest:
        taken |= DayItem.busy.contains(cell)
    free: Condition = ~taken
    return free
