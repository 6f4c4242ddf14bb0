"""The state of a stage's stack before a command changes it: status, parameters, outputs and resources."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import ClientError

from infra.stack.stacks import FAILED_CREATIONS
from infra.stack.stage import CLOSED, CLOSINGS, Closed

GONE: Final = ("DELETE_COMPLETE", "DELETE_SKIPPED")


@dataclass(frozen=True)
class StackState:
    """A stack as CloudFormation describes it. `status` is None if it does not exist.

    `resources` has the physical ids of its own resources by their logical ids, without those that it does not own.
    """

    name: str
    status: str | None = None
    changed: datetime | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, str] = field(default_factory=dict)

    @property
    def exists(self) -> bool:
        """Whether there is a stack to update: not one whose creation failed."""
        return self.status is not None and self.status not in FAILED_CREATIONS


def read_stack(cloudformation: Any, name: str) -> StackState:
    """Return the state of a stack. Raise `ClientError`."""
    try:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return StackState(name)
        raise
    if stack["StackStatus"] == "DELETE_COMPLETE":
        return StackState(name)
    return StackState(
        name,
        stack["StackStatus"],
        _utc(stack.get("LastUpdatedTime") or stack.get("CreationTime")),
        {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", ())},
        {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", ())},
        _own_resources(cloudformation, name),
    )


def stack_closes(stack: StackState) -> Closed:
    """Return what a stack closes. An unknown value closes everything."""
    found = stack.parameters.get(CLOSED, "no")
    return next((each for each in CLOSINGS if each == found), "all")


def _utc(moment: datetime | None) -> datetime | None:
    """Return a time in UTC. Botocore returns it in the time zone of the machine."""
    return moment.astimezone(UTC) if moment else None


def _own_resources(cloudformation: Any, name: str) -> dict[str, str]:
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    return {
        each["LogicalResourceId"]: each.get("PhysicalResourceId", "")
        for page in pages
        for each in page["StackResourceSummaries"]
        if each["ResourceStatus"] not in GONE
    }


def deployed_template(cloudformation: Any, name: str) -> dict[str, Any]:
    """Return the template that a stack was deployed with."""
    found = cloudformation.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
    template: dict[str, Any] = json.loads(found) if isinstance(found, str) else dict(found)
    return template


def deployed_archives(cloudformation: Any, stack: StackState) -> set[str]:
    """Return the keys of the zips that the functions of a stack run, which a rollback would read again."""
    if not stack.exists:
        return set()
    resources = deployed_template(cloudformation, stack.name)["Resources"].values()
    codes = [each.get("Properties", {}).get("CodeUri") for each in resources]
    return {code["Key"] for code in codes if isinstance(code, dict) and "Key" in code}
