"""Delete a stage's stack, and keep what has data: `make destroy`."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import ClientError

from infra.stack import stacks
from infra.stack.account import Account, DeployError
from infra.stack.clock import CLOCK, Clock
from infra.stack.stack_state import StackState, deployed_template, read_stack, stack_closes
from infra.stack.stacks import StackError, change_parameters, check_status, delete_stack
from infra.stack.stage import CLOSED, CLOSINGS, Outputs, Stage, save_stage
from infra.stack.unpublished import find_unpublished

_RETAINED: Final = {"Retain", "RetainExceptOnCreate"}
# What the error codes of AWS's services for a missing queue, function or bucket contain.
_MISSING: Final = ("NotFound", "NonExistent", "DoesNotExist", "NoSuch")
_BUS: Final = "EventBus"
# A function runs for at most five minutes, and the outbox then reads within a minute.
_SETTLE_SECONDS: Final = 360

Say = Callable[[str], None]


def destroy(account: Account, stage: Stage, *, lose: bool, say: Say, clock: Clock = CLOCK) -> bool:
    """Delete a stage's stack; return whether its table and keys were written to the stage's file.

    Before anything is deleted, `say` gets the list of what is kept. The table and the keys are written to the stage's
    file before the deletion, which continues if the command is stopped: without them, the next deployment would create
    an empty table and new keys.

    Unless `lose`, everything is closed first, and the stack is deleted once all changes are published as events: a new
    stack has another dead-letter queue, so a restore of the new stage would not notice missing ones (P1). Raise
    `DeployError` if some are not published, or if a restore has not ended; `StackError` if the stack can't be closed
    or deleted.
    """
    cloudformation = account.client("cloudformation")
    stack = read_stack(cloudformation, stage.stack)
    if stack.status is None:
        raise DeployError(f"There is no stack {stage.stack} in {account.region}.")
    if stack.exists and stack.status != "DELETE_FAILED" and not lose:
        if stack.status.endswith("_IN_PROGRESS"):  # the outbox may be deleted already
            check_status(stack.name, stack.status)
        _check_not_restoring(stage)
        _check_published(account, stack)
        _close(cloudformation, stack, say)
        say(f"Waiting {_SETTLE_SECONDS // 60} minutes until all changes are published …")
        clock.wait(_SETTLE_SECONDS)
        _check_published(account, stack)
    is_named = _save_names(stage, stack, say)
    say("Keeping, with all data:")
    for line in _kept(cloudformation, stack):
        say(f"  {line}")
    say(f"Deleting {stack.name} …")
    _delete(cloudformation, stack)
    return is_named


def _check_not_restoring(stage: Stage) -> None:
    """Raise `DeployError` if the stage's file has a restore that has not ended."""
    if stage.restore is None or stage.restore.opening:
        return
    raise DeployError(
        f"infra/stages/{stage.name}.json has a restore that has not ended, so links that were used may be active in "
        f"its table. Nothing was deleted. Continue the restore: make restore STAGE={stage.name}. To delete the stage "
        "all the same: LOSE=yes"
    )


def _save_names(stage: Stage, stack: StackState, say: Say) -> bool:
    """Write the table and the keys that a stack uses to the stage's file, and what the stack closes.

    Return False, and write nothing, if the stack was never created.
    """
    table, secret = stack.outputs.get("TableName"), stack.outputs.get("SigningSecretId")
    if not (stack.exists and table and secret):
        return False
    # P1: a stack may be closed because the events of its table are not replayed, also if this file has no restore.
    closed = max(stage.closed, stack_closes(stack), key=CLOSINGS.index)
    save_stage(dataclasses.replace(stage, table=table, signing_secret=secret), closed=closed)
    if closed != stage.closed:
        say(
            f"{stack.name} has {CLOSED}={closed}, so infra/stages/{stage.name}.json keeps it closed. If no restore of "
            f"the stage is running, remove {CLOSED} from the file before you create the stage again."
        )
    return True


def _close(cloudformation: Any, stack: StackState, say: Say) -> None:
    """Close what the deployed release can close. Later changes could be accepted when the outbox is already deleted."""
    parameter = deployed_template(cloudformation, stack.name)["Parameters"].get(CLOSED, {})
    allowed = parameter.get("AllowedValues", ())
    closed = next((each for each in reversed(CLOSINGS) if each in allowed), "no")
    if closed == "all":
        say("Closing all changes …")
    elif closed == "yes":
        say(
            "Closing bookings. The deployed release can't close other changes: those made from now on, such as "
            "revocations, may not be published …"
        )
    else:
        say("The deployed release can't close bookings: changes made from now on may not be published.")
        return
    try:
        change_parameters(cloudformation, stack.name, stack.parameters, **{CLOSED: closed})
    except StackError as error:
        raise StackError(
            f"{error}\nNothing was deleted. To delete the stage without closing it: LOSE=yes"
        ) from error


def _check_published(account: Account, stack: StackState) -> None:
    try:
        reasons = find_unpublished(account, Outputs(stack.outputs), datetime.fromtimestamp(0, UTC))
    except ClientError as error:
        if not any(word in error.response["Error"]["Code"] for word in _MISSING):
            raise
        reasons = [f"something that the stack needs to publish changes is gone: {error}"]
    if reasons:
        lines = "\n".join(f"  {reason}" for reason in reasons)
        raise DeployError(
            f"Changes of {stack.name} may not have been published as events, and later nobody would notice:\n{lines}\n"
            "Nothing was deleted. Publish them first; to open the stage: make deploy OPEN=yes. To delete the stage "
            "without them: LOSE=yes"
        )


def _kept(cloudformation: Any, stack: StackState) -> list[str]:
    """Return the resources that stay: those that the template retains, and those that the stack does not own."""
    resources = deployed_template(cloudformation, stack.name).get(
        "Resources", {}
    )  # none if it was only planned
    retained = {name for name, each in resources.items() if each.get("DeletionPolicy") in _RETAINED}
    if "EventArchive" in retained:
        retained.add(_BUS)  # a bus that has an archive can't be deleted; earlier releases don't retain it
    kept = {name: physical_id for name, physical_id in stack.resources.items() if name in retained}
    used = {
        "Table": "TableName",
        "SigningSecret": "SigningSecretId",
        _BUS: "EventBusName",
        "EventArchive": "EventArchiveName",
    }
    for name, output in used.items():
        if output in stack.outputs and name not in stack.resources:
            kept[name] = stack.outputs[output]
    return [f"{name}: {physical_id}" for name, physical_id in kept.items()]


def _delete(cloudformation: Any, stack: StackState) -> None:
    """Delete a stack. EventBridge refuses to delete a bus that has an archive, so that bus is kept.

    The template now retains the bus, so only the deletion of a stack of an earlier release fails on it.
    """
    poll = stacks.POLL_SECONDS
    # CloudFormation accepts resources to keep only after a deletion failed on them.
    first = _only_bus(cloudformation, stack.name) if stack.status == "DELETE_FAILED" else []
    try:
        delete_stack(cloudformation, stack.name, poll, retain=first)
    except StackError:
        retain = _only_bus(cloudformation, stack.name)
        if not retain or retain == first:
            raise
        delete_stack(cloudformation, stack.name, poll, retain=retain)


def _only_bus(cloudformation: Any, name: str) -> list[str]:
    """Return the bus if it is the only resource of a stack that could not be deleted."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    failed = [
        each["LogicalResourceId"]
        for page in pages
        for each in page["StackResourceSummaries"]
        if each["ResourceStatus"] == "DELETE_FAILED"
    ]
    return failed if failed == [_BUS] else []
