"""`/v1/webhooks`: create, list, change, rotate, test, replay and delete the host's own webhooks (P9)."""

import dataclasses
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import msgspec
import pytest

from chalicelib import bootstrap
from chalicelib.domain.events.events import EventKind
from chalicelib.domain.ids import DELIVERY, WEBHOOK
from chalicelib.domain.webhooks.deliveries import EndpointAnswer
from tests.support.app import CAUSE, NOW, Caller, Site, assert_problem, at, created, ok, unknown_id
from tests.support.waiting import LIMIT
from tests.support.webhooks import Hooks, hooks_of

URL = "https://hooks.example.com/admit-one"
FIELDS = {
    *("webhookId", "hostId", "url", "events", "description", "enabled", "disabledReason", "disabledAt"),
    *("failingSince", "formerSecretsUntil", "createdAt", "log"),
}


class Answering:
    """Endpoints that all return the same status."""

    status = 200
    posts = 0

    def post(self, url: str, body: bytes, headers: Any) -> EndpointAnswer:
        del url, body, headers
        self.posts += 1
        return EndpointAnswer(status_code=self.status, latency_ms=12)


@pytest.fixture
def endpoints() -> Answering:
    return Answering()


@pytest.fixture
def hooks(site: Site, monkeypatch: pytest.MonkeyPatch, endpoints: Answering) -> Hooks:
    """Return webhooks with the checks of AWS, not of the local server; the test sets the endpoints' status."""
    found = hooks_of(site, webhook_http=endpoints, local=False)
    monkeypatch.setattr(bootstrap, "_made", (bootstrap.settings(), found.world))
    return found


def path_of(webhook: dict[str, Any], more: str = "") -> str:
    return f"/v1/webhooks/{webhook['webhookId']}{more}"


def test_a_created_webhook_is_returned_with_its_secret_once(hooks: Hooks, host: Caller) -> None:
    body = {"url": URL, "events": ["link.used"], "description": "CRM"}
    webhook = created(host.post("/v1/webhooks", body))

    assert set(webhook) == FIELDS | {"secret"}
    assert webhook["secret"].startswith("whsec_")
    assert {name: webhook[name] for name in body} == body
    assert (webhook["enabled"], webhook["disabledReason"], webhook["createdAt"]) == (True, None, at())
    key = f"key:{host.key.key.key_id}"
    assert [(entry["what"], entry["actor"]) for entry in webhook["log"]] == [("created", key)]
    del webhook["secret"]
    assert ok(host.get(path_of(webhook))) == webhook
    assert ok(host.get("/v1/webhooks")) == {"webhooks": [webhook], "nextCursor": None}
    dump = json.dumps(hooks.site.items(), default=repr)
    assert "whsec_" not in dump


def test_webhooks_are_paged_newest_first_and_limited_to_twenty(hooks: Hooks, host: Caller) -> None:
    new = []
    for number in range(20):
        hooks.site.clock.advance(seconds=number % 2)
        new.append(created(host.post("/v1/webhooks", {"url": f"{URL}/{number}"}))["webhookId"])
    assert_problem(host.post("/v1/webhooks", {"url": URL}), 409, "conflict")
    found: list[dict[str, Any]] = []
    params = {"limit": "7"}
    while True:
        page = ok(host.get("/v1/webhooks", params=params))
        found += page["webhooks"]
        if page["nextCursor"] is None:
            break
        params["cursor"] = page["nextCursor"]

    assert sorted(row["webhookId"] for row in found) == sorted(new)
    places = [(row["createdAt"], row["webhookId"]) for row in found]
    assert places == sorted(places, reverse=True)
    assert host.delete(path_of(found[3])).status_code == 204
    created(host.post("/v1/webhooks", {"url": URL}))


def test_racing_requests_create_at_most_twenty(hooks: Hooks, host: Caller) -> None:
    del hooks
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: host.post("/v1/webhooks", {"url": URL}), range(30)))
    codes = sorted(answer.status_code for answer in answers if answer.status_code != 503)
    assert codes.count(201) == len(ok(host.get("/v1/webhooks"))["webhooks"]) <= 20
    assert set(codes) <= {201, 409}


