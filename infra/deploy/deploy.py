"""Deploy a stage to an AWS account, or destroy it: `make deploy`, `make destroy`."""

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import botocore.session
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

from infra.deploy import stacks
from infra.deploy.adopting import adopt
from infra.deploy.stacks import (
    Deployment,
    Outcome,
    StackError,
    delete_stack,
    outputs,
    put_stack,
    stack_status,
    upload,
)
from infra.package.alarms import WATCHED
from infra.package.build import Package, make_package
from infra.package.command import PackageError
from infra.package.dependencies import ARM, X86, Target
from infra.package.fragments import TemplateError
from infra.package.gateway import with_parameters_told
from infra.paths import BUILD, ROOT

STAGES: Final = ROOT / "infra" / "stages"
WATCH_MINUTES: Final = 5

_STAGE: Final = re.compile(r"[a-z][a-z0-9-]{0,19}")
_RETAINED: Final = {"Retain", "RetainExceptOnCreate"}


class DeployError(Exception):
    """What stands in the way, and what to do about it."""


@dataclass(frozen=True)
class Stage:
    """A stage: its name, its parameters, and a table and signing keys that are there already, if any."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    table: str | None = None
    signing_secret: str | None = None

    @property
    def stack(self) -> str:
        """The name of its stack."""
        return f"admit-one-{self.name}"


@dataclass(frozen=True)
class Account:
    """Whose account, where, and clients for it."""

    session: Any
    account_id: str
    region: str

    def client(self, service: str) -> Any:
        """Return a client of a service."""
        return self.session.create_client(service, region_name=self.region)


class Outputs(dict[str, str]):
    """A stack's outputs; one that is missing is a `DeployError`: the stage was deployed before it had that."""

    def __missing__(self, name: str) -> str:
        """Raise `DeployError`."""
        raise DeployError(f"The stack has no output {name}, which is newer than it: deploy the stage first.")


def read_stage(name: str, folder: Path = STAGES) -> Stage:
    """Return a stage from its file; one without a file has no parameters. Raises `DeployError`."""
    if not _STAGE.fullmatch(name):
        raise DeployError(
            f"{name!r} can't name a stage: small letters, digits and hyphens, at most 20, a letter first."
        )
    path = folder / f"{name}.json"
    if not path.exists():
        return Stage(name)
    try:
        document = json.loads(path.read_text())
        unknown = set(document) - {"parameters", "table", "signingSecret"}
        if unknown:
            raise DeployError(f"{path.name}: {', '.join(sorted(unknown))} is not known there.")
        parameters = {key: str(value) for key, value in document.get("parameters", {}).items()}
    except (ValueError, AttributeError) as error:
        raise DeployError(f"{path.name} can't be read: {error}") from error
    return Stage(name, parameters, document.get("table"), document.get("signingSecret"))


def open_account(environ: Mapping[str, str] = os.environ) -> Account:
    """Return the account that the environment's credentials are of. Raises `DeployError`, `ClientError`."""
    session = botocore.session.Session()
    region = environ.get("AWS_REGION") or session.get_config_variable("region")
    if not region:
        raise DeployError("No AWS region is set. Say where: AWS_REGION=eu-central-1 make …")
    sts: Any = session.create_client("sts", region_name=region)
    return Account(session, sts.get_caller_identity()["Account"], region)


def deploy(
    account: Account, stage: Stage, package: Package, *, bucket: str | None, watch_minutes: int
) -> Outcome:
    """Put a stage up, or bring it up to date; all of it or nothing. Raises `DeployError`, `StackError`."""
    template = _over_what_is_there(account, stage, package.read_template())
    template = with_parameters_told(template, stage.parameters)
    unknown = sorted(set(stage.parameters) - set(template["Parameters"]))
    if unknown:
        there = ", ".join(sorted(template["Parameters"]))
        raise DeployError(f"There is no parameter {', '.join(unknown)}; there are {there}.")
    bucket = _ready_bucket(account, bucket)
    url = upload(account.client("s3"), bucket, package, template, owner=account.account_id)
    cloudformation = account.client("cloudformation")
    alarms = _alarms(cloudformation, stage.stack) if watch_minutes else ()
    deployment = Deployment(
        name=stage.stack,
        bucket=bucket,
        parameters=stage.parameters,
        tags={"app": "admit-one", "stage": stage.name},
        rollback_alarms=alarms,
        poll_seconds=stacks.POLL_SECONDS,
        watch_minutes=watch_minutes if alarms else 0,
    )
    return put_stack(cloudformation, deployment, url)


