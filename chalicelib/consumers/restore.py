"""Restore a table: apply archived events from a queue that only a replay of the archive feeds."""

import json
import logging
from collections import Counter
from typing import Any

from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.consumers.batch import Message, handle_each
from chalicelib.domain.events.envelopes import read_envelope
from chalicelib.service.restore import apply_event, end_restore

restore = Blueprint(__name__)
log = logging.getLogger(__name__)


@restore.lambda_function(name="restore")
def apply_events(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Apply each replayed event in a batch of messages; return the messages to retry.

    When the queue is empty, `make restore` sends `{"end": {"everything": false}}` once. That revokes every link
    for which an event is missing; if `everything` is true, every active link.
    """
    del context
    world = bootstrap.world()
    if "end" in event:
        ended = end_restore(world, everything=bool(event["end"]["everything"]))
        return {"links": ended.links, "revoked": ended.revoked}
    results = Counter[str]()

    def apply(message: Message) -> None:
        envelope = read_envelope(json.loads(message["body"])["detail"])
        results[apply_event(world, envelope)] += 1

    response = handle_each(event["Records"], apply)
    log.info("applied replayed events: %s", dict(results))
    return response
