"""Why a call to an AWS service failed, as an error code that is safe to log and to store."""

from botocore.exceptions import BotoCoreError, ClientError

FAILURES = (ClientError, BotoCoreError)
"""What a botocore client raises when a call fails: the service rejected it, or no response came."""


def failure_of(error: ClientError | BotoCoreError) -> str:
    """Return the service's error code or, without a response, the exception's type; never the request's content."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code") or "ClientError")
    return type(error).__name__
