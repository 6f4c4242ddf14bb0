"""DynamoDB's and botocore's faults as our own: refused by a condition, contended, throttled, unavailable."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError as BotoConnectionError,
    HTTPClientError,
)
from pynamodb.exceptions import CancellationReason, PynamoDBException, VerboseClientError

from chalicelib.domain.errors import ContendedError, StoreUnavailableError, ThrottledError

_THROTTLED: Final = frozenset(
    {
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingError",
        "ThrottlingException",
    }
)
_CONTENDED: Final = frozenset(
    {"TransactionConflict", "TransactionConflictException", "TransactionInProgressException"}
)
_REFUSED: Final = "ConditionalCheckFailed"
_REFUSED_ALONE: Final = "ConditionalCheckFailedException"
_CANCELLED: Final = "TransactionCanceledException"

RawItem = dict[str, Any]


class ConditionRefused(Exception):
    """The condition of a single write did not hold; nothing was written."""


class TransactionRefused(Exception):
    """At least one condition of a transaction did not hold; nothing was written.

    `refusals` has one entry an operation, in the order they were given: None where that operation's own
    condition held (or was not looked at), else the item as it was found, `{}` when there was none.
    `contended` tells that another operation met a conflict, so a refusal may be of a passing state.
    """

    def __init__(self, refusals: Sequence[RawItem | None], *, contended: bool = False) -> None:
        self.refusals = tuple(refusals)
        self.contended = contended
        super().__init__("refused by a condition")


@contextmanager
def translated() -> Iterator[None]:
    """Turn what a DynamoDB call raises into `ConditionRefused`, `TransactionRefused` or a domain error.

    Anything else (a wrong key schema, a missing permission) is a defect and goes up as it is.
    """
    try:
        yield
    except PynamoDBException as error:
        raise _meaning(error.cause or error) from error
    except (ClientError, BotoCoreError) as error:
        raise _meaning(error) from error


def _meaning(cause: BaseException) -> BaseException:
    if isinstance(cause, VerboseClientError) and cause.response["Error"].get("Code") == _CANCELLED:
        return _meaning_of_cancellation(cause.cancellation_reasons, cause)
    if isinstance(cause, ClientError):
        code = cause.response.get("Error", {}).get("Code", "")
        if code == _REFUSED_ALONE:
            return ConditionRefused()
        if code in _CONTENDED:
            return ContendedError()
        if code in _THROTTLED:
            return ThrottledError()
        # PynamoDB keeps of an answer its `Error` alone; the status is in what it made its own error from.
        told = cause.__cause__ if isinstance(cause.__cause__, ClientError) else cause
        status = told.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in {"InternalServerError", "ServiceUnavailable"} or status >= 500:
            return StoreUnavailableError()
    if isinstance(cause, BotoConnectionError | HTTPClientError):
        return StoreUnavailableError()
    return cause


def _meaning_of_cancellation(
    reasons: Sequence[CancellationReason | None], cause: BaseException
) -> BaseException:
    """Read the reasons by item. A refusal found beside a conflict is still told: a receipt decides a replay."""
    codes = {reason.code for reason in reasons if reason}
    refusals = [(reason.raw_item or {}) if reason and reason.code == _REFUSED else None for reason in reasons]
    contended = bool(codes & _CONTENDED)
    if _REFUSED in codes:
        return TransactionRefused(refusals, contended=contended)
    if contended:
        return ContendedError()
    if codes & _THROTTLED:
        return ThrottledError()
    return cause
