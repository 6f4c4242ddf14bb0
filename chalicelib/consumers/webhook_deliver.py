"""Webhook deliveries from the queue: one attempt each, concurrently, so that a slow endpoint delays no other."""

import logging
from typing import Any

from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.consumers.batch import Message, handle_each
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
    return handle_each(event["Records"], lambda message: _attempt(world, message), concurrently=True)


def _attempt(world: World, message: Message) -> None:
    delivery = deliver(world, message["body"])
    if delivery is not None:
        log.info("delivery %s: %s after %d attempts", delivery.delivery_id, delivery.status, delivery.tries)
