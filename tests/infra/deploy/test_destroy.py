"""Deleting a stage: the order of its steps, and a bus that EventBridge refuses to delete, which ministack accepts."""

from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError
from msgspec import structs

from infra.deploy import deploy, destroy as destroying
from infra.errors import CommandError
from infra.stack import stacks
from infra.stack.account import Account
from infra.stack.clock import Clock
from infra.stack.restore_progress import RestoreProgress
from infra.stack.stack_state import StackState
from infra.stack.stacks import StackError
from infra.stack.stage import Stage, read_stage

DELETE = destroying._delete
REFUSED = "EventBus can't be deleted since it has rules."


class CloudFormation:
    """A stack that refuses to delete some of its resources unless they are retained."""

    def __init__(self, status: str, *refusing: str) -> None:
        self.status, self.refusing = status, set(refusing)
        self.closes: tuple[str, ...] = ("no", "yes", "all")
        self.closed = "no"
        self.resources: dict[str, Any] = {}
        self.is_named: bool | None = None
        self.calls: list[list[str]] = []
        self.failed: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        outputs = {"TableName": "t1", "SigningSecretId": "arn:secret"}
        described = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
        closed = {"ParameterKey": "BookingsClosed", "ParameterValue": self.closed}
        stack = {"StackId": "id", "StackStatus": self.status, "Outputs": described, "Parameters": [closed]}
        return {"Stacks": [stack]}

    def get_template(self, **_: str) -> dict[str, Any]:
        parameter = {"AllowedValues": list(self.closes)}
        resources = {"Resources": self.resources} if self.status != "REVIEW_IN_PROGRESS" else {}
        return {"TemplateBody": {"Parameters": {"BookingsClosed": parameter}, **resources}}

    def delete_stack(self, *, StackName: str, RetainResources: list[str] | None = None) -> None:  # noqa: N803
        assert StackName == "admit-one-dev"
        assert not RetainResources or self.status == "DELETE_FAILED", "AWS accepts it only then"
        self.calls.append(RetainResources or [])
        left = self.refusing - set(RetainResources or [])
        self.failed = [
            {"LogicalResourceId": name, "ResourceStatus": "DELETE_FAILED", "ResourceStatusReason": REFUSED}
            for name in sorted(left)
        ]
        self.events = [*self.failed, *self.events]
        self.status = "DELETE_FAILED" if left else "DELETE_COMPLETE"

    def get_waiter(self, _: str) -> Any:
        def wait(**_: Any) -> None:
            if self.status == "DELETE_FAILED":
                raise WaiterError("StackDeleteComplete", "failed", {})

        return SimpleNamespace(wait=wait)

    def get_paginator(self, operation: str) -> Any:
        return SimpleNamespace(paginate=lambda **_: self._pages(operation))

    def _pages(self, operation: str) -> Iterator[dict[str, Any]]:
        if operation == "describe_stack_events":
            yield {"StackEvents": self.events}
        else:
            own = [
                {
                    "LogicalResourceId": each,
                    "PhysicalResourceId": f"{each}-1",
                    "ResourceStatus": "CREATE_COMPLETE",
                }
                for each in self.resources
            ]
            yield {"StackResourceSummaries": self.failed or own}


@pytest.fixture
def destroy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[str]]:
    """Run the command; return what it does, and what it says, in order."""
    monkeypatch.setattr("infra.stack.stage.STAGES", tmp_path)

    def run(
        cloudformation: CloudFormation,
        *unpublished: list[str] | ClientError,
        lose: bool = False,
        stage: Stage = Stage("dev"),  # noqa: B008 -- it is immutable
    ) -> list[str]:
        done: list[str] = []
        found = iter(unpublished)

        def unpublished_now(*_: Any) -> list[str]:
            done.append("check")
            reasons = next(found, [])
            if isinstance(reasons, ClientError):
                raise reasons
            return reasons

        def change(_client: Any, name: str, parameters: Any, **changed: str) -> None:
            assert (name, dict(parameters)) == ("admit-one-dev", {"BookingsClosed": cloudformation.closed})
            done.append(f"close {changed}")

        def delete(_client: Any, stack: StackState) -> None:
            saved = read_stage("dev")
            names = ("t1", "arn:secret") if stack.exists else (None, None)
            assert (saved.table, saved.signing_secret) == names, "named before the deletion"
            done.append("delete")
            _delete(cloudformation)

        monkeypatch.setattr(destroying, "find_unpublished", unpublished_now)
        monkeypatch.setattr(destroying, "change_parameters", change)
        monkeypatch.setattr(destroying, "_delete", delete)
        account = Account(SimpleNamespace(create_client=lambda *_, **__: cloudformation), "0", "us-east-1")
        clock = Clock(wait=lambda seconds: done.append(f"wait {seconds}"))
        try:
            cloudformation.is_named = destroying.destroy(
                account, stage, lose=lose, say=done.append, clock=clock
            )
        except CommandError as error:
            done.append(str(error))
        return done

    return run


