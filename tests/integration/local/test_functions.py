"""Functions without a route, deployed to ministack, which invokes them by an event source mapping or a schedule."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from chalicelib import bootstrap
from chalicelib.domain.causes import Cause
from chalicelib.domain.links.link import LinkStatus
from chalicelib.domain.team.api_keys import Caller, Role
from chalicelib.domain.webhooks.webhook import WebhookSettings
from chalicelib.service.events.read_history import read_history
from chalicelib.service.links.list import ListRequest, list_links
from chalicelib.service.links.revoke import revoke_link
from chalicelib.service.ports import World
from chalicelib.service.team.hosts import list_hosts
from chalicelib.service.webhooks.manage import create_webhook
from chalicelib.service.webhooks.manage_deliveries import send_test
from infra.local.aws import local_client
from infra.local.engines.ministack import Ministack
from infra.local.seed import seed
from infra.local.stack import STACK, Site, app_settings, deploy_locally, local_package
from infra.local.table import ensure_table
from infra.stack.stacks import Outcome
from tests.support.endpoints import Endpoint, answer
from tests.support.waiting import until

ADMIN = Caller("test", Role.ADMIN, None)
CAUSE = Cause("system:test", "test")
TABLE = "functions-test"
KEYS = "functions-test/keys"
BASE_URL = "http://127.0.0.1:8000"


def _history(world: World, link_id: str, wanted: int) -> list[str]:
    """Return the types in a link's history once it has that many entries."""

    def types() -> list[str]:
        return [event.type.value for event in read_history(world, ADMIN, link_id, None, 50).page.rows]

    return until(types, lambda found: len(found) >= wanted)


