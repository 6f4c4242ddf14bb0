"""Generate links: 1 to 1,000 at once, each made by a conditional put, once (P1, P4, ADR 0004)."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final

import msgspec

from chalicelib.domain.api_keys import Caller
from chalicelib.domain.batches import Batch, batch_link_id
from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import IdempotencyKeyReusedError, NotFoundError
from chalicelib.domain.event_types import EventType
from chalicelib.domain.links import MOST_LINKS_A_CALL, Link, LinkSettings, check_link_settings
from chalicelib.domain.offers import check_overrides
from chalicelib.domain.rules import Rules
from chalicelib.service.contention import until_decided
from chalicelib.service.manage_event_types import find_event_type
from chalicelib.service.ports import World

CHUNK: Final = 99  # DynamoDB takes 100 operations in a transaction; one marks the chunk made
_SEED_BYTES: Final = 16


class GenerateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: an event type, and the settings of each link. `from_items` names where faults point."""

    event_type_id: str
    links: Sequence[LinkSettings]
    from_items: bool
    idempotency_key: str | None
    body_hash: str


def generate(world: World, caller: Caller, request: GenerateRequest, cause: Cause) -> list[Link]:
    """Make links and return them in the order asked.

    With an idempotency key the same request returns the same links as they now stand: those used, changed
    or revoked meanwhile are not touched, and those deleted stay away. One that was cut off is completed.

    Raises `NotFoundError` (the event type), `InvalidValueError`, `IdempotencyKeyReusedError`, `TryLaterError`.
    """
    event_type = find_event_type(world, caller, request.event_type_id)
    key = request.idempotency_key
    if key is None:
        return _generate_once(world, event_type, request, cause)
    kept = world.store.batches.read(event_type.host_id, key, now=world.now())
    if kept is None:
        # Only what is asked for the first time is held against the clock: a repeat may come after the expiry.
        _check(request, event_type, now=world.now())
        seed = world.random_bytes(_SEED_BYTES).hex()
        now = world.now()
        fresh = Batch(body_hash=request.body_hash, seed=seed, created_at=now, size=len(request.links))
        kept = until_decided(world, lambda: world.store.batches.open(event_type.host_id, key, fresh, cause))
    if kept.body_hash != request.body_hash:
        raise IdempotencyKeyReusedError
    if event_type.archived and len(kept.chunks_done) * CHUNK < kept.size:
        raise NotFoundError  # a repeat still answers what was made, but nothing more is made
    return _complete(world, event_type, request, key, kept, cause)


def _generate_once(world: World, event_type: EventType, request: GenerateRequest, cause: Cause) -> list[Link]:
    now = world.now()
    _check(request, event_type, now=now)
    links = _links(world, event_type, request, world.random_bytes(_SEED_BYTES).hex(), now)
    # A refused put here means that this very request's first try was written and its reply lost:
    # the ids come of 128 fresh random bits. Either way the links are there.
    if len(links) == 1:
        world.store.links.create(links[0], cause)  # half the write capacity of a transaction
    else:
        for chunk in _chunks(links):
            until_decided(world, partial(world.store.links.create_together, chunk, cause))
    return links


def _complete(
    world: World, event_type: EventType, request: GenerateRequest, key: str, batch: Batch, cause: Cause
) -> list[Link]:
    """Make the chunks that are not made yet; return all links, those made before as they now stand."""
    links = _links(world, event_type, request, batch.seed, batch.created_at)
    answer: list[Link] = []
    for number, chunk in enumerate(_chunks(links)):
        make = partial(world.store.batches.create_chunk, event_type.host_id, key, batch, number, chunk, cause)
        made_now = number not in batch.chunks_done and until_decided(world, make)
        answer += chunk if made_now else world.store.links.read_many([link.link_id for link in chunk])
    return answer


def _links(
    world: World, event_type: EventType, request: GenerateRequest, seed: str, now: datetime
) -> list[Link]:
    key_id = world.keyring().current
    return [
        Link(
            link_id=batch_link_id(seed, index),
            host_id=event_type.host_id,
            event_type_id=event_type.event_type_id,
            key_id=key_id,
            settings=settings,
            created_at=now,
        )
        for index, settings in enumerate(request.links)
    ]


def _chunks(links: Sequence[Link]) -> list[Sequence[Link]]:
    return [links[at : at + CHUNK] for at in range(0, len(links), CHUNK)]


def _check(request: GenerateRequest, event_type: EventType, *, now: datetime) -> None:
    if event_type.archived:
        raise NotFoundError
    rules = Rules()
    where = rules.at("items" if request.from_items else "count")
    if where.length(request.links, least=1, most=MOST_LINKS_A_CALL):
        # Links made by `count` share one settings object: checked once.
        for index, settings in enumerate(request.links if request.from_items else request.links[:1]):
            here = where.at(index) if request.from_items else rules
            check_link_settings(settings, here, now=now)
            check_overrides(settings.overrides, event_type.settings, here.at("overrides"))
    rules.enforce()