def test_an_admin_must_name_the_host(hooks: Hooks, site: Site, host: Caller, other: Caller) -> None:
    del hooks
    webhook = created(site.admin.post("/v1/webhooks", {"url": URL, "hostId": host.host_id}))
    assert webhook["hostId"] == host.host_id
    assert_problem(site.admin.post("/v1/webhooks", {"url": URL}), 422, "invalid-value", "/hostId")
    assert_problem(site.admin.get("/v1/webhooks"), 422, "invalid-value", "/hostId")
    assert_problem(host.post("/v1/webhooks", {"url": URL, "hostId": other.host_id}), 404, "not-found")
    assert len(ok(site.admin.get("/v1/webhooks", params={"hostId": host.host_id}))["webhooks"]) == 1
    assert ok(other.get("/v1/webhooks"))["webhooks"] == []


def test_another_hosts_delivery_is_not_found(hooks: Hooks, host: Caller, other: Caller) -> None:
    """P9: not even through the caller's own webhook."""
    mine, theirs = (created(caller.post("/v1/webhooks", {"url": URL})) for caller in (host, other))
    (delivery,) = hooks.fan_out_event(other)
    hooks.pump()
    for webhook in (mine, theirs):
        body = {"deliveryId": delivery.delivery_id}
        assert_problem(host.post(path_of(webhook, "/replay"), body), 404, "not-found")
    assert hooks.queue.held == []


@pytest.mark.parametrize(
    ("body", "status", "pointers"),
    [
        ({}, 400, [""]),
        ({"url": 7}, 400, ["/url"]),
        ({"url": None}, 400, ["/url"]),
        ({"url": URL, "secret": "whsec_mine"}, 400, [""]),
        ({"url": URL, "events": "link.used"}, 400, ["/events"]),
        ({"url": URL, "events": [None]}, 400, ["/events/0"]),
        ({"url": "http://hooks.example.com/"}, 422, ["/url"]),
        ({"url": "https://169.254.169.254/latest/meta-data"}, 422, ["/url"]),
        ({"url": "http://127.0.0.1:8000/"}, 422, ["/url"]),
        ({"url": "https://u:p@hooks.example.com/"}, 422, ["/url"]),
        ({"url": URL, "events": []}, 422, ["/events"]),
        (
            {"url": URL, "events": ["link.used", "no.such"], "description": "x\x00"},
            422,
            ["/events/1", "/description"],
        ),
    ],
    ids=str,
)
def test_an_invalid_webhook_is_rejected_with_pointers(
    hooks: Hooks, host: Caller, body: dict[str, Any], status: int, pointers: list[str]
) -> None:
    del hooks
    kind = "invalid-request" if status == 400 else "invalid-value"
    assert_problem(host.post("/v1/webhooks", body), status, kind, *pointers)
    assert ok(host.get("/v1/webhooks"))["webhooks"] == []


def test_a_malformed_body_is_400_and_a_large_one_413(hooks: Hooks, host: Caller) -> None:
    del hooks
    json_type = {"Content-Type": "application/json"}
    assert_problem(host("POST", "/v1/webhooks", content=b"{", headers=json_type), 400, "invalid-request")
    huge = b'{"url": "' + b"x" * 70_000 + b'"}'
    assert_problem(host("POST", "/v1/webhooks", content=huge, headers=json_type), 413, "payload-too-large")


@pytest.mark.parametrize(
    "change",
    [
        {"url": "https://other.example.com/"},
        {"events": ["booking.cancelled"]},
        {"events": None},
        {"description": "new"},
        {},
    ],
    ids=str,
)
def test_a_patch_changes_only_the_fields_it_names(hooks: Hooks, host: Caller, change: dict[str, Any]) -> None:
    del hooks
    before = created(host.post("/v1/webhooks", {"url": URL, "events": ["link.used"], "description": "old"}))
    del before["secret"]
    after = ok(host.patch(path_of(before), change))
    assert after | {"log": []} == before | change | {"log": []}
    assert len(after["log"]) == 1 + bool(change)
    assert ok(host.get(path_of(before))) == after
    assert_problem(host.patch(path_of(before), {"url": "https://10.0.0.1/"}), 422, "invalid-value", "/url")
    assert_problem(host.patch(path_of(before), {"secret": "x"}), 400, "invalid-request", "")
    assert ok(host.get(path_of(before))) == after


