"""The table's stream: each change of a link or booking becomes history and events on the bus (P6)."""

from collections.abc import Sequence
from typing import Any, Final

from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.consumers.batch import Message, RetryMessageError, batch_response, log_retry
from chalicelib.domain.errors import Fault
from chalicelib.logs import correlated
from chalicelib.service.events.relay import dead_letter, record_of, relay
from chalicelib.service.ports import World

outbox = Blueprint(__name__)

_OUT_OF_TIME: Final = "out-of-time"


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
    letters: list[Message] = []
    records, failed = [], []
    for message in messages:
        try:
            records.append(record_of(message["body"]))
        except ValueError as error:
            failed.append(message["messageId"])
            _log_retry(world, message, error)
        else:
            letters.append(message)
    relayed = relay(world, records)
    tried = len(letters) if relayed.untried is None else relayed.untried
    reasons = dict.fromkeys(range(tried, len(letters)), _OUT_OF_TIME) | relayed.failed
    for place, reason in sorted(reasons.items()):
        failed.append(letters[place]["messageId"])
        retried = RetryMessageError(f"its record could not be relayed: {reason}", Fault(reason))
        _log_retry(world, letters[place], retried)
    return failed


def _log_retry(world: World, message: Message, error: Exception) -> None:
    with correlated(message["messageId"]):
        log_retry(message, error, world.now())
