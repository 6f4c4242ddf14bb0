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

from chalicelib.domain.errors import ContendedError, Fault, StoreUnavailableError, ThrottledError

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

SERVICE: Final = "dynamodb"

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
def translated(operations: Sequence[str] = (), *, call: str = "") -> Iterator[None]:
    """Translate what a DynamoDB call raises into `ConditionRefused`, `TransactionRefused` or a domain error.

    `operations` are the names of a transaction's operations in the order sent: DynamoDB gives one reason for each.
    `call` is DynamoDB's name of the call, for the log if there is no response.
    Any other error (a wrong key schema, a missing permission) is a defect, and is raised unchanged.
    """
    try:
        yield
    except PynamoDBException as error:
        raise _meaning(error.cause or error, operations, call) from error
    except (ClientError, BotoCoreError) as error:
        raise _meaning(error, operations, call) from error


def _meaning(cause: BaseException, operations: Sequence[str], call: str) -> BaseException:
    if isinstance(cause, VerboseClientError) and cause.response["Error"].get("Code") == _CANCELLED:
        return _meaning_of_cancellation(cause, operations)
    if isinstance(cause, ClientError):
        code = cause.response.get("Error", {}).get("Code", "")
        if code == _REFUSED_ALONE:
            return ConditionRefused()
        response = _whole_response(cause)
        fault = _fault(code, cause.operation_name, response)
        if code in _CONTENDED:
            return ContendedError(fault=fault)
        if code in _THROTTLED:
            return ThrottledError(fault=fault)
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _UNAVAILABLE or status >= 500:
            return StoreUnavailableError(fault=fault)
    if isinstance(cause, BotoConnectionError | HTTPClientError):
        return StoreUnavailableError(fault=Fault(type(cause).__name__, SERVICE, call))
    return cause


def _whole_response(error: ClientError) -> Mapping[str, Any]:
    """Return the response with its metadata: PynamoDB keeps only `Error`, and wraps the exception that has the rest."""
    original = error.__cause__ if isinstance(error.__cause__, ClientError) else error
    return original.response


def _fault(code: str, operation: str, response: Mapping[str, Any]) -> Fault:
    """Return what is logged about an error response. Of a resource's ARN, only the part after the account is kept."""
    found = response.get("ThrottlingReasons") or response.get("throttlingReasons") or ()
    reasons = (f"{each.get('reason', '')} {each.get('resource', '').rpartition(':')[2]}" for each in found)
    request_id = str(response.get("ResponseMetadata", {}).get("RequestId", ""))
    return Fault(code, SERVICE, operation, request_id, tuple(reason.strip() for reason in reasons))


def _meaning_of_cancellation(cause: VerboseClientError, operations: Sequence[str]) -> BaseException:
    """Return the exception for a transaction's cancellation reasons.

    A failed condition takes precedence over a conflict, because a receipt that already exists decides whether the
    request is a replay (P4).
    """
    reasons: list[CancellationReason | None] = cause.cancellation_reasons
    codes = {reason.code for reason in reasons if reason}
    contended = bool(codes & _CONTENDED)
    each = ", ".join(reason.code if reason else "None" for reason in reasons)
    fault = _fault(f"{_CANCELLED}: {each}", cause.operation_name, _whole_response(cause))
    if _REFUSED in codes:
        found = {
            name: (reason.raw_item or {}) if reason and reason.code == _REFUSED else None
            for name, reason in zip(operations, reasons, strict=True)
        }
        return TransactionRefused(found, contended=contended)
    if contended:
        return ContendedError(fault=fault)
    if codes & _THROTTLED:
        return ThrottledError(fault=fault)
    return cause