def test_a_deleted_webhook_is_not_found(hooks: Hooks, host: Caller) -> None:
    webhook = created(host.post("/v1/webhooks", {"url": URL}))
    (delivery,) = hooks.fan_out_event(host)
    assert host.delete(path_of(webhook)).status_code == 204
    for method, more in (
        *(("GET", ""), ("DELETE", ""), ("POST", "/rotate"), ("POST", "/test"), ("GET", "/deliveries")),
    ):
        assert_problem(host(method, path_of(webhook, more)), 404, "not-found")
    assert_problem(host.patch(path_of(webhook), {"enabled": True}), 404, "not-found")
    assert_problem(
        host.post(path_of(webhook, "/replay"), {"deliveryId": delivery.delivery_id}), 404, "not-found"
    )
    assert ok(host.get("/v1/webhooks"))["webhooks"] == []
    item = hooks.site.item(f"HOOK#{webhook['webhookId']}", "HOOK")
    assert item is not None
    assert item["actor"]["S"] == f"key:{host.key.key.key_id}"
    assert int(item["purgeAt"]["N"]) > NOW.timestamp()


def test_a_delete_of_an_older_version_is_rejected(hooks: Hooks, host: Caller) -> None:
    """The record that a delete leaves must include a concurrent change."""
    webhook = created(host.post("/v1/webhooks", {"url": URL}))
    webhooks = hooks.world.store.webhooks
    stale = webhooks.read(webhook["webhookId"])
    assert stale is not None
    ok(host.patch(path_of(webhook), {"description": "between"}))
    gone = msgspec.structs.replace(stale, deleted_at=NOW, sequence=stale.sequence + 1)
    assert webhooks.delete(gone, CAUSE, seen=stale.sequence) is False
    assert ok(host.get(path_of(webhook)))["description"] == "between"
    assert len(ok(host.get("/v1/webhooks"))["webhooks"]) == 1


@pytest.mark.parametrize("hours", [-1, 169, 10**9])
def test_the_overlap_is_limited(hooks: Hooks, host: Caller, hours: int) -> None:
    del hooks
    webhook = created(host.post("/v1/webhooks", {"url": URL}))
    answer = host.post(path_of(webhook, "/rotate"), {"overlapHours": hours})
    assert_problem(answer, 422, "invalid-value", "/overlapHours")
    assert_problem(
        host.post(path_of(webhook, "/rotate"), {"overlapHours": "1"}), 400, "invalid-request", "/overlapHours"
    )


def test_a_rotation_is_logged_without_the_secret(hooks: Hooks, host: Caller) -> None:
    webhook = created(host.post("/v1/webhooks", {"url": URL}))
    rotated = ok(host.post(path_of(webhook, "/rotate")))
    assert rotated["secret"] != webhook["secret"]
    assert rotated["formerSecretsUntil"] == at(hours=24)
    found = host.get(path_of(webhook)).text
    assert [entry["what"] for entry in json.loads(found)["log"]] == ["secret-rotated", "created"]
    assert "whsec_" not in found
    hooks.site.clock.advance(hours=24)
    assert ok(host.get(path_of(webhook)))["formerSecretsUntil"] is None


def test_racing_rotations_each_create_their_own_secret(hooks: Hooks, host: Caller) -> None:
    del hooks
    webhook = created(host.post("/v1/webhooks", {"url": URL}))
    barrier = threading.Barrier(3)

    def rotate(_: int) -> httpx.Response:
        barrier.wait(LIMIT)
        return host.post(path_of(webhook, "/rotate"))

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(rotate, range(3)))
    secrets = {answer.json()["secret"] for answer in answers if answer.status_code == 200}
    assert len(secrets) == sum(answer.status_code == 200 for answer in answers) >= 1
    assert len(ok(host.get(path_of(webhook)))["log"]) == 1 + len(secrets)


