"""Fan out an event on the bus: one delivery for each webhook of its host that subscribes to it."""

from datetime import datetime
from typing import Any, Final

import msgspec

from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import as_instant, rfc3339
from chalicelib.domain.errors import Fault, QueueUnavailableError
from chalicelib.domain.events.envelopes import read_envelope
from chalicelib.domain.events.notices import Notice
from chalicelib.domain.webhooks.deliveries import Delivery, new_delivery
from chalicelib.logs import correlate
from chalicelib.service.ports import World
from chalicelib.service.webhooks.deliver import message_of

_NOTICES: Final = frozenset(kind.value for kind in Notice)


def fan_out(world: World, message: str) -> list[Delivery]:
    """Create and queue a delivery for each webhook that subscribes to an event (an EventBridge message); return them.

    A repeated event creates no second delivery; its message is queued again, in case the first was lost. Only webhooks
    of the event's own host are considered (P9). Raises ValueError for a malformed event; `TryLaterError` if the store
    or the queue does not answer.
    """
    document: dict[str, Any] = msgspec.json.decode(message, type=dict[str, Any])
    envelope = read_envelope(document.get("detail"))
    correlate(envelope.correlation_id)
    if envelope.host_id is None:
        return []
    subscribers = [w for w in world.store.webhooks.of_host(envelope.host_id) if w.subscribes_to(envelope)]
    if not subscribers:
        return []
    now, time = world.now(), as_instant(msgspec.convert(envelope.time, datetime))
    cause = Cause("system:webhooks", envelope.correlation_id)
    if envelope.type in _NOTICES:
        # A delivery's id contains the event's time. The event of a change always has its stream record's time, but a
        # notice that is published again has another time, so the first one is used.
        time = world.store.deliveries.first_published(envelope.id, time, cause)
        envelope = msgspec.structs.replace(envelope, time=rfc3339(time))
    deliveries = [new_delivery(w.webhook_id, w.host_id, envelope, time, now) for w in subscribers]
    for delivery in deliveries:
        world.store.deliveries.create(delivery, cause)
    send_all(world, deliveries)
    return deliveries


def send_all(world: World, deliveries: list[Delivery]) -> None:
    """Queue deliveries for an attempt now. The host is the queue's tenant, so a slow endpoint delays no other host.

    Raises `QueueUnavailableError` if one was rejected.
    """
    if world.webhook_queue is None or not deliveries:
        return
    messages = [message_of(delivery) for delivery in deliveries]
    refused = world.webhook_queue.send_many(messages, tenants=[delivery.host_id for delivery in deliveries])
    if refused:
        code = next(iter(refused.values()))
        raise QueueUnavailableError(
            f"The queue rejected {len(refused)} messages: {code}.",
            fault=Fault(code, "sqs", "SendMessageBatch"),
        )
