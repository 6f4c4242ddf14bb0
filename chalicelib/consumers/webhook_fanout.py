"""Webhook fan-out: for each event on the bus, create a delivery for every webhook that subscribes to it."""

from typing import Any

from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.consumers.batch import handle_each
from chalicelib.service.webhooks.fan_out import fan_out

webhook_fanout = Blueprint(__name__)


@webhook_fanout.lambda_function(name="webhook_fanout")
def spread(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Create the deliveries of each event in a batch of messages; return the messages to retry."""
    del context
    world = bootstrap.world()
    return handle_each(event["Records"], lambda message: fan_out(world, message["body"]), now=world.now)
