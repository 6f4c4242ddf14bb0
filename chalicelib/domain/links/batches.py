"""A batch: links asked for in one request, with ids that follow from one seed, and an id of its own (ADR 0004)."""

import hashlib
import re
from datetime import datetime
from typing import Final

import msgspec

from chalicelib.domain.ids import ID_BYTES, LINK, id_bytes, make_id

BATCH: Final = "bat"
SEED_BYTES: Final = ID_BYTES
_SEED_LETTERS: Final = 30  # as any id; then up to 5 digits, so that it is never as long as a token
_SIZE: Final = re.compile(r"[1-9][0-9]{0,4}\Z")


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """The request under one `Idempotency-Key`, and which of its chunks are written."""

    body_hash: str
    seed: str
    created_at: datetime
    size: int
    chunks_done: frozenset[int] = frozenset()

    @property
    def batch_id(self) -> str:
        """The id by which its links are listed."""
        return make_batch_id(self.seed, self.size)


class KeyedBatch(msgspec.Struct, frozen=True):
    """A batch with the idempotency key it is kept under."""

    key: str
    batch: Batch


def batch_link_id(seed: str, index: int) -> str:
    """Return the id of a batch's link. The seed is random, so the id is too; a link id is public anyway."""
    return make_id(LINK, hashlib.sha256(f"{seed}#{index}".encode()).digest()[:ID_BYTES])


def make_batch_id(seed: str, size: int) -> str:
    """Return `bat_`, a batch's seed in base32, and its size: all its link ids follow from it, and no token does.

    It does not say whose the links are, so a list by it leaves out those that are not the caller's (P9).
    """
    return f"{make_id(BATCH, bytes.fromhex(seed))}{size}"


def read_batch_id(value: str) -> tuple[str, int] | None:
    """Return the seed and size that a batch id says, or None for anything that is not one."""
    seed, size = id_bytes(BATCH, value[:_SEED_LETTERS]), value[_SEED_LETTERS:]
    return (seed.hex(), int(size)) if seed is not None and _SIZE.match(size) else None
