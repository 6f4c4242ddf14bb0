"""A batch: the links of one request. Their ids and the batch's id are derived from one seed (ADR 0004)."""

import hashlib
import re
from datetime import datetime
from typing import Final

import msgspec

from chalicelib.domain.ids import ID_BYTES, LINK, id_bytes, make_id

BATCH: Final = "bat"
SEED_BYTES: Final = ID_BYTES
_SEED_LETTERS: Final = 30  # with up to 5 digits after them: never the length of a token
_SIZE: Final = re.compile(r"[1-9][0-9]{0,4}\Z")


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """The request with one `Idempotency-Key`, and the numbers of its written chunks."""

    body_hash: str
    seed: str
    created_at: datetime
    size: int
    chunks_done: frozenset[int] = frozenset()

    @property
    def batch_id(self) -> str:
        """The public id of the batch. The links can be listed by it."""
        return make_batch_id(self.seed, self.size)


class KeyedBatch(msgspec.Struct, frozen=True):
    """A batch and the idempotency key under which it is stored."""

    key: str
    batch: Batch


def batch_link_id(seed: str, index: int) -> str:
    """Return the id of a link in a batch. It is as random as the seed. Link ids are public."""
    return make_id(LINK, hashlib.sha256(f"{seed}#{index}".encode()).digest()[:ID_BYTES])


def make_batch_id(seed: str, size: int) -> str:
    """Return a batch id: `bat_`, the seed in base32, and the size. It reveals the link ids, but no tokens.

    It does not contain the host, so a list by batch id leaves out links that the caller may not see (P9).
    """
    return f"{make_id(BATCH, bytes.fromhex(seed))}{size}"


def read_batch_id(value: str) -> tuple[str, int] | None:
    """Return the seed and size in a batch id, or None if `value` is not a batch id."""
    seed, size = id_bytes(BATCH, value[:_SEED_LETTERS]), value[_SEED_LETTERS:]
    return (seed.hex(), int(size)) if seed is not None and _SIZE.match(size) else None
