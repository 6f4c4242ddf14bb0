"""Create, update or delete one CloudFormation stack with change sets, on AWS or in ministack."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from botocore.exceptions import ClientError, WaiterError

from infra.errors import CommandError
from infra.package.build import Package

_CAPABILITIES: Final = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
_NOTHING: Final = ("didn't contain changes", "no updates are to be performed", "no changes to deploy")
_WAIT_SECONDS: Final = 45 * 60
POLL_SECONDS: Final = 3.0


class StackError(CommandError):
    """CloudFormation rejected a change or rolled it back. The message contains CloudFormation's reasons."""


class Outcome(StrEnum):
    """The result of a deployment."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    PLANNED = "planned"


# A stack in one of these states was never created completely: nothing of it is in use, and it can't be updated.
FAILED_CREATIONS: Final = frozenset(
    {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "REVIEW_IN_PROGRESS"}
)


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """The stack to deploy, and the bucket from which CloudFormation reads the template and the zip."""

    name: str
    bucket: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    rollback_alarms: tuple[str, ...] = ()
    watch_minutes: int = 0
    poll_seconds: float = POLL_SECONDS
    role: str | None = None
    """The role that CloudFormation uses, in place of the caller's permissions; an updated stack keeps its role."""


@dataclass(frozen=True)
class Upload:
    """The URL of an uploaded template, and the keys of the zip and the template."""

    url: str
    keys: tuple[str, str]


@dataclass(frozen=True)
class Change:
    """A change of one resource: `action` is CloudFormation's, e.g. Add, Modify or Remove."""

    action: str
    logical_id: str
    resource_type: str
    replaces: bool


@dataclass(frozen=True, kw_only=True)
class ChangeSet:
    """A change set that was not executed yet; `creates` says whether it creates the stack."""

    deployment: Deployment = field(kw_only=False)
    name: str = field(kw_only=False)
    creates: bool
    changes: tuple[Change, ...]

    def count(self, action: str) -> int:
        """Return the number of changes with an action."""
        return sum(change.action == action for change in self.changes)


def upload(
    s3: Any,
    bucket: str,
    package: Package,
    template: Mapping[str, Any],
    *,
    owner: str | None = None,
    prefix: str = "",
) -> Upload:
    """Upload the zip and a template that refers to it.

    Each object's key is `prefix` and the hash of its content, and an existing object is not uploaded again. With
    `owner`, the bucket must belong to that account. Raise botocore's `ClientError`.
    """
    expected = {"ExpectedBucketOwner": owner} if owner else {}
    archive = f"{prefix}{package.digest}.zip"
    _put_once(s3, bucket, archive, package.archive.read_bytes(), expected)
    body = json.dumps(_with_code(template, bucket, archive), sort_keys=True).encode()
    name = f"{prefix}{hashlib.sha256(body).hexdigest()}.json"
    _put_once(s3, bucket, name, body, expected)
    return Upload(f"{s3.meta.endpoint_url}/{bucket}/{name}", (archive, name))


def put_stack(cloudformation: Any, deployment: Deployment, template_url: str) -> Outcome:
    """Create or update the stack and wait. Raise `StackError` if CloudFormation rejects the change or rolls it back.

    A stack whose creation failed is deleted first.
    """
    if stack_status(cloudformation, deployment.name) in FAILED_CREATIONS:
        delete_stack(cloudformation, deployment.name, deployment.poll_seconds)
    change_set = plan_stack(cloudformation, deployment, template_url)
    return execute(cloudformation, change_set) if change_set else Outcome.UNCHANGED


def plan_stack(cloudformation: Any, deployment: Deployment, template_url: str) -> ChangeSet | None:
    """Create a change set, which changes nothing yet; return None if nothing is to be changed. Raise `StackError`."""
    tags = [{"Key": key, "Value": value} for key, value in deployment.tags.items()]
    return _plan(cloudformation, deployment, TemplateURL=template_url, Tags=tags)


def change_parameters(cloudformation: Any, name: str, parameters: Mapping[str, str], **changed: str) -> None:
    """Update a stack with its own template, and wait. Raise `StackError`.

    `parameters` has the stack's parameters, of which only `changed` get another value.
    """
    kept = [{"ParameterKey": key, "UsePreviousValue": True} for key in parameters if key not in changed]
    deployment = Deployment(name=name, bucket="", parameters=changed, poll_seconds=POLL_SECONDS)
    change_set = _plan(cloudformation, deployment, kept, UsePreviousTemplate=True)
    if change_set:
        execute(cloudformation, change_set)


