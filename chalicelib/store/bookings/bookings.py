"""Bookings in the table: read, list, move, cancel and erase. `store/redeem.py` creates them."""

from collections.abc import Callable, Sequence

import msgspec
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path

from chalicelib.domain.bookings.booking import Booking, BookingStatus
from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import to_millis
from chalicelib.domain.event_types.offers import NO_OVERRIDES
from chalicelib.domain.links.link import Link
from chalicelib.domain.listings import BookingFilter, Entry
from chalicelib.store.bookings.days import Days
from chalicelib.store.causes import audit_attributes
from chalicelib.store.conditions import unchanged_since
from chalicelib.store.items import (
    BOOKINGS,
    BY_REFERENCE,
    BookingItem,
    booking_key,
    event_type_list,
    host_list,
    list_sort,
    owner_list,
    purge_seconds,
    receipt_key,
)
from chalicelib.store.links.links import Links
from chalicelib.store.retention import Retention
from chalicelib.store.table import Table
from chalicelib.store.transactions import Transaction


class Bookings:
    """Reads and writes of bookings."""

    def __init__(self, table: Table, links: Links, days: Days, retention: Retention) -> None:
        self._table = table
        self._links = links
        self._days = days
        self._retention = retention

    def read(self, booking_id: str) -> Booking | None:
        """Return a booking in its current state, or None."""
        item = self._table.get(BookingItem, booking_key(booking_id))
        return booking_of(item) if item else None

    def cancel(self, booking: Booking, restored: Link | None, cause: Cause) -> bool:
        """Write a cancelled booking and free its time, all or nothing (P8).

        `booking` is the booking after cancellation. `restored` is its link with the use restored, or None if the use
        stays counted. Returns False if the booking or link changed since it was read: read both again and retry.
        """
        transaction = Transaction(self._table)
        booking = self._without_receipt(transaction, booking)
        if restored is not None:
            link_unchanged = unchanged_since(restored.sequence - 1)
            transaction.put(self._links.item_of(restored, cause), link_unchanged, name="link")
        self._rewrite(transaction, booking, cause)
        self._days.free(transaction, booking.host_id, booking.occupied, cause)
        return transaction.committed()

    def move(
        self, booking: Booking, moved: Booking, cause: Cause, *, check: Callable[[], None]
    ) -> bool | None:
        """Write a moved booking and swap its time, all or nothing; the link is not written (P8).

        `check` is called between the last read and the write; if it raises, nothing is written.
        Returns True if the booking was moved; False if the new time is taken; None if something changed since it was
        read: read it again and retry.
        """
        transaction = Transaction(self._table)
        moved = self._without_receipt(transaction, moved)
        self._rewrite(transaction, moved, cause)
        if not self._days.swap(transaction, booking.host_id, booking.occupied, moved.occupied, cause):
            return False
        check()
        # Whichever condition failed, the next attempt reads again and sees why.
        return True if transaction.committed() else None

    def erase(self, booking: Booking, cause: Cause) -> bool:
        """Write a booking whose person was erased, and delete its keyless receipt, a hash of the person's data.

        Returns False if it changed since it was read.
        """
        transaction = Transaction(self._table)
        booking = self._without_receipt(transaction, booking)
        self._rewrite(transaction, booking, cause)
        return transaction.committed()

    def entries(
        self,
        where: BookingFilter,
        status: BookingStatus,
        place: str | None,
        limit: int,
        *,
        newest_first: bool = False,
    ) -> list[Entry]:
        """Return up to `limit` index entries of one owner and status by start, after a place in that order."""
        index, partition = owner_list(where.host_id, where.event_type_id, BOOKINGS, status)
        return self._entries(index, partition, where, place, limit, newest_first=newest_first)

    def entries_of_link(
        self, where: BookingFilter, place: str | None, limit: int, *, newest_first: bool = False
    ) -> list[Entry]:
        """Return up to `limit` index entries of one link's bookings by start, after a place in that order."""
        partition = f"LINK#{where.link_id}#BOOKING"
        return self._entries(BY_REFERENCE, partition, where, place, limit, newest_first=newest_first)

    def read_many(self, booking_ids: Sequence[str]) -> list[Booking]:
        """Return the bookings that exist, in the requested order."""
        items = self._table.get_in_order(BookingItem, map(booking_key, booking_ids))
        return [booking_of(item) for item in items]

    def _entries(
        self,
        index: str,
        partition: str,
        where: BookingFilter,
        place: str | None,
        limit: int,
        *,
        newest_first: bool,
    ) -> list[Entry]:
        condition = _between(where, place, newest_first=newest_first)
        has_place = newest_first and place is not None  # then the range includes the place itself
        found = self._table.index_page(
            index, partition, condition, limit + has_place, newest_first=newest_first
        )
        entries = [Entry(entry["pk"].removeprefix("BOOKING#"), entry["listSort"]) for entry in found]
        return [entry for entry in entries if not has_place or entry.sort != place][:limit]

    def _rewrite(self, transaction: Transaction, booking: Booking, cause: Cause) -> None:
        """Add the write of a changed booking to a transaction, on condition that it has not changed since the read."""
        booking_unchanged = unchanged_since(booking.sequence - 1)
        transaction.put(self.item_of(booking, cause), booking_unchanged, name="booking")

    @staticmethod
    def _without_receipt(transaction: Transaction, booking: Booking) -> Booking:
        """Add to a transaction the deletion of a booking's keyless receipt; return the booking without its receipt id.

        P4: after its booking was cancelled, moved or erased, the same request without a key is a new request.
        """
        if booking.keyless_receipt_id is None:
            return booking
        transaction.delete(receipt_key(booking.link_id, booking.keyless_receipt_id), name="receipt")
        return msgspec.structs.replace(booking, keyless_receipt_id=None)

    def item_of(self, booking: Booking, cause: Cause) -> BookingItem:
        """Return the whole item of a booking, including index keys and TTL."""
        pk, sk = booking_key(booking.booking_id)
        return BookingItem(
            pk,
            sk,
            link_id=booking.link_id,
            host_id=booking.host_id,
            event_type_id=booking.event_type_id,
            key_id=booking.key_id,
            title=booking.title,
            start=booking.start,
            end=booking.end,
            occupied_from=booking.occupied_from,
            occupied_to=booking.occupied_to,
            time_zone=booking.time_zone,
            location=booking.location,
            invitee=booking.invitee,
            answers=booking.answers or None,
            created_at=booking.created_at,
            overrides=booking.overrides if booking.overrides != NO_OVERRIDES else None,
            external_id=booking.external_id,
            metadata=booking.metadata or None,
            language=booking.language,
            keyless_receipt_id=booking.keyless_receipt_id,
            moves_by_invitee=booking.moves_by_invitee or None,
            status=booking.status.value,
            cancelled_at=booking.cancelled_at,
            sequence=booking.sequence,
            **audit_attributes(cause),
            host_key=host_list(booking.host_id, BOOKINGS, booking.status),
            event_type_key=event_type_list(booking.event_type_id, BOOKINGS, booking.status),
            reference_key=f"LINK#{booking.link_id}#BOOKING",
            list_sort=list_sort(booking.start, booking.booking_id),
            purge_at=purge_seconds(booking.end, self._retention.booking),
        )


