"""Deliveries from the queue: one attempt each, side by side, so that a slow endpoint holds up no other."""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.service.webhooks.deliver import deliver

webhook_deliver = Blueprint(__name__)
log = logging.getLogger(__name__)


@webhook_deliver.lambda_function(name="webhook_deliver")
def send(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Take a batch of messages; answer with those to come again: a defect, or a store that does not answer.

    An endpoint's failure is none of the queue's: the delivery itself knows when its next attempt is.
    """
    del context
    messages: list[dict[str, Any]] = event["Records"]
    bootstrap.world()
    with ThreadPoolExecutor(max_workers=max(1, len(messages))) as pool:
        done = list(pool.map(_done, messages))
    failed = [message["messageId"] for message, good in zip(messages, done, strict=True) if not good]
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}


def _done(message: dict[str, Any]) -> bool:
    try:
        delivery = deliver(bootstrap.world(), message["body"])
    except Exception:
        log.exception("message %s was not seen to", message["messageId"])
        return False
    if delivery is not None:
        log.info("delivery %s: %s after %d tries", delivery.delivery_id, delivery.status, delivery.tries)
    return True
