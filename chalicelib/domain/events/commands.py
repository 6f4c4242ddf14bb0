"""A command: `{id, command, payload}`, bare or wrapped by EventBridge, SNS or a dead letter."""

import re
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec

from chalicelib.domain.decoding import decode_json
from chalicelib.domain.errors import FieldFault, InvalidRequestError, InvalidValueError
from chalicelib.domain.ids import HOST, is_id

DETAIL_TYPE: Final = "admit-one.command"  # the detail type of EventBridge events that contain a command

# An event published through a topic and redriven from the dead-letter queue is in three envelopes.
_MAX_ENVELOPES: Final = 4
_ID: Final = r"^[A-Za-z0-9._:-]{1,100}\Z"
_SECRET: Final = re.compile(r"(?<![\w-])[\w-]{36}(?![\w-])")  # anything that looks like a token


class CommandName(StrEnum):
    """The commands that the queue accepts."""

    GENERATE = "generate"
    REVOKE = "revoke"
    REDEEM = "redeem"
    REPLACE = "replace"


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command from the queue. The sender chooses `id`; messages with the same id are the same command.

    `stage` names the installation that the command is for; without it, any installation executes it.
    """

    id: Annotated[str, msgspec.Meta(pattern=_ID)]
    command: CommandName
    payload: msgspec.Raw
    stage: str | None = None

    @property
    def key(self) -> str:
        """The command's idempotency key. It contains a NUL, so no HTTP header can have the same value."""
        return f"command\x00{self.id}"


class DeadLetter(msgspec.Struct, frozen=True, rename="camel"):
    """A rejected message in the dead-letter queue: why and when it was rejected, and the original message."""

    problem: dict[str, Any]
    rejected_at: str
    message: str


class Trace(msgspec.Struct, frozen=True):
    """The readable parts of a malformed command, for error reports only."""

    id: str | None
    command: str | None
    host_id: str | None


def read_command(body: str) -> Command:
    """Return the command in a message, without the envelopes of EventBridge, SNS or a dead letter.

    Raises `InvalidRequestError` with a pointer to the faulty field.
    """
    return decode_json(_unwrapped(body), Command)


def require_stage(command: Command, own: str | None) -> None:
    """Raise `InvalidValueError` if a command names another stage."""
    if command.stage is not None and command.stage != own:
        detail = "This command is for another stage and was not executed. Send it to that stage's queue."
        raise InvalidValueError([FieldFault("/stage", detail)], detail)


def trace_of(body: str) -> Trace:
    """Return the parts of a malformed message that can be read."""
    try:
        fields = decode_json(_unwrapped(body), dict[str, Any])
    except InvalidRequestError:
        return Trace(None, None, None)
    given, name, payload = (fields.get(field) for field in ("id", "command", "payload"))
    host_id = payload.get("hostId") if isinstance(payload, dict) else None
    return Trace(
        id=given if isinstance(given, str) and re.fullmatch(_ID, given) else None,
        command=name if isinstance(name, str) and name in set(CommandName) else None,
        host_id=host_id if isinstance(host_id, str) and is_id(HOST, host_id) else None,
    )


def without_secrets(text: str) -> str:
    """Return a text with anything that may be a token removed, because a parser's message may quote its input (P7)."""
    return _SECRET.sub("…", text)


def _unwrapped(body: str) -> msgspec.Raw | str:
    found: msgspec.Raw | str = body
    for _ in range(_MAX_ENVELOPES):
        fields = decode_json(found, dict[str, msgspec.Raw])
        if "Message" in fields and "TopicArn" in fields:
            found = decode_json(fields["Message"], str, "/Message")
        elif "detail" in fields and "detail-type" in fields:
            found = fields["detail"]
        elif "message" in fields and "rejectedAt" in fields:
            found = decode_json(fields["message"], str, "/message")
        else:
            break
    return found