def _plan(
    cloudformation: Any, deployment: Deployment, kept: Sequence[Mapping[str, Any]] = (), **source: Any
) -> ChangeSet | None:
    """Create a change set; `source` says which template, and `kept` which parameters keep their values."""
    status = stack_status(cloudformation, deployment.name)
    check_status(deployment.name, status)
    creates = status is None or status in FAILED_CREATIONS
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in deployment.parameters.items()]
    change_set = f"deploy-{int(time.time() * 1000)}"
    cloudformation.create_change_set(
        StackName=deployment.name,
        ChangeSetName=change_set,
        ChangeSetType="CREATE" if creates else "UPDATE",
        Capabilities=_CAPABILITIES,
        Parameters=[*given, *kept],
        RollbackConfiguration={
            "RollbackTriggers": [
                {"Arn": arn, "Type": "AWS::CloudWatch::Alarm"} for arn in deployment.rollback_alarms
            ],
            "MonitoringTimeInMinutes": deployment.watch_minutes,
        },
        **source,
        **({"RoleARN": deployment.role} if deployment.role else {}),
    )
    if not _has_changes(cloudformation, deployment, change_set):
        cloudformation.delete_change_set(StackName=deployment.name, ChangeSetName=change_set)
        return None
    changes = _changes(cloudformation, deployment, change_set)
    return ChangeSet(deployment, change_set, creates=creates, changes=changes)


def execute(cloudformation: Any, change_set: ChangeSet) -> Outcome:
    """Execute a change set and wait. Raise `StackError` if CloudFormation rolls it back."""
    deployment, creates = change_set.deployment, change_set.creates
    since = 0 if creates else len(_events(cloudformation, deployment.name))
    cloudformation.execute_change_set(StackName=deployment.name, ChangeSetName=change_set.name)
    waiter = "stack_create_complete" if creates else "stack_update_complete"
    try:
        _wait(cloudformation, waiter, deployment.poll_seconds, StackName=deployment.name)
    except WaiterError as error:
        events = _events(cloudformation, deployment.name)[since:]
        left = _left_behind(events) if creates else []
        status_now = stack_status(cloudformation, deployment.name)
        raise StackError(
            "\n".join([f"{deployment.name} is {status_now}", *_failures(events), *left])
        ) from error
    return Outcome.CREATED if creates else Outcome.UPDATED


def discard(cloudformation: Any, change_set: ChangeSet) -> None:
    """Delete a change set, and the empty stack that CloudFormation made for the change set of a new stack."""
    name = change_set.deployment.name
    cloudformation.delete_change_set(StackName=name, ChangeSetName=change_set.name)
    if change_set.creates and stack_status(cloudformation, name) == "REVIEW_IN_PROGRESS":
        delete_stack(cloudformation, name, change_set.deployment.poll_seconds)


def stack_status(cloudformation: Any, name: str) -> str | None:
    """Return the status of a stack, or None if it does not exist."""
    try:
        status: str = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return None if status == "DELETE_COMPLETE" else status


def outputs(cloudformation: Any, name: str) -> dict[str, str]:
    """Return a stack's outputs."""
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}


def delete_stack(
    cloudformation: Any, name: str, poll_seconds: float = POLL_SECONDS, *, retain: Sequence[str] = ()
) -> None:
    """Delete a stack, except the resources that its template retains, and wait. Raise `StackError`.

    `retain` has the resources that an earlier deletion failed on and that stay.
    """
    stack_id = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    since = len(_events(cloudformation, stack_id))
    cloudformation.delete_stack(StackName=name, **({"RetainResources": list(retain)} if retain else {}))
    try:
        _wait(cloudformation, "stack_delete_complete", poll_seconds, StackName=stack_id)
    except WaiterError as error:
        failures = _failures(_events(cloudformation, stack_id)[since:])
        raise StackError(
            "\n".join([f"{name} is {stack_status(cloudformation, stack_id)}", *failures])
        ) from error


