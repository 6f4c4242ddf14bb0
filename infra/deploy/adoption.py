"""Find the resources that a stage uses but its stack does not own: a table, signing keys, a bus with its archive.

The stage's file names the table and the signing keys. The bus has a fixed name and outlives its stack, so it is found
in the account. docs/adr/0030-adopted-resources.md explains why they are not imported.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import ClientError

from infra.deploy.table import Difference, compare_table, update_table
from infra.stack.account import Account, DeployError, find_table
from infra.stack.existing_resources import use_existing, use_existing_table
from infra.stack.stack_state import GONE, StackState
from infra.stack.stacks import FAILED_CREATIONS
from infra.stack.stage import Stage

_USABLE: Final = {"ENABLED", "UPDATING", "UPDATE_FAILED"}
_STACKS: Final = "admit-one-"  # how the names of all stages' stacks begin

Say = Callable[[str], None]


@dataclass(frozen=True)
class Archive:
    """An existing archive of events, and the arguments of the update that gives it the template's settings."""

    name: str
    arn: str
    events: int
    update: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Adopted:
    """The resources that the stage uses without owning them; None or no differences where it owns them."""

    table: Mapping[str, Any] | None = None
    differences: tuple[Difference, ...] = ()
    secret: str | None = None
    bus: Mapping[str, str] | None = None
    archive: Archive | None = None
    table_owner: str | None = None
    """The stack of the team to which the table belongs, if any."""

    @property
    def logical_ids(self) -> frozenset[str]:
        """The template's resources that are not created."""
        found = {
            "Table": self.table,
            "SigningSecret": self.secret,
            "EventBus": self.bus,
            "EventArchive": self.archive,
        }
        return frozenset(name for name, value in found.items() if value is not None)

    @property
    def stream_is_off(self) -> bool:
        """Whether the table's stream must be turned on before the stack can refer to it."""
        return self.table is not None and not self.table.get("StreamSpecification", {}).get("StreamEnabled")


def find_adopted(account: Account, stage: Stage, stack: StackState, template: Mapping[str, Any]) -> Adopted:
    """Return the existing resources that a deployment uses. Raise `DeployError` if one can't be used."""
    table, differences = _table(account, stage, template)
    owner = _table_owner(account, table["TableName"], stage, stack) if table else None
    bus = _bus(account, stack, template)
    archive = _archive(account, stage, stack, bus["Arn"], template) if bus else None
    return Adopted(table, differences, _secret(account, stage), bus, archive, owner)


def with_adopted(template: Mapping[str, Any], adopted: Adopted) -> dict[str, Any]:
    """Return the template with the existing resources instead of new ones."""
    whole = dict(template)
    if adopted.table:
        table = adopted.table
        if adopted.stream_is_off:  # a placeholder: this change set is only read
            table = {**table, "LatestStreamArn": f"{table['TableArn']}/stream/later"}
        whole = use_existing_table(whole, table)
    if adopted.secret:
        whole = use_existing(whole, "SigningSecret", adopted.secret, {"Id": adopted.secret})
    if adopted.bus:
        whole = use_existing(whole, "EventBus", adopted.bus["Name"], adopted.bus)
    if adopted.archive:
        archive = adopted.archive
        whole = use_existing(
            whole, "EventArchive", archive.name, {"Arn": archive.arn, "ArchiveName": archive.name}
        )
    return whole


def planned_updates(adopted: Adopted) -> list[str]:
    """Return what `update_adopted` is going to do, one line for each resource and change."""
    name = adopted.table["TableName"] if adopted.table else ""
    lines = [f"update the table {name}: {each.text}" for each in adopted.differences if each.operation]
    if adopted.archive and adopted.archive.update:
        changed = ", ".join(sorted(set(adopted.archive.update)))
        lines.append(f"update the archive {adopted.archive.name}: {changed}")
    return lines


def update_adopted(account: Account, adopted: Adopted, template: Mapping[str, Any], say: Say) -> None:
    """Give the existing resources the template's settings, before code that needs them is deployed."""
    if adopted.table and any(each.operation for each in adopted.differences):
        wanted = template["Resources"]["Table"]["Properties"]
        update_table(account, adopted.table["TableName"], wanted, say)
    if adopted.archive and adopted.archive.update:
        events = account.client("events")
        events.update_archive(ArchiveName=adopted.archive.name, **adopted.archive.update)


def _table(
    account: Account, stage: Stage, template: Mapping[str, Any]
) -> tuple[Mapping[str, Any] | None, tuple[Difference, ...]]:
    if not stage.table:
        return None, ()
    table = find_table(account, stage.table)
    if table is None:
        raise DeployError(
            f"infra/stages/{stage.name}.json names the table {stage.table}, but there is no such table in "
            f"{account.region}. Correct the name, or restore the stage with make restore (docs/operate.md)."
        )
    found = compare_table(account, stage.table, template["Resources"]["Table"]["Properties"])
    refused = [f"  {each.text}" for each in found if each.refused]
    if refused:
        reasons = "\n".join(refused)
        raise DeployError(
            f"The table {stage.table} does not fit the template:\n{reasons}\nNothing was changed."
        )
    return table, tuple(found)


