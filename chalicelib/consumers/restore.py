"""While a table is restored: archived events are redone, from a queue that only a replay of the archive feeds."""

import json
import logging
from collections import Counter
from typing import Any

from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.domain.events.envelopes import read_envelope
from chalicelib.service.restore import end_restore, redo

restore = Blueprint(__name__)
log = logging.getLogger(__name__)


@restore.lambda_function(name="restore")
def redo_events(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Take a batch of replayed events, and answer with those to come again; or `{"end": {"everything": false}}`.

    The latter is asked once, by `make restore`, when the queue is empty: links with a gap are revoked.
    """
    del context
    if "end" in event:
        ended = end_restore(bootstrap.world(), everything=bool(event["end"]["everything"]))
        return {"links": ended.links, "revoked": ended.revoked}
    failed, became = [], Counter[str]()
    for message in event["Records"]:
        try:
            told = read_envelope(json.loads(message["body"])["detail"])
            became[redo(bootstrap.world(), told)] += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, the queue brings it again, and at last to the DLQ
            # By its name alone: what a parser says may quote the host's metadata.
            log.warning("message %s: %s", message["messageId"], type(error).__name__)
            failed.append({"itemIdentifier": message["messageId"]})
    log.info("redone: %s", dict(became))
    return {"batchItemFailures": failed}
