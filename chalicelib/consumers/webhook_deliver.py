"""Webhook deliveries from the queue: one attempt each, concurrently, so that a slow endpoint delays no other."""

import logging
from typing import Any

from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.consumers.batch import Message, handle_each
from chalicelib.logs import fields
from chalicelib.service.ports import World
from chalicelib.service.webhooks.deliver import deliver

webhook_deliver = Blueprint(__name__)
log = logging.getLogger(__name__)


@webhook_deliver.lambda_function(name="webhook_deliver")
def send(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Attempt each delivery in a batch of messages; return the messages to retry.

    A message is not retried because its endpoint fails: the delivery records when its next attempt is due.
    """
    del context
    world = bootstrap.world()
    records = event["Records"]
    return handle_each(records, lambda message: _attempt(world, message), now=world.now, concurrently=True)


def _attempt(world: World, message: Message) -> None:
    delivery = deliver(world, message["body"])
    if delivery is not None:
        status, attempts = delivery.status.value, delivery.tries
        about = fields(
            "delivery-attempted", deliveryId=delivery.delivery_id, status=status, attempts=attempts
        )
        log.info("delivery %s: %s after %d attempts", delivery.delivery_id, status, attempts, extra=about)
