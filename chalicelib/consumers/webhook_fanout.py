"""Events from the bus, by way of a queue: each becomes a delivery for every webhook that wants it."""

import logging
from typing import Any

from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.service.webhooks.fan_out import fan_out

webhook_fanout = Blueprint(__name__)
log = logging.getLogger(__name__)


@webhook_fanout.lambda_function(name="webhook_fanout")
def spread(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Take a batch of messages; answer with those to come again, and in the end go to the dead-letter queue."""
    del context
    failed = []
    for message in event["Records"]:
        try:
            fan_out(bootstrap.world(), message["body"])
        except Exception:
            log.exception("message %s was not fanned out", message["messageId"])
            failed.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failed}
