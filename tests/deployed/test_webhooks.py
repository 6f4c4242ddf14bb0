"""Webhooks in the deployed stack: from a redeem through the stream, the bus and two queues to an endpoint."""

import json
import time
from typing import Any

import httpx
import msgspec
import standardwebhooks

from chalicelib.domain.causes import Cause
from chalicelib.domain.webhooks.deliveries import replayed
from tests.deployed.conftest import Stack
from tests.deployed.host_fixtures import event_type_of
from tests.support.endpoints import Endpoint, answer
from tests.support.waiting import LIMIT, until


def _json_of(response: httpx.Response) -> Any:
    assert response.status_code in {200, 201, 202}, response.text
    return response.json()


def _start(link: dict[str, Any]) -> str:
    """Return the first start on offer."""
    with httpx.Client(timeout=LIMIT, trust_env=False) as client:
        slots = _json_of(client.get(f"{link['url']}/slots", headers={"Accept": "application/json"}))["slots"]
    start: str = slots[0]["start"]
    return start


def test_the_events_of_a_redeem_arrive_signed_at_the_hosts_endpoint(stack: Stack) -> None:
    """P6, P9: the endpoint receives each subscribed event of its host once.

    The Standard Webhooks library verifies the signatures.
    """
    event_type, other = event_type_of(stack), event_type_of(stack)
    with Endpoint([answer(500), answer(204)]) as endpoint, stack.http() as http:
        asked = {"url": endpoint.url, "events": ["link.used", "booking.confirmed"]}
        webhook = _json_of(http.post("/v1/webhooks", json=asked | {"hostId": event_type["hostId"]}))
        path = f"/v1/webhooks/{webhook['webhookId']}"
        links = [
            _json_of(
                http.post("/v1/links", json={"eventTypeId": each["eventTypeId"], "externalId": "deal-7"})
            )
            for each in (event_type, other)
        ]
        for made in links:
            link = made["links"][0]
            body = {
                "start": _start(link),
                "timeZone": "UTC",
                "invitee": {"name": "Grace", "email": "grace@invitees.example"},
            }
            json_header = {"Accept": "application/json"}
            _json_of(
                httpx.post(
                    f"{link['url']}/redeem", json=body, headers=json_header, timeout=LIMIT, trust_env=False
                )
            )

        def deliveries() -> list[dict[str, Any]]:
            rows: list[dict[str, Any]] = _json_of(http.get(f"{path}/deliveries"))["deliveries"]
            return rows

        rows = until(deliveries, lambda found: [row["status"] for row in found] == ["delivered"] * 2)

    assert sorted(row["type"] for row in rows) == ["booking.confirmed", "link.used"]
    assert sorted(len(row["attempts"]) for row in rows) == [1, 2], (
        "the delivery whose first response was 500 has two attempts"
    )
    library = standardwebhooks.Webhook(webhook["secret"])
    bodies = []
    for request in endpoint.requests:
        event = library.verify(request.body, request.headers)
        assert request.headers["webhook-id"] == event["id"]
        bodies.append(event)
    assert len(bodies) == 3
    assert len({event["id"] for event in bodies}) == 2
    assert {event["externalId"] for event in bodies} == {"deal-7"}
    assert {event["linkId"] for event in bodies} == {links[0]["links"][0]["linkId"]}
    token = links[0]["links"][0]["url"].rpartition("/")[2]
    assert token not in json.dumps(bodies)
    assert "grace" not in json.dumps(bodies).lower()
    logged = "\n".join(stack.logs())
    assert token not in logged
    assert webhook["secret"].removeprefix("whsec_") not in logged


def test_a_test_event_and_a_replay_use_the_deployed_queue(stack: Stack) -> None:
    event_type = event_type_of(stack)
    with Endpoint() as endpoint, stack.http() as http:
        body = {"url": endpoint.url, "hostId": event_type["hostId"], "events": ["link.revoked"]}
        webhook = _json_of(http.post("/v1/webhooks", json=body))
        path = f"/v1/webhooks/{webhook['webhookId']}"
        sent = _json_of(http.post(f"{path}/test"))
        assert until(lambda: len(endpoint.requests), lambda count: count >= 1)
        until(
            lambda: _json_of(http.get(f"{path}/deliveries"))["deliveries"][0]["status"],
            lambda status: status == "delivered",
        )
        rotated = _json_of(http.post(f"{path}/rotate", json={"overlapHours": 1}))
        replay = {"deliveryId": sent["deliveryId"]}
        key = {"Idempotency-Key": "again"}
        assert _json_of(http.post(f"{path}/replay", json=replay, headers=key))["replayed"] == 1
        assert _json_of(http.post(f"{path}/replay", json=replay, headers=key))["replayed"] == 0
        until(lambda: len(endpoint.requests), lambda count: count >= 2)

    first, second = endpoint.requests
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    for secret in (webhook["secret"], rotated["secret"]):
        assert standardwebhooks.Webhook(secret).verify(second.body, second.headers)["type"] == "webhook.test"


def test_the_deployed_schedule_retries_a_delivery_whose_message_is_lost(stack: Stack) -> None:
    """The retry function finds due deliveries and no others; the rule invokes it every minute."""
    event_type = event_type_of(stack)
    with Endpoint() as endpoint, stack.http() as http:
        body = {"url": endpoint.url, "hostId": event_type["hostId"]}
        webhook = _json_of(http.post("/v1/webhooks", json=body))
        sent = _json_of(http.post(f"/v1/webhooks/{webhook['webhookId']}/test"))
        assert until(lambda: len(endpoint.requests), lambda count: count >= 1)
        deliveries = stack.world.store.deliveries

        def ended() -> Any:
            return deliveries.read(webhook["webhookId"], sent["deliveryId"])[1]

        done = until(ended, lambda found: found is not None and found.status == "delivered")
        # Given: the delivery is due again, and no queued message refers to it.
        now = stack.world.now()
        again = replayed(done, None, now)
        assert again is not None
        lost = msgspec.structs.replace(again, due_at=now)
        assert deliveries.change(lost, Cause("system:test", "test"), seen=done.sequence)
        stack.invoke("WebhookRetry", {"id": str(time.time()), "detail": {}, **_SCHEDULED})
        until(lambda: len(endpoint.requests), lambda count: count >= 2)

    assert len(endpoint.requests) == 2


_SCHEDULED = {
    "version": "0", "account": "1", "region": "us-east-1", "source": "aws.events",
    "time": "2026-11-21T00:00:00Z", "detail-type": "Scheduled Event", "resources": [],
}  # fmt: skip
