"""Batches: the request stored under an `Idempotency-Key`, and which chunks of its links exist (P4, ADR 0004)."""

from collections.abc import Sequence
from datetime import datetime

from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import ContendedError
from chalicelib.domain.links.batches import Batch
from chalicelib.domain.links.link import Link
from chalicelib.store.causes import audit_attributes
from chalicelib.store.conditions import ABSENT, absent_or_over
from chalicelib.store.items import BatchItem, purge_seconds
from chalicelib.store.links.chunks import batch_at, mark_chunk_within
from chalicelib.store.links.links import Links
from chalicelib.store.retention import Retention
from chalicelib.store.table import Table
from chalicelib.store.transactions import Transaction


class Batches:
    """Reads and writes of batches."""

    def __init__(self, table: Table, links: Links, retention: Retention) -> None:
        self._table = table
        self._links = links
        self._retention = retention

    def read(self, host_id: str, idempotency_key: str, *, now: datetime) -> Batch | None:
        """Return the batch stored under this key if it is still in force, or None."""
        item = self._table.get(BatchItem, batch_at(host_id, idempotency_key))
        return _batch_of(item) if item and item.is_in_force(now) else None

    def open(
        self, host_id: str, idempotency_key: str, fresh: Batch, cause: Cause, *, queued: bool = False
    ) -> Batch:
        """Return the batch stored under this key; if there is none, store `fresh` and return it.

        The batch is stored before its first link, so a retry derives the same ids from its seed. A batch from a queue
        is kept longer, because it may be redriven from the dead-letter queue.
        """
        at = batch_at(host_id, idempotency_key)
        kept = self._retention.queued if queued else self._retention.receipt
        item = BatchItem(
            *at,
            body_hash=fresh.body_hash,
            seed=fresh.seed,
            created_at=fresh.created_at,
            size=fresh.size,
            purge_at=purge_seconds(fresh.created_at, kept),
            **audit_attributes(cause),
        )
        if self._table.put(item, absent_or_over(fresh.created_at)):
            return fresh
        found = self.read(host_id, idempotency_key, now=fresh.created_at)
        if found is None:  # TTL deleted it between write and read: a retry creates it
            raise ContendedError
        return found

    def create_chunk(
        self,
        host_id: str,
        idempotency_key: str,
        batch: Batch,
        chunk: int,
        links: Sequence[Link],
        cause: Cause,
    ) -> bool:
        """Create a chunk's links and mark the chunk, in one transaction; return False if it was created before.

        A chunk is created only once: its links that were used, changed or deleted since are not touched (P1).
        """
        transaction = Transaction(self._table)
        for link in links:
            transaction.put(self._links.item_of(link, cause), ABSENT, name=f"link {link.link_id}")
        mark_chunk_within(transaction, host_id, idempotency_key, batch, chunk, cause)
        return transaction.committed()


def _batch_of(item: BatchItem) -> Batch:
    return Batch(
        body_hash=item.body_hash,
        seed=item.seed,
        created_at=item.created_at,
        size=int(item.size),
        chunks_done=frozenset(int(chunk) for chunk in item.chunks_done or ()),
    )
