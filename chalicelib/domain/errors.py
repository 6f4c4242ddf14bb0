"""All errors that a caller sees, in one tree. Each class has a stable code; `wire/problems.py` maps it to HTTP."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Final

import msgspec


class FieldFault(msgspec.Struct, frozen=True):
    """A fault in one field. `pointer` is an RFC 6901 JSON Pointer into the request."""

    pointer: str
    detail: str


class CellFault(FieldFault, frozen=True):
    """A fault in a cell or row of a CSV file: the line, counted from 1, and the column's name if there is one."""

    line: int
    column: str | None


class Fault(msgspec.Struct, frozen=True):
    """Why a call to an AWS service failed, as it is logged. It never quotes the request or AWS's message (P7).

    `code` is the service's error code or, without a response, the exception's type. `reasons` are DynamoDB's
    throttling reasons.
    """

    code: str
    service: str = ""
    operation: str = ""
    request_id: str = ""
    reasons: tuple[str, ...] = ()


_NEWER: Final = (
    "A newer version of Admit One wrote this with a limit that this version does not know. "
    "Retry when the newer version is deployed again."
)

# The advice is the same for every caller: it helps a client that lost the response but no stranger (P4).
_WHEN_USED: Final = (
    "This link has already been used. If you made the booking and lost the response, send exactly the same request "
    "again. The invitee also gets a confirmation if email is configured. Send an Idempotency-Key to make retries safe."
)


class AdmitOneError(Exception):
    """Base of all errors that a caller sees. `code` is the last part of the problem's `type`.

    Without a `detail`, the detail is the `title` and the `advice`, which says what the caller can do.
    """

    code: ClassVar[str]
    title: ClassVar[str]
    advice: ClassVar[str] = ""

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or f"{self.title} {self.advice}".strip()
        super().__init__(self.detail)


class _FieldsError(AdmitOneError):
    def __init__(self, faults: Sequence[FieldFault] = (), detail: str | None = None) -> None:
        self.faults = tuple(faults)
        super().__init__(detail or "; ".join(f"{f.pointer or '/'}: {f.detail}" for f in self.faults) or None)


class InvalidRequestError(_FieldsError):
    """The request is malformed: broken JSON, an unknown field or a wrong type."""

    code = "invalid-request"
    title = "The request is malformed."


class InvalidValueError(_FieldsError):
    """The request is well formed, but a value is invalid."""

    code = "invalid-value"
    title = "A value in the request is invalid."


class PayloadTooLargeError(AdmitOneError):
    code = "payload-too-large"
    title = "The request body is too large."


class UnsupportedMediaTypeError(AdmitOneError):
    code = "unsupported-media-type"
    title = "This path does not support the request's content type."


class UnauthorizedError(AdmitOneError):
    code = "unauthorized"
    title = "A valid API key is required."
    advice = "Send it in the header `Authorization: Bearer <key>`."


class ForbiddenError(AdmitOneError):
    code = "forbidden"
    title = "This API key is not allowed to do that."


class NotFoundError(AdmitOneError):
    """The resource is unknown, its token is forged, or it is another host's. The text is always the same (P7, P9)."""

    code = "not-found"
    title = "There is nothing here."


class ConflictError(AdmitOneError):
    """The current state of the resource does not allow the request."""

    code = "conflict"
    title = "The current state does not allow this request."


class MoveLimitError(ConflictError):
    """The invitee has used up the moves of a booking; the host can still move it."""

    code = "move-limit"
    title = "The invitee can't move this booking again."

    def __init__(self, moves: int | None = None) -> None:
        times = "once" if moves == 1 else f"{moves} times"
        detail = f"This booking has been moved {times}. Ask the host to move it."
        super().__init__(None if moves is None else detail)


class MailNotConfiguredError(AdmitOneError):
    code = "mail-not-configured"
    title = "Email is not configured on this installation."


class DeadLinkError(AdmitOneError):
    """Base of the errors for a genuine link that can no longer be used."""


class LinkUsedError(DeadLinkError):
    code = "link-used"
    title = "This link has already been used."

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or _WHEN_USED)


class LinkExpiredError(DeadLinkError):
    code = "link-expired"
    title = "This link has expired."


class LinkRevokedError(DeadLinkError):
    code = "link-revoked"
    title = "This link is no longer active."


class LinkDeletedError(DeadLinkError):
    code = "link-deleted"
    title = "This link no longer exists."


class LinkNotOpenError(AdmitOneError):
    """The link opens later. `opens_at` is an aware UTC instant."""

    code = "link-not-open"
    title = "This link is not open yet."
    advice = "Retry at the time in `notBefore`."

    def __init__(self, opens_at: datetime) -> None:
        self.opens_at = opens_at
        super().__init__()


class RecipientMismatchError(AdmitOneError):
    code = "recipient-mismatch"
    title = "This link is for another email address."
    advice = "Book with the address that the link was sent to."


class SlotTakenError(AdmitOneError):
    code = "slot-taken"
    title = "That time has just been taken."
    advice = "Choose another slot."


class SlotNotOfferedError(AdmitOneError):
    code = "slot-not-offered"
    title = "That time is not on offer."
    advice = "List the slots again and choose one of them."


class IdempotencyKeyReusedError(AdmitOneError):
    code = "idempotency-key-reused"
    title = "This Idempotency-Key was used with another request body."
    advice = "Send a new key with a new request."


class TryLaterError(AdmitOneError):
    """The request could not be completed. Retry the same request after `retry_after` seconds.

    `fault` is the failed call to AWS that caused it, if there was one. `attempts` is how often the step was tried. Both
    are logged, and callers never see them.
    """

    def __init__(
        self, detail: str | None = None, *, retry_after: int = 1, fault: Fault | None = None
    ) -> None:
        self.retry_after = retry_after
        self.fault = fault
        self.attempts = 1
        super().__init__(detail)


class ThrottledError(TryLaterError):
    code = "throttled"
    title = "Too many requests at once."
    advice = "Wait a moment and retry the same request."


class StoreUnavailableError(TryLaterError):
    code = "store-unavailable"
    title = "The database is temporarily unavailable."
    advice = "Wait a moment and retry the same request."


class NewerItemError(StoreUnavailableError):
    """Newer code has written an item with a limit that this code does not know, so this code can't act on it."""

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or _NEWER, retry_after=60, fault=Fault("newer-item"))


class UnexpectedError(AdmitOneError):
    """A defect of this product; the log has the details under the same correlation id."""

    code = "internal-error"
    title = "Something went wrong on our side."
    advice = "If a retry fails too, report the correlation id."


class ContendedError(StoreUnavailableError):
    """Concurrent writes conflicted and nothing was written. An immediate retry may succeed."""

    def __init__(
        self, detail: str | None = None, *, retry_after: int = 1, fault: Fault | None = None
    ) -> None:
        super().__init__(detail, retry_after=retry_after, fault=fault or Fault("contended"))


class QueueUnavailableError(StoreUnavailableError):
    """A queue did not accept a message. A retry is safe."""


class ObjectsUnavailableError(StoreUnavailableError):
    """S3 failed to read or write an object. A retry is safe."""
