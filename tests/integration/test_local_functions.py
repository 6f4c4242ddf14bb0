"""The functions that nobody calls by HTTP, run by ministack as Lambda runs them: behind a mapping, on a schedule."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from chalicelib import bootstrap
from chalicelib.domain.api_keys import Caller, Role
from chalicelib.domain.causes import Cause
from chalicelib.domain.links import LinkStatus
from chalicelib.service.list_links import ListRequest, list_links
from chalicelib.service.ports import World
from chalicelib.service.read_history import read_history
from chalicelib.service.revoke import revoke_link
from infra.local.aws import local_client
from infra.local.engines import Ministack
from infra.local.functions import EXPIRY, OUTBOX, deploy_functions, function_settings
from infra.local.seed import seed
from infra.local.table import ensure_table
from tests.engines import Table
from tests.integration.doors import settings_for

ADMIN = Caller("test", Role.ADMIN, None)
CAUSE = Cause("system:test", "test")
TABLE = "functions-test"


def _history(world: World, link_id: str, wanted: int) -> list[str]:
    """Return what a link's history tells, once it tells that much; at the latest after a minute, as it then is."""
    give_up = time.monotonic() + 60
    while True:
        told = [event.type.value for event in read_history(world, ADMIN, link_id, None, 50).page.rows]
        if len(told) >= wanted or time.monotonic() > give_up:
            return told
        time.sleep(0.1)


def _deploy(engine: Ministack, monkeypatch: pytest.MonkeyPatch) -> World:
    signing = json.dumps({"current": 1, "keys": {"1": base64.b64encode(b"k" * 32).decode()}})
    settings = settings_for(Table(engine.endpoint_url, TABLE), signing)
    deploy_functions(engine.endpoint_url, TABLE, function_settings(settings))
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SIGNING_SECRET_ID", raising=False)
    bootstrap.forget()
    return bootstrap.world()


def test_the_stream_is_told_by_the_deployed_consumer_and_over_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: a change becomes history without anyone pumping; after a restart it goes on, and tells nothing twice."""
    with Ministack(tmp_path) as engine:
        ensure_table(local_client("dynamodb", engine.endpoint_url), TABLE)
        world = _deploy(engine, monkeypatch)
        seed("ao_" + "A" * 43)
        ((_, host),) = world.store.hosts.page(None, 10)
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
        world = _deploy(engine, monkeypatch)
        revoke_link(world, ADMIN, link.link_id, CAUSE)
        assert _history(world, link.link_id, 2) == ["link.revoked", "link.created"]
    bootstrap.forget()


def test_the_expiry_function_runs_and_is_on_a_schedule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule calls the function every minute; the function itself works where it is deployed."""
    with Ministack(tmp_path) as engine:
        ensure_table(local_client("dynamodb", engine.endpoint_url), TABLE)
        _deploy(engine, monkeypatch)
        _deploy(engine, monkeypatch)
        functions: Any = local_client("lambda", engine.endpoint_url)
        event = {
            "version": "0", "id": "1", "account": "1", "region": "us-east-1", "source": "aws.events",
            "time": "2026-11-21T00:00:00Z", "detail-type": "Scheduled Event", "resources": [], "detail": {},
        }  # fmt: skip
        answer = functions.invoke(FunctionName=EXPIRY, Payload=json.dumps(event))
        assert (answer.get("FunctionError"), answer["Payload"].read()) == (None, b"null")
        events: Any = local_client("events", engine.endpoint_url)
        assert events.describe_rule(Name=EXPIRY)["ScheduleExpression"] == "rate(1 minute)"
        assert len(events.list_targets_by_rule(Rule=EXPIRY)["Targets"]) == 1
        mappings = functions.list_event_source_mappings(FunctionName=OUTBOX)["EventSourceMappings"]
        assert len(mappings) == 1
    bootstrap.forget()
