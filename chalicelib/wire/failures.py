"""Log a failed request in one line: of an HTTP client, of API Gateway to its authorizer, or a direct call."""

import logging
from typing import Final

from chalicelib.domain.errors import AdmitOneError, TryLaterError, UnexpectedError
from chalicelib.logs import cause_fields, fields, name_of, where
from chalicelib.wire.problems import STATUSES

log = logging.getLogger(__name__)

_THROTTLED: Final = 429
_FAILED: Final = 500


def known_error(error: Exception) -> AdmitOneError:
    """Return the error that the caller sees: `UnexpectedError` for anything that is not one of ours."""
    return error if isinstance(error, AdmitOneError) else UnexpectedError()


def log_failure(error: Exception, request: str, **about: object) -> None:
    """Log a response with status 429 or 5xx as `request-failed`. Log nothing for other errors: callers cause those.

    `request` says what failed, with a route such as `/s/{token}` and never with a path, which contains the token (P7).
    """
    known = known_error(error)
    status = STATUSES[type(known)]
    if status != _THROTTLED and status < _FAILED:
        return
    temporary = isinstance(known, TryLaterError)
    place = "" if temporary else f" at {where(error)}"
    log.log(
        logging.WARNING if temporary else logging.ERROR,
        "%s failed with %d: %s%s",
        request,
        status,
        name_of(error),
        place,
        extra=fields("request-failed", status=status, problem=known.code, **about, **cause_fields(error)),
    )
