"""Bookings in the table, and the redeem: one transaction that books, counts, and takes the time (ADR 0003)."""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.domain.bookings.booking import Booking, BookingStatus
from chalicelib.domain.bookings.occupancy import cells_by_day
from chalicelib.domain.bookings.redeem import (
    KEYLESS_WINDOW,
    AlreadyBooked,
    Booked,
    CellsTaken,
    LinkRefused,
    Outcome,
    Receipt,
    RedeemAttempt,
)
from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import from_millis, to_millis
from chalicelib.domain.errors import ContendedError
from chalicelib.domain.event_types.offers import NO_OVERRIDES
from chalicelib.domain.links.link import Link, LinkStatus
from chalicelib.domain.listings import BookingFilter, Entry
from chalicelib.store.bookings.days import Days
from chalicelib.store.causes import audit_actions
from chalicelib.store.faults import TransactionRefused
from chalicelib.store.items import (
    BOOKINGS,
    BY_REFERENCE,
    BookingItem,
    LinkItem,
    ReceiptItem,
    booking_key,
    event_type_list,
    host_list,
    link_key,
    list_sort,
    owner_list,
    purge_seconds,
    receipt_key,
)
from chalicelib.store.links.links import Links, alive, death, link_of
from chalicelib.store.links.rolling import RollingLinks
from chalicelib.store.retention import Retention
from chalicelib.store.table import ABSENT, Table, Transaction


