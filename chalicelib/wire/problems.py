"""Turn errors into RFC 9457 problem documents, with one table from error class to HTTP status."""

from typing import Any, Final

from chalicelib.domain import errors
from chalicelib.domain.clock import rfc3339
from chalicelib.domain.errors import (
    AdmitOneError,
    CellFault,
    FieldFault,
    InvalidRequestError,
    InvalidValueError,
    LinkNotOpenError,
    TryLaterError,
)

PROBLEM_TYPE: Final = "urn:admit-one:problem:"
MEDIA_TYPE: Final = "application/problem+json"

STATUSES: Final[dict[type[AdmitOneError], int]] = {
    errors.InvalidRequestError: 400,
    errors.UnauthorizedError: 401,
    errors.ForbiddenError: 403,
    errors.LinkNotOpenError: 403,
    errors.RecipientMismatchError: 403,
    errors.NotFoundError: 404,
    errors.ConflictError: 409,
    errors.MoveLimitError: 409,
    errors.MailNotConfiguredError: 409,
    errors.SlotNotOfferedError: 409,
    errors.SlotTakenError: 409,
    errors.LinkDeletedError: 410,
    errors.LinkExpiredError: 410,
    errors.LinkRevokedError: 410,
    errors.LinkUsedError: 410,
    errors.PayloadTooLargeError: 413,
    errors.UnsupportedMediaTypeError: 415,
    errors.IdempotencyKeyReusedError: 422,
    errors.InvalidValueError: 422,
    errors.ThrottledError: 429,
    errors.UnexpectedError: 500,
    errors.ContendedError: 503,
    errors.NewerItemError: 503,
    errors.ObjectsUnavailableError: 503,
    errors.QueueUnavailableError: 503,
    errors.StoreUnavailableError: 503,
}


def problem(error: AdmitOneError, correlation_id: str | None = None) -> dict[str, Any]:
    """Return the problem document of an error."""
    document: dict[str, Any] = {
        "type": PROBLEM_TYPE + error.code,
        "title": error.title,
        "status": STATUSES[type(error)],
        "detail": error.detail,
    }
    if isinstance(error, InvalidRequestError | InvalidValueError) and error.faults:
        document["errors"] = [_fault(fault) for fault in error.faults]
    if isinstance(error, LinkNotOpenError):
        document["notBefore"] = rfc3339(error.opens_at)
    if correlation_id is not None:
        document["correlationId"] = correlation_id
    return document


def lambda_error_name(error: AdmitOneError | type[AdmitOneError]) -> str:
    """Return the name of an error for Lambda and Step Functions: `link-used` becomes `LinkUsed`.

    The direct functions raise errors with these names, and alarms count the names in their logs.
    """
    return "".join(part.capitalize() for part in error.code.split("-"))


def problem_headers(error: AdmitOneError) -> dict[str, str]:
    """Return the headers that go with an error: when to retry, or how to authenticate."""
    if isinstance(error, TryLaterError):
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, errors.UnauthorizedError):
        return {"WWW-Authenticate": "Bearer"}
    return {}


def _fault(fault: FieldFault) -> dict[str, Any]:
    place = {"line": fault.line, "column": fault.column} if isinstance(fault, CellFault) else {}
    return {**place, "pointer": fault.pointer, "detail": fault.detail}
