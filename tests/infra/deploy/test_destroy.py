"""Deleting a stack whose event bus EventBridge refuses to delete, which ministack does not show."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from infra.deploy import destroy as destroying, stacks
from infra.deploy.stack_state import StackState
from infra.deploy.stacks import StackError

REFUSED = "EventBus can't be deleted since it has rules."


class CloudFormation:
    """A stack that refuses to delete some of its resources unless they are retained."""

    def __init__(self, status: str, *refusing: str) -> None:
        self.status, self.refusing = status, set(refusing)
        self.calls: list[list[str]] = []
        self.failed: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        return {"Stacks": [{"StackId": "id", "StackStatus": self.status}]}

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
            yield {"StackResourceSummaries": self.failed}


def _delete(cloudformation: CloudFormation) -> None:
    destroying._delete(cloudformation, StackState("admit-one-dev", cloudformation.status))


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
def test_a_stack_whose_creation_failed_has_nothing_to_publish(status: str) -> None:
    assert not StackState("admit-one-dev", status).exists
