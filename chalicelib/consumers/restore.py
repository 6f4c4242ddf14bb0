"""Restore a table: apply archived events from a queue that only a replay of the archive feeds."""

import json
import logging
from collections import Counter
from functools import partial
from typing import Any

import msgspec
from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.consumers.batch import Message, RetryMessageError, batch_response, handle_each, log_retry
from chalicelib.consumers.time_left import has_time, require_time
from chalicelib.domain.errors import Fault, TryLaterError
from chalicelib.domain.events.envelopes import read_envelope
from chalicelib.domain.restore_steps import (
    MARKER_SOURCE,
    CountStep,
    ListStep,
    Marker,
    RevokeStep,
    Step,
)
from chalicelib.logs import correlate, correlated, fields
from chalicelib.service.ports import World
from chalicelib.service.restore import Applied, apply_event, run_cause
from chalicelib.service.restore_steps import count_step, list_step, revoke_step

restore = Blueprint(__name__)
log = logging.getLogger(__name__)


@restore.lambda_function(name="restore")
def apply_events(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Apply each replayed event in a batch of messages; return the messages to retry.

    `make restore` also calls this function directly, with a step (`domain/restore_steps.py`).
    """
    world = bootstrap.world()
    if "Records" not in event:
        return _take_step(world, msgspec.convert(event, Step), context)
    results = Counter[Applied]()

    def apply(message: Message) -> None:
        require_time(context)
        results[_apply(world, json.loads(message["body"]))] += 1

    response = handle_each(event["Records"], apply, now=world.now)
    counts = {kind.value: count for kind, count in results.items()}
    log.info("applied replayed events: %s", counts, extra=fields("events-applied", **counts))
    return _noted(world, event["Records"], response)


def _take_step(world: World, step: Step, context: object) -> dict[str, Any]:
    reply: object
    match step:
        case RevokeStep():
            reply = revoke_step(world, step, partial(has_time, context))
        case CountStep():
            reply = count_step(world, step, partial(has_time, context))
        case ListStep():
            reply = list_step(world, step, partial(has_time, context))
    answer: dict[str, Any] = msgspec.to_builtins(reply)
    return answer


def _apply(world: World, message: dict[str, Any]) -> Applied:
    """Apply one message of the queue: an event, or the marker of this restore.

    Raise `RetryMessageError` for an event while changes are possible: an event with a higher sequence would make a link
    active again that the restore revoked (P1).
    """
    if message.get("source") != MARKER_SOURCE:
        if world.is_writable:
            raise RetryMessageError("no restore is running, so no event is applied", Fault("not-restoring"))
        envelope = read_envelope(message["detail"])
        correlate(envelope.correlation_id)
        return apply_event(world, envelope)
    marker = msgspec.convert(message["detail"], Marker)
    if marker.run == world.store.restore.run:  # otherwise the archive has it from an earlier restore
        world.store.restore_records.note_marker(marker.id, run_cause(world), now=world.now())
    return Applied.NOTHING


def _noted(world: World, messages: list[Message], response: dict[str, Any]) -> dict[str, Any]:
    """Record the messages that were applied, and return the response; if that fails, all of them are retried.

    The record is written after the events are applied, so a recorded message is never lost (P1).
    """
    failed = {each["itemIdentifier"] for each in response["batchItemFailures"]}
    applied = [message for message in messages if message["messageId"] not in failed]
    try:
        world.store.restore_records.note_messages(
            [message["messageId"] for message in applied], run_cause(world), now=world.now()
        )
    except TryLaterError as error:
        for message in applied:
            with correlated(message["messageId"]):
                log_retry(message, error, world.now())
        return batch_response(message["messageId"] for message in messages)
    return response
