"""The rolling link: an event type's one private link that renews itself whenever it is redeemed."""

from collections.abc import Callable
from datetime import datetime

from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import NotFoundError
from chalicelib.domain.event_types.event_type import EventType
from chalicelib.domain.event_types.offers import check_overrides
from chalicelib.domain.ids import ID_BYTES
from chalicelib.domain.links.batches import KeyedBatch, batch_link_id
from chalicelib.domain.links.link import Link, LinkSettings, check_link_settings, check_rolling_settings
from chalicelib.domain.links.succession import renewed_settings
from chalicelib.domain.team.api_keys import Caller
from chalicelib.domain.validation import Rules
from chalicelib.service.contention import Outcomes, retry_until_result
from chalicelib.service.create_once import record_for_key
from chalicelib.service.event_types import read_event_type
from chalicelib.service.links.replace import created_link, made_before
from chalicelib.service.ports import World


def read_rolling_link(world: World, caller: Caller, event_type_id: str) -> Link:
    """Return an event type's rolling link. Raises `NotFoundError`, also if it has none."""
    read_event_type(world, caller, event_type_id)
    link_id = world.store.rolling_links.read(event_type_id)
    link = world.store.links.read(link_id) if link_id else None
    if link is None:
        raise NotFoundError
    return link


def renew_rolling_link(
    world: World,
    caller: Caller,
    event_type_id: str,
    edit: Callable[[LinkSettings], LinkSettings],
    cause: Cause,
    *,
    idempotency_key: str | None = None,
    body_hash: str = "",
) -> Link:
    """Create an event type's rolling link, or replace it with a fresh one and revoke the old one if it is active.

    The new link has the old one's settings with `edit` applied. With an idempotency key, a retry returns the current
    state of the same link and creates no other.
    Raises `NotFoundError`; `InvalidValueError`, also for a `maxUsageCount` above 1 or a true `restoreUseOnCancel`.
    """
    world.require_open()
    seed, what = world.random_bytes(ID_BYTES).hex(), f"rolling\x00{event_type_id}"
    fresh_id, outcomes = batch_link_id(seed, 0), Outcomes()

    def attempt() -> Link | None:
        nonlocal fresh_id
        if outcomes.is_uncertain and (made := made_before(world, fresh_id)):
            return made
        event_type = read_event_type(world, caller, event_type_id)
        keyed = None
        if idempotency_key is not None:
            owner = event_type.host_id
            keyed = KeyedBatch(
                *record_for_key(world, owner, what, idempotency_key, body_hash, cause, seed=seed)
            )
            if keyed.batch.chunks_done:
                return created_link(world, keyed.batch)
            fresh_id = batch_link_id(keyed.batch.seed, 0)
        seen = world.store.rolling_links.read(event_type_id)
        old = world.store.links.read(seen) if seen else None
        if old is not None and seen == fresh_id:  # P4: a concurrent request with this key was first
            return old
        key_id = world.keyring().current
        now = world.now()  # P3: after the last read
        settings = edit(renewed_settings(old.settings, old.created_at, now) if old else LinkSettings())
        _check(settings, event_type, now)
        fresh = Link(
            link_id=fresh_id,
            host_id=event_type.host_id,
            event_type_id=event_type_id,
            key_id=key_id,
            settings=settings,
            created_at=now,
            rolling=True,
        )
        with outcomes.of_write():
            written = world.store.rolling_links.renew(fresh, old, seen, cause, now=now, keyed=keyed)
        return fresh if written else None

    return retry_until_result(world, attempt)


def _check(settings: LinkSettings, event_type: EventType, now: datetime) -> None:
    rules = Rules()
    check_link_settings(settings, rules, now=now)
    check_rolling_settings(settings, rules)
    check_overrides(settings.overrides, event_type.settings, rules.at("overrides"))
    rules.enforce()
