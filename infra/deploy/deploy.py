"""Deploy a stage to an AWS account, or destroy it: `make deploy`, `make destroy`."""

import argparse
import dataclasses
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from infra.deploy.adoption import Adopted, find_adopted, update_adopted, with_adopted
from infra.deploy.bucket import ready_bucket, remove_old
from infra.deploy.concurrency import read_quota, with_limited_concurrency
from infra.deploy.destroy import destroy
from infra.deploy.environment import check_environments
from infra.deploy.guards import check_data_is_named, check_own_table, checked_stage
from infra.deploy.log_role import PARAMETER, log_role
from infra.deploy.parameters import check_parameters
from infra.deploy.report import (
    check_data_is_kept,
    concurrency_lines,
    found_lines,
    quota_line,
    version_line,
    will_lines,
)
from infra.errors import CommandError
from infra.package.alarms import WATCHED
from infra.package.build import Package, make_package
from infra.package.dependencies import ARM, X86, Target
from infra.package.gateway import with_described_parameters
from infra.package.runtime import deprecation_warning
from infra.paths import BUILD
from infra.stack import stacks
from infra.stack.account import Account, DeployError, explained, open_account
from infra.stack.stack_state import StackState, deployed_archives, read_stack
from infra.stack.stacks import (
    FAILED_CREATIONS,
    ChangeSet,
    Deployment,
    Outcome,
    delete_stack,
    discard,
    execute,
    outputs,
    plan_stack,
    upload,
)
from infra.stack.stage import CLOSED, Stage, read_stage

WATCH_MINUTES: Final = 5


def deploy(
    account: Account,
    stage: Stage,
    package: Package,
    *,
    bucket: str | None,
    watch_minutes: int,
    say: Callable[[str], None] = lambda _: None,
    plan_only: bool = False,
    role: str | None = None,
    empty: bool = False,
) -> Outcome:
    """Create or update a stage. A failure rolls back all changes. Raise `DeployError`, `StackError`.

    `say` gets what was found in the account and, before it is done, what is going to be done. With `plan_only`, that is
    all. `empty` allows to create a deleted stage without its table or its signing keys.
    """
    cloudformation = account.client("cloudformation")
    stack = read_stack(cloudformation, stage.stack)
    template = package.read_template()
    check_parameters(stage.parameters, template)
    check_environments(template, stage.parameters)
    adopted = find_adopted(account, stage, stack, template)
    log_setting, log_line = log_role(account, stage, stack)
    stage = dataclasses.replace(stage, parameters={**stage.parameters, PARAMETER: log_setting})
    quota = read_quota(account)
    found = found_lines(account, stage, stack, adopted, template)
    _list(say, "Found", [*found, log_line, quota_line(quota), version_line(stack, template)])
    check_data_is_named(stage, stack, adopted, empty=empty)
    if stack.status in FAILED_CREATIONS:
        _list(say, "Will", [f"replace the stack {stage.stack}, whose creation failed"])
        if plan_only:
            return Outcome.PLANNED
        delete_stack(cloudformation, stage.stack, stacks.POLL_SECONDS)
        stack = StackState(stage.stack)
        adopted = find_adopted(account, stage, stack, template)  # the deletion may have left a bus
    check_own_table(account, stack, adopted, template)
    limited = concurrency_lines(quota, template, with_limited_concurrency(template, quota))
    template = with_limited_concurrency(template, quota)
    prepared = _Prepared(account, stage, stack, package, ready_bucket(account, bucket), watch_minutes, role)
    change_set = prepared.plan(template, adopted)
    _list(say, "Will", [*limited, *will_lines(stage, adopted, change_set, prepared.watching)])
    if plan_only:
        if change_set:
            discard(cloudformation, change_set)
        return Outcome.PLANNED
    update_adopted(account, adopted, template, say)
    if adopted.stream_is_off:
        # The stack refers to the stream, whose ARN exists only now.
        if change_set:
            discard(cloudformation, change_set)
        change_set = prepared.plan(template, find_adopted(account, stage, stack, template))
    before = deployed_archives(cloudformation, stack)
    outcome = execute(cloudformation, change_set) if change_set else Outcome.UNCHANGED
    if bucket is None:
        remove_old(
            account, prepared.bucket, prepared.prefix, {*before, *prepared.uploaded}, datetime.now(UTC)
        )
    return outcome


