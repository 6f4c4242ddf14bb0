"""Finish a restore through the function `restore`, step by step: revoke, count and list.

The function works on a step for up to a minute. Every step can be repeated, so a step without a reply is sent again.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar

import msgspec
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError as NoConnectionError, HTTPClientError

from chalicelib.domain.restore_steps import (
    CountReply,
    CountStep,
    ListReply,
    ListStep,
    RevokedLink,
    RevokeReply,
    RevokeStep,
    Step,
)
from infra.stack.account import Account, DeployError
from infra.stack.clock import CLOCK, Clock

FUNCTION_SECONDS: Final = 60.0  # the timeout of `restore`; a call without a reply may run for that long
PAUSE_SECONDS: Final = 5.0
_ATTEMPTS: Final = 6
# The client waits longer than the function may run and never retries by itself, so that no two calls run at once.
_CONFIG: Final = Config(
    connect_timeout=5, read_timeout=FUNCTION_SECONDS + 30, retries={"total_max_attempts": 1}
)
_REFUSED: Final = {"OtherTableError", "InvalidCursorError", "ValidationError"}
_BUSY: Final = {"TooManyRequestsException", "ServiceException", "EC2ThrottledException"}

_R = TypeVar("_R")


class _NoReplyError(Exception):
    """A step has no reply and can be sent again, after `pause` seconds."""

    def __init__(self, reason: str, pause: float) -> None:
        super().__init__(reason)
        self.pause = pause


def revoke_links(
    account: Account,
    found: Mapping[str, str],
    run: str,
    *,
    everything: bool,
    cursor: str | None,
    clock: Clock = CLOCK,
) -> Iterator[RevokeReply]:
    """Revoke the links with missing events or, with `everything`, every active link; yield each step's reply.

    Raise `DeployError` if the function fails.
    """
    while True:
        step = RevokeStep(run=run, everything=everything, cursor=cursor)
        reply = _take(account, found, step, RevokeReply, clock)
        yield reply
        cursor = reply.cursor
        if cursor is None:
            return


def count_messages(
    account: Account, found: Mapping[str, str], run: str, marker: str | None = None, *, clock: Clock = CLOCK
) -> tuple[int, bool]:
    """Return how many messages were applied, and whether the marker was. Raise `DeployError`."""
    messages, found_marker, cursor = 0, False, None
    while True:
        reply = _take(account, found, CountStep(run=run, marker=marker, cursor=cursor), CountReply, clock)
        messages, found_marker = messages + reply.messages, found_marker or reply.marker_found
        cursor = reply.cursor
        if cursor is None:
            return messages, found_marker


def list_revoked(
    account: Account, found: Mapping[str, str], run: str, *, clock: Clock = CLOCK
) -> Iterator[RevokedLink]:
    """Yield the links that the restore revoked. Raise `DeployError`."""
    cursor = None
    while True:
        reply = _take(account, found, ListStep(run=run, cursor=cursor), ListReply, clock)
        yield from reply.revoked
        cursor = reply.cursor
        if cursor is None:
            return


def _take(account: Account, found: Mapping[str, str], step: Step, kind: type[_R], clock: Clock) -> _R:
    """Send a step until the function replies. Raise `DeployError` if it refuses the step or never replies."""
    client = account.client("lambda", _CONFIG)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return _invoke(client, found["RestoreFunction"], step, kind)
        except _NoReplyError as error:
            if attempt == _ATTEMPTS:
                raise DeployError(
                    f"The function {found['RestoreFunction']} has not replied in {_ATTEMPTS} attempts: {error}. "
                    "Bookings stay closed. Read its log, and run the command again."
                ) from error
            clock.wait(error.pause)
    raise AssertionError


def _invoke(client: Any, function: str, step: Step, kind: type[_R]) -> _R:
    """Send a step once. Raise `_NoReplyError` or `DeployError`."""
    try:
        response = client.invoke(FunctionName=function, Payload=msgspec.json.encode(step))
        payload = response["Payload"].read()
    except (HTTPClientError, NoConnectionError) as error:
        raise _NoReplyError(str(error), FUNCTION_SECONDS) from error
    except ClientError as error:
        if error.response["Error"]["Code"] in _BUSY:
            raise _NoReplyError(str(error), PAUSE_SECONDS) from error
        raise
    if "FunctionError" not in response:
        return msgspec.json.decode(payload, type=kind)
    failure = json.loads(payload)
    reason = f"{failure.get('errorType', 'error')}: {failure.get('errorMessage', '')}"
    if failure.get("errorType") in _REFUSED:
        raise DeployError(f"The restore could not be finished: {reason}")
    raise _NoReplyError(reason, PAUSE_SECONDS)
