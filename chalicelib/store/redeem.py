"""The redeem's transaction. Its conditions prevent a second use, a second booking of a slot and a second receipt.

It writes all of these or none (P1, P2, P4, ADR 0003):

| operation | writes | on the condition that |
|---|---|---|
| `booking` | the booking | its id is new: all attempts of one call use the same id (P4) |
| `receipt` | the receipt, by which a retry finds the booking | the same request has no receipt in force (P4) |
| `successor` | a rolling link's next link | its id is new |
| `link` | one more use | the link is alive and open, as it was read, and **has a use left** (P1, P3) |
| `day …` | the slot's cells of a UTC day | none of them is busy (P2) |
| `pointer` | the event type's rolling link | it is still this link |
"""

from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.domain.bookings.receipt import KEYLESS_WINDOW, Receipt
from chalicelib.domain.bookings.redeem import (
    AlreadyBooked,
    Booked,
    CellsTaken,
    LinkRefused,
    Outcome,
    RedeemAttempt,
    WrittenBefore,
)
from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import from_millis, to_millis
from chalicelib.domain.errors import ContendedError
from chalicelib.domain.links.link import Link, LinkStatus
from chalicelib.store.bookings.bookings import Bookings, booking_of
from chalicelib.store.bookings.days import Days
from chalicelib.store.causes import audit_actions, audit_attributes
from chalicelib.store.conditions import ABSENT, EXISTS, absent_or_over
from chalicelib.store.faults import TransactionRefused
from chalicelib.store.items import BookingItem, LinkItem, ReceiptItem, link_key, purge_seconds, receipt_key
from chalicelib.store.links.conditions import IS_ACTIVE, has_use_left, is_open, is_unexpired, same_edition
from chalicelib.store.links.links import final_status, link_of
from chalicelib.store.links.rolling import RollingLinks
from chalicelib.store.retention import Retention
from chalicelib.store.table import Table
from chalicelib.store.transactions import Transaction


class Redeems:
    """The transaction of a redeem, and the reads that decide whether it is needed."""

    def __init__(
        self, table: Table, bookings: Bookings, days: Days, rolling: RollingLinks, retention: Retention
    ) -> None:
        self._table = table
        self._bookings = bookings
        self._days = days
        self._rolling = rolling
        self._retention = retention

    def read_link_and_receipt(self, link_id: str, receipt_id: str) -> tuple[Link | None, Receipt | None]:
        """Return a link and the receipt of one request for it, in their current state, in one round trip."""
        link_at, receipt_at = link_key(link_id), receipt_key(link_id, receipt_id)
        found = self._table.get_many([link_at, receipt_at])
        link, receipt = found.get(link_at), found.get(receipt_at)
        return (
            link_of(LinkItem.from_raw_data(link)) if link else None,
            _receipt_of(ReceiptItem.from_raw_data(receipt)) if receipt else None,
        )

    def read_receipt(self, link_id: str, receipt_id: str) -> Receipt | None:
        """Return the receipt of one request, in its current state, or None."""
        item = self._table.get(ReceiptItem, receipt_key(link_id, receipt_id))
        return _receipt_of(item) if item else None

    def commit(self, attempt: RedeemAttempt, cause: Cause) -> Outcome:
        """Write booking, receipt, use, cells and successor, all or nothing.

        Raises `ContendedError` if other writes conflicted; `ThrottledError` or `StoreUnavailableError` if the outcome
        is unknown. After each of them the attempt may be repeated: the condition on its booking's id makes that safe
        (P4).
        """
        transaction = Transaction(self._table)
        transaction.put(self._bookings.item_of(attempt.booking, cause), ABSENT, name="booking")
        transaction.put(self._receipt_item(attempt, cause), absent_or_over(attempt.now), name="receipt")
        self._use_link(transaction, attempt, cause)
        self._days.take(transaction, attempt.booking.host_id, attempt.booking.occupied, cause)
        if attempt.successor is not None:
            self._rolling.succeed_within(transaction, attempt.link, attempt.successor, cause)
        try:
            transaction.commit()
        except TransactionRefused as refused:
            return self._outcome_of(refused, attempt)
        return Booked()

    def _use_link(self, transaction: Transaction, attempt: RedeemAttempt, cause: Cause) -> None:
        """Count the use, on the condition that prevents a second one.

        Two redeems of a link with one use: A's write changes the count that B read, so B's write is refused.

            A   read: 0 of 1 used ──────────── write if usageCount = 0 ✓ → used
            B         read: 0 of 1 used ─────────────────────────────────── write if usageCount = 0 ✗ → refused

        The clock decides whether a link is open and unexpired, whatever the stored status says (P3):

            ──── not open ────┤ notBefore ≤ now ── alive and open ── now < expiresAt ├──── expired ────
        """
        link, now, uses = attempt.link, attempt.now, Path("usageCount")
        most = link.settings.max_usage_count
        is_last_use = most is not None and link.usage_count + 1 >= most
        # The write depends on the count and the settings that were read, so the condition requires both.
        condition = EXISTS & IS_ACTIVE & is_unexpired(now) & same_edition(link.edition) & is_open(now)
        if most is not None:
            condition &= has_use_left(most, is_last=is_last_use)

        actions: list[Action] = [uses.set(uses + 1), Path("sequence").add(1)]
        if is_last_use:
            actions += final_status(link, LinkStatus.USED, cause, now, self._retention)
            actions.append(Path("usedAt").set(to_millis(now)))
        else:
            actions += audit_actions(cause)
        transaction.update(link_key(link.link_id), actions, condition, name="link")

    def _outcome_of(self, refused: TransactionRefused, attempt: RedeemAttempt) -> Outcome:
        """Return why a redeem was refused. Booking and receipt come first: a retry must not get `link-used` (P4).

        A booking with the attempt's id is of the same call, because each call draws 128 random bits for the id. One of
        another link would be a collision, and is not returned.
        """
        if "booking" in refused:
            written = booking_of(BookingItem.from_raw_data(refused["booking"]))
            if written.link_id != attempt.link.link_id:
                raise ContendedError
            return WrittenBefore(written)
        if "receipt" in refused:
            return AlreadyBooked(_receipt_of(ReceiptItem.from_raw_data(refused["receipt"])))
        if refused.contended:
            raise ContendedError
        if "link" in refused:
            link = refused["link"]
            return LinkRefused(link_of(LinkItem.from_raw_data(link)) if link else None)
        if self._days.refused_in(refused, attempt.booking.occupied):
            return CellsTaken()
        # The successor's random id exists already, or the pointer has changed: start again.
        raise ContendedError

    def _receipt_item(self, attempt: RedeemAttempt, cause: Cause) -> ReceiptItem:
        pk, sk = receipt_key(attempt.link.link_id, attempt.receipt_id)
        return ReceiptItem(
            pk,
            sk,
            body_hash=attempt.body_hash,
            booking_id=attempt.booking.booking_id,
            purge_at=self._receipt_ends(attempt),
            **audit_attributes(cause),
        )

    def _receipt_ends(self, attempt: RedeemAttempt) -> int:
        """Return the epoch second from which the receipt no longer counts."""
        if attempt.booking.keyless_receipt_id is not None:
            return to_millis(attempt.now + KEYLESS_WINDOW) // 1000  # rounded down: never longer than promised
        kept = self._retention.queued if attempt.queued else self._retention.receipt
        return purge_seconds(attempt.now, kept)


def _receipt_of(item: ReceiptItem) -> Receipt:
    ends_at = from_millis(int(item.purge_at) * 1000)
    return Receipt(booking_id=item.booking_id, body_hash=item.body_hash, ends_at=ends_at)