def _delete(cloudformation: CloudFormation) -> None:
    DELETE(cloudformation, StackState("admit-one-dev", cloudformation.status))


CHECKED = ["check", "Closing all changes …", "close {'BookingsClosed': 'all'}"]
WAITED = ["Waiting 6 minutes until all changes are published …", "wait 360", "check"]
DELETED = [
    "Keeping, with all data:",
    "  Table: t1",
    "  SigningSecret: arn:secret",
    "Deleting admit-one-dev …",
    "delete",
]


def test_a_stage_is_deleted_once_everything_is_closed_and_published(
    destroy: Callable[..., list[str]],
) -> None:
    """P1: a booking during the deletion would be in no archive, and a restore of the next stack would not know it."""
    assert destroy(CloudFormation("UPDATE_COMPLETE")) == [*CHECKED, *WAITED, *DELETED]
    assert destroy(CloudFormation("UPDATE_COMPLETE"), lose=True) == DELETED
    *steps, error = destroy(CloudFormation("UPDATE_COMPLETE"), [], ["1 is left"])
    assert steps == [*CHECKED, *WAITED]
    assert "1 is left" in error
    assert destroy(CloudFormation("UPDATE_COMPLETE"), ["1 is left"])[:-1] == ["check"], "nothing was changed"


@pytest.mark.parametrize(
    ("closes", "said", "done"),
    [
        (
            ("no", "yes"),
            "Closing bookings. The deployed release can't close other",
            ["close {'BookingsClosed': 'yes'}"],
        ),
        ((), "The deployed release can't close bookings", []),
    ],
)
def test_a_stage_of_an_earlier_release_closes_what_it_can(
    destroy: Callable[..., list[str]], closes: tuple[str, ...], said: str, done: list[str]
) -> None:
    """P1: a use during the deletion would be in no archive."""
    cloudformation = CloudFormation("UPDATE_COMPLETE")
    cloudformation.closes = closes
    first, line, *steps = destroy(cloudformation)
    assert first == "check"
    assert line.startswith(said)
    assert steps == [*done, *WAITED, *DELETED]


def test_what_stays_of_an_earlier_release_is_listed(destroy: Callable[..., list[str]]) -> None:
    """It did not retain the bus, but EventBridge refuses to delete a bus that has an archive."""
    cloudformation = CloudFormation("UPDATE_COMPLETE")
    cloudformation.resources = {"EventBus": {}, "EventArchive": {"DeletionPolicy": "Retain"}, "Waf": {}}
    steps = destroy(cloudformation, lose=True)
    assert [step for step in steps if step.startswith("  Event")] == [
        "  EventBus: EventBus-1",
        "  EventArchive: EventArchive-1",
    ]
    assert not [step for step in steps if "Waf" in step]


@pytest.mark.parametrize(
    ("stack", "file", "saved"),
    [
        ("no", "no", "no"),
        ("no", "yes", "yes"),
        ("yes", "no", "yes"),
        ("all", "yes", "all"),
        ("?", "no", "all"),
    ],
)
def test_a_stage_that_was_closed_is_created_again_closed(
    destroy: Callable[..., list[str]], stack: str, file: str, saved: str
) -> None:
    """P1: a restore may have closed it from another checkout, and links that were used are active in its table."""
    cloudformation = CloudFormation("UPDATE_COMPLETE")
    cloudformation.closed = stack
    steps = destroy(cloudformation, stage=Stage("dev", {"BookingsClosed": file}))
    assert steps[-1] == "delete"
    assert read_stage("dev").closed == saved
    assert any("keeps it closed" in step for step in steps) == (saved != file)


