"""Mark a chunk of a keyed request in the transaction that creates it, so that it is created only once (ADR 0004)."""

import hashlib

from pynamodb.expressions.operand import Path

from chalicelib.domain.causes import Cause
from chalicelib.domain.links.batches import Batch
from chalicelib.store.causes import audit_actions
from chalicelib.store.conditions import EXISTS
from chalicelib.store.items import BatchItem, Key, batch_key
from chalicelib.store.transactions import Transaction


def batch_at(host_id: str, idempotency_key: str) -> Key:
    """Return the key of the batch stored under a host's idempotency key."""
    return batch_key(host_id, hashlib.sha256(idempotency_key.encode()).hexdigest()[:40])


def mark_chunk_within(
    transaction: Transaction, host_id: str, idempotency_key: str, batch: Batch, chunk: int, cause: Cause
) -> None:
    """Add to a transaction the mark that a chunk is created, on the condition that it is not marked yet."""
    done = BatchItem.chunks_done
    same_batch = EXISTS & (Path("seed") == batch.seed)
    not_made_yet = ~done.contains(chunk)
    actions = [done.add({chunk}), *audit_actions(cause)]
    transaction.update(batch_at(host_id, idempotency_key), actions, same_batch & not_made_yet, name="chunk")
