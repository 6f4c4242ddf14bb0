"""A local AWS account: dummy credentials, and clients that can reach only one endpoint."""

import os
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Final, Literal, overload

import botocore.config
import botocore.session

from chalicelib.store.session import use_fast_loader

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_secretsmanager import SecretsManagerClient

LOCAL_REGION: Final = "us-east-1"
LOCAL_KEY: Final = "local"  # the key id and the secret; no real account has them
_LOOPBACK: Final = "127.0.0.1,localhost,::1"


def use_local_aws(environ: MutableMapping[str, str], endpoint_url: str | None = None) -> None:
    """Change `environ` so that AWS clients get dummy credentials and ignore the user's AWS settings.

    With `endpoint_url`, every service uses it unless `AWS_ENDPOINT_URL_<SERVICE>` overrides it.
    """
    for name in (
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_SESSION_TOKEN",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    ):
        environ.pop(name, None)
    environ.update(
        AWS_ACCESS_KEY_ID=LOCAL_KEY,
        AWS_SECRET_ACCESS_KEY=LOCAL_KEY,
        AWS_DEFAULT_REGION=LOCAL_REGION,
        AWS_REGION=LOCAL_REGION,
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
    )
    for name in ("NO_PROXY", "no_proxy"):  # the user's proxy can't reach this machine's loopback
        environ[name] = ",".join(filter(None, [environ.get(name), _LOOPBACK]))
    if endpoint_url is not None:
        environ["AWS_ENDPOINT_URL"] = endpoint_url


@overload
def local_client(service: Literal["dynamodb"], endpoint_url: str, *, pool: int = 10) -> "DynamoDBClient": ...
@overload
def local_client(
    service: Literal["secretsmanager"], endpoint_url: str, *, pool: int = 10
) -> "SecretsManagerClient": ...
@overload
def local_client(service: str, endpoint_url: str, *, pool: int = 10, validate: bool = True) -> Any: ...
def local_client(service: str, endpoint_url: str, *, pool: int = 10, validate: bool = True) -> Any:
    """Return a botocore client for `endpoint_url`, with dummy credentials and at most `pool` connections.

    Without `validate`, botocore doesn't check parameters. dynoxide needs that: its shard ids are shorter than AWS's.
    """
    config = botocore.config.Config(
        connect_timeout=2,
        read_timeout=30,
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=pool,
        proxies={},
        parameter_validation=validate,
    )
    session = botocore.session.Session(profile=None)
    use_fast_loader(session)
    return session.create_client(
        service,
        endpoint_url=endpoint_url,
        region_name=LOCAL_REGION,
        aws_access_key_id=LOCAL_KEY,
        aws_secret_access_key=LOCAL_KEY,
        config=config,
    )
