"""Create an item once per `Idempotency-Key`: its id derives from a seed stored under the key (P4, ADR 0022).

The mechanism is the same as for links (ADR 0004). A random seed is stored under the key before anything is created, the
id derives from the seed, and the put is conditional. So concurrent requests create one item, and a retry after a crash
creates what the first attempt did not.
"""

import hashlib
from datetime import datetime
from functools import partial

import msgspec

from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import IdempotencyKeyReusedError
from chalicelib.domain.ids import ID_BYTES, make_id
from chalicelib.domain.links.batches import SEED_BYTES, Batch
from chalicelib.service.contention import retry_until_result
from chalicelib.service.ports import World


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """The id of a new item. `repeated`: an earlier request may have created it already."""

    id: str
    created_at: datetime
    repeated: bool


def record_for_key(
    world: World, owner: str, what: str, key: str, body_hash: str, cause: Cause, *, seed: str | None = None
) -> tuple[str, Batch]:
    """Return an idempotency key's storage name and its record; create the record if there is none.

    `what` names the operation, so that the same key may be used for several. Raises `IdempotencyKeyReusedError`.
    """
    name = f"{what}\x00{key}"
    seed = seed or world.random_bytes(SEED_BYTES).hex()
    mine = Batch(body_hash=body_hash, seed=seed, created_at=world.now(), size=1)
    kept = retry_until_result(world, partial(world.store.batches.open, owner, name, mine, cause))
    if kept.body_hash != body_hash:
        raise IdempotencyKeyReusedError
    return name, kept


def identity(
    world: World, owner: str, kind: str, idempotency_key: str | None, body_hash: str, cause: Cause
) -> Identity:
    """Return the id for a new item of a kind. Raises `IdempotencyKeyReusedError`."""
    if idempotency_key is None:
        return Identity(
            id=make_id(kind, world.random_bytes(ID_BYTES)), created_at=world.now(), repeated=False
        )
    seed = world.random_bytes(SEED_BYTES).hex()
    _, kept = record_for_key(world, owner, kind, idempotency_key, body_hash, cause, seed=seed)
    derived = hashlib.sha256(f"{kind}#{kept.seed}".encode()).digest()[:ID_BYTES]
    return Identity(id=make_id(kind, derived), created_at=kept.created_at, repeated=kept.seed != seed)
