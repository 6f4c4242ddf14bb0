"""Replace a link: create a fresh one with the same settings, and revoke the old one in the same transaction."""

from typing import Final

import msgspec

from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import ConflictError, NotFoundError
from chalicelib.domain.ids import ID_BYTES
from chalicelib.domain.links.batches import Batch, KeyedBatch, batch_link_id
from chalicelib.domain.links.link import Link
from chalicelib.domain.links.link_requests import LinkRequest, answered_settings
from chalicelib.domain.links.succession import fresh_link
from chalicelib.domain.team.api_keys import Caller
from chalicelib.service.contention import Outcomes, retry_until_result
from chalicelib.service.links.read import read_link
from chalicelib.service.ports import World

_DELETED: Final = "The link that this request created has been deleted."


def replace_link(
    world: World,
    caller: Caller,
    link_id: str,
    idempotency_key: str | None,
    cause: Cause,
    *,
    queued: bool = False,
) -> Link:
    """Create a fresh link to replace an old one, and return it. The old link is revoked if it is active.

    With an idempotency key, the same request returns the same fresh link in its current state, and never creates
    it again, even if it was deleted since. A `queued` request's key is kept as long as a queue may redeliver it.
    Raises `NotFoundError`, also if the old link was deleted since; `ConflictError` if the event type was deleted, so
    nobody could book.
    """
    world.require_open()
    seed, outcomes = world.random_bytes(ID_BYTES).hex(), Outcomes()
    fresh_id = batch_link_id(seed, 0)

    def attempt() -> Link | None:
        nonlocal fresh_id
        # Before the old link is read, because the host may have deleted it since.
        if outcomes.is_uncertain and (made := made_before(world, fresh_id)):
            return made
        old = read_link(world, caller, link_id)
        event_type = world.store.event_types.read(old.event_type_id)
        if event_type is None or event_type.archived:
            raise ConflictError("This link's event type was deleted.")
        keyed = None
        if idempotency_key is not None:
            key = f"replace\x00{link_id}\x00{idempotency_key}"
            mine = Batch(body_hash="replace", seed=seed, created_at=world.now(), size=1)
            keyed = KeyedBatch(key, world.store.batches.open(old.host_id, key, mine, cause, queued=queued))
            if keyed.batch.chunks_done:
                return created_link(world, keyed.batch)
            fresh_id = batch_link_id(keyed.batch.seed, 0)
        return write_replacement(world, old, fresh_id, cause, outcomes, keyed=keyed)

    return retry_until_result(world, attempt)


def write_replacement(
    world: World,
    old: Link,
    fresh_id: str,
    cause: Cause,
    outcomes: Outcomes,
    *,
    keyed: KeyedBatch | None = None,
    answers: LinkRequest | None = None,
) -> Link | None:
    """Write a fresh link that replaces an old one; return None if something changed meanwhile.

    If the old link is the event type's rolling link, the fresh link becomes the rolling link.

    `keyed` and `answers` are marked done in the same transaction, each at most once.
    """
    seen = world.store.rolling_links.read(old.event_type_id) if old.rolling else None
    rolling = old.rolling and seen == old.link_id
    key_id = world.keyring().current
    now = world.now()  # P3: after the last read, because the write's condition uses it
    fresh = fresh_link(old, link_id=fresh_id, key_id=key_id, now=now, rolling=rolling)
    if answers is not None:
        fresh = msgspec.structs.replace(fresh, settings=answered_settings(fresh.settings, answers))
    with outcomes.of_write():
        if rolling:
            written = world.store.rolling_links.renew(
                fresh, old, seen, cause, now=now, keyed=keyed, answers=answers
            )
        else:
            written = world.store.links.replace(old, fresh, cause, now=now, keyed=keyed, answers=answers)
    return fresh if written else None


def made_before(world: World, link_id: str) -> Link | None:
    """Return the link that an earlier attempt of a call created, in its current state, or None if there is none (P4).

    Raises `NotFoundError` if the link was deleted since: a retry must not create it again (P3). The transaction that
    deletes a link writes an entry into its history, so a link that is gone but has a history was deleted.
    """
    made = world.store.links.read(link_id)
    if made is None and world.store.history.page(link_id, None, 1):
        raise NotFoundError(_DELETED)
    return made


def created_link(world: World, batch: Batch) -> Link:
    """Return the current state of the link that a keyed request created. Raises `NotFoundError` if it was deleted."""
    made = world.store.links.read(batch_link_id(batch.seed, 0))
    if made is None:
        raise NotFoundError(_DELETED)
    return made
