"""Handle each message of a batch, and return those to retry (Lambda's partial batch response)."""

import logging
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from chalicelib.consumers.time_left import OutOfTimeError
from chalicelib.domain.errors import TryLaterError

Message = dict[str, Any]
"""An SQS message as Lambda passes it to a function."""

log = logging.getLogger(__name__)


class RetryMessageError(Exception):
    """A valid message that can't be handled yet. The text says why, without secrets (P7)."""


def handle_each(
    messages: Sequence[Message], handle: Callable[[Message], object], *, concurrently: bool = False
) -> dict[str, Any]:
    """Call `handle` with each message; return the response that makes SQS redeliver those for which it raised.

    A message that fails does not stop the others. With `concurrently`, each message has its own thread. SQS moves
    a message that keeps failing to the dead-letter queue.
    """

    def fails(message: Message) -> bool:
        return not _handled(message, handle)

    if concurrently:
        from concurrent.futures import ThreadPoolExecutor  # imported here: most functions need no threads

        with ThreadPoolExecutor(max_workers=max(1, len(messages))) as pool:
            failed = list(pool.map(fails, messages))
    else:
        failed = [fails(message) for message in messages]
    return batch_response(
        message["messageId"] for message, fail in zip(messages, failed, strict=True) if fail
    )


def batch_response(identifiers: Iterable[str]) -> dict[str, Any]:
    """Return Lambda's partial batch response: the ids of the messages or stream records to retry."""
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in identifiers]}


def _handled(message: Message, handle: Callable[[Message], object]) -> bool:
    number = message["messageId"]
    try:
        handle(message)
    except RetryMessageError as error:
        log.warning("message %s will be retried: %s", number, error)
    except (TryLaterError, OutOfTimeError) as error:
        log.warning("message %s will be retried: %s", number, type(error).__name__)
    except Exception as error:  # noqa: BLE001 - one message must not stop the others
        # P7: no error text, which may quote the message.
        log.error("message %s failed: %s at %s", number, _name_of(error), _path_to(error))  # noqa: TRY400
    else:
        return True
    return False


def _name_of(error: Exception) -> str:
    """Return the error's type, and the AWS error code if it has one."""
    response = getattr(error, "response", None) or {}
    code = response.get("Error", {}).get("Code")
    return f"{type(error).__name__} {code}" if code else type(error).__name__


def _path_to(error: Exception) -> str:
    """Return the functions and lines of the traceback, outermost first, without any value."""
    steps = traceback.walk_tb(error.__traceback__)
    return " > ".join(f"{frame.f_code.co_qualname}:{line}" for frame, line in steps)
