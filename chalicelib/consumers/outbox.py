"""The stream's consumer: each change of a link or booking becomes entries of the link's history (P6)."""

import logging
from typing import Any

from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.service.record_history import record_history

outbox = Blueprint(__name__)
log = logging.getLogger(__name__)


@outbox.lambda_function(name="outbox")
def consume(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Take a batch of stream records; answer with those that failed, so that only they come again."""
    del context
    failed = []
    for record in event["Records"]:
        number = record["dynamodb"]["SequenceNumber"]
        try:
            record_history(bootstrap.world(), record)
        except Exception:
            log.exception("stream record %s failed", number)
            failed.append({"itemIdentifier": number})
    return {"batchItemFailures": failed}
