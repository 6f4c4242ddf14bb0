"""A batch: links asked for in one request, with ids that follow from one seed, and an id of its own (ADR 0004)."""

import base64
import hashlib
import re
from datetime import datetime
from typing import Final

import msgspec

from chalicelib.domain.ids import ID_BYTES, LINK, make_id

BATCH: Final = "bat"
SEED_BYTES: Final = 16
_SIZE_BYTES: Final = 4
_FORM: Final = re.compile(r"bat_[a-z2-7]{32}\Z")


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked under one `Idempotency-Key`, and which chunks of it are made."""

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
    """Return `bat_` + base32 of a batch's seed and size: all its link ids follow from it, and no token does.

    It says nothing of whose they are, so whoever lists by it leaves out what is not the caller's (P9).
    """
    raw = bytes.fromhex(seed) + size.to_bytes(_SIZE_BYTES, "big")
    return f"{BATCH}_{base64.b32encode(raw).decode().lower()}"  # 20 bytes are 32 letters with no spare bits


def read_batch_id(value: str) -> tuple[str, int] | None:
    """Return the seed and size that a batch id says, or None for anything that is not one."""
    if not _FORM.match(value):
        return None
    raw = base64.b32decode(value.removeprefix(f"{BATCH}_").upper())
    return raw[:SEED_BYTES].hex(), int.from_bytes(raw[SEED_BYTES:], "big")
