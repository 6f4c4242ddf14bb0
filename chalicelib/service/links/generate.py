"""Generate links: up to 1,000 per call, 10,000 per command; each is created once, conditionally (P1, P4, ADR 0004)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final

import msgspec

from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import IdempotencyKeyReusedError, NotFoundError
from chalicelib.domain.event_types.contradictions import SettingsWarning, warnings_of_links
from chalicelib.domain.event_types.event_type import EventType
from chalicelib.domain.event_types.offers import check_overrides
from chalicelib.domain.links.batches import SEED_BYTES, Batch, batch_link_id, make_batch_id, read_batch_id
from chalicelib.domain.links.link import (
    MAX_LINKS_PER_BATCH,
    MAX_LINKS_PER_CALL,
    Link,
    LinkSettings,
    check_link_settings,
)
from chalicelib.domain.team.api_keys import Caller
from chalicelib.domain.validation import Rules
from chalicelib.service.contention import Outcomes, retry_until_result
from chalicelib.service.event_types import find_event_type
from chalicelib.service.ports import World

CHUNK: Final = 99  # DynamoDB allows 100 operations in a transaction; one of them marks the chunk

Progress = Callable[[int, int], None]
"""Called after each chunk with the links created and the total. An exception stops generation; a retry resumes it."""


class GenerateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to generate links: an event type, and the settings of each link.

    With `from_items`, the request has `items`, and faults point to them; otherwise it has a `count`. If the request was
    `queued`, it may ask for 10,000 links, and its batch is kept as long as a queue may redeliver it.
    """

    event_type_id: str
    links: Sequence[LinkSettings]
    from_items: bool
    idempotency_key: str | None
    body_hash: str
    queued: bool = False


class Generated(msgspec.Struct, frozen=True):
    """The links in the order of the request, the id of their batch, and the event type as it was read."""

    batch_id: str
    links: list[Link]
    event_type: EventType


def generate(
    world: World, caller: Caller, request: GenerateRequest, cause: Cause, progress: Progress | None = None
) -> Generated:
    """Create links and return them in the order of the request.

    With an idempotency key, the same request returns the same links in their current state: used, changed and revoked
    links are not touched, and deleted ones are not created again. An interrupted request is completed.

    Raises `NotFoundError` (the event type), `InvalidValueError`, `IdempotencyKeyReusedError`, `TryLaterError`.
    """
    world.require_open()
    event_type = find_event_type(world, caller, request.event_type_id)
    key = request.idempotency_key
    if key is None:
        return _generate_once(world, event_type, request, cause)
    batch = _open(world, event_type, request, key, cause)
    made: list[Link] = []
    for number, chunk in enumerate(_chunks(_links(world, event_type, request, batch.seed, batch.created_at))):
        made_now = _make_chunk(world, event_type, key, batch, number, chunk, cause)
        made += chunk if made_now else world.store.links.read_many([link.link_id for link in chunk])
        if progress is not None:
            progress(number * CHUNK + len(chunk), batch.size)
    return Generated(batch.batch_id, made, event_type)


def generate_batch(
    world: World, caller: Caller, request: GenerateRequest, cause: Cause, progress: Progress | None = None
) -> Batch:
    """Create the links of a keyed request that do not exist yet, and return their batch without reading the links.

    Raises the errors of `generate`.
    """
    world.require_open()
    event_type = find_event_type(world, caller, request.event_type_id)
    key = request.idempotency_key
    if key is None:
        raise ValueError("generate_batch needs an idempotency key")
    batch = _open(world, event_type, request, key, cause)
    for number, chunk in enumerate(_chunks(_links(world, event_type, request, batch.seed, batch.created_at))):
        if _make_chunk(world, event_type, key, batch, number, chunk, cause) and progress is not None:
            progress(number * CHUNK + len(chunk), batch.size)
    return batch