def destroy(account: Account, stage: Stage) -> list[str]:
    """Take a stage down; return what its template says to keep, and is kept. Raises `DeployError`, `StackError`."""
    cloudformation = account.client("cloudformation")
    if stack_status(cloudformation, stage.stack) is None:
        raise DeployError(f"There is no stack {stage.stack} in {account.region}.")
    found = cloudformation.get_template(StackName=stage.stack, TemplateStage="Original")["TemplateBody"]
    template = json.loads(found) if isinstance(found, str) else found
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stage.stack)
    kept = [
        f"{resource['LogicalResourceId']}: {resource['PhysicalResourceId']}"
        for page in pages
        for resource in page["StackResourceSummaries"]
        if template["Resources"].get(resource["LogicalResourceId"], {}).get("DeletionPolicy") in _RETAINED
    ]
    delete_stack(cloudformation, stage.stack, stacks.POLL_SECONDS)
    return kept


def stage_settings(account: Account, stage: Stage) -> dict[str, str]:
    """Return the app's settings for a stage that is up, for tools that work on its table. Raises `DeployError`."""
    found = stack_outputs(account, stage)
    return {
        "TABLE_NAME": found["TableName"],
        "SIGNING_SECRET_ID": found["SigningSecretId"],
        "BASE_URL": found["SiteUrl"],
        "AWS_REGION": account.region,
        "AWS_DEFAULT_REGION": account.region,
    }


def stack_outputs(account: Account, stage: Stage) -> dict[str, str]:
    """Return the outputs of a stage that is up. Raises `DeployError` where it is not."""
    cloudformation = account.client("cloudformation")
    if stack_status(cloudformation, stage.stack) is None:
        raise DeployError(
            f"There is no stack {stage.stack} in {account.region}; make deploy STAGE={stage.name} first."
        )
    return Outputs(outputs(cloudformation, stage.stack))


def find_table(account: Account, name: str) -> dict[str, Any] | None:
    """Return what DynamoDB says of a table, or None where there is none. Raises `ClientError`."""
    try:
        table: dict[str, Any] = account.client("dynamodb").describe_table(TableName=name)["Table"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
    return table


@contextmanager
def explained() -> Iterator[None]:
    """Turn what AWS says no to into a `DeployError` that says what to do."""
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
        raise DeployError(f"AWS can't be reached: {error}") from error
    except ClientError as error:
        code, said = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        if code in {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "SignatureDoesNotMatch"}:
            raise DeployError(
                f"The AWS credentials are not valid (any more): {said} Log in again."
            ) from error
        if "AccessDenied" in code or code in {"403", "UnauthorizedOperation"}:
            raise DeployError(
                f"{error.operation_name} is not allowed to these credentials: {said}"
            ) from error
        raise DeployError(str(error)) from error
    except BotoCoreError as error:
        raise DeployError(str(error)) from error


def _over_what_is_there(account: Account, stage: Stage, template: dict[str, Any]) -> dict[str, Any]:
    if stage.table:
        table = account.client("dynamodb").describe_table(TableName=stage.table)["Table"]
        if "LatestStreamArn" not in table:
            raise DeployError(
                f"The table {stage.table} has no stream; docs/deploy.md says how to give it one."
            )
        attributes = {"Arn": table["TableArn"], "StreamArn": table["LatestStreamArn"]}
        template = adopt(template, "Table", stage.table, attributes)
    if stage.signing_secret:
        secret = account.client("secretsmanager").describe_secret(SecretId=stage.signing_secret)
        template = adopt(template, "SigningSecret", secret["ARN"], {"Id": secret["ARN"]})
    return template


def _ready_bucket(account: Account, given: str | None) -> str:
    """Return a bucket to deploy from: the one given, or one of our own, made private where there is none."""
    name = given or f"admit-one-deploy-{account.account_id}-{account.region}"
    s3 = account.client("s3")
    try:
        s3.head_bucket(Bucket=name, ExpectedBucketOwner=account.account_id)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 403:
            raise DeployError(
                f"The bucket {name} is not this account's, or these credentials may not use it. "
                "They need s3:ListBucket, s3:GetObject and s3:PutObject there; or name another: BUCKET=…"
            ) from error
        if status != 404:
            raise
        if given:
            raise DeployError(f"There is no bucket {name}.") from error
        _make_bucket(account, s3, name)
    return name


def _make_bucket(account: Account, s3: Any, name: str) -> None:
    where = {} if account.region == "us-east-1" else {"LocationConstraint": account.region}
    try:
        s3.create_bucket(Bucket=name, **({"CreateBucketConfiguration": where} if where else {}))
        s3.put_public_access_block(
            Bucket=name,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True, "IgnorePublicAcls": True,
                "BlockPublicPolicy": True, "RestrictPublicBuckets": True,
            },
        )  # fmt: skip
    except ClientError as error:
        if error.response["Error"]["Code"] == "AccessDenied":
            raise DeployError(
                f"These credentials may not make the bucket {name}, from which CloudFormation reads. "
                "Let someone make it, or name one that is there: BUCKET=…"
            ) from error
        raise


