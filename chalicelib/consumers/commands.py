"""The command queue: other AWS services generate, revoke, redeem and replace links by a message (docs/commands.md)."""

import logging
from typing import Any, Final

from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.consumers.payloads import GeneratePayload, RedeemPayload, ReplacePayload, RevokePayload
from chalicelib.consumers.time_left import OutOfTimeError, require_time
from chalicelib.consumers.verbs import (
    acting_for,
    generate_request,
    redeem_by,
    wording_of,
)
from chalicelib.domain.bookings.redeem import hash_body
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

_PAYLOAD: Final = "/payload"  # where a command's own fields stand in its message


@commands.lambda_function(name="commands")
def consume(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Follow each message's command; answer with those to come again, so that one does not hold up the rest."""
    again = []
    for record in event["Records"]:
        message_id = record["messageId"]
        try:
            require_time(context)
            _take(bootstrap.world(), record["body"], message_id, context)
        except (TryLaterError, OutOfTimeError) as error:
            log.warning("message %s is to come again: %s", message_id, type(error).__name__)
            again.append(message_id)
        except Exception as error:  # noqa: BLE001 - one message must not take the others with it
            # By its name and place alone: what it says may quote the payload (P7).
            log.error("message %s failed: %s at %s", message_id, type(error).__name__, _place_of(error))  # noqa: TRY400
            again.append(message_id)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in again]}


def _take(world: World, body: str, message_id: str, context: object) -> None:
    inside = ""
    try:
        command = read_command(body)
        require_stage(command, world.stage)
        inside = _PAYLOAD
        _follow(world, command, Cause(f"command:{command.id}", command.id), context)
    except TryLaterError:
        raise
    except AdmitOneError as error:
        trace = trace_of(body)
        told = trace.id or message_id
        log.warning("command %s is rejected: %s", told, error.code)
        reject_command(world, body, trace, _problem(error, inside), Cause(f"command:{told}", told))
    else:
        log.info("command %s is done: %s", command.id, command.command.value)


def _follow(world: World, command: Command, cause: Cause, context: object) -> None:
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
                redeem_by(world, redeem, command.key, cause)
            case CommandName.REPLACE:
                replace = decode_json(command.payload, ReplacePayload)
                caller = acting_for(replace.host_id)
                claim_command(world, replace.host_id, command, _hash(command, replace), cause)
                replace_link(world, caller, replace.link_id, command.key, cause, queued=True)
    except IdempotencyKeyReusedError as error:
        raise IdempotencyKeyReusedError("This id came with another command before.") from error


def _generate(world: World, command: Command, cause: Cause, context: object) -> None:
    payload = decode_json(command.payload, GeneratePayload)
    caller, wording = acting_for(payload.host_id), wording_of(payload)
    request = generate_request(payload, command.key)
    if wording is not None:
        require_sendable(world, request, wording)

    def progress(done: int, size: int) -> None:
        log.info("command %s: %d of %d links are made", command.id, done, size)
        if done < size:
            require_time(context)

    batch = generate_batch(world, caller, request, cause, progress)
    if wording is not None:
        made = [batch_link_id(batch.seed, index) for index in range(batch.size)]
        send_links(world, caller, made, wording, command.key, cause, lambda *_: require_time(context))
    data = BatchCompleted(batch_id=batch.batch_id, count=batch.size)
    done = notice(
        data,
        cause,
        world.now(),
        host_id=payload.host_id,
        event_type_id=payload.event_type_id,
    )
    notify(world, done)


def _revoke(world: World, command: Command, cause: Cause) -> None:
    """Revoke links, each for itself. Those that can't be are what the command is rejected for; the others are."""
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
        detail = f"{len(errors)} of {len(results)} links could not be revoked; the others are."
        raise InvalidValueError(faults, detail)


def _hash(command: Command, payload: object) -> str:
    return hash_body([command.command.value, payload])


def _problem(error: AdmitOneError, inside: str) -> dict[str, Any]:
    """Return the problem document, its words without anything that has a token's form; it points into the message."""
    document = problem(error)
    document["detail"] = without_secrets(document["detail"])
    if isinstance(error, InvalidRequestError | InvalidValueError):
        for fault in document.get("errors", []):
            fault["detail"] = without_secrets(fault["detail"])
            fault["pointer"] = inside + without_secrets(fault["pointer"])
    return document


def _place_of(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"