@dataclass(frozen=True)
class _Prepared:
    """What a change set is created from."""

    account: Account
    stage: Stage
    stack: StackState
    package: Package
    bucket: str
    watch_minutes: int
    role: str | None
    uploaded: list[str] = field(default_factory=list)
    """The keys of the uploaded objects."""

    @property
    def prefix(self) -> str:
        """The folder of the stage's packages in the bucket."""
        return f"{self.stage.stack}/"

    @property
    def watching(self) -> str:
        """What happens after the deployment."""
        alarms = self.alarms()
        if alarms:
            return (
                f"watch {len(alarms)} alarms for {self.watch_minutes} minutes, and roll back if one goes off"
            )
        if self.watch_minutes and self.closed:
            return "watch no alarms: while bookings are closed, requests get a 503 by design"
        return "watch no alarms"

    @property
    def closed(self) -> bool:
        """Whether bookings are closed before or after the deployment."""
        return {"no"} != {each.get(CLOSED, "no") for each in (self.stack.parameters, self.stage.parameters)}

    def alarms(self) -> tuple[str, ...]:
        """Return the ARNs of the alarms to watch; none for a new stack, or if bookings are closed or will be."""
        if not self.watch_minutes or self.closed:
            return ()
        found = self.stack.outputs
        return tuple(found[f"{name}Arn"] for name in WATCHED if f"{name}Arn" in found)

    def plan(self, template: Mapping[str, Any], adopted: Adopted) -> ChangeSet | None:
        """Upload the package, and create a change set that keeps all data. Raise `DeployError`, `StackError`."""
        parameters = self.stage.parameters
        whole = with_described_parameters(with_adopted(template, adopted), parameters)
        s3, cloudformation = self.account.client("s3"), self.account.client("cloudformation")
        owner = self.account.account_id
        sent = upload(s3, self.bucket, self.package, whole, owner=owner, prefix=self.prefix)
        self.uploaded.extend(sent.keys)
        alarms = self.alarms()
        deployment = Deployment(
            name=self.stage.stack,
            bucket=self.bucket,
            parameters=parameters,
            tags={"app": "admit-one", "stage": self.stage.name},
            rollback_alarms=alarms,
            poll_seconds=stacks.POLL_SECONDS,
            watch_minutes=self.watch_minutes if alarms else 0,
            role=self.role,
        )
        change_set = plan_stack(cloudformation, deployment, sent.url)
        if change_set:
            try:
                check_data_is_kept(change_set, adopted, self.stack)
            except DeployError:
                discard(cloudformation, change_set)
                raise
        return change_set


def _list(say: Callable[[str], None], head: str, lines: Iterable[str]) -> None:
    for number, line in enumerate(lines):
        say(f"{'' if number else head:<8}{line}")


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
    print(f"Account {account.account_id}, {account.region}, as {account.identity}")
    stack = read_stack(account.client("cloudformation"), stage.stack)
    stage = checked_stage(stage, stack, switch=given.switch, reopen=given.open, say=_say)
    warning = deprecation_warning(datetime.now(UTC).date())
    if warning:
        _say(warning)
    _say("Packaging …")
    package = make_package(stage.name, Target(given.architecture), BUILD / stage.name)
    outcome = deploy(
        account,
        stage,
        package,
        bucket=given.bucket or None,
        watch_minutes=given.watch,
        say=_say,
        plan_only=given.plan,
        role=given.role or None,
        empty=given.empty,
    )
    if outcome is Outcome.PLANNED:
        print("This was only a plan. To carry it out, run the command without PLAN=yes.")
        return
    found = outputs(account.client("cloudformation"), stage.stack)
    print({Outcome.UNCHANGED: "Nothing has changed."}.get(outcome, f"{outcome.value.capitalize()}."))
    print(f"Site: {found['SiteUrl']}")
    print(f"Console: {found['SiteUrl']}/console")
    if "DomainTarget" in found and not stage.parameters.get("DomainHostedZoneId"):
        print(f"Point a CNAME of {stage.parameters['DomainName']} to {found['DomainTarget']}")
    if outcome is Outcome.CREATED:
        print(f"Now create an API key: make key STAGE={stage.name} ROLE=admin NAME=…")


def _say(line: str) -> None:
    print(line, flush=True)


def _destroy(account: Account, stage: Stage, given: argparse.Namespace) -> None:
    if given.confirm != stage.name:
        raise DeployError(
            f"This deletes {stage.stack} in account {account.account_id}, {account.region}: no link will work. "
            "Table, signing keys, dead-letter queues, event bus and archive are kept. "
            f"To confirm: make destroy STAGE={stage.name} CONFIRM={stage.name}"
        )
    is_named = destroy(account, stage, lose=given.lose, say=_say)
    print(f"{stage.stack} is deleted.")
    if is_named:
        print(
            f"infra/stages/{stage.name}.json names the table and the signing keys: commit it. make deploy then creates "
            "the stage with its data and events. For an empty stage, remove both from the file, and deploy with "
            "EMPTY=yes. See docs/deploy.md."
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
    up.add_argument(
        "--role", default="", help="the ARN of a role for CloudFormation (default: your permissions)"
    )
    up.add_argument("--plan", action="store_true", help="say what would be done, and change nothing")
    up.add_argument("--switch", action="store_true", help="use another table than the stack uses now")
    up.add_argument(
        "--empty", action="store_true", help="create a deleted stage without its table or its signing keys"
    )
    up.add_argument("--open", action="store_true", help="open bookings that are closed")
    down = commands.add_parser("destroy", help="delete a stage; its data stays")
    down.add_argument("--stage", required=True)
    down.add_argument("--confirm", default="", help="the stage's name, to confirm")
    down.add_argument(
        "--lose", action="store_true", help="delete it even if changes were not published as events"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
