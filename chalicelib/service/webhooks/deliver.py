"""Deliver one event to one webhook: lease it, sign it, post it, and record the result or the next attempt.

After a crash between two steps, the lease ends and the delivery is due again. So the endpoint gets the event at least
once, always with the same id.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import Fault, QueueUnavailableError, StoreUnavailableError
from chalicelib.domain.webhooks.deliveries import (
    Delivery,
    DeliveryAttempt,
    EndpointAnswer,
    given_up,
    in_queue,
    leased,
    may_start,
    out_of_tries,
    postponed,
    safe_excerpt,
    succeeded,
    wait_before_next,
)
from chalicelib.domain.webhooks.webhook import (
    Webhook,
    after_failure,
    after_notice,
    after_success,
    notice_of,
    signing_secrets,
)
from chalicelib.logs import cause_fields, correlate, fields
from chalicelib.service.events.publish import publish
from chalicelib.service.ports import World

GONE: Final = 410
NOTICE_TIME: Final = timedelta(seconds=10)
_TRIES: Final = 5  # attempts to save a webhook that is changed concurrently

log = logging.getLogger(__name__)


class DeliveryMessage(msgspec.Struct, frozen=True, rename="camel"):
    """The queue's message: which delivery to attempt. The table has everything else."""

    webhook_id: str
    delivery_id: str


def message_of(delivery: Delivery) -> str:
    """Return the queue's message for a delivery."""
    return msgspec.json.encode(DeliveryMessage(delivery.webhook_id, delivery.delivery_id)).decode()


def deliver(world: World, message: str) -> Delivery | None:
    """Make one attempt at a delivery if it is due and no other sender has it; return its new state.

    A repeated, early or late message changes nothing. Raises `TryLaterError` if the store does not answer, and
    ValueError for a malformed message.
    """
    named = msgspec.json.decode(message, type=DeliveryMessage)
    webhook, delivery = world.store.deliveries.read(named.webhook_id, named.delivery_id)
    if delivery is None or not may_start(delivery, world.now()):
        return delivery
    cause = _cause(delivery)
    correlate(cause.correlation_id)
    refusal = _refusal(webhook, delivery)
    # The process that disabled it may have crashed before it published the notice.
    if webhook is not None and webhook.notice_pending:
        _publish_notice(world, webhook, cause)
    if webhook is None or refusal:
        return _change(world, given_up(delivery, refusal, None, world.now()), cause, delivery.sequence)
    if out_of_tries(delivery):  # the process that made the last attempt crashed
        return _give_up(world, delivery, None, cause)
    leased_delivery = leased(delivery, world.now())
    if not world.store.deliveries.change(leased_delivery, cause, seen=delivery.sequence):
        return None  # another sender was first
    return _attempt(world, webhook, leased_delivery, cause)


def _attempt(world: World, webhook: Webhook, delivery: Delivery, cause: Cause) -> Delivery | None:
    started = world.now()
    answer = _answer(world, webhook, delivery, started)
    now = world.now()
    attempt = DeliveryAttempt(
        number=delivery.tries,
        time=started,
        latency_ms=answer.latency_ms,
        status_code=answer.status_code,
        error=answer.error,
        excerpt=safe_excerpt(answer.body),
    )
    # Save the webhook first. If the delivery were saved first and a crash followed, the success would never be
    # recorded, and a working webhook could be disabled.
    if not delivery.test:
        _record_outcome(world, webhook, answer, cause)
    if answer.accepted:
        return _change(world, succeeded(delivery, attempt, now), cause, delivery.sequence)
    if answer.status_code == GONE:
        return _change(world, given_up(delivery, "gone", attempt, now), cause, delivery.sequence)
    if out_of_tries(delivery):
        return _give_up(world, delivery, attempt, cause)
    chance = int.from_bytes(world.random_bytes(2), "big") / 65535
    wait = wait_before_next(delivery, answer.retry_after, chance, now)
    later = _change(world, postponed(delivery, attempt, wait, now), cause, delivery.sequence)
    if later is not None and in_queue(wait) and world.webhook_queue is not None:
        try:
            seconds = -int(-wait.total_seconds() // 1)
            world.webhook_queue.send(message_of(later), delay_seconds=seconds, tenant=later.host_id)
        except QueueUnavailableError as error:
            log.warning(
                "delivery %s not queued: the queue is unavailable; the schedule retries it",
                later.delivery_id,
                extra=fields("delivery-not-queued", deliveryId=later.delivery_id, **cause_fields(error)),
            )
    return later


def _answer(world: World, webhook: Webhook, delivery: Delivery, now: datetime) -> EndpointAnswer:
    if world.webhook_http is None:
        raise RuntimeError("no HTTP client")
    try:
        secrets = signing_secrets(world.keyring(), webhook, now)
    except KeyError:  # never send unsigned; once the secret is rotated, the waiting deliveries are sent
        return EndpointAnswer(error="key-retired")
    headers = signed_headers(secrets, delivery.event_id, now, delivery.body)
    return world.webhook_http.post(webhook.settings.url, delivery.body.encode(), headers)


def signed_headers(secrets: list[str], message_id: str, now: datetime, body: str) -> dict[str, str]:
    """Return the Standard Webhooks headers of one attempt, with one signature per secret."""
    from standardwebhooks import Webhook as Signer  # imported here: only an attempt needs it

    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Signer(secret).sign(message_id, now, body) for secret in secrets),
    }


