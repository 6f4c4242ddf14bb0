"""Say what `make deploy` found in the account, and what it is going to do, before it does it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from infra.deploy.adoption import Adopted, planned_updates
from infra.deploy.concurrency import LambdaQuota, background_concurrency
from infra.deploy.table import compare_table
from infra.package.monitoring import dead_letter_queues
from infra.release.records import as_numbers
from infra.stack.account import Account, DeployError, find_table
from infra.stack.stack_state import StackState
from infra.stack.stacks import Change, ChangeSet
from infra.stack.stage import CLOSED, Stage

_WITH_DATA: Final = frozenset({"Table", "SigningSecret", "EventBus", "EventArchive"})
_OUTPUTS: Final = {"Table": "TableName", "SigningSecret": "SigningSecretId"}
_CLOSED: Final = {"no": "bookings are open", "yes": "bookings are closed", "all": "all changes are closed"}


def found_lines(
    account: Account, stage: Stage, stack: StackState, adopted: Adopted, template: Mapping[str, Any]
) -> Iterator[str]:
    """Yield what is in the account. A fact that the credentials may not read is unknown, and no error."""
    yield _stack_line(stack)
    yield _known("table", lambda: _table_line(account, stack, adopted, template))
    yield _secret_line(stack, adopted)
    yield _known("bus and archive", lambda: _bus_line(account, stack, adopted))
    yield _known("alarms", lambda: _alarms_line(account, stage, stack))


def version_line(stack: StackState, template: Mapping[str, Any]) -> str:
    """Return the line about the version that the stack runs and the one that will be deployed."""
    new = template["Outputs"]["Version"]["Value"]
    if stack.status is None:
        return f"version: {new} will be the first"
    old = stack.outputs.get("Version")
    if old is None:
        return f"version: older than 0.2.0; will be {new}"
    if _order(new) < _order(old):
        return f"version: {old}; will be {new}, an EARLIER one: see docs/install.md, Go back to the previous release"
    return f"version: {old}; will be {new}"


def _order(version: str) -> tuple[int, ...]:
    """Return a version as numbers that can be compared; a development version comes before its release."""
    return (*as_numbers(version), ".dev" not in version)


def quota_line(quota: LambdaQuota | None) -> str:
    """Return the line about Lambda's quota."""
    if quota is None:
        return "Lambda's quota: unknown (no permission for GetAccountSettings)"
    return f"Lambda: {quota.executions:,} concurrent executions, {quota.unreserved:,} of them unreserved"


def concurrency_lines(
    quota: LambdaQuota | None, template: Mapping[str, Any], limited: Mapping[str, Any]
) -> Iterator[str]:
    """Yield what is limited because of Lambda's quota."""
    background = background_concurrency(limited)
    if quota is None or background == background_concurrency(template):
        return
    yield f"limit queues and the stream to {background} of {quota.unreserved:,} unreserved concurrent executions"
    if background > quota.background:
        yield (
            "  they can still use up the quota, and callers then get a 429: before you go live, ask for 1,000 "
            "concurrent executions (Service Quotas, AWS Lambda, L-B99A9384), and deploy again"
        )


def will_lines(stage: Stage, adopted: Adopted, change_set: ChangeSet | None, watching: str) -> Iterator[str]:
    """Yield what the deployment is going to do."""
    yield from planned_updates(adopted)
    if change_set is None:
        yield f"change nothing in the stack {stage.stack}"
        return
    if change_set.creates:
        yield f"create the stack {stage.stack}: {change_set.count('Add')} resources"
    else:
        added, modified, removed = (change_set.count(action) for action in ("Add", "Modify", "Remove"))
        yield f"change the stack {stage.stack}: {added} added, {modified} modified, {removed} removed"
    for change in change_set.changes:
        if change.action == "Remove":
            yield f"remove {change.logical_id} ({change.resource_type})"
        elif change.replaces:
            yield f"replace {change.logical_id} ({change.resource_type})"
    yield watching


def check_data_is_kept(change_set: ChangeSet, adopted: Adopted, stack: StackState) -> None:
    """Raise `DeployError` if a change set takes a resource with data out of use that is not adopted.

    It does so if it removes or replaces the resource, or if it adds one to a stack that uses an existing one.
    """
    types = {change.logical_id: {"Type": change.resource_type} for change in change_set.changes}
    with_data = (_WITH_DATA | set(dead_letter_queues({"Resources": types}))) - adopted.logical_ids
    lost = [
        f"  {change.logical_id} ({change.resource_type}): {fate}"
        for change in change_set.changes
        if change.logical_id in with_data and (fate := _fate(change, change_set, stack))
    ]
    if lost:
        raise DeployError(
            "This deployment would take resources with data out of use:\n" + "\n".join(lost) + "\n"
            "Nothing was changed. Check that you deploy the right release; see docs/deploy.md, Troubleshooting."
        )


