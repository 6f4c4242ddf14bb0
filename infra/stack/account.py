"""An AWS account: open it with the user's credentials, and explain AWS's errors."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from infra.errors import CommandError


class DeployError(CommandError):
    """A command that uses AWS can't continue. The message explains why and what to do."""


@dataclass(frozen=True)
class Account:
    """An AWS account in one region; it creates clients. `identity` is the ARN of the user or role that calls it."""

    session: Any
    account_id: str
    region: str
    identity: str = ""

    def client(self, service: str, config: Config | None = None) -> Any:
        """Return a client of a service; `config` sets its timeouts and retries."""
        return self.session.create_client(service, region_name=self.region, config=config)


def open_account(environ: Mapping[str, str] = os.environ) -> Account:
    """Return the account of the environment's credentials. Raise `DeployError`, `ClientError`."""
    session = botocore.session.Session()
    region = environ.get("AWS_REGION") or session.get_config_variable("region")
    if not region:
        raise DeployError("No AWS region is set. Set one: AWS_REGION=eu-central-1 make …")
    sts: Any = session.create_client("sts", region_name=region)
    caller = sts.get_caller_identity()
    return Account(session, caller["Account"], region, caller["Arn"])


def find_table(account: Account, name: str) -> dict[str, Any] | None:
    """Return the description of a table, or None if it does not exist. Raise `ClientError`."""
    try:
        table: dict[str, Any] = account.client("dynamodb").describe_table(TableName=name)["Table"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
    return table


@contextmanager
def explained() -> Iterator[None]:
    """Convert AWS's errors to a `DeployError` with a message that says what to do."""
    try:
        yield
    except (
        NoCredentialsError,
        PartialCredentialsError,
        ProfileNotFound,
        SSOError,
        TokenRetrievalError,
    ) as error:
        raise DeployError(f"No AWS credentials can be used: {error}. Set AWS_PROFILE, or log in.") from error
    except EndpointConnectionError as error:
        raise DeployError(f"AWS can't be reached; check the network and the region: {error}") from error
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        if code in {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "SignatureDoesNotMatch"}:
            raise DeployError(
                f"The AWS credentials are not valid or have expired: {message} Log in again."
            ) from error
        if "AccessDenied" in code or code in {"403", "UnauthorizedOperation"}:
            raise DeployError(
                f"These credentials don't have permission for {error.operation_name}: {message}"
            ) from error
        raise DeployError(str(error)) from error
    except BotoCoreError as error:
        raise DeployError(str(error)) from error
