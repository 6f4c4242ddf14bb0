"""The table's stream: each change of a link or booking becomes history and events on the bus (P6)."""

import logging
from collections.abc import Sequence
from typing import Any

from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.consumers.batch import Message, batch_response
from chalicelib.service.events.relay import dead_letter, record_of, relay
from chalicelib.service.ports import World

outbox = Blueprint(__name__)
log = logging.getLogger(__name__)


@outbox.lambda_function(name="outbox")
def consume(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Relay a batch of stream records, or of dead letters being redriven; return what to retry."""
    del context
    world = bootstrap.world()
    records: list[dict[str, Any]] = event["Records"]
    if records and records[0].get("eventSource") == "aws:sqs":
        return batch_response(_relay_dead_letters(world, records))
    return batch_response(_relay_records(world, records))


def _relay_records(world: World, records: Sequence[dict[str, Any]]) -> list[str]:
    """Return the sequence numbers to retry: of records that the dead-letter queue rejected or that time ran out for.

    Lambda retries all records from the first of them, so later ones are relayed twice, with the same event ids.
    """
    relayed = relay(world, records)
    retried = dead_letter(world, records, relayed.failed)
    if relayed.untried is not None:
        retried.append(relayed.untried)
    return [records[place]["dynamodb"]["SequenceNumber"] for place in retried]


def _relay_dead_letters(world: World, messages: Sequence[Message]) -> list[str]:
    """Return the ids of the messages that failed again; the queue's redrive policy returns them to the DLQ."""
    letters, records, failed = [], [], []
    for message in messages:
        try:
            records.append(record_of(message["body"]))
        except ValueError:
            log.exception("message %s is not a dead letter", message["messageId"])
            failed.append(message["messageId"])
        else:
            letters.append(message["messageId"])
    relayed = relay(world, records)
    tried = len(letters) if relayed.untried is None else relayed.untried
    places = set(relayed.failed) | set(range(tried, len(letters)))
    return failed + [letters[place] for place in sorted(places)]
