"""A command: `{id, command, payload}`, bare or in the envelope of the service that passed it on."""

import re
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec

from chalicelib.domain.decoding import decode_json
from chalicelib.domain.errors import FieldFault, InvalidRequestError, InvalidValueError
from chalicelib.domain.ids import HOST, is_id

DETAIL_TYPE: Final = "admit-one.command"  # of an EventBridge event that carries a command

_MAX_ENVELOPES: Final = (
    4  # an event that a topic passed on, and that comes back from the dead-letter queue, is in three
)
_ID: Final = r"^[A-Za-z0-9._:-]{1,100}\Z"
_SECRET: Final = re.compile(r"(?<![\w-])[\w-]{36}(?![\w-])")  # whatever has a token's form


class CommandName(StrEnum):
    """The commands that the queue takes."""

    GENERATE = "generate"
    REVOKE = "revoke"
    REDEEM = "redeem"
    REPLACE = "replace"


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command from the queue. The sender chooses `id`; a message with the same id is the same command.

    `stage` names the installation that the command is for; without it, any installation executes it.
    """

    id: Annotated[str, msgspec.Meta(pattern=_ID)]
    command: CommandName
    payload: msgspec.Raw
    stage: str | None = None

    @property
    def key(self) -> str:
        """The idempotency key that it is stored under; no HTTP header can contain the same one."""
        return f"command\x00{self.id}"


class DeadLetter(msgspec.Struct, frozen=True, rename="camel"):
    """A message that was rejected, as the dead-letter queue holds it: why, when, and the message as it came."""

    problem: dict[str, Any]
    rejected_at: str
    message: str


class Trace(msgspec.Struct, frozen=True):
    """What can be read of a malformed command, for a report. Never act on it."""

    id: str | None
    command: str | None
    host_id: str | None


def read_command(body: str) -> Command:
    """Return the command in a message: bare, or within what EventBridge, SNS or our dead letter put around it.

    Raises `InvalidRequestError` that points at what is wrong.
    """
    return decode_json(_unwrapped(body), Command)


def require_stage(command: Command, own: str | None) -> None:
    """Raise `InvalidValueError` if a command names another stage."""
    if command.stage is not None and command.stage != own:
        detail = "This command is for another stage; nothing was done."
        raise InvalidValueError([FieldFault("/stage", detail)], detail)


def trace_of(body: str) -> Trace:
    """Return what a malformed message says about itself, as far as it can be read."""
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
    """Return a text without anything that may be a token, because a parser's message may quote its input (P7)."""
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
