"""A batch: many links asked for in one request, with ids that follow from one seed (ADR 0004)."""

import hashlib
from datetime import datetime

import msgspec

from chalicelib.domain.ids import ID_BYTES, LINK, make_id


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked under one `Idempotency-Key`, and which chunks of it are made."""

    body_hash: str
    seed: str
    created_at: datetime
    size: int
    chunks_done: frozenset[int] = frozenset()


class KeyedBatch(msgspec.Struct, frozen=True):
    """A batch with the idempotency key it is kept under."""

    key: str
    batch: Batch


def batch_link_id(seed: str, index: int) -> str:
    """Return the id of a batch's link. The seed is random, so the id is too; a link id is public anyway."""
    return make_id(LINK, hashlib.sha256(f"{seed}#{index}".encode()).digest()[:ID_BYTES])
