"""A plain DynamoDB client that knows nothing of the store, for looking at tables."""

import functools
from typing import TYPE_CHECKING, Final

from infra.local.aws import local_client

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CLIENTS: Final = 16


@functools.cache
def plain_client(endpoint_url: str) -> "DynamoDBClient":
    """Return the one client of this process for an engine."""
    return local_client("dynamodb", endpoint_url, pool=CLIENTS)
