"""Handle each message of a batch, and return those to retry (Lambda's partial batch response)."""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from chalicelib.consumers.time_left import OutOfTimeError
from chalicelib.domain.clock import from_millis
from chalicelib.domain.errors import Fault, TryLaterError
from chalicelib.logs import cause_fields, correlated, fields, name_of, where

Message = dict[str, Any]
"""An SQS message as Lambda passes it to a function."""

# A message that fails is stuck if it was received this often and is this old. `message-stuck` sets off an alarm,
# because the queue's metric for the age of its oldest message leaves out messages that were received three times. SQS
# counts receives, not failures: a message that waited by design is stuck at its first failure.
STUCK_RECEIVES: Final = 3
STUCK_AGE: Final = timedelta(minutes=15)

log = logging.getLogger(__name__)


class RetryMessageError(Exception):
    """A valid message that can't be handled yet. The text says why, without secrets (P7); `fault` is its code."""

    def __init__(self, text: str, fault: Fault) -> None:
        self.fault = fault
        super().__init__(text)


class MessageWaitsError(Exception):
    """A message that is early by design: nothing failed. The text says why, without secrets (P7)."""


def handle_each(
    messages: Sequence[Message],
    handle: Callable[[Message], object],
    *,
    now: Callable[[], datetime],
    concurrently: bool = False,
) -> dict[str, Any]:
    """Call `handle` with each message; return the response that makes SQS redeliver those for which it raised.

    A message that fails does not stop the others. With `concurrently`, each message has its own thread. SQS moves
    a message that keeps failing to the dead-letter queue.
    """

    def fails(message: Message) -> bool:
        return not _handled(message, handle, now)

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


def log_retry(message: Message, error: Exception, now: datetime) -> None:
    """Log in one line that a message is retried, and why. Log `message-stuck` if it is old and was received often."""
    number, history = message["messageId"], _history_of(message, now)
    about = {
        "messageId": number,
        "receives": history.receives,
        "ageSeconds": int(history.age.total_seconds()),
    }
    if isinstance(error, MessageWaitsError):
        log.info("message %s waits: %s", number, error, extra=fields("message-waits", **about))
        return
    about |= cause_fields(error)
    if history.receives >= STUCK_RECEIVES and history.age > STUCK_AGE:
        log.error(
            "message %s is stuck after %d receives in %d min: %s; read docs/operate.md",
            number,
            history.receives,
            history.age // timedelta(minutes=1),
            name_of(error),
            extra=fields("message-stuck", **about),
        )
    elif isinstance(error, RetryMessageError | TryLaterError | OutOfTimeError):
        why = error if isinstance(error, RetryMessageError) else type(error).__name__
        log.warning("message %s will be retried: %s", number, why, extra=fields("message-retried", **about))
    else:
        # P7: no error text, which may quote the message.
        log.error(
            "message %s failed: %s at %s",
            number,
            name_of(error),
            where(error),
            extra=fields("message-failed", **about),
        )


class _History(NamedTuple):
    receives: int
    age: timedelta


def _history_of(message: Message, now: datetime) -> _History:
    """Return how often SQS delivered a message, this time included, and the time since it was first sent."""
    attributes = message.get("attributes", {})
    sent = attributes.get("SentTimestamp")
    age = now - from_millis(int(sent)) if sent else timedelta()
    return _History(int(attributes.get("ApproximateReceiveCount", 1)), age)


def _handled(message: Message, handle: Callable[[Message], object], now: Callable[[], datetime]) -> bool:
    with correlated(message["messageId"]):  # in the thread that handles it; `correlate` replaces it
        try:
            handle(message)
        except Exception as error:  # noqa: BLE001 - one message must not stop the others
            log_retry(message, error, now())
            return False
        return True
