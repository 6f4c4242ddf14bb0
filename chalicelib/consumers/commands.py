"""The command queue: messages that generate, revoke, redeem or replace links (docs/commands.md)."""

import logging
from typing import Any, Final

from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.consumers.batch import Message, handle_each
from chalicelib.consumers.host_operations import acting_for, generate_request, redeem_named_link, wording_of
from chalicelib.consumers.payloads import GeneratePayload, RedeemPayload, ReplacePayload, RevokePayload
from chalicelib.consumers.time_left import require_time
from chalicelib.domain.bookings.receipt import hash_body
from chalicelib.domain.causes import Cause
from chalicelib.domain.decoding import decode_json
from chalicelib.domain.errors import (
    AdmitOneError,
    FieldFault,
    IdempotencyKeyReusedError,
    InvalidRequestError,
    InvalidValueError,
    TryLaterError,
)
from chalicelib.domain.events.commands import (
    Command,
    CommandName,
    read_command,
    require_stage,
    trace_of,
    without_secrets,
)
from chalicelib.domain.events.event_data import BatchCompleted
from chalicelib.domain.events.notices import notice
from chalicelib.domain.links.batches import batch_link_id
from chalicelib.logs import correlate, fields
from chalicelib.service.events.notify import notify
from chalicelib.service.events.take_command import claim_command, reject_command
from chalicelib.service.links.generate import generate_batch
from chalicelib.service.links.replace import replace_link
from chalicelib.service.links.revoke import bulk_revoke
from chalicelib.service.links.send_many import require_sendable, send_links
from chalicelib.service.ports import World
from chalicelib.wire.problems import problem

commands = Blueprint(__name__)
log = logging.getLogger(__name__)

_PAYLOAD: Final = "/payload"  # JSON Pointer to a command's own fields in its message


@commands.lambda_function(name="commands")
def consume(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Execute the command in each message of a batch; return the messages to retry."""
    world = bootstrap.world()

    def handle(message: Message) -> None:
        world.require_writable()
        require_time(context)
        _execute_or_reject(world, message, context)

    return handle_each(event["Records"], handle, now=world.now)


def _execute_or_reject(world: World, message: Message, context: object) -> None:
    """Execute a message's command, or reject it for good. Raises `TryLaterError` if it must be retried."""
    body, pointer = message["body"], ""
    try:
        command = read_command(body)
        correlate(command.id)
        require_stage(command, world.stage)
        pointer = _PAYLOAD
        _execute(world, command, Cause(f"command:{command.id}", command.id), context)
    except TryLaterError:
        raise
    except AdmitOneError as error:
        trace = trace_of(body)
        command_id = trace.id or message["messageId"]
        correlate(command_id)
        rejected = fields("command-rejected", commandId=command_id, problem=error.code)
        log.warning("command %s rejected: %s", command_id, error.code, extra=rejected)
        cause = Cause(f"command:{command_id}", command_id)
        reject_command(world, body, trace, _problem(error, pointer), cause)
    else:
        name = command.command.value
        done = fields("command-executed", commandId=command.id, command=name)
        log.info("command %s executed: %s", command.id, name, extra=done)


def _execute(world: World, command: Command, cause: Cause, context: object) -> None:
    """Execute a command.

    Raises the errors of its use case, and `IdempotencyKeyReusedError` if another command had the same id.
    """
    try:
        match command.command:
            case CommandName.GENERATE:
                _generate(world, command, cause, context)
            case CommandName.REVOKE:
                _revoke(world, command, cause)
            case CommandName.REDEEM:
                redeem = decode_json(command.payload, RedeemPayload)
                acting_for(redeem.host_id)
                claim_command(world, redeem.host_id, command, _hash(command, redeem), cause)
                redeem_named_link(world, redeem, command.key, cause)
            case CommandName.REPLACE:
                replace = decode_json(command.payload, ReplacePayload)
                caller = acting_for(replace.host_id)
                claim_command(world, replace.host_id, command, _hash(command, replace), cause)
                replace_link(world, caller, replace.link_id, command.key, cause, queued=True)
    except IdempotencyKeyReusedError as error:
        raise IdempotencyKeyReusedError("Another command used this id before.") from error


def _generate(world: World, command: Command, cause: Cause, context: object) -> None:
    """Generate the links, send them if asked to, and publish that the batch is complete."""
    payload = decode_json(command.payload, GeneratePayload)
    caller, wording = acting_for(payload.host_id), wording_of(payload)
    request = generate_request(payload, command.key)
    if wording is not None:
        require_sendable(world, request, wording)

    def progress(done: int, size: int) -> None:
        made = fields("command-progressed", commandId=command.id, links=done, size=size)
        log.info("command %s: %d of %d links exist", command.id, done, size, extra=made)
        if done < size:
            require_time(context)

    batch = generate_batch(world, caller, request, cause, progress)
    if wording is not None:
        link_ids = [batch_link_id(batch.seed, index) for index in range(batch.size)]
        send_links(world, caller, link_ids, wording, command.key, cause, lambda *_: require_time(context))
    data = BatchCompleted(batch_id=batch.batch_id, count=batch.size)
    completed = notice(
        data,
        cause,
        world.now(),
        host_id=payload.host_id,
        event_type_id=payload.event_type_id,
    )
    notify(world, completed)


def _revoke(world: World, command: Command, cause: Cause) -> None:
    """Revoke links independently. Raise an error that lists the links that could not be revoked."""
    payload = decode_json(command.payload, RevokePayload)
    caller = acting_for(payload.host_id)
    claim_command(world, payload.host_id, command, _hash(command, payload), cause)
    results = bulk_revoke(world, caller, payload.link_ids, cause)
    errors = {place: result.error for place, result in enumerate(results) if result.error is not None}
    for error in errors.values():
        if isinstance(error, TryLaterError) or len(results) == 1:
            raise error
    if errors:
        faults = [FieldFault(f"/linkIds/{place}", error.detail) for place, error in errors.items()]
        detail = f"{len(errors)} of {len(results)} links could not be revoked; the others were revoked."
        raise InvalidValueError(faults, detail)


def _hash(command: Command, payload: object) -> str:
    return hash_body([command.command.value, payload])


def _problem(error: AdmitOneError, pointer: str) -> dict[str, Any]:
    """Return the problem document of a message: without anything like a token, and with pointers below `pointer`."""
    document = problem(error)
    document["detail"] = without_secrets(document["detail"])
    if isinstance(error, InvalidRequestError | InvalidValueError):
        for fault in document.get("errors", []):
            fault["detail"] = without_secrets(fault["detail"])
            fault["pointer"] = pointer + without_secrets(fault["pointer"])
    return document
