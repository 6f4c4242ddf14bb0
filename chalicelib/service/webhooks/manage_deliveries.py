"""List a webhook's deliveries, send a test, and replay one delivery or a range."""

import hashlib
import logging
from datetime import datetime, timedelta
from typing import Final

import msgspec

from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import rfc3339, to_millis
from chalicelib.domain.errors import ConflictError, NotFoundError, QueueUnavailableError
from chalicelib.domain.events.envelopes import Envelope
from chalicelib.domain.events.events import event_id_of
from chalicelib.domain.ids import DELIVERY, ID_BYTES, is_id
from chalicelib.domain.listings import read_cursor, write_cursor
from chalicelib.domain.team.api_keys import Caller
from chalicelib.domain.webhooks.deliveries import Delivery, DeliveryStatus, new_delivery, replayed
from chalicelib.domain.webhooks.webhook import TEST_EVENT, Webhook
from chalicelib.logs import cause_fields, fields
from chalicelib.service.contention import retry_until_result
from chalicelib.service.create_once import record_for_key
from chalicelib.service.paging import Page, page_of
from chalicelib.service.ports import World
from chalicelib.service.webhooks.fan_out import send_all
from chalicelib.service.webhooks.manage import read_webhook

REPLAY_PAGE: Final = 100
MAX_REPLAYED: Final = 1000  # per call
REPLAY_TIME: Final = timedelta(seconds=15)  # API Gateway ends a request after 29 s
_STAGE: Final = "d"
_END: Final = "9" * 14  # after every place

log = logging.getLogger(__name__)


class DeliveryRange(msgspec.Struct, frozen=True, kw_only=True):
    """A filter of deliveries: their event's time in `[since, until)`, and their status (None: any)."""

    since: datetime | None = None
    until: datetime | None = None
    status: DeliveryStatus | None = None
    cursor: str | None = None


class Replayed(msgspec.Struct, frozen=True):
    """How many deliveries are retried, how many were left unchanged, and the cursor for the rest."""

    replayed: int
    left: int
    next_cursor: str | None


def list_deliveries(
    world: World, caller: Caller, webhook_id: str, where: DeliveryRange, limit: int
) -> Page[Delivery]:
    """Return a page of a webhook's deliveries, by their events' time, newest first.

    A page by status may be short, because it comes from an index. Raises `NotFoundError`, `InvalidValueError`.
    """
    read_webhook(world, caller, webhook_id)
    rows = world.store.deliveries.page(webhook_id, where.status, where.since, _below(where), limit + 1)
    return page_of(rows, limit, _STAGE)


def zone_of_deliveries(world: World, caller: Caller, webhook_id: str) -> str:
    """Return the time zone for the dates of a list: its host's. Raises `NotFoundError`."""
    host = world.store.hosts.read(read_webhook(world, caller, webhook_id).host_id)
    return host.settings.time_zone if host else "UTC"


def send_test(
    world: World, caller: Caller, webhook_id: str, cause: Cause, *, idempotency_key: str | None = None
) -> Delivery:
    """Send a test event, even to a disabled webhook; with an idempotency key, the same request sends it once.

    Raises `NotFoundError`.
    """
    webhook = read_webhook(world, caller, webhook_id)
    seed, now = world.random_bytes(ID_BYTES).hex(), world.now()
    if idempotency_key is not None:
        what = f"webhook-test\x00{webhook_id}"
        _, kept = record_for_key(world, webhook.host_id, what, idempotency_key, "", cause, seed=seed)
        seed, now = kept.seed, kept.created_at
    envelope = Envelope(
        id=event_id_of(TEST_EVENT, webhook_id, seed),
        type=TEST_EVENT,
        time=rfc3339(now),
        host_id=webhook.host_id,
        link_id=None,
        booking_id=None,
        event_type_id=None,
        external_id=None,
        metadata={},
        sequence=0,
        actor=cause.actor,
        correlation_id=cause.correlation_id,
        data={"webhookId": webhook_id},
    )
    delivery = new_delivery(webhook_id, webhook.host_id, envelope, now, now, test=True)
    if not world.store.deliveries.create(delivery, cause) and idempotency_key is not None:
        return world.store.deliveries.read(webhook_id, delivery.delivery_id)[1] or delivery
    _queue(world, [delivery])
    return delivery