def _create_table_and_keys(engine: Ministack, monkeypatch: pytest.MonkeyPatch) -> tuple[Site, World]:
    """Create the table and the signing keys; return their names, and a world that uses them."""
    ensure_table(local_client("dynamodb", engine.endpoint_url), TABLE)
    keys = {"current": 1, "keys": {}, "first": "k" * 48}
    local_client("secretsmanager", engine.endpoint_url).create_secret(
        Name=KEYS, SecretString=json.dumps(keys)
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL", engine.endpoint_url)
    monkeypatch.setenv("TABLE_NAME", TABLE)
    monkeypatch.setenv("SIGNING_SECRET_ID", KEYS)
    monkeypatch.setenv("BASE_URL", BASE_URL)
    monkeypatch.delenv("SIGNING_KEYS", raising=False)
    bootstrap.forget()
    return Site(BASE_URL, TABLE, KEYS, Path("mail")), bootstrap.world()


def _physical(engine: Ministack, logical_id: str) -> str:
    cloudformation: Any = local_client("cloudformation", engine.endpoint_url)
    found = cloudformation.describe_stack_resource(StackName=STACK, LogicalResourceId=logical_id)
    name: str = found["StackResourceDetail"]["PhysicalResourceId"]
    return name


def test_the_deployed_outbox_writes_history_also_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: changes before and after a restart of ministack are in the history once."""
    with Ministack(tmp_path) as engine:
        site, world = _create_table_and_keys(engine, monkeypatch)
        assert deploy_locally(engine.endpoint_url, local_package(), site) is Outcome.CREATED
        seed("ao_" + "A" * 43)
        (host,) = list_hosts(world, ADMIN, None, 10).rows
        request = ListRequest(
            host_id=host.host_id,
            event_type_id=None,
            status=LinkStatus.ACTIVE,
            query=None,
            cursor=None,
            limit=10,
        )
        link = list_links(world, ADMIN, request).rows[0]
        assert _history(world, link.link_id, 1) == ["link.created"]

        engine.restart()
        assert deploy_locally(engine.endpoint_url, local_package(), site) is Outcome.UPDATED
        revoke_link(world, ADMIN, link.link_id, CAUSE)
        assert _history(world, link.link_id, 2) == ["link.revoked", "link.created"]
    bootstrap.forget()


def test_the_expiry_function_runs_on_a_schedule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule invokes the function every minute, and the deployed function succeeds."""
    with Ministack(tmp_path) as engine:
        site, _ = _create_table_and_keys(engine, monkeypatch)
        deploy_locally(engine.endpoint_url, local_package(), site)
        deploy_locally(engine.endpoint_url, local_package(), site)
        function, rule = _physical(engine, "Expiry"), _physical(engine, "ExpiryExpiryEvent")
        functions: Any = local_client("lambda", engine.endpoint_url)
        event = {
            "version": "0", "id": "1", "account": "1", "region": "us-east-1", "source": "aws.events",
            "time": "2026-11-21T00:00:00Z", "detail-type": "Scheduled Event", "resources": [], "detail": {},
        }  # fmt: skip
        answer = functions.invoke(FunctionName=function, Payload=json.dumps(event))
        assert (answer.get("FunctionError"), answer["Payload"].read()) == (None, b"null")
        events: Any = local_client("events", engine.endpoint_url)
        assert events.describe_rule(Name=rule)["ScheduleExpression"] == "rate(1 minute)"
        assert len(events.list_targets_by_rule(Rule=rule)["Targets"]) == 1
        mappings = functions.list_event_source_mappings(FunctionName=_physical(engine, "Outbox"))[
            "EventSourceMappings"
        ]
        sources = sorted(mapping["EventSourceArn"].split(":")[2] for mapping in mappings)
        assert sources == ["dynamodb", "sqs"]  # the stream, and the queue of redriven dead letters
    bootstrap.forget()


def _world_of_the_app(engine: Ministack, site: Site, monkeypatch: pytest.MonkeyPatch) -> World:
    """Deploy the functions; return the world of an app that runs beside them, as with `make run`."""
    deploy_locally(engine.endpoint_url, local_package(), site)
    monkeypatch.setenv("AWS_ENDPOINT_URL", engine.endpoint_url)
    for name, value in app_settings(engine.endpoint_url).items():
        monkeypatch.setenv(name, value)
    bootstrap.forget()
    return bootstrap.world()


def _received_types(endpoint: Endpoint, wanted: int) -> list[str]:
    """Return the types of the events that an endpoint received once there are that many.

    A delivery without a queue message waits for the schedule, which runs every five minutes: longer than this waits.
    """
    until(lambda: len(endpoint.requests) >= wanted)
    return [json.loads(request.body)["type"] for request in endpoint.requests]


@pytest.mark.parametrize("port_is_taken", [False, True], ids=["same port", "another port"])
def test_a_local_webhook_gets_test_events_also_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port_is_taken: bool
) -> None:
    """The app and the delivery function allow http to the loopback address; queues are consumed after every start."""
    with Endpoint([answer(204), answer(204)]) as endpoint, socket.socket() as other:
        with Ministack(tmp_path) as engine:
            site, _ = _create_table_and_keys(engine, monkeypatch)
            world = _world_of_the_app(engine, site, monkeypatch)
            seed("ao_" + "A" * 43)
            (host,) = list_hosts(world, ADMIN, None, 10).rows
            settings = WebhookSettings(
                url=endpoint.url, events=("link.requested",)
            )  # so that it gets nothing else but test events
            made = create_webhook(world, ADMIN, host.host_id, settings, CAUSE)
            send_test(world, ADMIN, made.webhook.webhook_id, CAUSE)
            assert _received_types(endpoint, 1) == ["webhook.test"]
            port = int(engine.endpoint_url.rpartition(":")[2])

        if port_is_taken:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", port))
            other.listen()
        with Ministack(tmp_path) as engine:
            world = _world_of_the_app(engine, site, monkeypatch)
            send_test(world, ADMIN, made.webhook.webhook_id, CAUSE)
            assert _received_types(endpoint, 2)[1:] == ["webhook.test"]
    bootstrap.forget()
