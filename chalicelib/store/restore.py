"""Write to a restored table: links and bookings as archived events left them, and the applied events."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

from pynamodb.expressions.operand import Path

from chalicelib.domain.bookings.booking import Booking, BookingStatus
from chalicelib.domain.causes import Cause
from chalicelib.domain.links.link import Link
from chalicelib.domain.restore import AppliedEvents
from chalicelib.store.bookings.bookings import Bookings
from chalicelib.store.bookings.days import Days, Span
from chalicelib.store.causes import audit_actions
from chalicelib.store.conditions import ABSENT, EXISTS, unchanged_since
from chalicelib.store.faults import RawItem
from chalicelib.store.items import (
    BY_HOST,
    AppliedEventsItem,
    applied_events_key,
    applied_events_list,
    link_key,
    purge_seconds,
    restore_shard,
)
from chalicelib.store.links.links import Links
from chalicelib.store.table import Table
from chalicelib.store.transactions import Transaction

KEEP: Final = timedelta(days=30)  # how long a restore's own items are kept


class Restore:
    """Writes links and bookings bypassing the normal rules; the API is closed during a restore.

    `run` names the restore: it is the name of the restored table.
    """

    def __init__(self, table: Table, links: Links, bookings: Bookings, days: Days) -> None:
        self.run = table.name
        self._table = table
        self._links = links
        self._bookings = bookings
        self._days = days

    def put_link(self, before: Link, after: Link, cause: Cause, *, partly: bool, now: datetime) -> bool:
        """Write a link as an event left it, and record the event; return False if `before` is not current."""
        transaction = Transaction(self._table)
        transaction.put(self._links.item_of(after, cause), unchanged_since(before.sequence), name="link")
        self._add_seen(transaction, before, after.sequence, cause, partly=partly, now=now)
        return transaction.committed()

    def delete_link(self, before: Link, sequence: int, cause: Cause, *, now: datetime) -> bool:
        """Delete a link that an event says was deleted; return False if `before` is not current."""
        transaction = Transaction(self._table)
        transaction.delete(link_key(before.link_id), unchanged_since(before.sequence), name="link")
        self._add_seen(transaction, before, sequence, cause, partly=False, now=now)
        return transaction.committed()

    def note_seen(self, link_id: str, sequence: int, cause: Cause, *, partly: bool) -> None:
        """Record an event that is not newer than the stored link.

        Does nothing if no event was applied to the link, or if the backup already contains this one.
        """
        actions = [AppliedEventsItem.seen.add({sequence}), *audit_actions(cause)]
        if partly:
            actions.append(Path("partly").set(value=True))
        is_newer_than_backup = Path("base") < sequence
        self._table.change(applied_events_key(link_id, self.run), actions, EXISTS & is_newer_than_backup)

    def put_booking(self, before: Booking | None, after: Booking, cause: Cause) -> bool:
        """Write a booking as an event left it, and occupy its time; return False if `before` is not current.

        Also returns False while another booking occupies the time. In that case, first apply the event that moves or
        cancels that booking.
        """
        transaction = Transaction(self._table)
        unchanged = ABSENT if before is None else unchanged_since(before.sequence)
        transaction.put(self._bookings.item_of(after, cause), unchanged, name="booking")
        old = before.occupied if before is not None and before.status is BookingStatus.CONFIRMED else None
        new = after.occupied if after.status is BookingStatus.CONFIRMED else None
        if old != new and not self._replace_time(transaction, after.host_id, old, new, cause):
            return False
        return transaction.committed()

    def applied(self, shard: str, after: str | None, limit: int) -> tuple[list[AppliedEvents], str | None]:
        """Return the applied events of up to `limit` links of a shard, and the place after them; None at the end.

        Finds them in an index, which is eventually consistent, and reads their current state.
        """
        condition = None if after is None else Path("listSort") > after
        partition = applied_events_list(self.run, shard)
        entries = self._table.index_page(BY_HOST, partition, condition, limit, newest_first=False)
        keys = [((entry["pk"], entry["sk"]), link_key(entry["listSort"])) for entry in entries]
        found = self._table.get_many(chain.from_iterable(keys), ("base", "seen", "partly", "sequence"))
        page = [
            _applied_events_of(AppliedEventsItem.from_raw_data(found[key]), found.get(link_at))
            for key, link_at in keys
            if key in found
        ]
        return page, entries[-1]["listSort"] if entries else None

    def restoring_uses(self, link_ids: Sequence[str]) -> list[str]:
        """Return those links of which a cancellation restores a use."""
        attribute = "restoreUseOnCancel"
        found = self._table.get_many(map(link_key, link_ids), (attribute,))
        return [link_id for link_id in link_ids if attribute in found.get(link_key(link_id), ())]

    def _replace_time(
        self, transaction: Transaction, host_id: str, old: Span | None, new: Span | None, cause: Cause
    ) -> bool:
        if old is not None and new is not None:
            return self._days.swap(transaction, host_id, old, new, cause)
        if new is not None:
            self._days.take(transaction, host_id, new, cause)
        if old is not None:
            self._days.free(transaction, host_id, old, cause)
        return True

    def _add_seen(
        self,
        transaction: Transaction,
        before: Link,
        sequence: int,
        cause: Cause,
        *,
        partly: bool,
        now: datetime,
    ) -> None:
        base = Path("base")
        actions = [
            base.set(base | before.sequence),
            AppliedEventsItem.seen.add({sequence}),
            Path("hostKey").set(applied_events_list(self.run, restore_shard(before.link_id))),
            Path("listSort").set(before.link_id),
            Path("purgeAt").set(purge_seconds(now, KEEP)),
            *audit_actions(cause),
        ]
        if partly:
            actions.append(Path("partly").set(value=True))
        transaction.update(applied_events_key(before.link_id, self.run), actions, name="applied events")


def _applied_events_of(item: AppliedEventsItem, link: RawItem | None) -> AppliedEvents:
    return AppliedEvents(
        link_id=item.pk.removeprefix("LINK#"),
        base=int(item.base),
        last=None if link is None else int(link["sequence"]["N"]),
        seen=frozenset(int(number) for number in item.seen or ()),
        partly=bool(item.partly),
    )
