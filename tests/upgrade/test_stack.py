"""The last release's stack is updated to this code and rolled back, with data of every kind (P1, P4, P6, P8)."""

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from chalicelib import bootstrap
from chalicelib.domain.causes import Cause
from chalicelib.domain.team.api_keys import Role
from chalicelib.service.team.authenticate import make_key
from chalicelib.settings import read_settings
from infra.local.aws import local_client
from infra.local.engines.ministack import Ministack
from infra.local.mail import LOCAL_SENDER, verify_sender
from infra.local.stack import local_package, put_template
from infra.local.template import with_local_permissions, with_local_variables
from infra.package.build import Package
from infra.paths import ROOT
from infra.release.records import Release
from infra.stack.stacks import outputs
from tests.support import audit
from tests.support.aws.bus import Inbox
from tests.support.aws.dynamodb_client import plain_client
from tests.support.endpoints import Endpoint
from tests.support.proof.harness import rfc3339
from tests.support.waiting import until
from tests.upgrade.data import Data, Version, deleted_links, use, write

NAME: Final = "admit-one-upgrade"

# The kinds of items that no step here writes, with the reason.
NOT_WRITTEN: Final = {
    "REDONE": "only a restore writes it",
    "MESSAGE": "only a restore writes it",
    "MARKER": "only a restore writes it",
    "REVOKED": "only a restore writes it",
    "NOTICE": "only a webhook that failed for days writes it",
}

_BUILD: Final = """
from pathlib import Path
from infra.local.stack import local_package
local_package(Path("build/upgrade").resolve())
"""


class Deployment:
    """A stack in a ministack with IAM enforced, whose code can be exchanged."""

    def __init__(self, engine: Ministack, mails: Path, hook: str) -> None:
        self.engine, self.mails, self.hook = engine, mails, hook
        self.api_key = ""

    def client(self, service: str) -> Any:
        return local_client(service, self.engine.endpoint_url)

    @property
    def outputs(self) -> dict[str, str]:
        return outputs(self.client("cloudformation"), NAME)

    @property
    def url(self) -> str:
        return f"{self.engine.endpoint_url}/restapis/{self.outputs['RestAPIId']}/api/_user_request_"

    def put(self, package: Package) -> Version:
        """Create the stack or update it; return the deployed version."""
        template = with_local_variables(package.read_template(), {"MAIL_DIRECTORY": str(self.mails)})
        template = with_local_permissions(template)
        parameters = {"MailSender": LOCAL_SENDER, "MailHostDailyLimit": "1"}
        put_template(self.engine.endpoint_url, NAME, package, template, parameters)
        # ministack's events do not have the requested host, and it replaces an API whose definition changed.
        put_template(self.engine.endpoint_url, NAME, package, template, {**parameters, "BaseUrl": self.url})
        if not self.api_key:
            self.api_key = self._make_key()
        soon = timedelta(seconds=3)
        return Version(self.url, self.api_key, self._expire, expires_in=soon, hook=self.hook)

    def dump(self) -> audit.Dump:
        return audit.dump(plain_client(self.engine.endpoint_url), self.outputs["TableName"])

    def audit(self, *written: Data) -> None:
        faults = audit.faults_in(self.dump(), deleted=deleted_links(*written))
        assert not faults, "\n".join(faults)

    def _resource(self, logical_id: str) -> str:
        found = self.client("cloudformation").describe_stack_resource(
            StackName=NAME, LogicalResourceId=logical_id
        )
        name: str = found["StackResourceDetail"]["PhysicalResourceId"]
        return name

    def _make_key(self) -> str:
        function = self.client("lambda").get_function_configuration(FunctionName=self._resource("APIHandler"))
        world = bootstrap.compose(read_settings(function["Environment"]["Variables"]))
        cause = Cause("system:test", "test")
        return make_key(world, role=Role.ADMIN, host_id=None, name="upgrade", cause=cause).secret

    def _expire(self, link_id: str) -> None:
        """Run the deployed schedule until the link is marked as expired."""

        def run() -> bool:
            self.client("lambda").invoke(FunctionName=self._resource("Expiry"), Payload=b"{}")
            return bool(self.dump()[f"LINK#{link_id}", "LINK"]["status"] == "expired")

        until(run)


@pytest.fixture(scope="module")
def last_package(last_files: Path) -> Package:
    """The last release's package for this machine, built by its own code."""
    subprocess.run([sys.executable, "-c", _BUILD], cwd=last_files, check=True)
    folder = last_files / "build" / "upgrade"
    return Package(folder / "deployment.zip", folder / "template.json")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as running:
        yield running