def test_a_stage_is_not_deleted_while_a_restore_has_not_ended(destroy: Callable[..., list[str]]) -> None:
    progress = RestoreProgress(to=datetime(2026, 11, 21, 10, tzinfo=UTC), table="t1")
    stage = Stage("dev", {"BookingsClosed": "all"}, "t1", "arn:secret", progress)
    [error] = destroy(CloudFormation("UPDATE_COMPLETE"), stage=stage)
    assert "has a restore that has not ended" in error
    assert destroy(CloudFormation("UPDATE_COMPLETE"), stage=stage, lose=True) == DELETED
    assert read_stage("dev") == stage, "make restore continues it in the next stack"
    ended = replace(stage, restore=structs.replace(progress, opening=True))
    assert destroy(CloudFormation("UPDATE_COMPLETE"), stage=ended)[-1] == "delete"


def test_a_stage_whose_deletion_fails_is_named_in_its_file(destroy: Callable[..., list[str]]) -> None:
    """Otherwise the next deployment creates an empty table and new keys: CloudFormation continues the deletion."""
    failing = CloudFormation("UPDATE_COMPLETE", "Waf")
    *steps, error = destroy(failing)
    assert steps == [*CHECKED, *WAITED, *DELETED]
    assert "Waf" in error
    assert failing.status == "DELETE_FAILED"
    assert destroy(failing)[:-1] == DELETED, "the rest of the stack can't be closed"


def test_a_bus_that_has_an_archive_is_kept_and_the_stack_is_deleted() -> None:
    """A stack of an earlier release does not retain its bus, and would stay DELETE_FAILED."""
    cloudformation = CloudFormation("UPDATE_COMPLETE", "EventBus")
    _delete(cloudformation)
    assert cloudformation.calls == [[], ["EventBus"]]
    assert cloudformation.status == "DELETE_COMPLETE"


def test_a_stack_that_keeps_another_resource_is_reported_once() -> None:
    cloudformation = CloudFormation("UPDATE_COMPLETE", "EventBus", "Waf")
    with pytest.raises(StackError, match="Waf"):
        _delete(cloudformation)
    assert cloudformation.calls == [[]]
    with pytest.raises(StackError, match=REFUSED):
        _delete(cloudformation)
    assert cloudformation.calls == [[], []]
    cloudformation.refusing.remove("Waf")
    _delete(cloudformation)
    assert cloudformation.calls == [[], [], [], ["EventBus"]]
    assert cloudformation.status == "DELETE_COMPLETE"


@pytest.mark.parametrize("status", sorted(stacks.FAILED_CREATIONS))
def test_a_stack_whose_creation_failed_has_nothing_to_publish_and_no_data(
    destroy: Callable[..., list[str]], status: str
) -> None:
    cloudformation = CloudFormation(status)
    assert destroy(cloudformation) == DELETED
    assert cloudformation.is_named is False, "nothing was written to the stage's file"
    created = CloudFormation("UPDATE_COMPLETE")
    destroy(created)
    assert created.is_named is True


@pytest.mark.parametrize("is_named", [False, True])
def test_a_file_is_to_be_committed_only_if_it_was_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_named: bool
) -> None:
    monkeypatch.setattr(deploy, "destroy", lambda *_, **__: is_named)
    deploy._destroy(Account(None, "0", "r"), Stage("dev"), Namespace(confirm="dev", lose=False))
    output = capsys.readouterr().out
    assert "admit-one-dev is deleted." in output
    assert ("commit it" in output) == is_named


def test_a_stage_that_is_being_deleted_is_not_checked(destroy: Callable[..., list[str]]) -> None:
    """The command was stopped, and CloudFormation continues: the outbox that it would check is gone."""
    [error] = destroy(CloudFormation("DELETE_IN_PROGRESS"))
    assert "is DELETE_IN_PROGRESS: another operation has not finished. Wait" in error


def test_a_stage_that_lacks_a_queue_can_be_deleted(destroy: Callable[..., list[str]]) -> None:
    """The message says how: nobody can find out any more what was not published."""
    gone = "AWS.SimpleQueueService.NonExistentQueue"
    check, error = destroy(CloudFormation("UPDATE_COMPLETE"), _error(gone))
    assert check == "check"
    assert gone in error
    assert "LOSE=yes" in error
    with pytest.raises(ClientError, match="AccessDenied"):
        destroy(CloudFormation("UPDATE_COMPLETE"), _error("AccessDenied"))


def _error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "GetQueueAttributes")
