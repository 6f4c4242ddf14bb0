"""Describe a failed call to an AWS service by an error code that is safe to log and to store."""

from typing import Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError as BotoConnectionError,
    HTTPClientError,
    IncompleteReadError,
)

from chalicelib.domain.errors import Fault

FAILURES = (ClientError, BotoCoreError)
"""The exceptions of a failed botocore call: the service rejected it, or there was no response."""

# The codes that botocore's own retries repeat, without `LimitExceededException`, which also reports a fixed quota.
# S3 rejects an upload that stalled with a 400, `RequestTimeout`.
_TEMPORARY: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


def failure_of(error: ClientError | BotoCoreError) -> str:
    """Return the service's error code or, without a response, the exception's type. Neither contains the request."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code") or "ClientError")
    return type(error).__name__


def fault_of(error: ClientError | BotoCoreError, service: str, operation: str) -> Fault:
    """Return what is logged about a failed call. The other arguments are AWS's names, e.g. `sqs` and `SendMessage`."""
    response = error.response if isinstance(error, ClientError) else {}
    request_id = str(response.get("ResponseMetadata", {}).get("RequestId", ""))
    return Fault(failure_of(error), service, operation, request_id)


def is_temporary(error: ClientError | BotoCoreError) -> bool:
    """Return whether a retry may succeed: there was no whole response, the service failed, or it throttled the call."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or status == 429 or failure_of(error) in _TEMPORARY
    return isinstance(error, BotoConnectionError | HTTPClientError | IncompleteReadError)