def by_place(made: Generated) -> list[tuple[str, Link | None]]:
    """Return the id and link at each place; None for a link that was created earlier and deleted since."""
    seed, size = read_batch_id(made.batch_id) or ("", 0)
    there = {link.link_id: link for link in made.links}
    ids = [batch_link_id(seed, place) for place in range(size)]
    return [(link_id, there.get(link_id)) for link_id in ids]


def warnings_of_generated(
    made: Generated, request: GenerateRequest, *, now: datetime
) -> list[SettingsWarning]:
    """Return why nobody can book with the links, judged only by the settings, without a read."""
    links = [link for _, link in by_place(made)]
    return warnings_of_links(made.event_type.settings, links, now=now, by_item=request.from_items)


def _open(world: World, event_type: EventType, request: GenerateRequest, key: str, cause: Cause) -> Batch:
    """Return the batch stored under a key; store one now if there is none."""
    kept = world.store.batches.read(event_type.host_id, key, now=world.now())
    if kept is None:
        # Only the first request is checked against the clock: a retry may come after the expiry.
        now = world.now()
        _check(request, event_type, now=now)
        seed = world.random_bytes(SEED_BYTES).hex()
        fresh = Batch(body_hash=request.body_hash, seed=seed, created_at=now, size=len(request.links))
        opening = partial(
            world.store.batches.open, event_type.host_id, key, fresh, cause, queued=request.queued
        )
        kept = retry_until_result(world, opening)
    if kept.body_hash != request.body_hash:
        raise IdempotencyKeyReusedError
    if event_type.archived and len(kept.chunks_done) * CHUNK < kept.size:
        raise NotFoundError  # a retry returns what was created, but creates nothing more
    return kept


def _generate_once(world: World, event_type: EventType, request: GenerateRequest, cause: Cause) -> Generated:
    world.keyring()  # may be slow once, so it comes before the clock is read
    now = world.now()
    _check(request, event_type, now=now)
    seed = world.random_bytes(SEED_BYTES).hex()
    links = _links(world, event_type, request, seed, now)
    for chunk in _chunks(links):
        _create(world, chunk, cause)
    return Generated(make_batch_id(seed, len(links)), links, event_type)


def _create(world: World, links: Sequence[Link], cause: Cause) -> None:
    """Create links with random ids, all or none. A retry never creates links that a host has deleted since (P3)."""
    outcomes, store = Outcomes(), world.store.links

    def attempt() -> bool:
        # The ids come from 128 fresh random bits, so only an earlier attempt can have created them: all or none.
        if outcomes.is_uncertain and _was_created(world, links[0].link_id):
            return True
        with outcomes.of_write():
            if len(links) == 1:
                store.create(links[0], cause)  # half the write capacity of a transaction
            else:
                store.create_together(links, cause)
        return True

    retry_until_result(world, attempt)


def _was_created(world: World, link_id: str) -> bool:
    """Return whether a link exists, or was deleted: the transaction that deletes a link writes into its history."""
    return bool(world.store.links.read(link_id) or world.store.history.page(link_id, None, 1))


def _make_chunk(
    world: World,
    event_type: EventType,
    key: str,
    batch: Batch,
    number: int,
    chunk: Sequence[Link],
    cause: Cause,
) -> bool:
    """Create a chunk unless it exists; return whether it was created now."""
    make = partial(world.store.batches.create_chunk, event_type.host_id, key, batch, number, chunk, cause)
    return number not in batch.chunks_done and retry_until_result(world, make)


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
    most = MAX_LINKS_PER_BATCH if request.queued else MAX_LINKS_PER_CALL
    where = rules.at("items" if request.from_items else "count")
    if where.length(request.links, least=1, most=most):
        # Links created with `count` share one settings object, which is checked once.
        for index, settings in enumerate(request.links if request.from_items else request.links[:1]):
            here = where.at(index) if request.from_items else rules
            check_link_settings(settings, here, now=now)
            check_overrides(settings.overrides, event_type.settings, here.at("overrides"))
    rules.enforce()
