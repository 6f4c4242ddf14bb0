"""Bookings in the table, and the redeem: one transaction that books, counts, and takes the time (ADR 0003)."""

from datetime import date, datetime

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.domain.bookings import Booking, BookingStatus
from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import to_millis
from chalicelib.domain.errors import ContendedError
from chalicelib.domain.links import Link, LinkStatus
from chalicelib.domain.occupancy import Cell, cells_by_day
from chalicelib.domain.redeeming import (
    AlreadyBooked,
    Attempt,
    Booked,
    CellsTaken,
    LinkRefused,
    Outcome,
    Receipt,
)
from chalicelib.store.faults import TransactionRefused
from chalicelib.store.items import (
    BookingItem,
    DayItem,
    LinkItem,
    ReceiptItem,
    booking_key,
    day_key,
    link_key,
    list_sort,
    purge_seconds,
    receipt_key,
)
from chalicelib.store.links import death, link_of
from chalicelib.store.retention import Retention
from chalicelib.store.table import ABSENT, EXISTS, Table, Transaction


class Bookings:
    """Reads and writes of bookings, receipts and days."""

    def __init__(self, table: Table, retention: Retention) -> None:
        self._table = table
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

    def read_receipt(self, link_id: str, receipt_id: str) -> Receipt | None:
        """Return the receipt of one request, as it stands now, or None."""
        item = self._table.get(ReceiptItem, receipt_key(link_id, receipt_id))
        return receipt_of(item) if item else None

    def busy_cells(self, host_id: str, first: date, last: date) -> frozenset[Cell]:
        """Return a host's busy cells from one UTC date to another, both included, as of about now."""
        pk, sort_from = day_key(host_id, first)
        days = self._table.query(DayItem, pk, sort_from, day_key(host_id, last)[1])
        return frozenset(
            (date.fromisoformat(day.sk.removeprefix("DAY#")), int(cell))
            for day in days
            for cell in day.busy or ()
        )

    def book(self, attempt: Attempt, cause: Cause) -> Outcome:
        """Write booking, receipt, link and day(s) together or not at all.

        Raises `ContendedError` when other writes were in the way, `ThrottledError` or `StoreUnavailableError`
        when nothing is known: the same attempt may then be sent again, its receipt makes that safe (P4).
        """
        transaction = self._table.transaction()
        # The order DynamoDB sees and answers in: puts, then updates.
        transaction.put(self._booking_item(attempt.booking, cause), ABSENT)
        transaction.put(self._receipt_item(attempt, cause), self._no_receipt(attempt.now))
        self._use_link(transaction, attempt, cause)
        self._take_cells(transaction, attempt.booking, cause)
        try:
            transaction.commit()
        except TransactionRefused as refused:
            return self._outcome_of(refused, attempt)
        return Booked()

    @staticmethod
    def _outcome_of(refused: TransactionRefused, attempt: Attempt) -> Outcome:
        """Say why a redeem was refused. The receipt is asked first: one's own retry is never 'used' (P4)."""
        _, receipt, link, *days = refused.refusals
        if receipt:
            found = receipt_of(ReceiptItem.from_raw_data(receipt))
            return Booked() if found.booking_id == attempt.booking.booking_id else AlreadyBooked(found)
        if refused.contended:
            raise ContendedError
        if link is not None:
            return LinkRefused(link_of(LinkItem.from_raw_data(link)) if link else None)
        if any(day is not None for day in days):
            return CellsTaken()
        raise ContendedError  # the booking's id exists: 128 random bits met, or a half-told reply; try anew

    def _no_receipt(self, now: datetime) -> Condition:
        # A receipt past its time may still be there: TTL lags (P3's reason, for receipts).
        condition: Condition = ABSENT | (Path("purgeAt") <= to_millis(now) // 1000)
        return condition

    def _use_link(self, transaction: Transaction, attempt: Attempt, cause: Cause) -> None:
        """Count the use, on the condition that the link is there, active, open, unexpired, and has one left.

        Whether this is the last use, and what the settings are, was read beforehand, so the condition pins
        both: with another count or edition it is refused, and made again from the link as it then is.
        """
        link, now = attempt.link, to_millis(attempt.now)
        most = link.settings.max_usage_count
        count = Path("usageCount")
        condition = EXISTS & (Path("status") == LinkStatus.ACTIVE.value)
        condition &= Path("notBefore").does_not_exist() | (Path("notBefore") <= now)
        condition &= Path("expiresAt").does_not_exist() | (Path("expiresAt") > now)
        condition &= Path("edition") == link.edition
        actions: list[Action] = [count.set(count + 1), Path("sequence").add(1)]
        if most is not None and link.usage_count + 1 >= most:
            condition &= count == most - 1
            actions += death(link, LinkStatus.USED, cause, attempt.now, self._retention)
            actions.append(Path("usedAt").set(now))
        else:
            if most is not None:
                condition &= count < most - 1
            actions += [Path("actor").set(cause.actor), Path("correlationId").set(cause.correlation_id)]
        transaction.update(link_key(link.link_id), actions, condition)

    def _take_cells(self, transaction: Transaction, booking: Booking, cause: Cause) -> None:
        """Add the booking's cells to each UTC day it meets, on the condition that none is busy (P2)."""
        for day, cells in cells_by_day(booking.occupied_from, booking.occupied_to).items():
            busy = DayItem.busy
            first, *rest = sorted(cells)
            taken: Condition = busy.contains(first)
            for cell in rest:
                taken |= busy.contains(cell)
            kept_until = datetime(day.year, day.month, day.day, tzinfo=booking.start.tzinfo)
            actions = [
                busy.add(set(cells)),
                Path("purgeAt").set(purge_seconds(kept_until, self._retention.day)),
                Path("actor").set(cause.actor),
                Path("correlationId").set(cause.correlation_id),
            ]
            transaction.update(day_key(booking.host_id, day), actions, ~taken)

    def _receipt_item(self, attempt: Attempt, cause: Cause) -> ReceiptItem:
        pk, sk = receipt_key(attempt.link.link_id, attempt.receipt_id)
        return ReceiptItem(
            pk,
            sk,
            body_hash=attempt.body_hash,
            booking_id=attempt.booking.booking_id,
            purge_at=purge_seconds(attempt.now, self._retention.receipt),
            actor=cause.actor,
            correlation_id=cause.correlation_id,
        )

    def _booking_item(self, booking: Booking, cause: Cause) -> BookingItem:
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
            status=booking.status.value,
            cancelled_at=booking.cancelled_at,
            sequence=booking.sequence,
            actor=cause.actor,
            correlation_id=cause.correlation_id,
            host_key=f"HOST#{booking.host_id}#BOOKING",
            event_type_key=f"ETYPE#{booking.event_type_id}#BOOKING",
            reference_key=f"LINK#{booking.link_id}#BOOKING",
            list_sort=list_sort(booking.start, booking.booking_id),
            purge_at=purge_seconds(booking.end, self._retention.booking),
        )


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
        status=BookingStatus(item.status),
        cancelled_at=item.cancelled_at,
        sequence=int(item.sequence),
    )


def receipt_of(item: ReceiptItem) -> Receipt:
    """Return the receipt that an item holds."""
    return Receipt(booking_id=item.booking_id, body_hash=item.body_hash)