def test_deliveries_are_filtered_and_paged_by_event_time(
    hooks: Hooks, host: Caller, endpoints: Answering
) -> None:
    webhook = created(host.post("/v1/webhooks", {"url": URL}))
    for number in range(12):
        hooks.site.clock.now = NOW
        hooks.site.clock.advance(minutes=number)
        endpoints.status = 200 if number % 3 else 500
        hooks.fan_out_event(host)
        hooks.pump()
        hooks.queue.take()
    path = path_of(webhook, "/deliveries")

    def every(**params: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while True:
            page = ok(host.get(path, params={"limit": "5", **params}))
            rows += page["deliveries"]
            if page["nextCursor"] is None:
                return rows
            params["cursor"] = page["nextCursor"]

    rows = every()
    assert [row["time"] for row in rows] == [at(minutes=11 - number) for number in range(12)]
    assert len({row["deliveryId"] for row in rows}) == 12
    assert [row for row in rows if row["status"] == "delivered"] == every(status="delivered")
    assert [row["time"] for row in every(status="pending")] == [at(minutes=m) for m in (9, 6, 3, 0)]
    assert every(status="failed") == []
    edges = {"from": at(minutes=3), "to": at(minutes=9)}
    assert [row["time"] for row in every(**edges)] == [at(minutes=m) for m in (8, 7, 6, 5, 4, 3)]
    assert [row["time"] for row in every(status="pending", **edges)] == [at(minutes=m) for m in (6, 3)]
    (attempt,) = rows[0]["attempts"]
    assert set(attempt) == {"number", "time", "latencyMs", "statusCode", "error", "excerpt"}
    assert (attempt["latencyMs"], attempt["statusCode"]) == (12, 200)
    assert_problem(host.get(path, params={"status": "lost"}), 400, "invalid-request", "/status")
    assert_problem(host.get(path, params={"from": "yesterday"}), 400, "invalid-request", "/from")
    assert_problem(host.get(path, params={"cursor": "nonsense"}), 422, "invalid-value", "/cursor")


def test_a_page_of_deliveries_reads_only_what_it_returns(hooks: Hooks, host: Caller, site: Site) -> None:
    """P10: with a status, the page's index entries and items; without one, a single query."""
    webhook = created(host.post("/v1/webhooks", {"url": URL}))
    for _ in range(12):
        hooks.fan_out_event(host)
    hooks.pump()
    for params, entries, items in (({"status": "delivered"}, 7, 6), ({}, 7, 1)):
        with site.counting() as reads:
            page = ok(host.get(path_of(webhook, "/deliveries"), params=params | {"limit": "5"}))
        assert len(page["deliveries"]) == 5
        assert reads.index_entries <= entries
        assert reads.items <= items + 2  # the API key and the webhook


def test_a_range_is_replayed_once_per_key(hooks: Hooks, host: Caller, endpoints: Answering) -> None:
    webhook = created(host.post("/v1/webhooks", {"url": URL}))
    for number in range(6):
        hooks.site.clock.now = NOW
        hooks.site.clock.advance(minutes=number)
        hooks.fan_out_event(host)
    _fail(hooks, host, webhook)
    path = path_of(webhook, "/replay")
    body = {"from": at(minutes=1), "to": at(minutes=4)}
    key = {"Idempotency-Key": "after the outage"}
    first = host.post(path, body, headers=key)
    assert (first.status_code, first.json()) == (202, {"replayed": 3, "left": 0, "nextCursor": None})
    assert host.post(path, body, headers=key).json() == {"replayed": 0, "left": 0, "nextCursor": None}
    before = endpoints.posts
    assert hooks.pump() == 3
    assert endpoints.posts == before + 3
    _fail(hooks, host, webhook)
    for status in ("failed", "delivered"):
        again = host.post(path, body | {"status": status}, headers=key).json()
        assert again["replayed"] == 0, "a retry after a lost reply, when all are sent, replays none"
    assert host.post(path, body | {"status": "delivered"}).json()["replayed"] == 3
    assert host.post(path, body | {"status": "delivered"}).json()["replayed"] == 0, (
        "pending deliveries are not replayed"
    )
    assert hooks.pump() == 3


def test_a_replayed_delivery_keeps_its_id(hooks: Hooks, host: Caller, endpoints: Answering) -> None:
    webhook = created(host.post("/v1/webhooks", {"url": URL}))
    (delivery,) = hooks.fan_out_event(host)
    hooks.pump()
    body = {"deliveryId": delivery.delivery_id}
    path = path_of(webhook, "/replay")
    assert host.post(path, body, headers={"Idempotency-Key": "a"}).json()["replayed"] == 1
    assert host.post(path, body, headers={"Idempotency-Key": "a"}).json() == {
        "replayed": 0,
        "left": 1,
        "nextCursor": None,
    }
    hooks.pump()
    assert endpoints.posts == 2
    (row,) = hooks.deliveries(host, webhook)
    assert [attempt["number"] for attempt in row["attempts"]] == [1, 2]
    for wrong in (unknown_id(DELIVERY), unknown_id(WEBHOOK), "..", ""):
        assert_problem(host.post(path, {"deliveryId": wrong}), 404, "not-found")


def test_racing_replays_of_a_delivery_send_it_once(hooks: Hooks, host: Caller, endpoints: Answering) -> None:
    webhook = created(host.post("/v1/webhooks", {"url": URL}))
    (delivery,) = hooks.fan_out_event(host)
    hooks.pump()
    body = {"deliveryId": delivery.delivery_id}
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: host.post(path_of(webhook, "/replay"), body), range(6)))
    assert sum(answer.json()["replayed"] for answer in answers) == 1
    hooks.pump()
    assert endpoints.posts == 2


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({}, 400, ""),
        ({"from": at()}, 400, ""),
        ({"to": at()}, 400, ""),
        ({"deliveryId": "dlv_x", "from": at()}, 400, "/deliveryId"),
        ({"from": "2040-01-02", "to": at()}, 400, "/from"),
        ({"from": at(), "to": at(), "status": "pending"}, 400, "/status"),
        ({"from": at(), "to": at()}, 422, "/to"),
        ({"from": "1999-01-01T00:00:00Z", "to": at()}, 422, "/from"),
        ({"from": at(), "to": at(days=1), "cursor": "x"}, 422, "/cursor"),
    ],
    ids=str,
)
def test_an_invalid_replay_is_rejected(
    hooks: Hooks, host: Caller, body: dict[str, Any], status: int, pointer: str
) -> None:
    del hooks
    webhook = created(host.post("/v1/webhooks", {"url": URL}))
    kind = "invalid-request" if status == 400 else "invalid-value"
    assert_problem(host.post(path_of(webhook, "/replay"), body), status, kind, pointer)


