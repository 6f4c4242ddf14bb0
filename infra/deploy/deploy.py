"""Deploy a stage to an AWS account, or destroy it: `make deploy`, `make destroy`."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any, Final

from infra.deploy import stacks
from infra.deploy.account import Account, DeployError, explained, open_account
from infra.deploy.bucket import ready_bucket
from infra.deploy.existing_resources import use_existing, use_existing_table
from infra.deploy.stacks import (
    Deployment,
    Outcome,
    delete_stack,
    outputs,
    put_stack,
    stack_status,
    upload,
)
from infra.deploy.stage import Stage, read_stage
from infra.errors import CommandError
from infra.package.alarms import WATCHED
from infra.package.build import Package, make_package
from infra.package.dependencies import ARM, X86, Target
from infra.package.gateway import with_described_parameters
from infra.paths import BUILD

WATCH_MINUTES: Final = 5

_RETAINED: Final = {"Retain", "RetainExceptOnCreate"}


def deploy(
    account: Account, stage: Stage, package: Package, *, bucket: str | None, watch_minutes: int
) -> Outcome:
    """Create or update a stage. A failure rolls back all changes. Raise `DeployError`, `StackError`."""
    template = _with_existing_resources(account, stage, package.read_template())
    template = with_described_parameters(template, stage.parameters)
    unknown = sorted(set(stage.parameters) - set(template["Parameters"]))
    if unknown:
        known = ", ".join(sorted(template["Parameters"]))
        raise DeployError(f"Unknown parameter {', '.join(unknown)}; the template has {known}.")
    bucket = ready_bucket(account, bucket)
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
    """Delete a stage's stack; return the resources that its template retains. Raise `DeployError`, `StackError`."""
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


def _with_existing_resources(account: Account, stage: Stage, template: dict[str, Any]) -> dict[str, Any]:
    """Return the template with the stage's existing table and signing keys instead of new ones."""
    if stage.table:
        table = account.client("dynamodb").describe_table(TableName=stage.table)["Table"]
        if "LatestStreamArn" not in table:
            raise DeployError(f"The table {stage.table} has no stream: enable it as in docs/deploy.md.")
        template = use_existing_table(template, table)
    if stage.signing_secret:
        secret = account.client("secretsmanager").describe_secret(SecretId=stage.signing_secret)
        template = use_existing(template, "SigningSecret", secret["ARN"], {"Id": secret["ARN"]})
    return template


def _alarms(cloudformation: Any, stack: str) -> tuple[str, ...]:
    """Return the ARNs of the alarms to watch; none if the stack does not exist yet."""
    if stack_status(cloudformation, stack) is None:
        return ()
    found = outputs(cloudformation, stack)
    return tuple(found[f"{name}Arn"] for name in WATCHED if f"{name}Arn" in found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    given = _parse(arguments)
    try:
        with explained():
            stage = read_stage(given.stage)
            account = open_account()
            if given.command == "deploy":
                _deploy(account, stage, given)
            else:
                _destroy(account, stage, given)
    except CommandError as error:
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
        print(f"Now create an API key: make key STAGE={stage.name} ROLE=admin NAME=…")


def _destroy(account: Account, stage: Stage, given: argparse.Namespace) -> None:
    if given.confirm != stage.name:
        raise DeployError(
            f"This deletes {stage.stack} in account {account.account_id}, {account.region}: no link will work. "
            f"Table and signing keys are kept. To confirm: make destroy STAGE={stage.name} CONFIRM={stage.name}"
        )
    kept = destroy(account, stage)
    print(f"{stage.stack} is deleted. Kept, with all data:")
    for line in kept:
        print(f"  {line}")
    print(
        f"To deploy again with it, set table and signingSecret in infra/stages/{stage.name}.json; docs/deploy.md."
    )


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="infra.deploy.deploy", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("deploy", help="create or update a stage")
    up.add_argument("--stage", required=True)
    up.add_argument("--architecture", choices=[ARM, X86], default=ARM)
    up.add_argument("--bucket", default="", help="the bucket to deploy from (default: one that is created)")
    up.add_argument(
        "--watch", type=int, default=WATCH_MINUTES,
        help="minutes to watch the alarms after the deployment, which an alarm rolls back; 0 ignores them",
    )  # fmt: skip
    down = commands.add_parser("destroy", help="delete a stage; its data stays")
    down.add_argument("--stage", required=True)
    down.add_argument("--confirm", default="", help="the stage's name, to confirm")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
