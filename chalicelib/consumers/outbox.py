"""The stream's consumer: each change of a link or booking becomes history and events on the bus (P6)."""

import logging
from collections.abc import Sequence
from typing import Any

from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.service.events.relay import record_of, relay, set_aside

outbox = Blueprint(__name__)
log = logging.getLogger(__name__)


@outbox.lambda_function(name="outbox")
def consume(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Take a batch of stream records, or of dead letters on their way back; answer with those to come again."""
    del context
    records: list[dict[str, Any]] = event["Records"]
    if records and records[0].get("eventSource") == "aws:sqs":
        return _failures(_relay_again(records))
    return _failures(_relay(records))


def _relay(records: Sequence[dict[str, Any]]) -> list[str]:
    """Return the sequence numbers to come again: only what even the dead-letter queue refused, or had no time for.

    Lambda goes on from the first of them: what follows it is relayed twice, with the same ids.
    """
    world = bootstrap.world()
    relayed = relay(world, records)
    again = set_aside(world, records, relayed.failed)
    if relayed.untried is not None:
        again.append(relayed.untried)
    return [records[place]["dynamodb"]["SequenceNumber"] for place in again]


def _relay_again(messages: Sequence[dict[str, Any]]) -> list[str]:
    """Return the ids of the messages that failed again; the queue's redrive policy brings them back to the DLQ."""
    letters, records, again = [], [], []
    for message in messages:
        try:
            records.append(record_of(message["body"]))
        except ValueError:
            log.exception("message %s is not a dead letter", message["messageId"])
            again.append(message["messageId"])
        else:
            letters.append(message["messageId"])
    relayed = relay(bootstrap.world(), records)
    failed = set(relayed.failed) | set(
        range(len(letters) if relayed.untried is None else relayed.untried, len(letters))
    )
    return again + [letters[place] for place in sorted(failed)]


def _failures(identifiers: Sequence[str]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in identifiers]}