class Bookings:
    """Reads and writes of bookings and receipts."""

    def __init__(
        self, table: Table, links: Links, days: Days, rolling: RollingLinks, retention: Retention
    ) -> None:
        self._table = table
        self._links = links
        self._days = days
        self._rolling = rolling
        self._retention = retention

    def read(self, booking_id: str) -> Booking | None:
        """Return a booking as it stands now, or None."""
        item = self._table.get(BookingItem, booking_key(booking_id))
        return booking_of(item) if item else None

    def read_link_and_receipt(self, link_id: str, receipt_id: str) -> tuple[Link | None, Receipt | None]:
        """Return a link and the receipt of one request of it, as they stand now, in one round trip."""
        link_at, receipt_at = link_key(link_id), receipt_key(link_id, receipt_id)
        found = self._table.get_many([link_at, receipt_at])
        link, receipt = found.get(link_at), found.get(receipt_at)
        return (
            link_of(LinkItem.from_raw_data(link)) if link else None,
            receipt_of(ReceiptItem.from_raw_data(receipt)) if receipt else None,
        )

    def book(self, attempt: RedeemAttempt, cause: Cause) -> Outcome:
        """Write booking, receipt, link and day(s) together or not at all.

        Raises `ContendedError` when other writes were in the way, `ThrottledError` or `StoreUnavailableError`
        when nothing is known: the same attempt may then be sent again, its receipt makes that safe (P4).
        """
        transaction = self._table.transaction()
        # The order DynamoDB sees and answers in is puts, then updates; `_outcome_of` reads the answer by it.
        transaction.put(self.item_of(attempt.booking, cause), ABSENT)
        transaction.put(self._receipt_item(attempt, cause), self._no_receipt(attempt.now))
        self._use_link(transaction, attempt, cause)
        self._days.take(transaction, attempt.booking.host_id, attempt.booking.occupied, cause)
        if attempt.successor is not None:
            self._rolling.succeed_within(transaction, attempt.link, attempt.successor, cause)
        try:
            transaction.commit()
        except TransactionRefused as refused:
            return self._outcome_of(refused, attempt)
        return Booked()

    def cancel(self, booking: Booking, restored: Link | None, cause: Cause) -> bool:
        """Write a cancelled booking and free its time, together or not at all (P8).

        `booking` is the cancelled one. `restored` is its link with the use given back, or None where the use
        stays counted. Returns False when booking or link changed since they were read: read anew and repeat.
        """
        transaction = self._table.transaction()
        booking = self._without_receipt(transaction, booking)
        if restored is not None:
            same = Path("sequence") == restored.sequence - 1
            transaction.put(self._links.item_of(restored, cause), same)
        self._rewrite(transaction, booking, cause)
        self._days.free(transaction, booking.host_id, booking.occupied, cause)
        return transaction.committed()

    def move(
        self, booking: Booking, moved: Booking, cause: Cause, *, check: Callable[[], None]
    ) -> bool | None:
        """Write a moved booking and swap its time, together or not at all; the link is not touched (P8).

        `check` is called between the last read and the write; if it raises, nothing is written.
        Returns True when it is written; False when the new time is taken; None when something changed since it
        was read, so that it should be read anew and repeated.
        """
        transaction = self._table.transaction()
        moved = self._without_receipt(transaction, moved)
        self._rewrite(transaction, moved, cause)
        if not self._days.swap(transaction, booking.host_id, booking.occupied, moved.occupied, cause):
            return False
        check()
        # A refused day was read as free, or is asked for cells alone: the next attempt reads and tells which.
        return True if transaction.committed() else None

    def erase(self, booking: Booking, cause: Cause) -> bool:
        """Write a booking whose person was erased, and delete the keyless receipt with their request's hash.

        Returns False if it changed since it was read.
        """
        transaction = self._table.transaction()
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
        """Return up to `limit` index entries of one owner and status by start, beyond a place in that order."""
        index, partition = owner_list(where.host_id, where.event_type_id, BOOKINGS, status)
        return self._entries(index, partition, where, place, limit, newest_first=newest_first)

    def entries_of_link(
        self, where: BookingFilter, place: str | None, limit: int, *, newest_first: bool = False
    ) -> list[Entry]:
        """Return up to `limit` index entries of one link's bookings by start, beyond a place in that order."""
        partition = f"LINK#{where.link_id}#BOOKING"
        return self._entries(BY_REFERENCE, partition, where, place, limit, newest_first=newest_first)

    def read_receipt(self, link_id: str, receipt_id: str) -> Receipt | None:
        """Return the receipt of one request, as it stands now, or None."""
        item = self._table.get(ReceiptItem, receipt_key(link_id, receipt_id))
        return receipt_of(item) if item else None

    def read_many(self, booking_ids: Sequence[str]) -> list[Booking]:
        """Return the bookings that exist, in the order asked."""
        keys = [booking_key(booking_id) for booking_id in booking_ids]
        found = self._table.get_many(keys)
        return [booking_of(BookingItem.from_raw_data(found[key])) for key in keys if key in found]

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
        over = newest_first and place is not None  # the place itself comes along
        found = self._table.index_page(index, partition, condition, limit + over, newest_first=newest_first)
        entries = [Entry(entry["pk"].removeprefix("BOOKING#"), entry["listSort"]) for entry in found]
        return [entry for entry in entries if not over or entry.sort != place][:limit]

    def _rewrite(self, transaction: Transaction, booking: Booking, cause: Cause) -> None:
        """Put a changed booking whole, on the condition that it is as it was read: one sequence before."""
        transaction.put(self.item_of(booking, cause), Path("sequence") == booking.sequence - 1)

    @staticmethod
    def _without_receipt(transaction: Transaction, booking: Booking) -> Booking:
        """Add to a transaction the deletion of a booking's keyless receipt; return the booking without its id.

        P4: a keyless repeat of a request whose booking was cancelled, moved or erased is a new request.
        """
        if booking.keyless_receipt_id is None:
            return booking
        transaction.delete(receipt_key(booking.link_id, booking.keyless_receipt_id))
        return msgspec.structs.replace(booking, keyless_receipt_id=None)

    @staticmethod
    def _outcome_of(refused: TransactionRefused, attempt: RedeemAttempt) -> Outcome:
        """Say why a redeem was refused. The receipt is asked first: one's own retry is never 'used' (P4)."""
        puts = 2 if attempt.successor is None else 3
        receipt, link = refused.refusals[1], refused.refusals[puts]
        days = refused.refusals[puts + 1 :][: len(cells_by_day(*attempt.booking.occupied))]
        if receipt:
            found = receipt_of(ReceiptItem.from_raw_data(receipt))
            return Booked() if found.booking_id == attempt.booking.booking_id else AlreadyBooked(found)
        if refused.contended:
            raise ContendedError
        if link is not None:
            return LinkRefused(link_of(LinkItem.from_raw_data(link)) if link else None)
        if any(day is not None for day in days):
            return CellsTaken()
        # An id of 128 random bits exists already, or the rolling link moved on meanwhile: try anew.
        raise ContendedError

    def _no_receipt(self, now: datetime) -> Condition:
        # A receipt past its time may still be there: TTL lags (P3's reason, for receipts).
        condition: Condition = ABSENT | (Path("purgeAt") <= to_millis(now) // 1000)
        return condition

    def _use_link(self, transaction: Transaction, attempt: RedeemAttempt, cause: Cause) -> None:
        """Count the use, on the condition that the link is there, active, open, unexpired, and has one left.

        Whether this is the last use, and what the settings are, was read beforehand, so the condition pins
        both: with another count or edition it is refused, and made again from the link as it then is.
        """
        link, now = attempt.link, to_millis(attempt.now)
        most = link.settings.max_usage_count
        count = Path("usageCount")
        condition = alive(attempt.now) & (Path("edition") == link.edition)
        condition &= Path("notBefore").does_not_exist() | (Path("notBefore") <= now)
        actions: list[Action] = [count.set(count + 1), Path("sequence").add(1)]
        if most is not None and link.usage_count + 1 >= most:
            condition &= count == most - 1
            actions += death(link, LinkStatus.USED, cause, attempt.now, self._retention)
            actions.append(Path("usedAt").set(now))
        else:
            if most is not None:
                condition &= count < most - 1
            actions += audit_actions(cause)
        transaction.update(link_key(link.link_id), actions, condition)

    def _receipt_item(self, attempt: RedeemAttempt, cause: Cause) -> ReceiptItem:
        pk, sk = receipt_key(attempt.link.link_id, attempt.receipt_id)
        return ReceiptItem(
            pk,
            sk,
            body_hash=attempt.body_hash,
            booking_id=attempt.booking.booking_id,
            purge_at=self._receipt_ends(attempt),
            actor=cause.actor,
            correlation_id=cause.correlation_id,
        )

    def _receipt_ends(self, attempt: RedeemAttempt) -> int:
        if attempt.booking.keyless_receipt_id is not None:
            return to_millis(attempt.now + KEYLESS_WINDOW) // 1000  # rounded down: never longer than promised
        kept = self._retention.queued if attempt.queued else self._retention.receipt
        return purge_seconds(attempt.now, kept)

    def item_of(self, booking: Booking, cause: Cause) -> BookingItem:
        """Return the whole item of a booking, index keys and TTL included."""
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
            actor=cause.actor,
            correlation_id=cause.correlation_id,
            host_key=host_list(booking.host_id, BOOKINGS, booking.status),
            event_type_key=event_type_list(booking.event_type_id, BOOKINGS, booking.status),
            reference_key=f"LINK#{booking.link_id}#BOOKING",
            list_sort=list_sort(booking.start, booking.booking_id),
            purge_at=purge_seconds(booking.end, self._retention.booking),
        )


def _between(where: BookingFilter, place: str | None, *, newest_first: bool) -> Condition:
    """Return the key condition for starts in `[start, end)`, beyond the cursor."""
    first = f"{to_millis(where.start):014d}" if where.start else "0"
    last = f"{to_millis(where.end) - 1:014d}~" if where.end else "~"
    if place is not None and newest_first:
        last = min(last, place)  # up to that entry and with it: there is no greatest string below one
    elif place is not None:
        first = max(first, place + "$")  # the least string beyond that entry: ids have no dollar sign
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


def receipt_of(item: ReceiptItem) -> Receipt:
    """Return the receipt that an item holds."""
    ends_at = from_millis(int(item.purge_at) * 1000)
    return Receipt(booking_id=item.booking_id, body_hash=item.body_hash, ends_at=ends_at)
