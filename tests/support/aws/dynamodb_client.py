"""A plain DynamoDB client, independent of the store, for reading tables."""

import functools
from typing import TYPE_CHECKING, Final

from infra.local.aws import local_client

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CLIENTS: Final = 16


@functools.cache
def plain_client(endpoint_url: str) -> "DynamoDBClient":
    """Return this process's client for an engine."""
    return local_client("dynamodb", endpoint_url, pool=CLIENTS)