def _refusal(webhook: Webhook | None, delivery: Delivery) -> str:
    """Return why nothing may be sent, or an empty string. A test is sent even to a disabled webhook."""
    if webhook is None:
        return "webhook-deleted"
    return "webhook-disabled" if webhook.disabled is not None and not delivery.test else ""


def _give_up(
    world: World, delivery: Delivery, attempt: DeliveryAttempt | None, cause: Cause
) -> Delivery | None:
    """End a delivery after its last attempt. Dead-letter it first: a crash may repeat that, but never skip it (P6)."""
    if world.webhook_dlq is not None and not delivery.test:
        letter = {
            "reason": "exhausted",
            "webhookId": delivery.webhook_id,
            "deliveryId": delivery.delivery_id,
            "eventId": delivery.event_id,
            "eventType": delivery.event_type,
            "hostId": delivery.host_id,
            "tries": delivery.tries,
        }
        world.webhook_dlq.send(msgspec.json.encode(letter).decode())
    return _change(world, given_up(delivery, "exhausted", attempt, world.now()), cause, delivery.sequence)


def _record_outcome(world: World, webhook: Webhook, answer: EndpointAnswer, cause: Cause) -> None:
    """Record on the webhook whether its endpoint accepted the event; publish a notice if it is now disabled."""

    def step(found: Webhook) -> Webhook | None:
        if found.settings.url != webhook.settings.url:
            return None  # its URL was changed meanwhile: the new endpoint has not answered yet
        if answer.accepted:
            return after_success(found)
        return after_failure(found, gone=answer.status_code == GONE, cause=cause, now=world.now())

    fresh = _save_webhook(world, webhook, step, cause)
    if fresh is not None and fresh.notice_pending:
        _publish_notice(world, fresh, cause)


def _publish_notice(world: World, webhook: Webhook, cause: Cause) -> None:
    """Publish that a webhook was disabled, then record that. A crash in between repeats the notice, with the same id.

    The delivery that disabled it is not saved yet, so a failure here is retried. Raises `StoreUnavailableError`.
    """
    refused = publish(world, [notice_of(webhook)], give_up=world.now() + NOTICE_TIME)
    if refused:
        fault = Fault(refused[0], "events", "PutEvents")
        raise StoreUnavailableError(f"The event bus rejected a notice: {refused[0]}.", fault=fault)
    _save_webhook(world, webhook, lambda found: after_notice(found, webhook), cause)


def _save_webhook(
    world: World, webhook: Webhook, step: Callable[[Webhook], Webhook | None], cause: Cause
) -> Webhook | None:
    """Save a changed webhook, from a fresh read if others changed it too, and return it; None if nothing changes."""
    found: Webhook | None = webhook
    for _ in range(_TRIES):
        fresh = step(found) if found is not None else None
        if found is None or fresh is None:
            return None
        if world.store.webhooks.change(fresh, cause, seen=found.sequence):
            return fresh
        found = world.store.webhooks.read(webhook.webhook_id)
    about = fields("webhook-not-saved", webhookId=webhook.webhook_id, fault="contended")
    log.warning(
        "webhook %s not saved after %d attempts: concurrent changes", webhook.webhook_id, _TRIES, extra=about
    )
    return None


def _change(world: World, delivery: Delivery, cause: Cause, seen: int) -> Delivery | None:
    """Save a delivery; return None if its lease ended and another sender has it."""
    return delivery if world.store.deliveries.change(delivery, cause, seen=seen) else None


def _cause(delivery: Delivery) -> Cause:
    return Cause("system:webhooks", delivery.event_id)
