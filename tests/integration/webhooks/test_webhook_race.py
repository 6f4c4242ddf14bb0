"""Racing senders of one delivery, on each engine: only the holder of the lease sends it (P6)."""

import dataclasses
import json
import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib import bootstrap
from chalicelib.domain.causes import Cause
from chalicelib.domain.events.envelopes import Envelope, write_envelope
from chalicelib.domain.events.events import event_id_of
from chalicelib.domain.team.api_keys import Caller, Role
from chalicelib.domain.team.hosts import HostSettings
from chalicelib.domain.webhooks.deliveries import DeliveryStatus, EndpointAnswer
from chalicelib.domain.webhooks.webhook import WebhookSettings
from chalicelib.service.team.hosts import create_host
from chalicelib.service.webhooks.deliver import deliver, message_of
from chalicelib.service.webhooks.fan_out import fan_out
from chalicelib.service.webhooks.manage import create_webhook
from chalicelib.service.webhooks.manage_deliveries import replay_one
from chalicelib.settings import read_settings
from tests.support.app import settings_for
from tests.support.aws.engines import Table
from tests.support.proof.size import size

ADMIN = Caller("test", Role.ADMIN, None)
CAUSE = Cause("system:test", "test")
SIGNING = '{"current": 1, "keys": {"1": "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="}}'
EVENTS = size(8, 25)
SENDERS = 12


class Counting:
    """Endpoints that count the requests for each event."""

    def __init__(self) -> None:
        self.got: Counter[str] = Counter()
        self._lock = threading.Lock()

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> EndpointAnswer:
        del url, body
        with self._lock:
            self.got[headers["webhook-id"]] += 1
        return EndpointAnswer(status_code=200)


def test_concurrent_deliveries_and_replays_each_send_once(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings_for(table, SIGNING).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SIGNING_SECRET_ID", raising=False)
    endpoints = Counting()
    world = dataclasses.replace(bootstrap.compose(read_settings()), webhook_http=endpoints)
    host = create_host(
        world, ADMIN, HostSettings(name="Ada", email="ada@hosts.example", time_zone="UTC"), CAUSE
    ).host_id
    settings = WebhookSettings(url="https://hooks.example.com/")
    webhook = create_webhook(world, ADMIN, host, settings, CAUSE).webhook.webhook_id
    events = [
        Envelope(
            id=event_id_of("race", number),
            type="link.used",
            time="2026-11-21T09:00:00Z",
            host_id=host,
            link_id=None,
            booking_id=None,
            event_type_id=None,
            external_id=None,
            metadata={},
            sequence=1,
            actor="invitee",
            correlation_id="race",
            data={},
        )
        for number in range(EVENTS)
    ]

    def fan_out_and_deliver(event: Envelope) -> None:
        message = json.dumps({"detail": json.loads(write_envelope(event))})
        for delivery in fan_out(world, message):
            deliver(world, message_of(delivery))

    with ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(fan_out_and_deliver, [event for event in events for _ in range(SENDERS)]))
    assert endpoints.got == {event.id: 1 for event in events}

    rows = world.store.deliveries.page(webhook, None, None, "9" * 14, 200)
    made = [delivery for _, delivery in rows if delivery]
    assert len(made) == EVENTS

    def replay_and_deliver(delivery_id: str) -> int:
        done = replay_one(world, ADMIN, webhook, delivery_id, "one outage", CAUSE)
        found = world.store.deliveries.read(webhook, delivery_id)[1]
        assert found is not None
        deliver(world, message_of(found))
        return done.replayed

    with ThreadPoolExecutor(SENDERS) as pool:
        done = list(pool.map(replay_and_deliver, [d.delivery_id for d in made for _ in range(SENDERS)]))
    assert sum(done) == EVENTS, "the same key replays each once"
    for delivery in made:
        deliver(world, message_of(delivery))
    assert endpoints.got == {event.id: 2 for event in events}
    ended = [d for _, d in world.store.deliveries.page(webhook, None, None, "9" * 14, 200) if d]
    assert {delivery.status for delivery in ended} == {DeliveryStatus.DELIVERED}
