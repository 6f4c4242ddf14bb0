"""A POST with an `Idempotency-Key` creates one thing, however often it is sent (P4)."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest
from botocore.exceptions import ConnectionClosedError

from chalicelib.api.routes import ROUTERS
from chalicelib.store.links.batches import Batches
from tests.support.app import ALL_DAY, Caller, Site, assert_problem, created, ok

# POSTs without an idempotency key that are safe to repeat, and why.
SAFE_WITHOUT_KEY: Final = {
    "/v1/links/{linkId}/revoke": "a revoked link stays revoked",
    "/v1/links/bulk-revoke": "each link is revoked once",
    "/v1/links/bulk-delete": "each link is deleted once",
    "/v1/links/import/preview": "creates nothing",
    "/v1/link-requests/{requestId}/answer": "the link request records its answer, so it gets one link",
    "/v1/bookings/{bookingId}/cancel": "a cancelled booking stays cancelled",
    "/v1/bookings/{bookingId}/reschedule": "a second move to the same start changes nothing",
    "/v1/webhooks/{webhookId}/rotate": "creates no resource; a second rotation leaves both secrets signing",
    "/s/{token}/request": "one link request per address and day is kept",
    "/b/{bookingToken}/cancel": "a cancelled booking stays cancelled",
    "/b/{bookingToken}/reschedule": "a second move to the same start changes nothing",
}
EVENT_TYPE: Final = {"title": "Talk", "durationMinutes": 30, "schedule": ALL_DAY}
HOST: Final = {"name": "Grace Hopper", "email": "grace@hosts.example", "timeZone": "UTC"}
WEBHOOK: Final = {"url": "https://hooks.example.com/a"}

Made = tuple[str, dict[str, Any], dict[str, Any], str]
"""A path, a body, another body, and the name of the id in the response."""

CREATING: Final[dict[str, Callable[[Site, Caller], Made]]] = {
    "/v1/hosts": lambda _s, _h: ("/v1/hosts", HOST, HOST | {"name": "Ada"}, "hostId"),
    "/v1/event-types": lambda _s, h: (
        "/v1/event-types",
        EVENT_TYPE | {"hostId": h.host_id},
        EVENT_TYPE | {"hostId": h.host_id, "title": "Walk"},
        "eventTypeId",
    ),
    "/v1/event-types/{eventTypeId}/rolling-link": lambda _s, h: (
        f"/v1/event-types/{h.event_type()['eventTypeId']}/rolling-link",
        {"label": "one"},
        {"label": "two"},
        "linkId",
    ),
    "/v1/webhooks": lambda _s, h: (
        "/v1/webhooks",
        WEBHOOK | {"hostId": h.host_id},
        WEBHOOK | {"hostId": h.host_id, "description": "another"},
        "webhookId",
    ),
}


def test_every_post_accepts_a_key_or_is_safe_without_one() -> None:
    """Otherwise a client that retries after a lost response creates a duplicate."""
    posts = {
        route.path: route.keyed for router in ROUTERS for route in router.routes if "POST" in route.methods
    }

    assert {path for path, keyed in posts.items() if not keyed} == set(SAFE_WITHOUT_KEY)
    assert set(CREATING) <= {path for path, keyed in posts.items() if keyed}


@pytest.mark.parametrize("path", CREATING)
class TestOnce:
    """The same key and body return the same thing in its current state; another body is rejected."""

    def test_a_retry_returns_the_same_thing_and_another_body_is_rejected(
        self, site: Site, host: Caller, path: str
    ) -> None:
        where, body, other, name = CREATING[path](site, host)
        key = {"Idempotency-Key": "once"}

        first = created(site.admin.post(where, body, headers=key))
        again = created(site.admin.post(where, body, headers=key))
        apart = created(site.admin.post(where, body, headers={"Idempotency-Key": "another"}))
        keyless = created(site.admin.post(where, body))

        assert again[name] == first[name]
        if path != "/v1/event-types/{eventTypeId}/rolling-link":
            assert again == first
        assert len({first[name], apart[name], keyless[name]}) == 3
        refused = site.admin.post(where, other, headers=key)
        assert_problem(refused, 422, "idempotency-key-reused")

    def test_racing_requests_create_one(self, site: Site, host: Caller, path: str) -> None:
        where, body, _, name = CREATING[path](site, host)
        line = threading.Barrier(6)

        def send(_: int) -> Any:
            line.wait()
            return created(site.admin.post(where, body, headers={"Idempotency-Key": "race"}))[name]

        with ThreadPoolExecutor(6) as pool:
            assert len(set(pool.map(send, range(6)))) == 1

    def test_a_retry_completes_what_a_crash_interrupted(
        self, site: Site, host: Caller, path: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        where, body, _, name = CREATING[path](site, host)
        key, opened = {"Idempotency-Key": "crash"}, list[str]()
        really = Batches.open

        def open_and_die(self: Batches, *args: Any, **kwargs: Any) -> Any:
            kept = really(self, *args, **kwargs)
            opened.append(kept.seed)
            raise SystemError("the process dies here")

        with monkeypatch.context() as patch:
            patch.setattr(Batches, "open", open_and_die)
            assert site.admin.post(where, body, headers=key).status_code == 500

        first = created(site.admin.post(where, body, headers=key))
        assert created(site.admin.post(where, body, headers=key))[name] == first[name]
        assert len(opened) == 1


def test_a_retry_returns_the_webhooks_current_secret(host: Caller) -> None:
    """A retry returns the secret again, in case the response was lost; after a rotation, the new one."""
    key = {"Idempotency-Key": "hook"}
    first = created(host.post("/v1/webhooks", WEBHOOK, headers=key))
    again = created(host.post("/v1/webhooks", WEBHOOK, headers=key))
    rotated = ok(host.post(f"/v1/webhooks/{first['webhookId']}/rotate"))
    after = created(host.post("/v1/webhooks", WEBHOOK, headers=key))

    assert again["secret"] == first["secret"]
    assert after["secret"] == rotated["secret"] != first["secret"]


def test_a_retry_does_not_recreate_what_was_deleted(host: Caller) -> None:
    """A retry after the deletion is 404."""
    key = {"Idempotency-Key": "gone"}
    hook = created(host.post("/v1/webhooks", WEBHOOK, headers=key))
    kind = created(host.post("/v1/event-types", EVENT_TYPE, headers=key))
    host.delete(f"/v1/webhooks/{hook['webhookId']}")
    host.delete(f"/v1/event-types/{kind['eventTypeId']}")

    assert_problem(host.post("/v1/webhooks", WEBHOOK, headers=key), 404, "not-found")
    assert_problem(host.post("/v1/event-types", EVENT_TYPE, headers=key), 404, "not-found")


def test_each_host_has_its_own_keys(site: Site, host: Caller) -> None:
    """P9: the same key from another host creates another thing and reveals nothing about the first."""
    other, key = site.host(), {"Idempotency-Key": "mine"}

    ours = created(host.post("/v1/webhooks", WEBHOOK, headers=key))
    theirs = created(other.post("/v1/webhooks", WEBHOOK, headers=key))

    assert ours["webhookId"] != theirs["webhookId"]
    assert ours["secret"] != theirs["secret"]


def test_a_test_event_with_a_key_is_sent_once(host: Caller) -> None:
    """Two requests with one key deliver one `webhook.test`."""
    hook = created(host.post("/v1/webhooks", WEBHOOK))
    path, key = f"/v1/webhooks/{hook['webhookId']}/test", {"Idempotency-Key": "test"}

    sent = [host.post(path, headers=key).json()["deliveryId"] for _ in range(2)]

    assert sent[0] == sent[1]
    assert host.post(path).json()["deliveryId"] != sent[0]


def test_a_create_whose_reply_was_lost_succeeds_once(site: Site, host: Caller) -> None:
    """P4: after a lost reply from DynamoDB, the retried write finds its own item and succeeds."""
    events = site.world.store.links._table.client.meta.events  # type: ignore[attr-defined]
    lost: list[str] = []

    def lose(**_: Any) -> None:
        if not lost:
            lost.append("reply")
            raise ConnectionClosedError(endpoint_url="test")

    for make in (
        host.event_type,
        lambda: created(
            site.admin.post("/v1/hosts", {"name": "A", "email": "a@x.example", "timeZone": "UTC"})
        ),
    ):
        lost.clear()
        events.register("after-call.dynamodb.PutItem", lose)
        try:
            make()
        finally:
            events.unregister("after-call.dynamodb.PutItem", lose)
        assert lost == ["reply"]
