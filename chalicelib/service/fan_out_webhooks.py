"""From one event on the bus to one delivery for each webhook of its host that wants it."""

from datetime import datetime
from typing import Any

import msgspec

from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import as_instant
from chalicelib.domain.deliveries import Delivery, new_delivery
from chalicelib.domain.envelopes import read_envelope
from chalicelib.domain.errors import QueueUnavailableError
from chalicelib.service.deliver_webhook import message_of
from chalicelib.service.ports import World


def fan_out(world: World, message: str) -> list[Delivery]:
    """Keep and queue a delivery for each webhook that wants an event, as EventBridge gave it; return them.

    The same event again makes no second delivery; a message for it is queued again, should the first have been
    lost. Only webhooks of the event's own host are looked at (P9). Raises ValueError for what is not an event,
    `TryLaterError` when store or queue do not answer.
    """
    document: dict[str, Any] = msgspec.json.decode(message, type=dict[str, Any])
    envelope = read_envelope(document.get("detail"))
    if envelope.host_id is None:
        return []
    time = as_instant(msgspec.convert(envelope.time, datetime))
    now = world.now()
    cause = Cause("system:webhooks", envelope.correlation_id)
    deliveries = [
        new_delivery(webhook.webhook_id, webhook.host_id, envelope, time, now)
        for webhook in world.store.webhooks.of_host(envelope.host_id)
        if webhook.wants(envelope)
    ]
    for delivery in deliveries:
        world.store.deliveries.create(delivery, cause)
    send_all(world, deliveries)
    return deliveries


def send_all(world: World, deliveries: list[Delivery]) -> None:
    """Queue deliveries to be tried at once. Raises `QueueUnavailableError` where one was refused."""
    if world.webhook_queue is None or not deliveries:
        return
    refused = world.webhook_queue.send_many([message_of(delivery) for delivery in deliveries])
    if refused:
        raise QueueUnavailableError(
            f"The queue refused {len(refused)} messages: {next(iter(refused.values()))}."
        )
