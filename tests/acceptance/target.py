"""The stack that is tested: its clients, outputs and address, and what it can't do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from infra.stack.account import Account
from infra.stack.stacks import outputs
from infra.stack.stage import Stage
from tests.acceptance.meter import CALL, Meter


@dataclass
class Target:
    """A deployed stage in an account. `cannot` has the abilities that its platform lacks, each with the reason."""

    account: Account
    stage: Stage
    meter: Meter
    site: str | None = None
    """The site's URL, if it is not the stack's output."""
    webhook_url: Callable[[str], str] = str
    """Returns the URL at which the stack reaches a function by its function URL."""
    cannot: Mapping[str, str] = field(default_factory=dict)
    poll_seconds: float = 5.0
    settle_seconds: float = 60.0
    """How long late consumers may take before a second look finds what they wrote."""
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def stack(self) -> str:
        return self.stage.stack

    def client(self, service: str) -> Any:
        """Return a client whose calls are counted."""
        if service not in self._clients:
            client = self.account.client(service)
            client.meta.events.register("before-call", lambda **_: self.meter.add(CALL))
            self._clients[service] = client
        return self._clients[service]

    @cached_property
    def outputs(self) -> dict[str, str]:
        return outputs(self.client("cloudformation"), self.stack)

    @cached_property
    def resources(self) -> dict[str, str]:
        """The physical id of each resource of the stack, by logical id."""
        return {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for each in self._summaries
            if each.get("PhysicalResourceId")
        }

    def of_type(self, kind: str) -> dict[str, str]:
        """Return the resources of one type."""
        names = {each["LogicalResourceId"] for each in self._summaries if each["ResourceType"] == kind}
        return {name: physical for name, physical in self.resources.items() if name in names}

    @cached_property
    def _summaries(self) -> list[dict[str, Any]]:
        client = self.client("cloudformation")
        pages = client.get_paginator("list_stack_resources").paginate(StackName=self.stack)
        return [each for page in pages for each in page["StackResourceSummaries"]]

    @cached_property
    def parameters(self) -> dict[str, str]:
        """The values of the stack's parameters."""
        found = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"][0]
        return {each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", ())}

    @property
    def url(self) -> str:
        """The site's URL."""
        return self.site or self.outputs["SiteUrl"]

    def forget(self) -> None:
        """Read outputs, resources and parameters again, after the stack was replaced."""
        for name in ("outputs", "resources", "_summaries", "parameters"):
            self.__dict__.pop(name, None)
