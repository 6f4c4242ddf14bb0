"""What a call of an AWS service failed with, in words that are safe to log and to keep."""

from botocore.exceptions import BotoCoreError, ClientError

FAILURES = (ClientError, BotoCoreError)
"""What a botocore client raises when a call did not come through, or was refused."""


def failure_of(error: ClientError | BotoCoreError) -> str:
    """Return the service's error code, or the name of what went wrong on the way there; never a request's content."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code") or "ClientError")
    return type(error).__name__