def replay_one(
    world: World, caller: Caller, webhook_id: str, delivery_id: str, key: str | None, cause: Cause
) -> Replayed:
    """Retry one delivery, under the same `webhook-id`. Raises `NotFoundError`, `ConflictError` (disabled)."""
    _enabled(read_webhook(world, caller, webhook_id))
    _, delivery = (
        world.store.deliveries.read(webhook_id, delivery_id) if is_id(DELIVERY, delivery_id) else (None, None)
    )
    if delivery is None:
        raise NotFoundError
    again = _replay(world, delivery, _hashed(key), cause)
    _queue(world, [again] if again else [])
    return Replayed(int(again is not None), int(again is None), None)


def replay_range(
    world: World, caller: Caller, webhook_id: str, where: DeliveryRange, key: str | None, cause: Cause
) -> Replayed:
    """Retry the deliveries of a range, at most 1,000 per call; `next_cursor` is where the next call continues.

    With the same key, no delivery is replayed twice, so a call whose reply was lost may be repeated.
    Raises `NotFoundError`, `ConflictError` (disabled), `InvalidValueError`.
    """
    _enabled(read_webhook(world, caller, webhook_id))
    hashed, give_up, below = _hashed(key), world.now() + REPLAY_TIME, _below(where)
    done = left = 0
    while done + left < MAX_REPLAYED and world.now() <= give_up:
        rows = world.store.deliveries.page(webhook_id, where.status, where.since, below, REPLAY_PAGE)
        found = [delivery for _, delivery in rows if delivery]
        again = [fresh for delivery in found if (fresh := _replay(world, delivery, hashed, cause))]
        _queue(world, again)
        done += len(again)
        left += len(found) - len(again)
        if len(rows) < REPLAY_PAGE:
            return Replayed(done, left, None)
        below = rows[-1][0].sort
    return Replayed(done, left, write_cursor(_STAGE, below))


def _replay(world: World, delivery: Delivery, key: str | None, cause: Cause) -> Delivery | None:
    """Schedule a retry of a delivery and return it; None if it is pending, or was replayed with this key before."""
    found: Delivery | None = delivery

    def attempt() -> list[Delivery] | None:
        nonlocal found
        again = replayed(found, key, world.now()) if found else None
        if found is None or again is None:
            return []
        if world.store.deliveries.change(again, cause, seen=found.sequence):
            return [again]
        _, found = world.store.deliveries.read(delivery.webhook_id, delivery.delivery_id)
        return None

    return next(iter(retry_until_result(world, attempt)), None)


def _queue(world: World, deliveries: list[Delivery]) -> None:
    """Queue deliveries; if the queue is unavailable, the schedule retries them in five minutes."""
    try:
        send_all(world, deliveries)
    except QueueUnavailableError as error:
        count = len(deliveries)
        about = fields("deliveries-not-queued", deliveries=count, **cause_fields(error))
        log.warning("%d deliveries not queued: %s; the schedule retries them", count, error, extra=about)


def _enabled(webhook: Webhook) -> None:
    if webhook.disabled is not None:
        raise ConflictError("This webhook is disabled; enable it first.")


def _hashed(key: str | None) -> str | None:
    return None if key is None else hashlib.sha256(key.encode()).hexdigest()[:32]


def _below(where: DeliveryRange) -> str:
    """Return the exclusive upper bound of a page: where the previous page ended, or the range's end."""
    _, place = read_cursor(where.cursor, _STAGE)
    end = f"{to_millis(where.until):014d}" if where.until else _END
    return min(place, end) if place else end