def _alarms(cloudformation: Any, stack: str) -> tuple[str, ...]:
    """Return the ARNs of the alarms to watch, of a stack that has them already."""
    if stack_status(cloudformation, stack) is None:
        return ()
    found = outputs(cloudformation, stack)
    return tuple(found[f"{name}Arn"] for name in WATCHED if f"{name}Arn" in found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    given = _parse(arguments)
    try:
        with explained():
            stage = read_stage(given.stage, STAGES)
            account = open_account()
            if given.command == "deploy":
                _deploy(account, stage, given)
            else:
                _destroy(account, stage, given)
    except (DeployError, PackageError, TemplateError, StackError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _deploy(account: Account, stage: Stage, given: argparse.Namespace) -> None:
    print(f"Account {account.account_id}, {account.region}: {stage.stack}")
    print("Packaging …")
    package = make_package(stage.name, Target(given.architecture), BUILD / stage.name)
    print("Deploying; the first time takes a few minutes …", flush=True)
    outcome = deploy(account, stage, package, bucket=given.bucket or None, watch_minutes=given.watch)
    found = outputs(account.client("cloudformation"), stage.stack)
    print({Outcome.UNCHANGED: "Nothing has changed."}.get(outcome, f"{outcome.value.capitalize()}."))
    print(f"Site: {found['SiteUrl']}")
    print(f"Console: {found['SiteUrl']}/console")
    if "DomainTarget" in found and not stage.parameters.get("DomainHostedZoneId"):
        print(f"Point a CNAME of {stage.parameters['DomainName']} to {found['DomainTarget']}")
    if outcome is Outcome.CREATED:
        print(f"Now make a key: make key STAGE={stage.name} ROLE=admin NAME=…")


def _destroy(account: Account, stage: Stage, given: argparse.Namespace) -> None:
    if given.confirm != stage.name:
        raise DeployError(
            f"This takes down {stage.stack} in account {account.account_id}, {account.region}: no link opens any more. "
            f"Table and signing keys are kept. To do it: make destroy STAGE={stage.name} CONFIRM={stage.name}"
        )
    kept = destroy(account, stage)
    print(f"{stage.stack} is down. Kept, with all data:")
    for line in kept:
        print(f"  {line}")
    print(
        f"To put it up again over them, name table and signingSecret in infra/stages/{stage.name}.json; docs/deploy.md."
    )


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="infra.deploy.deploy", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("deploy", help="put a stage up, or bring it up to date")
    up.add_argument("--stage", required=True)
    up.add_argument("--architecture", choices=[ARM, X86], default=ARM)
    up.add_argument("--bucket", default="", help="the bucket to deploy from (default: one of its own)")
    up.add_argument(
        "--watch", type=int, default=WATCH_MINUTES,
        help="minutes to watch the alarms afterwards; one that goes off takes the deployment back; 0 ignores them",
    )  # fmt: skip
    down = commands.add_parser("destroy", help="take a stage down; its data stays")
    down.add_argument("--stage", required=True)
    down.add_argument("--confirm", default="", help="the stage's name once more")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
