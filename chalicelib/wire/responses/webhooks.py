"""Responses about webhooks and their deliveries."""

from datetime import datetime
from typing import Any, Literal

from chalicelib.domain.clock import rfc3339
from chalicelib.domain.webhooks.deliveries import Delivery, DeliveryAttempt
from chalicelib.domain.webhooks.webhook import Webhook
from chalicelib.wire.responses.answer import Answer, Time, optional_time


class WebhookEntryAnswer(Answer, frozen=True):
    """One change of a webhook itself."""

    time: Time
    what: str
    actor: str
    correlation_id: str


class WebhookAnswer(Answer, frozen=True):
    """A webhook."""

    webhook_id: str
    host_id: str
    url: str
    events: tuple[str, ...] | None
    description: str
    enabled: bool
    disabled_reason: Literal["host", "gone", "failing"] | None
    disabled_at: Time | None
    failing_since: Time | None
    former_secrets_until: Time | None
    created_at: Time
    log: list[WebhookEntryAnswer]


class WebhookSecretAnswer(WebhookAnswer, frozen=True):
    """A webhook with its new signing secret, which is shown only once."""

    secret: str


class WebhooksAnswer(Answer, frozen=True):
    """One page of webhooks, newest first."""

    webhooks: list[WebhookAnswer]
    next_cursor: str | None


class AttemptAnswer(Answer, frozen=True):
    """One attempt of a delivery: a request to the endpoint."""

    number: int
    time: Time
    latency_ms: int
    status_code: int | None
    error: str | None
    excerpt: str


class DeliveryAnswer(Answer, frozen=True):
    """The delivery of an event to a webhook."""

    delivery_id: str
    webhook_id: str
    event_id: str
    type: str
    time: Time
    status: Literal["pending", "delivered", "failed"]
    failure: str | None
    created_at: Time
    next_attempt_at: Time | None
    ended_at: Time | None
    attempts: list[AttemptAnswer]


class DeliveriesAnswer(Answer, frozen=True):
    """One page of deliveries, newest event first."""

    deliveries: list[DeliveryAnswer]
    next_cursor: str | None


class ReplayAnswer(Answer, frozen=True):
    """The result of a replay."""

    replayed: int
    left: int
    next_cursor: str | None


def webhook_answer(webhook: Webhook, now: datetime) -> WebhookAnswer:
    """Return a webhook as a response, without its secret."""
    return WebhookAnswer(**_webhook_fields(webhook, now))


def webhook_secret_answer(webhook: Webhook, secret: str, now: datetime) -> WebhookSecretAnswer:
    """Return a webhook as a response, with its new secret."""
    return WebhookSecretAnswer(secret=secret, **_webhook_fields(webhook, now))


def _webhook_fields(webhook: Webhook, now: datetime) -> dict[str, Any]:
    ends = [former.until for former in webhook.former if former.until and now < former.until]
    return {
        "webhook_id": webhook.webhook_id,
        "host_id": webhook.host_id,
        "url": webhook.settings.url,
        "events": webhook.settings.events,
        "description": webhook.settings.description,
        "enabled": webhook.disabled is None,
        "disabled_reason": webhook.disabled.value if webhook.disabled else None,
        "disabled_at": optional_time(webhook.disabled_at),
        "failing_since": optional_time(webhook.failing_since),
        "former_secrets_until": optional_time(max(ends, default=None)),
        "created_at": rfc3339(webhook.created_at),
        "log": [
            WebhookEntryAnswer(
                time=rfc3339(entry.time),
                what=entry.what,
                actor=entry.actor,
                correlation_id=entry.correlation_id,
            )
            for entry in webhook.log
        ],
    }


def delivery_answer(delivery: Delivery) -> DeliveryAnswer:
    """Return a delivery as a response."""
    return DeliveryAnswer(
        delivery_id=delivery.delivery_id,
        webhook_id=delivery.webhook_id,
        event_id=delivery.event_id,
        type=delivery.event_type,
        time=rfc3339(delivery.event_time),
        status=delivery.status.value,
        failure=delivery.failure,
        created_at=rfc3339(delivery.created_at),
        next_attempt_at=optional_time(delivery.next_at),
        ended_at=optional_time(delivery.ended_at),
        attempts=[_attempt_answer(attempt) for attempt in delivery.attempts],
    )


def _attempt_answer(attempt: DeliveryAttempt) -> AttemptAnswer:
    return AttemptAnswer(
        number=attempt.number,
        time=rfc3339(attempt.time),
        latency_ms=attempt.latency_ms,
        status_code=attempt.status_code,
        error=attempt.error,
        excerpt=attempt.excerpt,
    )