def _fate(change: Change, change_set: ChangeSet, stack: StackState) -> str | None:
    """Return how a change takes data out of use, or None if it doesn't."""
    if change.replaces:
        return "replaced"
    if change.action == "Remove":
        return "removed"
    used = stack.outputs.get(_OUTPUTS.get(change.logical_id, ""))
    if change.action == "Add" and used and not change_set.creates:
        return f"a new one in place of {used}"
    return None


def _stack_line(stack: StackState) -> str:
    if stack.status is None:
        return f"no stack {stack.name}"
    changed = f", last changed {stack.changed:%Y-%m-%d %H:%M} UTC" if stack.changed else ""
    closed = stack.parameters.get(CLOSED, "no")
    bookings = f"; {_CLOSED.get(closed, closed)}" if stack.exists else ""
    return f"stack {stack.name} {stack.status}{changed}{bookings}"


def _table_line(account: Account, stack: StackState, adopted: Adopted, template: Mapping[str, Any]) -> str:
    if adopted.table:
        name, kind, differences = adopted.table["TableName"], "existing", list(adopted.differences)
        if adopted.table_owner:
            kind = f"existing, of the stack {adopted.table_owner}"
        table: Mapping[str, Any] = adopted.table
    else:
        name = stack.resources.get("Table", "") if stack.exists else ""
        found = find_table(account, name) if name else None
        if found is None:
            return "no table: the stack creates an empty one"
        table, kind = found, "the stack's own"
        differences = compare_table(account, name, template["Resources"]["Table"]["Properties"])
    which = "; ".join(each.text for each in differences) or "as in the template"
    return f"table {name} ({kind}, {table.get('ItemCount', 0):,} items): {which}"


def _secret_line(stack: StackState, adopted: Adopted) -> str:
    if adopted.secret:
        return f"signing keys: existing secret {adopted.secret}"
    if stack.exists and "SigningSecret" in stack.resources:
        return f"signing keys: the stack's own secret {stack.resources['SigningSecret']}"
    return "no signing keys: the stack creates them"


def _bus_line(account: Account, stack: StackState, adopted: Adopted) -> str:
    if adopted.bus is None:
        if not (stack.exists and "EventBus" in stack.resources):
            return "no bus and no archive: the stack creates them"
        archive = stack.outputs.get("EventArchiveName")
        if archive and _is_missing(account, archive):
            # CloudFormation does not notice it, and a restore without an archive replays nothing.
            return (
                f"bus: the stack's own; ITS ARCHIVE {archive} IS GONE, so events are not kept for a restore: create it "
                "again (docs/operate.md, If the command stops)"
            )
        return "bus and archive: the stack's own"
    if adopted.archive is None:
        return f"bus {adopted.bus['Name']}: kept from an earlier stack"
    return (
        f"bus {adopted.bus['Name']} and archive {adopted.archive.name}: kept from an earlier stack, "
        f"{adopted.archive.events:,} events"
    )


def _is_missing(account: Account, archive: str) -> bool:
    try:
        account.client("events").describe_archive(ArchiveName=archive)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return True
        raise
    return False


def _alarms_line(account: Account, stage: Stage, stack: StackState) -> str:
    address = stage.parameters.get("AlarmEmail")
    if not address:
        return f"alarms: nobody is notified; set AlarmEmail in infra/stages/{stage.name}.json"
    topic = stack.outputs.get("AlarmTopicArn") if stack.exists else None
    if topic is None:
        return f"alarms: {address} gets an email from AWS, and has to confirm it once"
    pages = account.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    arns = [
        each["SubscriptionArn"]
        for page in pages
        for each in page["Subscriptions"]
        if each["Endpoint"] == address
    ]
    if not arns:
        return f"alarms: {address} is not subscribed yet, and has to confirm AWS's email once"
    if any(arn.startswith("arn:") for arn in arns):
        return f"alarms: {address}"
    return f"alarms: nobody is notified: {address} has not confirmed yet; open the link in AWS's email"


def _known(what: str, line: Callable[[], str]) -> str:
    """Return a line, or that the credentials may not read it."""
    try:
        return line()
    except ClientError as error:
        if "AccessDenied" not in error.response["Error"]["Code"]:
            raise
        return f"{what}: unknown (no permission for {error.operation_name})"
