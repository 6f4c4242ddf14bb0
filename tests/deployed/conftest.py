"""Fixtures: the packaged stack, deployed through CloudFormation into a ministack for this test run."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from chalicelib import bootstrap
from chalicelib.domain.causes import Cause
from chalicelib.domain.team.api_keys import Role
from chalicelib.service.ports import World
from chalicelib.service.team.authenticate import make_key
from chalicelib.settings import read_settings
from infra.local.aws import local_client
from infra.local.engines.ministack import Ministack
from infra.local.mail import LOCAL_SENDER, verify_sender
from infra.local.stack import local_package, put_template
from infra.local.template import with_local_permissions, with_local_variables
from infra.package.build import Package
from infra.stack.stacks import outputs
from tests.support.aws.bus import Inbox
from tests.support.aws.clients import shared_client
from tests.support.waiting import LIMIT

NAME: Final = "admit-one-test"
MAIL_SENDER: Final = LOCAL_SENDER
CORS_ORIGIN: Final = "https://app.example"
COMMAND_SOURCES: Final = ("crm.deals", "billing/invoices")
_CAUSE: Final = Cause("system:test", "test")
_RECORDING_IAM: Final = Path(__file__).parents[1] / "support" / "aws" / "recording_iam.py"


class RecordingMinistack(Ministack):
    """A ministack that enforces IAM and records what it grants."""

    def __init__(self, notes: Path) -> None:
        super().__init__(enforce_iam=True)
        self._notes = notes

    def _command(self, port: int, files: Path) -> list[str]:
        *python, program = super()._command(port, files)
        return [*python, str(_RECORDING_IAM), str(self._notes), program]


@dataclass(frozen=True)
class Stack:
    """A deployed stack: its services, its resources by logical id, its REST API, and a world over its table."""

    engine: Ministack
    package: Package
    mails: Path
    """The folder of the emails it has sent, one file each."""
    rights_used: Path
    """Every request that IAM has allowed, one line each; see `recording_iam`."""

    def client(self, service: str) -> Any:
        """Return a client of one of the stack's services, e.g. `sqs`."""
        return shared_client(service, self.engine.endpoint_url)

    @cached_property
    def outputs(self) -> dict[str, str]:
        return outputs(self.client("cloudformation"), NAME)

    @cached_property
    def resources(self) -> dict[str, str]:
        """The physical id of each resource, by logical id."""
        found = self.client("cloudformation").describe_stack_resources(StackName=NAME)["StackResources"]
        return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in found}

    def physical_id(self, logical_id: str) -> str:
        """Return the physical id of a resource, e.g. a queue's URL or a function's name. Raises KeyError."""
        return self.resources[logical_id]

    @property
    def api_url(self) -> str:
        """The URL of the deployed REST API, which is also the stack's base URL."""
        return _api_url(self.engine, self.outputs["RestAPIId"])

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """The environment variables of the HTTP function."""
        name = self.physical_id("APIHandler")
        found = self.client("lambda").get_function_configuration(FunctionName=name)
        variables: dict[str, str] = found["Environment"]["Variables"]
        return variables

    @cached_property
    def world(self) -> World:
        """The services over the deployed table, in this process."""
        return bootstrap.compose(read_settings(self.environment))

    @cached_property
    def admin_key(self) -> str:
        return make_key(self.world, role=Role.ADMIN, host_id=None, name="tests", cause=_CAUSE).secret

    @contextlib.contextmanager
    def http(self, key: str | None = None) -> Iterator[httpx.Client]:
        """Yield an HTTP client of the deployed REST API with an API key, by default the admin's."""
        headers = {"Authorization": f"Bearer {key or self.admin_key}"}
        with httpx.Client(base_url=self.api_url, headers=headers, timeout=LIMIT, trust_env=False) as client:
            yield client

    def invoke(self, logical_id: str, event: Any) -> Any:
        """Invoke a function and return its result; fail if it raised."""
        answer = self.client("lambda").invoke(
            FunctionName=self.physical_id(logical_id), Payload=json.dumps(event).encode()
        )
        body = json.loads(answer["Payload"].read() or b"null")
        assert "FunctionError" not in answer, body
        return body

    def logs(self) -> list[str]:
        """Return every log line of every function."""
        client = self.client("logs")
        lines = []
        for page in client.get_paginator("describe_log_groups").paginate():
            for group in page["logGroups"]:
                events = client.get_paginator("filter_log_events").paginate(
                    logGroupName=group["logGroupName"]
                )
                lines += [event["message"] for each in events for event in each["events"]]
        return lines


def _api_url(engine: Ministack, api_id: str) -> str:
    return f"{engine.endpoint_url}/restapis/{api_id}/api/_user_request_"


@pytest.fixture(scope="session")
def deployed(no_real_aws: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack of the test run, for fixtures with a longer scope; tests use `stack`."""
    del no_real_aws
    package = local_package()
    mails = tmp_path_factory.mktemp("mails")
    template = with_local_variables(package.read_template(), {"MAIL_DIRECTORY": str(mails)})
    template = with_local_permissions(template)
    notes = tmp_path_factory.mktemp("rights") / "used"
    with RecordingMinistack(notes) as engine:
        verify_sender(engine.endpoint_url)
        # Both deployments set the origins, because ministack replaces an API if its definition changes.
        first = {"CorsOrigins": CORS_ORIGIN}
        put_template(engine.endpoint_url, NAME, package, template, first)
        # Unlike API Gateway's events, ministack's do not contain the requested host, so the stack needs `BaseUrl`.
        api_id = outputs(local_client("cloudformation", engine.endpoint_url), NAME)["RestAPIId"]
        parameters = {
            "BaseUrl": _api_url(engine, api_id),
            "MailSender": MAIL_SENDER,
            "CorsOrigins": CORS_ORIGIN,
            "CommandSources": " ".join(COMMAND_SOURCES),
        }
        put_template(engine.endpoint_url, NAME, package, template, parameters)
        stack = Stack(engine, package, mails, notes)
        # ministack ignores the TTL setting of a template, which another test checks.
        wanted = template["Resources"]["Table"]["Properties"]["TimeToLiveSpecification"]
        name = stack.physical_id("Table")
        stack.client("dynamodb").update_time_to_live(TableName=name, TimeToLiveSpecification=wanted)
        yield stack


@pytest.fixture
def stack(deployed: Stack, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """The stack of the test run. Each test creates its own hosts (P9). In-process clients reach the stack too."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", deployed.engine.endpoint_url)
    return deployed


@pytest.fixture
def inbox(stack: Stack) -> Iterator[Inbox]:
    """A queue that gets every event on the stack's bus."""
    with listening(stack) as inbox:
        yield inbox


@contextlib.contextmanager
def listening(stack: Stack) -> Iterator[Inbox]:
    """Yield a queue that gets every event on the stack's bus until the block ends."""
    inbox, events = Inbox(stack.engine.endpoint_url), stack.client("events")
    bus = stack.physical_id("EventBus")
    events.put_rule(Name=inbox.name, EventBusName=bus, EventPattern=json.dumps({"source": ["admit-one"]}))
    events.put_targets(Rule=inbox.name, EventBusName=bus, Targets=[{"Id": "inbox", "Arn": inbox.arn}])
    yield inbox
    events.remove_targets(Rule=inbox.name, EventBusName=bus, Ids=["inbox"])
    events.delete_rule(Name=inbox.name, EventBusName=bus)
    inbox.remove()