@pytest.fixture(scope="module")
def deployment(
    no_real_aws: None, endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    del no_real_aws
    with Ministack(enforce_iam=True) as engine, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", engine.endpoint_url)
        verify_sender(engine.endpoint_url)
        yield Deployment(engine, tmp_path_factory.mktemp("mails"), f"{endpoint.url}/hook")


@contextlib.contextmanager
def listening(deployment: Deployment) -> Iterator[Inbox]:
    """Yield a queue that gets every event on the stack's bus."""
    inbox, events = Inbox(deployment.engine.endpoint_url), deployment.client("events")
    bus = deployment.outputs["EventBusName"]
    events.put_rule(Name=inbox.name, EventBusName=bus, EventPattern=json.dumps({"source": ["admit-one"]}))
    events.put_targets(Rule=inbox.name, EventBusName=bus, Targets=[{"Id": "inbox", "Arn": inbox.arn}])
    yield inbox


def kinds(root: Path) -> set[str]:
    """Return the first part of the sort key of each kind of item of a version, from the docstrings of its classes."""
    found = set(re.findall(r"`sk (\w+)", (root / "chalicelib" / "store" / "items.py").read_text()))
    assert len(found) > 20
    return found


def unwritten_kinds(deployment: Deployment, root: Path) -> set[str]:
    """Return the kinds of a version of which the table has no item, without those that no step writes."""
    return kinds(root) - set(NOT_WRITTEN) - {sk.partition("#")[0] for _, sk in deployment.dump()}


def delivered(endpoint: Endpoint) -> list[str]:
    """Return the links of the `link.used` events that the endpoint received."""
    bodies = [json.loads(request.body) for request in endpoint.requests]
    return [body["linkId"] for body in bodies if body["type"] == "link.used"]


def in_flight(version: Version, data: Data) -> str:
    """Book a link just before the code is exchanged; its event is delivered by whichever code runs then."""
    body = {"eventTypeId": data.event_type_id}
    [link] = version.call("POST", "/v1/links", body, status=201)["links"]
    start = {"start": rfc3339(next(data.free)), "timeZone": "UTC"}
    invitee = {"name": "Grace", "email": "grace@invitees.example"}
    token = link["url"].rpartition("/")[2]
    answer = version.invitee.send("POST", f"/s/{token}/redeem", {**start, "invitee": invitee})
    assert answer.code == "201", answer
    link_id: str = link["linkId"]
    return link_id


def open_and_send(version: Version, data: Data) -> None:
    """Do what only the whole stack stores: opens, denials, an email to a recipient."""
    link = data.links["recipient"]
    page = version.invitee.send(
        "GET", f"/s/{link.token}", headers={"Accept": "text/html", "User-Agent": "Mozilla/5.0"}
    )
    assert page.status == 200
    denied = version.invitee.send("POST", f"/s/{data.links['revoked'].token}/redeem", {
        "start": "2039-01-01T00:00:00Z", "timeZone": "UTC", "invitee": {"name": "Eve", "email": "eve@invitees.example"},
    })  # fmt: skip
    assert denied.status == 410
    version.call("POST", f"/v1/links/{link.link_id}/send", {}, status=202)


def replay_one(version: Version, data: Data, endpoint: Endpoint) -> None:
    """Replay a delivery that the other version made."""
    found = version.call("GET", f"/v1/webhooks/{data.webhook_id}/deliveries?status=delivered")["deliveries"]
    before = len(endpoint.requests)
    version.call(
        "POST", f"/v1/webhooks/{data.webhook_id}/replay", {"deliveryId": found[-1]["deliveryId"]}, status=202
    )
    until(lambda: len(endpoint.requests) > before)


def test_an_upgrade_and_a_rollback_keep_every_promise(
    deployment: Deployment, last_package: Package, last: Release, last_files: Path, endpoint: Endpoint
) -> None:
    """Old stack, data; new code, the same data; old code again, over what the new code wrote."""
    old = deployment.put(last_package)
    assert old.call("GET", "/v1/openapi.json")["info"]["version"] == last.version
    first = write(old, 1)
    open_and_send(old, first)
    until(lambda: not unwritten_kinds(deployment, last_files))
    until(lambda: first.links["used"].link_id in delivered(endpoint))
    deployment.audit(first)
    waiting = in_flight(old, first)

    new = deployment.put(local_package())
    assert new.call("GET", "/v1/version")["version"] == local_package().version
    until(lambda: waiting in delivered(endpoint))
    with listening(deployment) as inbox:
        use(new, first)
        until(lambda: any(event["detail"]["type"] == "link.used" for event in inbox.take()))
    replay_one(new, first, endpoint)
    history = new.call("GET", f"/v1/links/{first.links['used'].link_id}/history")
    assert "booking.confirmed" in {each["type"] for each in history["history"]}
    deployment.audit(first)
    second = write(new, 2)
    open_and_send(new, second)
    until(lambda: not unwritten_kinds(deployment, ROOT))
    until(lambda: second.links["used"].link_id in delivered(endpoint))
    waiting = in_flight(new, second)

    back = deployment.put(last_package)
    assert back.call("GET", "/v1/openapi.json")["info"]["version"] == last.version
    until(lambda: waiting in delivered(endpoint))
    use(back, second)
    replay_one(back, second, endpoint)
    third = write(back, 3)
    use(back, third)
    until(lambda: third.links["active"].link_id in delivered(endpoint))
    deployment.audit(first, second, third)
