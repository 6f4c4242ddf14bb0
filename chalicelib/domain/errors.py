"""All errors, one tree. Each class has a stable code; `wire/problems.py` maps every one to HTTP."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Final

import msgspec


class FieldFault(msgspec.Struct, frozen=True):
    """A fault of one field: `pointer` is an RFC 6901 JSON Pointer into the request."""

    pointer: str
    detail: str


class CellFault(FieldFault, frozen=True):
    """A fault in a file of rows: the line, counted from 1, and the column's name if there is one."""

    line: int
    column: str | None


# The same for every caller: it helps a client that lost its response, and reveals nothing to a stranger (P4).
_WHEN_USED: Final = (
    "This link has already been used. If you made the booking and lost the response, send exactly the same request "
    "again; a confirmation also goes to the invitee, if they can be emailed. Send an Idempotency-Key to make retries "
    "safe."
)


class AdmitOneError(Exception):
    """Base of all errors a caller can meet. `code` is the last part of the problem's `type`."""

    code: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or self.title
        super().__init__(self.detail)


class _FieldsError(AdmitOneError):
    def __init__(self, faults: Sequence[FieldFault] = (), detail: str | None = None) -> None:
        self.faults = tuple(faults)
        super().__init__(detail or "; ".join(f"{f.pointer or '/'}: {f.detail}" for f in self.faults) or None)


class InvalidRequestError(_FieldsError):
    """The request is not of the documented form: malformed JSON, an unknown field, a wrong type."""

    code = "invalid-request"
    title = "The request is not of the documented form."


class InvalidValueError(_FieldsError):
    """The form is right, but a value breaks a rule."""

    code = "invalid-value"
    title = "A value breaks a rule."


class PayloadTooLargeError(AdmitOneError):
    code = "payload-too-large"
    title = "The request body is too large."


class UnsupportedMediaTypeError(AdmitOneError):
    code = "unsupported-media-type"
    title = "The request's content type is not one this path takes."


class UnauthorizedError(AdmitOneError):
    code = "unauthorized"
    title = "A valid API key is needed."


class ForbiddenError(AdmitOneError):
    code = "forbidden"
    title = "This API key may not do that."


class NotFoundError(AdmitOneError):
    """Unknown, forged, or someone else's: the same words for all (P7, P9)."""

    code = "not-found"
    title = "There is nothing here."


class ConflictError(AdmitOneError):
    """The state of the thing does not allow this."""

    code = "conflict"
    title = "The current state does not allow this."


class MoveLimitError(ConflictError):
    """The invitee has used up the moves of a booking; the host can still move it."""

    code = "move-limit"
    title = "This booking can't be moved again by its invitee."

    def __init__(self, moves: int | None = None) -> None:
        times = "once" if moves == 1 else f"{moves} times"
        detail = f"This booking has been moved {times}. Ask the host to move it."
        super().__init__(None if moves is None else detail)


class MailNotConfiguredError(AdmitOneError):
    code = "mail-not-configured"
    title = "This installation sends no mail."


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

    def __init__(self, opens_at: datetime) -> None:
        self.opens_at = opens_at
        super().__init__()


class RecipientMismatchError(AdmitOneError):
    code = "recipient-mismatch"
    title = "This link was made for another email address."


class SlotTakenError(AdmitOneError):
    code = "slot-taken"
    title = "That time has just been taken."


class SlotNotOfferedError(AdmitOneError):
    code = "slot-not-offered"
    title = "That time is not on offer."


class IdempotencyKeyReusedError(AdmitOneError):
    code = "idempotency-key-reused"
    title = "This Idempotency-Key was used with another request body."


class TryLaterError(AdmitOneError):
    """Nothing was decided; the same request may be sent again after `retry_after` seconds."""

    def __init__(self, detail: str | None = None, *, retry_after: int = 1) -> None:
        self.retry_after = retry_after
        super().__init__(detail)


class ThrottledError(TryLaterError):
    code = "throttled"
    title = "Too many requests at once."


class StoreUnavailableError(TryLaterError):
    code = "store-unavailable"
    title = "The store is not answering."


class UnexpectedError(AdmitOneError):
    """A defect of this product; the log has the details under the same correlation id."""

    code = "internal-error"
    title = "Something went wrong on our side."


class ContendedError(StoreUnavailableError):
    """Other writes were in the way and nothing was written; worth another try at once."""


class QueueUnavailableError(StoreUnavailableError):
    """A queue did not take a message; it may be sent again."""


class ObjectsUnavailableError(StoreUnavailableError):
    """S3 did not give or take an object; worth another try."""