def test_a_disabled_webhook_cannot_be_replayed(hooks: Hooks, host: Caller) -> None:
    webhook = created(host.post("/v1/webhooks", {"url": URL}))
    (delivery,) = hooks.fan_out_event(host)
    hooks.pump()
    ok(host.patch(path_of(webhook), {"enabled": False}))
    for body in ({"deliveryId": delivery.delivery_id}, {"from": at(), "to": at(days=1)}):
        assert_problem(host.post(path_of(webhook, "/replay"), body), 409, "conflict")


def test_a_test_event_is_delayed_but_not_lost_while_the_queue_is_down(
    hooks: Hooks, host: Caller, endpoints: Answering
) -> None:
    webhook = created(host.post("/v1/webhooks", {"url": URL}))
    hooks.queue.down = True
    sent = host.post(path_of(webhook, "/test"))
    assert sent.status_code == 202
    hooks.queue.down = False
    hooks.wait(minutes=6)
    assert hooks.run_retry_schedule() >= 1
    assert hooks.deliveries(host, webhook)[0]["status"] == "delivered"
    assert endpoints.posts >= 1


def test_without_queues_the_api_still_works(
    hooks: Hooks, host: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = dataclasses.replace(hooks.world, webhook_queue=None, webhook_dlq=None)
    monkeypatch.setattr(bootstrap, "_made", (bootstrap.settings(), bare))
    webhook = created(host.post("/v1/webhooks", {"url": URL}))
    assert host.post(path_of(webhook, "/test")).status_code == 202


def test_a_webhook_may_list_every_event_type(hooks: Hooks, host: Caller) -> None:
    del hooks
    webhook = created(host.post("/v1/webhooks", {"url": URL, "events": list(EventKind)}))
    assert set(webhook["events"]) == set(EventKind)


def _fail(hooks: Hooks, host: Caller, webhook: dict[str, Any]) -> None:
    """Make every pending delivery fail permanently."""
    ok(host.patch(path_of(webhook), {"enabled": False}))
    hooks.pump()
    ok(host.patch(path_of(webhook), {"enabled": True}))
