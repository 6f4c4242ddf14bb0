"""Translate the errors of DynamoDB and botocore: refused by a condition, contended, throttled, unavailable."""

from collections.abc import Iterator, Mapping, Sequence
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
_CONTENDED: Final = frozenset({"TransactionConflict", "TransactionConflictException"})
# A transaction in progress can still commit, and `ContendedError` means that nothing was written.
_UNAVAILABLE: Final = frozenset(
    {"InternalServerError", "ServiceUnavailable", "TransactionInProgressException"}
)
_REFUSED: Final = "ConditionalCheckFailed"
_REFUSED_ALONE: Final = "ConditionalCheckFailedException"
_CANCELLED: Final = "TransactionCanceledException"

RawItem = dict[str, Any]


class ConditionRefused(Exception):
    """The condition of a single write did not hold; nothing was written."""


class TransactionRefused(Exception):
    """At least one condition of a transaction did not hold; nothing was written.

    `"receipt" in refused` says whether the operation named "receipt" was refused, and `refused["receipt"]` is the item
    that it found, `{}` if there was none. Both raise KeyError for a name that no operation has.
    `contended`: another operation of the same transaction conflicted with a concurrent write, so the condition that
    failed may hold on a retry.
    """

    def __init__(self, found: Mapping[str, RawItem | None], *, contended: bool = False) -> None:
        self._found = found
        self.contended = contended
        super().__init__("refused by a condition")

    def __contains__(self, name: str) -> bool:
        return self._found[name] is not None

    def __getitem__(self, name: str) -> RawItem:
        found = self._found[name]
        if found is None:
            raise KeyError(f"{name} was not refused")
        return found


@contextmanager
def translated(operations: Sequence[str] = ()) -> Iterator[None]:
    """Translate what a DynamoDB call raises into `ConditionRefused`, `TransactionRefused` or a domain error.

    `operations` are the names of a transaction's operations in the order sent: DynamoDB gives one reason for each.
    Any other error (a wrong key schema, a missing permission) is a defect, and is raised unchanged.
    """
    try:
        yield
    except PynamoDBException as error:
        raise _meaning(error.cause or error, operations) from error
    except (ClientError, BotoCoreError) as error:
        raise _meaning(error, operations) from error


def _meaning(cause: BaseException, operations: Sequence[str]) -> BaseException:
    if isinstance(cause, VerboseClientError) and cause.response["Error"].get("Code") == _CANCELLED:
        return _meaning_of_cancellation(cause, operations)
    if isinstance(cause, ClientError):
        code = cause.response.get("Error", {}).get("Code", "")
        if code == _REFUSED_ALONE:
            return ConditionRefused()
        if code in _CONTENDED:
            return ContendedError()
        if code in _THROTTLED:
            return ThrottledError()
        # PynamoDB keeps only `Error` of the response; the status is in the exception that it wraps.
        original = cause.__cause__ if isinstance(cause.__cause__, ClientError) else cause
        status = original.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _UNAVAILABLE or status >= 500:
            return StoreUnavailableError()
    if isinstance(cause, BotoConnectionError | HTTPClientError):
        return StoreUnavailableError()
    return cause


def _meaning_of_cancellation(cause: VerboseClientError, operations: Sequence[str]) -> BaseException:
    """Return the exception for a transaction's cancellation reasons.

    A failed condition takes precedence over a conflict, because a receipt that already exists decides whether the
    request is a replay (P4).
    """
    reasons: list[CancellationReason | None] = cause.cancellation_reasons
    codes = {reason.code for reason in reasons if reason}
    contended = bool(codes & _CONTENDED)
    if _REFUSED in codes:
        found = {
            name: (reason.raw_item or {}) if reason and reason.code == _REFUSED else None
            for name, reason in zip(operations, reasons, strict=True)
        }
        return TransactionRefused(found, contended=contended)
    if contended:
        return ContendedError()
    if codes & _THROTTLED:
        return ThrottledError()
    return cause