def _table_owner(account: Account, name: str, stage: Stage, stack: StackState) -> str | None:
    """Return the stack to which the stage's table belongs. Raise `DeployError` if it is the stack of another stage."""
    owner = _owner(account, "Table", name)
    if owner and owner != stack.name and owner.startswith(_STACKS):
        raise DeployError(
            f"The table {name} belongs to the stack {owner}. With two stages on one table, each change is "
            "published twice, and links are signed with two keys. Correct "
            f"infra/stages/{stage.name}.json, or delete that stack first."
        )
    return owner if owner != stack.name else None  # a team may keep its data in a stack of its own


def _secret(account: Account, stage: Stage) -> str | None:
    if not stage.signing_secret:
        return None
    found = account.client("secretsmanager").describe_secret(SecretId=stage.signing_secret)
    arn: str = found["ARN"]
    return arn


def _bus(account: Account, stack: StackState, template: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the stage's bus if an earlier stack left it, or None if the stack owns it or creates it."""
    if "EventBus" not in template["Resources"] or (stack.exists and "EventBus" in stack.resources):
        return None
    name = f"{stack.name}-events"
    try:
        found = account.client("events").describe_event_bus(Name=name)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
    owner = _owner(account, "EventBus", name)
    if owner and owner != stack.name:
        raise DeployError(
            f"The event bus {name} belongs to the stack {owner}: delete that stack or its bus first."
        )
    if owner and stack.status in FAILED_CREATIONS:
        return None  # deleted with the stack
    return {"Name": found["Name"], "Arn": found["Arn"]}


def _owner(account: Account, logical_id: str, physical_id: str) -> str | None:
    """Return the stack that a resource belongs to, or None. A stack that is deleted no longer owns what it kept.

    `logical_id` is the one that the template gives the resource.
    """
    # AWS lists at most 100 resources of the stack to which a resource belongs, and a stage has more.
    named = _stack_resources(account, PhysicalResourceId=physical_id, LogicalResourceId=logical_id)
    listed = named or _stack_resources(account, PhysicalResourceId=physical_id)
    same = [each for each in listed if each["PhysicalResourceId"] == physical_id]
    owners = [each["StackName"] for each in same or listed if each["ResourceStatus"] not in GONE]
    return owners[0] if owners else None


def _stack_resources(account: Account, **wanted: str) -> list[dict[str, Any]]:
    """Return resources of the stack to which a resource belongs; none if it belongs to no stack."""
    cloudformation = account.client("cloudformation")
    try:
        found: list[dict[str, Any]] = cloudformation.describe_stack_resources(**wanted)["StackResources"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return []
        raise
    return found


def _archive(
    account: Account, stage: Stage, stack: StackState, bus: str, template: Mapping[str, Any]
) -> Archive | None:
    """Return the archive of an existing bus, or None if the stack owns it or creates it. Raise `DeployError`."""
    if "EventArchive" not in template["Resources"] or (stack.exists and "EventArchive" in stack.resources):
        return None
    events = account.client("events")
    pages = events.list_archives(EventSourceArn=bus)["Archives"]
    names = sorted(each["ArchiveName"] for each in pages)
    if not names:
        return None
    if len(names) > 1:
        raise DeployError(
            f"The event bus has {len(names)} archives: {', '.join(names)}. Keep the one with the stage's events, and "
            "delete the others: aws events delete-archive --archive-name …"
        )
    found = events.describe_archive(ArchiveName=names[0])
    if found["State"] not in _USABLE:
        reason = found.get("StateReason") or "no reason is given"
        raise DeployError(
            f"The archive {names[0]} is {found['State']} ({reason}), so it keeps no events and can't be replayed. "
            f"Delete it, and deploy again: aws events delete-archive --archive-name {names[0]}"
        )
    update = _archive_update(found, stage, template)
    return Archive(names[0], found["ArchiveArn"], found.get("EventCount", 0), update)


def _archive_update(found: Mapping[str, Any], stage: Stage, template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the template that an archive lacks."""
    wanted = template["Resources"]["EventArchive"]["Properties"]
    default = template["Parameters"]["EventArchiveDays"]["Default"]
    days = int(stage.parameters.get("EventArchiveDays", default))
    update: dict[str, Any] = {}
    if found.get("RetentionDays", 0) != days:
        update["RetentionDays"] = days
    if json.loads(found.get("EventPattern") or "{}") != wanted["EventPattern"]:
        update["EventPattern"] = json.dumps(wanted["EventPattern"])
    if found.get("Description", "") != wanted["Description"]:
        update["Description"] = wanted["Description"]
    return update