def _with_code(template: Mapping[str, Any], bucket: str, key: str) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(json.dumps(template))
    for resource in whole["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": bucket, "Key": key}
    return whole


def _put_once(s3: Any, bucket: str, key: str, body: bytes, expected: Mapping[str, str]) -> None:
    try:
        s3.head_object(Bucket=bucket, Key=key, **expected)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] not in {403, 404}:
            raise
        s3.put_object(Bucket=bucket, Key=key, Body=body, **expected)


def _has_changes(cloudformation: Any, deployment: Deployment, change_set: str) -> bool:
    """Wait until a change set is created. Return False if it has no changes. Raise `StackError` if it failed."""
    names = {"StackName": deployment.name, "ChangeSetName": change_set}
    try:
        _wait(cloudformation, "change_set_create_complete", deployment.poll_seconds, **names)
    except WaiterError as error:
        reason = error.last_response.get("StatusReason") or str(error)
        if any(words in reason.lower() for words in _NOTHING):
            return False
        raise StackError(f"{deployment.name}: {reason}") from error
    return True


def check_status(name: str, status: str | None) -> None:
    """Raise `StackError` if a stack can be neither created nor updated now."""
    if status is None or status in FAILED_CREATIONS:
        return
    if status.endswith("_IN_PROGRESS"):
        raise StackError(
            f"{name} is {status}: another operation has not finished. Wait until it has, then run the command again."
        )
    if status == "DELETE_FAILED":
        raise StackError(
            f"{name} is {status}: it was deleted in part. Delete the rest with make destroy, then deploy it again."
        )
    if status == "UPDATE_ROLLBACK_FAILED":
        raise StackError(
            f"{name} is {status}. Its events in the CloudFormation console say why. Remove the cause, run\n"
            f"  aws cloudformation continue-update-rollback --stack-name {name}\nand deploy again."
        )


def _changes(cloudformation: Any, deployment: Deployment, change_set: str) -> tuple[Change, ...]:
    """Return the changes of a change set."""
    pages = cloudformation.get_paginator("describe_change_set").paginate(
        StackName=deployment.name, ChangeSetName=change_set
    )
    changes = [each["ResourceChange"] for page in pages for each in page.get("Changes", ())]
    return tuple(
        Change(each["Action"], each["LogicalResourceId"], each["ResourceType"], _replaces(each))
        for each in changes
    )


def _replaces(change: Mapping[str, Any]) -> bool:
    """Return whether a change may replace its resource.

    CloudFormation says Conditional also if a property refers to another resource that changes in any way. Then the
    value, which is computed later, changes only if that resource is replaced.
    """
    if change.get("Replacement") != "Conditional":
        return change.get("Replacement") == "True"
    causes = [
        detail
        for detail in change.get("Details", ())
        if detail.get("Target", {}).get("RequiresRecreation", "Never") != "Never"
    ]
    return any(detail.get("Evaluation") != "Dynamic" for detail in causes)


def _wait(cloudformation: Any, waiter: str, poll_seconds: float, **names: str) -> None:
    config = {"Delay": poll_seconds, "MaxAttempts": int(_WAIT_SECONDS / poll_seconds)}
    cloudformation.get_waiter(waiter).wait(**names, WaiterConfig=config)


def _events(cloudformation: Any, name: str) -> list[dict[str, Any]]:
    """Return a stack's events, oldest first."""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
    return [event for page in pages for event in page["StackEvents"]][::-1]


def _failures(events: list[dict[str, Any]]) -> list[str]:
    return [
        f"  {event['LogicalResourceId']} ({event.get('ResourceType', '')}): {event.get('ResourceStatusReason', '')}"
        for event in events
        if event["ResourceStatus"].endswith("_FAILED")
        and "cancelled" not in event.get("ResourceStatusReason", "").lower()
    ]


def _left_behind(events: list[dict[str, Any]]) -> list[str]:
    """Return lines that list the resources that a failed creation left behind."""
    left = [
        f"  {event['LogicalResourceId']}: {event['PhysicalResourceId']}"
        for event in events
        if event["ResourceStatus"] == "DELETE_SKIPPED"
    ]
    if not left:
        return []
    return [
        "Left behind and unused; the next deployment creates its own (docs/deploy.md, Troubleshooting):",
        *left,
    ]
