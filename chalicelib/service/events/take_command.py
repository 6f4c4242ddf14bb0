"""Claim a command's id once, and reject a command that can't be executed: publish why, and dead-letter it."""

from typing import Any

import msgspec

from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import rfc3339
from chalicelib.domain.errors import Fault, IdempotencyKeyReusedError, QueueUnavailableError
from chalicelib.domain.events.commands import Command, DeadLetter, Trace
from chalicelib.domain.events.event_data import CommandRejected
from chalicelib.domain.events.notices import notice
from chalicelib.domain.links.batches import Batch
from chalicelib.service.contention import retry_until_result
from chalicelib.service.events.notify import notify
from chalicelib.service.ports import World


def claim_command(world: World, host_id: str, command: Command, body_hash: str, cause: Cause) -> None:
    """Store a host's command id with the command's hash. Raises `IdempotencyKeyReusedError` if it had another one.

    A generate command needs no claim, because its batch stores the same.
    """
    mine = Batch(body_hash=body_hash, seed="", created_at=world.now(), size=0)
    kept = retry_until_result(
        world, lambda: world.store.batches.open(host_id, command.key, mine, cause, queued=True)
    )
    if kept.body_hash != body_hash:
        raise IdempotencyKeyReusedError


def reject_command(world: World, body: str, trace: Trace, problem: dict[str, Any], cause: Cause) -> None:
    """Publish that a message was rejected, and why; then send the whole message to the dead-letter queue.

    The notice contains nothing of the payload, which may hold a token (P7). A repeated notice has the same id.

    Raises `QueueUnavailableError` if the message must be rejected again, and `PayloadTooLargeError` if it is too large
    for a queue together with the reason. Either way SQS redelivers the message and finally dead-letters it.
    """
    data = CommandRejected(command=trace.command, problem=problem)
    rejected = notice(data, cause, world.now(), host_id=trace.host_id)
    notify(world, rejected)
    if world.command_dlq is None:
        raise QueueUnavailableError("There is no dead-letter queue.", fault=Fault("no-dead-letter-queue"))
    letter = DeadLetter(problem, rfc3339(world.now()), body)
    world.command_dlq.send(msgspec.json.encode(letter).decode())