def _between(where: BookingFilter, place: str | None, *, newest_first: bool) -> Condition:
    """Return the key condition for starts in `[start, end)`, after the cursor."""
    first = f"{to_millis(where.start):014d}" if where.start else "0"
    last = f"{to_millis(where.end) - 1:014d}~" if where.end else "~"
    if place is not None and newest_first:
        last = min(last, place)  # includes that entry, because no string is the greatest below it
    elif place is not None:
        first = max(first, place + "$")  # after that entry and before the next: ids have no dollar sign
    condition: Condition = Path("listSort").between(first, max(first, last))
    return condition


def booking_of(item: BookingItem) -> Booking:
    """Return the booking that an item holds."""
    return Booking(
        booking_id=item.pk.removeprefix("BOOKING#"),
        link_id=item.link_id,
        host_id=item.host_id,
        event_type_id=item.event_type_id,
        key_id=int(item.key_id),
        title=item.title,
        start=item.start,
        end=item.end,
        occupied_from=item.occupied_from,
        occupied_to=item.occupied_to,
        time_zone=item.time_zone,
        location=item.location,
        invitee=item.invitee,
        answers=item.answers or {},
        created_at=item.created_at,
        overrides=item.overrides or NO_OVERRIDES,
        external_id=item.external_id,
        metadata=item.metadata or {},
        language=item.language or "en",
        keyless_receipt_id=item.keyless_receipt_id,
        moves_by_invitee=int(item.moves_by_invitee or 0),
        status=BookingStatus(item.status),
        cancelled_at=item.cancelled_at,
        sequence=int(item.sequence),
    )
