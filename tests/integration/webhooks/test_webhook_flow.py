"""Webhooks over real sockets and a table: no event is lost, and each is sent once unless an attempt fails."""

import dataclasses
import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import botocore.session
import pytest
import standardwebhooks

from chalicelib import bootstrap
from chalicelib.clients.aws import Aws
from chalicelib.clients.queue import Queue
from chalicelib.clients.webhook_http import Limits, WebhookHttp
from chalicelib.consumers import webhook_deliver
from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import QueueUnavailableError, StoreUnavailableError
from chalicelib.domain.events.envelopes import Envelope, write_envelope
from chalicelib.domain.events.events import event_id_of
from chalicelib.domain.events.notices import Notice
from chalicelib.domain.tokens import Keyring
from chalicelib.domain.webhooks.deliveries import DELIVERY_SHARDS, MAX_TRIES, WAITS, EndpointAnswer, given_up
from chalicelib.service.webhooks.deliver import deliver
from chalicelib.service.webhooks.fan_out import fan_out
from chalicelib.service.webhooks.retry import retry_due
from tests.support.app import CAUSE, NOW, Caller, Site, ok
from tests.support.aws.bus import Inbox
from tests.support.endpoints import Endpoint, Request, answer, drip, endless, hang_up
from tests.support.event_schemas import faults_of
from tests.support.waiting import LIMIT
from tests.support.webhooks import Hooks, hooks_of, signed_by

SOON = Limits(connect=1.0, total=1.0, body=0.5)  # only for tests in which the timeout is the expected result
PATIENT = Limits(connect=LIMIT, total=LIMIT, body=LIMIT)


@pytest.fixture
def hooks(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hooks]:
    """Return webhooks that may call this machine; the API uses the same world."""
    made = hooks_of(site, webhook_http=WebhookHttp(local=True, limits=PATIENT))
    monkeypatch.setattr(bootstrap, "_made", (bootstrap.settings(), made.world))
    yield made
    _drain(made)


def _drain(hooks: Hooks) -> None:
    """End all pending deliveries, so that the schedule doesn't find them in other tests of this module."""
    ever = NOW + timedelta(days=4000)
    for shard in range(DELIVERY_SHARDS):
        for delivery in hooks.world.store.deliveries.due(shard, ever, 200):
            over = given_up(delivery, "test-over", None, hooks.site.clock())
            hooks.world.store.deliveries.change(over, CAUSE, seen=delivery.sequence)


class Posted:
    """An HTTP client with given responses, which may run a function before it responds."""

    def __init__(self, *answers: EndpointAnswer, before: Callable[[], None] = lambda: None) -> None:
        self.answers = list(answers)
        self.before = before
        self.urls: list[str] = []
        self.headers: list[dict[str, str]] = []

    def post(self, url: str, body: bytes, headers: Any) -> EndpointAnswer:
        del body
        self.urls.append(url)
        self.headers.append(dict(headers))
        self.before()
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def responded(status: int, **fields: Any) -> EndpointAnswer:
    return EndpointAnswer(status_code=status, **fields)


def test_an_event_is_delivered_once_complete_and_signed(hooks: Hooks, host: Caller) -> None:
    with Endpoint([answer(204)]) as endpoint:
        webhook = hooks.make(host, endpoint)
        (delivery,) = hooks.fan_out_event(host)
        assert hooks.pump() == 1

    (request,) = endpoint.requests
    body = json.loads(request.body)
    assert list(body)[:3] == ["type", "timestamp", "data"]
    assert body == {
        "type": "link.used",
        "timestamp": "2040-01-02T08:00:00Z",
        "data": {"usageCount": 1},
        "id": delivery.event_id,
        "schemaVersion": "1",
        "time": "2040-01-02T08:00:00Z",
        "hostId": host.host_id,
        "linkId": body["linkId"],
        "bookingId": None,
        "eventTypeId": None,
        "externalId": "order-17",
        "metadata": {"deal": "Größe £ 7"},
        "sequence": 3,
        "actor": "invitee",
        "correlationId": "test-correlation",
    }
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == body["id"]
    assert request.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert signed_by(request, webhook["secret"])
    (row,) = hooks.deliveries(host, webhook)
    assert (row["status"], row["failure"], row["nextAttemptAt"]) == ("delivered", None, None)
    (attempt,) = row["attempts"]
    assert (attempt["number"], attempt["statusCode"], attempt["error"]) == (1, 204, None)
    assert hooks.read(host, webhook)["failingSince"] is None


@pytest.mark.clock
def test_the_standard_webhooks_library_verifies_a_delivery(hooks: Hooks, host: Caller) -> None:
    """The test uses the real clock, because the library rejects timestamps more than five minutes off."""
    hooks.site.clock.now = datetime.now(UTC)
    with Endpoint() as endpoint:
        webhook = hooks.make(host, endpoint)
        hooks.fan_out_event(host)
        hooks.pump()
    (request,) = endpoint.requests
    library = standardwebhooks.Webhook(webhook["secret"])
    assert library.verify(request.body, request.headers)["type"] == "link.used"
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        library.verify(request.body.replace(b"link.used", b"link.gone"), request.headers)


def test_a_webhook_receives_only_the_event_types_it_subscribes_to_from_its_host(
    hooks: Hooks, host: Caller, other: Caller
) -> None:
    """P9: a webhook without types gets all of its host's events; a disabled one gets none."""
    with Endpoint() as mine, Endpoint() as picky, Endpoint() as theirs, Endpoint() as off:
        hooks.make(host, mine)
        hooks.make(host, picky, events=["booking.confirmed", "link.revoked"])
        hooks.make(other, theirs)
        hooks.make(host, off, enabled=False)
        for kind in ("link.used", "booking.confirmed", "link.of-a-later-release"):
            hooks.fan_out_event(host, kind)
        fan_out(hooks.world, hooks.event(None, "command.rejected"))
        hooks.fan_out_event(other, "link.revoked")
        hooks.pump()

    def types(endpoint: Endpoint) -> list[str]:
        return [json.loads(request.body)["type"] for request in endpoint.requests]

    assert types(mine) == ["link.used", "booking.confirmed", "link.of-a-later-release"]
    assert types(picky) == ["booking.confirmed"]
    assert types(theirs) == ["link.revoked"]
    assert types(off) == []


def test_an_event_published_three_times_is_one_delivery(hooks: Hooks, host: Caller) -> None:
    """P6: the event is published again both before and after its delivery."""
    with Endpoint() as endpoint:
        webhook = hooks.make(host, endpoint)
        event = hooks.event(host.host_id)
        fan_out(hooks.world, event)
        fan_out(hooks.world, event)
        assert hooks.pump() == 2
        fan_out(hooks.world, event)
        assert hooks.pump() == 1

    assert len(endpoint.requests) == 1
    assert len(hooks.deliveries(host, webhook)) == 1


@pytest.mark.parametrize("kind", sorted(Notice))
def test_a_notice_published_again_later_is_one_delivery(hooks: Hooks, host: Caller, kind: str) -> None:
    """P6: a redelivered command publishes its result again, with the same id and another time."""
    with Endpoint() as endpoint, Endpoint() as second:
        webhook, other = hooks.make(host, endpoint), hooks.make(host, second)
        same_id = {"id": event_id_of(kind, host.host_id)}
        first = fan_out(hooks.world, hooks.event(host.host_id, kind, **same_id))
        hooks.wait(minutes=12)
        again = fan_out(hooks.world, hooks.event(host.host_id, kind, **same_id))
        hooks.pump()
        hooks.wait(days=3)
        fan_out(hooks.world, hooks.event(host.host_id, kind, **same_id))
        hooks.pump()

    assert [one.delivery_id for one in again] == [one.delivery_id for one in first]
    (request,) = endpoint.requests
    assert json.loads(request.body)["time"] == "2040-01-02T08:00:00Z"
    assert (
        len(second.requests)
        == len(hooks.deliveries(host, webhook))
        == len(hooks.deliveries(host, other))
        == 1
    )


def test_an_interrupted_fan_out_of_a_notice_is_resumed(
    hooks: Hooks, host: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: the crash is after the notice's time is stored and before its deliveries; a retry uses the stored time."""
    with Endpoint() as endpoint:
        hooks.make(host, endpoint)
        same_id = {"id": event_id_of("batch.completed", host.host_id)}
        with monkeypatch.context() as dying:
            dying.setattr(hooks.world.store.deliveries, "create", _die)
            with pytest.raises(Died):
                fan_out(hooks.world, hooks.event(host.host_id, "batch.completed", **same_id))
        hooks.wait(minutes=1)
        fan_out(hooks.world, hooks.event(host.host_id, "batch.completed", **same_id))
        hooks.pump()

    (request,) = endpoint.requests
    assert json.loads(request.body)["time"] == "2040-01-02T08:00:00Z"


def test_a_delivery_that_could_not_be_queued_is_found_by_the_schedule(hooks: Hooks, host: Caller) -> None:
    with Endpoint() as endpoint:
        webhook = hooks.make(host, endpoint)
        event = hooks.event(host.host_id)
        hooks.queue.down = True
        with pytest.raises(QueueUnavailableError):
            fan_out(hooks.world, event)
        hooks.queue.down = False
        # A redelivery of the event queues it again; without one, the schedule does.
        assert hooks.run_retry_schedule() == 0
        hooks.wait(minutes=6)
        assert hooks.run_retry_schedule() == 1
        fan_out(hooks.world, event)
        hooks.pump()

    assert len(endpoint.requests) == 1
    assert hooks.deliveries(host, webhook)[0]["status"] == "delivered"


def test_a_delivery_is_tried_ten_times_over_three_days_and_then_dead_lettered(
    hooks: Hooks, host: Caller
) -> None:
    posted = Posted(EndpointAnswer(error="connect-failed", latency_ms=3))
    hooks.world = dataclasses.replace(hooks.world, webhook_http=posted)
    webhook = hooks.make(host, "http://127.0.0.1:1/hook")
    (delivery,) = hooks.fan_out_event(host)
    hooks.pump()
    for number, wait in enumerate(WAITS, start=1):
        (row,) = hooks.deliveries(host, webhook)
        assert (row["status"], len(row["attempts"])) == ("pending", number)
        last = datetime.fromisoformat(row["attempts"][-1]["time"])
        due = datetime.fromisoformat(row["nextAttemptAt"])
        assert wait <= due - last <= wait * 1.2 + timedelta(milliseconds=1)
        # The queue handles short waits and the schedule long ones; neither is early.
        in_queue = wait <= timedelta(minutes=15)
        assert len(hooks.queue.held) == in_queue
        if in_queue:
            assert (due - last).total_seconds() <= hooks.queue.held[0][1] <= 900
        hooks.site.clock.now = due - timedelta(seconds=2)
        assert hooks.run_retry_schedule() == in_queue, "a message that arrives early sends nothing"
        assert len(posted.urls) == number
        hooks.site.clock.now = due
        if in_queue:
            deliver(hooks.world, message := _message(webhook, delivery.delivery_id))
            deliver(hooks.world, message)
        else:
            assert hooks.run_retry_schedule() == 1
        assert len(posted.urls) == number + 1
    (row,) = hooks.deliveries(host, webhook)
    assert (row["status"], row["failure"], len(row["attempts"])) == ("failed", "exhausted", MAX_TRIES)
    assert {attempt["error"] for attempt in row["attempts"]} == {"connect-failed"}
    assert [headers["webhook-id"] for headers in posted.headers] == [delivery.event_id] * MAX_TRIES
    assert len({headers["webhook-timestamp"] for headers in posted.headers}) == MAX_TRIES
    (letter,) = [json.loads(body) for body in hooks.dlq.take()]
    assert (letter["deliveryId"], letter["reason"]) == (delivery.delivery_id, "exhausted")
    assert "secret" not in json.dumps(letter)
    hooks.wait(days=30)
    assert hooks.run_retry_schedule() == 0
    assert hooks.read(host, webhook)["enabled"], (
        "a webhook is disabled after five days of failures; this took 75 hours"
    )


def test_a_recovered_endpoint_gets_the_events_it_missed(hooks: Hooks, host: Caller) -> None:
    with Endpoint([hang_up, answer(503), answer(200)]) as endpoint:
        webhook = hooks.make(host, endpoint)
        hooks.fan_out_event(host)
        for _ in range(3):
            hooks.pump()
            until = hooks.deliveries(host, webhook)[0]["nextAttemptAt"]
            if until:
                hooks.wait(until)

    first, second, third = endpoint.requests
    assert first.body == second.body == third.body
    assert {request.headers["webhook-id"] for request in endpoint.requests} == {first.headers["webhook-id"]}
    assert all(signed_by(request, webhook["secret"]) for request in endpoint.requests)
    (row,) = hooks.deliveries(host, webhook)
    assert [(a["statusCode"], a["error"]) for a in row["attempts"]] == [
        (None, "connection-lost"),
        (503, None),
        (200, None),
    ]
    assert hooks.read(host, webhook)["failingSince"] is None


@pytest.mark.parametrize(
    ("answers", "status", "error"),
    [
        ([drip(b"HTTP/1.1 200 OK\r\nX: x\r\n")], None, "timeout"),
        ([answer(302, location="http://169.254.169.254/latest/meta-data")], 302, None),
        ([answer(400)], 400, None),
        ([answer(404)], 404, None),
        ([answer(500, b"boom")], 500, None),
        ([endless(b"HTTP/1.1 500 No\r\n\r\n")], 500, None),
    ],
    ids=["slow", "redirecting", "400", "404", "500", "huge"],
)
def test_a_response_other_than_2xx_is_retried(
    hooks: Hooks, host: Caller, answers: list[Any], status: int | None, error: str | None
) -> None:
    limits = SOON if error == "timeout" else PATIENT
    hooks.world = dataclasses.replace(hooks.world, webhook_http=WebhookHttp(local=True, limits=limits))
    with Endpoint(answers) as endpoint:
        webhook = hooks.make(host, endpoint)
        hooks.fan_out_event(host)
        hooks.pump()

    (row,) = hooks.deliveries(host, webhook)
    assert row["status"] == "pending"
    assert [(a["statusCode"], a["error"]) for a in row["attempts"]] == [(status, error)]
    assert row["nextAttemptAt"] > row["attempts"][0]["time"]
    assert hooks.read(host, webhook)["failingSince"] is not None


def test_a_2xx_response_with_an_endless_body_is_a_delivery(hooks: Hooks, host: Caller) -> None:
    with Endpoint([endless(b"HTTP/1.1 200 OK\r\n\r\n")]) as endpoint:
        webhook = hooks.make(host, endpoint)
        hooks.fan_out_event(host)
        hooks.pump()

    (row,) = hooks.deliveries(host, webhook)
    assert row["status"] == "delivered"
    assert row["attempts"][0]["excerpt"] == "x" * 500


def test_a_public_name_with_a_private_address_is_not_called(hooks: Hooks, host: Caller) -> None:
    """A name can resolve to another address later, so each attempt checks the address."""
    with Endpoint() as endpoint:
        inside = WebhookHttp(resolve=lambda *_: ["127.0.0.1"], limits=PATIENT)
        hooks.world = dataclasses.replace(hooks.world, webhook_http=inside)
        webhook = hooks.make(host, f"https://hooks.example.com:{endpoint.port}/")
        hooks.fan_out_event(host)
        hooks.pump()

    assert endpoint.connections == 0
    assert hooks.deliveries(host, webhook)[0]["attempts"][0]["error"] == "address-refused"


@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [
        ("120", timedelta(seconds=120), timedelta(seconds=144)),
        ("Mon, 02 Jan 2040 09:00:00 GMT", timedelta(hours=1), timedelta(hours=1.2)),
        ("1", WAITS[0], WAITS[0] * 1.2),
        ("99999999", timedelta(hours=24), timedelta(hours=28.8)),
        ("soon", WAITS[0], WAITS[0] * 1.2),
        ("-5", WAITS[0], WAITS[0] * 1.2),
    ],
)
def test_retry_after_is_honored_within_limits(
    hooks: Hooks, host: Caller, retry_after: str, least: timedelta, most: timedelta
) -> None:
    with Endpoint([answer(429, retry_after=retry_after)]) as endpoint:
        webhook = hooks.make(host, endpoint)
        hooks.fan_out_event(host)
        hooks.pump()

    (row,) = hooks.deliveries(host, webhook)
    wait = datetime.fromisoformat(row["nextAttemptAt"]) - NOW
    assert least <= wait <= most + timedelta(milliseconds=1)


def test_a_slow_endpoint_does_not_delay_others(hooks: Hooks, host: Caller, other: Caller) -> None:
    """P9: three deliveries in one batch wait for an endpoint that responds only after another host's delivery."""
    delivered = threading.Event()

    def slow(connection: socket.socket, over: threading.Event) -> None:
        del over
        if delivered.wait(LIMIT):
            answer(200)(connection, delivered)

    def good(connection: socket.socket, over: threading.Event) -> None:
        answer(200)(connection, over)
        delivered.set()

    with Endpoint([slow]) as waiting, Endpoint([good]) as neighbour:
        hanging, quick = hooks.make(host, waiting), hooks.make(other, neighbour)
        for _ in range(3):
            hooks.fan_out_event(host)
        hooks.fan_out_event(other)
        messages = [{"messageId": str(n), "body": body} for n, body in enumerate(hooks.queue.take())]
        assert webhook_deliver.send({"Records": messages}, None) == {"batchItemFailures": []}

    assert {row["status"] for row in hooks.deliveries(other, quick)} == {"delivered"}
    assert {row["status"] for row in hooks.deliveries(host, hanging)} == {"delivered"}


def test_every_queue_message_names_its_host(hooks: Hooks, host: Caller, other: Caller) -> None:
    """P9: first attempts, retries and those that the schedule queues; SQS shares the queue fairly between hosts."""
    hooks.world = dataclasses.replace(hooks.world, webhook_http=Posted(responded(500)))
    for caller in (host, other):
        hooks.make(caller, "http://127.0.0.1:1/hook")
        hooks.fan_out_event(caller)
    hooks.pump()
    hooks.queue.take()
    hooks.wait(minutes=10)
    retry_due(hooks.world)
    hosts = [str(host.host_id), str(other.host_id)]
    assert hooks.queue.tenants[:4] == hosts * 2
    assert sorted(hooks.queue.tenants[4:]) == sorted(hosts)


def test_queue_messages_have_their_host_as_message_group(dead_letters: Inbox) -> None:
    """As SQS's fair queues require, for single messages and batches, with a delay and without."""
    queue = Queue(Aws(botocore.session.get_session), dead_letters.url)
    queue.send("{}", delay_seconds=0, tenant="hst_a")
    assert queue.send_many(["{}", "{}"], tenants=["hst_a", "hst_b"]) == {}
    queue.send("{}")
    names: Any = ["MessageGroupId"]
    found = dead_letters.client.receive_message(
        QueueUrl=dead_letters.url, MaxNumberOfMessages=10, MessageSystemAttributeNames=names
    )["Messages"]
    groups = [message.get("Attributes", {}).get("MessageGroupId") for message in found]
    assert sorted(map(str, groups)) == ["None", "hst_a", "hst_a", "hst_b"]


def test_410_disables_the_webhook_and_ends_its_pending_deliveries(hooks: Hooks, host: Caller) -> None:
    with Endpoint([answer(410)]) as endpoint:
        webhook = hooks.make(host, endpoint)
        first, second = hooks.fan_out_event(host)[0], hooks.fan_out_event(host)[0]
        hooks.pump()
        assert hooks.fan_out_event(host) == []

    assert len(endpoint.requests) == 1
    rows = {row["deliveryId"]: row for row in hooks.deliveries(host, webhook, status="failed")}
    assert rows[first.delivery_id]["failure"] == "gone"
    assert rows[second.delivery_id]["failure"] == "webhook-disabled"
    now = hooks.read(host, webhook)
    assert (now["enabled"], now["disabledReason"], now["disabledAt"]) == (
        False,
        "gone",
        "2040-01-02T08:00:00Z",
    )
    assert [entry["what"] for entry in now["log"]] == ["disabled: gone", "created"]
    assert now["log"][0]["actor"] == "system:webhooks"


def test_five_days_of_failures_disable_and_enabling_resets_them(hooks: Hooks, host: Caller) -> None:
    posted = Posted(responded(500))
    hooks.world = dataclasses.replace(hooks.world, webhook_http=posted)
    webhook = hooks.make(host, "http://127.0.0.1:1/hook")
    hooks.fan_out_event(host)
    hooks.pump()
    assert hooks.read(host, webhook)["failingSince"] == "2040-01-02T08:00:00Z"
    hooks.wait(days=4, hours=23)
    hooks.fan_out_event(host)
    hooks.pump()
    assert hooks.read(host, webhook)["enabled"]
    hooks.wait(hours=1)
    (last,) = hooks.fan_out_event(host)
    hooks.pump()
    now = hooks.read(host, webhook)
    assert (now["enabled"], now["disabledReason"]) == (False, "failing")
    assert [entry["what"] for entry in now["log"]] == ["disabled: failing", "created"]
    hooks.wait(days=1)
    hooks.run_retry_schedule()
    rows = hooks.deliveries(host, webhook)
    assert {row["status"] for row in rows} == {"failed"}
    assert {row["failure"] for row in rows if row["deliveryId"] == last.delivery_id} == {"webhook-disabled"}

    posted.answers = [responded(200)]
    path = f"/v1/webhooks/{webhook['webhookId']}"
    enabled = ok(host.patch(path, {"enabled": True}))
    assert (enabled["enabled"], enabled["disabledReason"], enabled["failingSince"]) == (True, None, None)
    sent = len(posted.urls)
    answered = host.post(f"{path}/replay", {"from": "2040-01-01", "to": "2040-02-01"})
    assert answered.status_code == 400, "the body takes instants, not dates"
    body = {"from": "2040-01-01T00:00:00Z", "to": "2040-02-01T00:00:00Z"}
    assert host.post(f"{path}/replay", body).json() == {"replayed": 3, "left": 0, "nextCursor": None}
    hooks.pump()
    assert len(posted.urls) == sent + 3


def test_one_success_resets_the_failures(hooks: Hooks, host: Caller) -> None:
    posted = Posted(responded(500))
    hooks.world = dataclasses.replace(hooks.world, webhook_http=posted)
    webhook = hooks.make(host, "http://127.0.0.1:1/hook")
    hooks.fan_out_event(host)
    hooks.pump()
    hooks.wait(days=4)
    posted.answers = [responded(200)]
    hooks.fan_out_event(host)
    hooks.pump()
    assert hooks.read(host, webhook)["failingSince"] is None
    hooks.wait(days=2)
    posted.answers = [responded(500)]
    hooks.fan_out_event(host)
    hooks.pump()
    now = hooks.read(host, webhook)
    assert (now["enabled"], now["failingSince"]) == (True, "2040-01-08T08:00:00Z")


class Bus:
    """A bus that keeps what is published, or rejects it while it is down."""

    def __init__(self) -> None:
        self.published: list[Envelope] = []
        self.down = False

    def put(self, envelopes: Sequence[Envelope]) -> dict[int, str]:
        if self.down:
            return dict.fromkeys(range(len(envelopes)), "Down")
        self.published += envelopes
        return {}


@pytest.mark.parametrize("reason", ["gone", "failing"])
def test_a_disabled_webhook_is_reported_even_if_the_bus_is_down(
    hooks: Hooks, host: Caller, reason: str
) -> None:
    """The notice is published on the bus, and so reaches the host's other webhooks; an outage only delays it."""
    bus, posted = Bus(), Posted(responded(500))
    hooks.world = dataclasses.replace(
        hooks.world, webhook_http=posted, event_bus=bus, sleep=lambda seconds: hooks.wait(seconds=seconds)
    )
    webhook = hooks.make(host, "http://127.0.0.1:1/hook?key=secret")
    hooks.fan_out_event(host)
    hooks.pump()
    assert bus.published == []
    if reason == "gone":
        posted.answers = [responded(410)]
    else:
        hooks.wait(days=5)
    (last,) = hooks.fan_out_event(host)
    bus.down = True
    message = _message(webhook, last.delivery_id)
    with pytest.raises(StoreUnavailableError):
        deliver(hooks.world, message)
    assert hooks.read(host, webhook)["disabledReason"] == reason
    bus.down = False
    hooks.wait(seconds=61)
    deliver(hooks.world, message)
    hooks.wait(minutes=10)
    hooks.run_retry_schedule()

    (notice,) = bus.published
    envelope = json.loads(write_envelope(notice))
    assert faults_of(envelope) == []
    assert (envelope["type"], envelope["hostId"]) == ("webhook.disabled", host.host_id)
    assert envelope["data"]["webhookId"] == webhook["webhookId"]
    assert (envelope["data"]["reason"], envelope["data"]["failingSince"]) == (reason, "2040-01-02T08:00:00Z")
    assert "secret" not in json.dumps(envelope)
    with Endpoint() as endpoint:
        posted_to = hooks.make(host, endpoint, events=["webhook.disabled"])
        hooks.world = dataclasses.replace(hooks.world, webhook_http=WebhookHttp(local=True, limits=PATIENT))
        fan_out(hooks.world, json.dumps({"detail": envelope}))
        hooks.pump()
        assert signed_by(endpoint.requests[0], posted_to["secret"])


def test_a_webhook_that_the_host_disables_is_not_reported(hooks: Hooks, host: Caller) -> None:
    bus = Bus()
    hooks.world = dataclasses.replace(hooks.world, event_bus=bus)
    webhook = hooks.make(host, "http://127.0.0.1:1/hook")
    hooks.fan_out_event(host)
    ok(host.patch(f"/v1/webhooks/{webhook['webhookId']}", {"enabled": False}))
    hooks.pump()
    assert bus.published == []


def test_concurrent_senders_send_a_delivery_once(hooks: Hooks, host: Caller) -> None:
    """SQS may deliver a message to several functions at once; the one that gets the lease sends."""
    posted = Posted(responded(200))
    hooks.world = dataclasses.replace(hooks.world, webhook_http=posted)
    webhook = hooks.make(host, "http://127.0.0.1:1/hook")
    deliveries = [hooks.fan_out_event(host)[0] for _ in range(10)]
    messages = [_message(webhook, delivery.delivery_id) for delivery in deliveries for _ in range(8)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda message: deliver(hooks.world, message), messages))

    sent = [headers["webhook-id"] for headers in posted.headers]
    assert sorted(sent) == sorted(delivery.event_id for delivery in deliveries)


def test_no_second_attempt_starts_while_the_lease_is_held(hooks: Hooks, host: Caller) -> None:
    """The lease lasts as long as an attempt may take; a message that arrives meanwhile changes nothing."""
    webhook = hooks.make(host, "http://127.0.0.1:1/hook")
    (delivery,) = hooks.fan_out_event(host)
    message = _message(webhook, delivery.delivery_id)

    def another() -> None:
        hooks.site.clock.advance(seconds=59)
        posted.before = lambda: None
        deliver(hooks.world, message)

    posted = Posted(responded(200), before=another)
    hooks.world = dataclasses.replace(hooks.world, webhook_http=posted)
    deliver(hooks.world, message)

    assert len(posted.urls) == 1
    assert hooks.deliveries(host, webhook)[0]["status"] == "delivered"


class Died(BaseException):
    """The function ends here, as when Lambda stops it, so no handler in the code runs."""


def _die(*_: Any, **__: Any) -> NoReturn:
    raise Died


@pytest.mark.parametrize("when", ["before the answer", "before the record"])
def test_a_delivery_is_retried_after_its_sender_crashes(
    hooks: Hooks, host: Caller, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """The crash is after the request and before its record, so the event is sent again with the same id (P6)."""
    webhook = hooks.make(host, "http://127.0.0.1:1/hook")
    (delivery,) = hooks.fan_out_event(host)

    posted = Posted(responded(200), before=_die if when == "before the answer" else lambda: None)
    hooks.world = dataclasses.replace(hooks.world, webhook_http=posted)
    with monkeypatch.context() as dying:
        if when == "before the record":
            change = hooks.world.store.deliveries.change

            def record(fresh: Any, cause: Cause, *, seen: int) -> bool:
                if fresh.attempts:
                    raise Died
                return change(fresh, cause, seen=seen)

            dying.setattr(hooks.world.store.deliveries, "change", record)
        with pytest.raises(Died):
            hooks.pump()
    posted.before = lambda: None
    assert hooks.deliveries(host, webhook)[0]["status"] == "pending"
    # The queue redelivers its message while the lease is held, which does nothing; later the schedule retries.
    deliver(hooks.world, _message(webhook, delivery.delivery_id))
    assert len(posted.urls) == 1
    hooks.wait(seconds=61)
    assert hooks.run_retry_schedule() == 1

    assert [headers["webhook-id"] for headers in posted.headers] == [delivery.event_id] * 2
    (row,) = hooks.deliveries(host, webhook)
    assert (row["status"], [attempt["number"] for attempt in row["attempts"]]) == ("delivered", [2])


def test_a_delivery_that_crashes_every_sender_is_dead_lettered(hooks: Hooks, host: Caller) -> None:
    posted = Posted(responded(200), before=_die)
    hooks.world = dataclasses.replace(hooks.world, webhook_http=posted)
    webhook = hooks.make(host, "http://127.0.0.1:1/hook")
    (delivery,) = hooks.fan_out_event(host)
    for _ in range(MAX_TRIES):
        with pytest.raises(Died):
            deliver(hooks.world, _message(webhook, delivery.delivery_id))
        hooks.wait(seconds=61)
    deliver(hooks.world, _message(webhook, delivery.delivery_id))

    assert len(posted.urls) == MAX_TRIES
    assert hooks.deliveries(host, webhook)[0]["failure"] == "exhausted"
    assert len(hooks.dlq.take()) == 1


def test_a_sender_with_an_expired_lease_does_not_overwrite_the_next(hooks: Hooks, host: Caller) -> None:
    webhook = hooks.make(host, "http://127.0.0.1:1/hook")
    (delivery,) = hooks.fan_out_event(host)
    message = _message(webhook, delivery.delivery_id)

    def succeed_me() -> None:
        posted.before = lambda: None
        hooks.site.clock.advance(seconds=61)
        deliver(hooks.world, message)

    posted = Posted(responded(200), responded(500), before=succeed_me)
    hooks.world = dataclasses.replace(hooks.world, webhook_http=posted)
    assert deliver(hooks.world, message) is None

    (row,) = hooks.deliveries(host, webhook)
    assert (row["status"], [a["statusCode"] for a in row["attempts"]]) == ("delivered", [200])


def test_a_delivery_is_dead_lettered_before_it_is_marked_failed(hooks: Hooks, host: Caller) -> None:
    """In the other order, a crash between the two writes would lose the dead letter."""
    posted = Posted(responded(500))
    hooks.world = dataclasses.replace(hooks.world, webhook_http=posted)
    webhook = hooks.make(host, "http://127.0.0.1:1/hook")
    (delivery,) = hooks.fan_out_event(host)
    message = _message(webhook, delivery.delivery_id)
    for _ in range(MAX_TRIES - 1):
        deliver(hooks.world, message)
        hooks.wait(hooks.deliveries(host, webhook)[0]["nextAttemptAt"])
    hooks.dlq.down = True
    with pytest.raises(QueueUnavailableError):
        deliver(hooks.world, message)
    assert hooks.deliveries(host, webhook)[0]["status"] == "pending"
    hooks.dlq.down = False
    hooks.wait(seconds=61)
    hooks.run_retry_schedule()

    assert hooks.deliveries(host, webhook)[0]["failure"] == "exhausted"
    assert len(hooks.dlq.take()) == 1


def test_pending_deliveries_of_a_disabled_or_deleted_webhook_fail(hooks: Hooks, host: Caller) -> None:
    posted = Posted(responded(200))
    hooks.world = dataclasses.replace(hooks.world, webhook_http=posted)
    disabled, deleted = (hooks.make(host, "http://127.0.0.1:1/hook") for _ in "ab")
    found = {delivery.webhook_id: delivery for delivery in hooks.fan_out_event(host)}
    ok(host.patch(f"/v1/webhooks/{disabled['webhookId']}", {"enabled": False}))
    assert host.delete(f"/v1/webhooks/{deleted['webhookId']}").status_code == 204
    hooks.pump()

    assert posted.urls == []
    (row,) = hooks.deliveries(host, disabled)
    assert (row["status"], row["failure"]) == ("failed", "webhook-disabled")
    assert hooks.read(host, disabled)["disabledReason"] == "host"
    _, left = hooks.world.store.deliveries.read(deleted["webhookId"], found[deleted["webhookId"]].delivery_id)
    assert left is not None
    assert (left.status, left.failure, left.due_at) == ("failed", "webhook-deleted", None)
    assert hooks.fan_out_event(host) == []


def test_a_change_during_an_attempt_applies_to_the_next_attempt(hooks: Hooks, host: Caller) -> None:
    """A response of the old endpoint, even 410, doesn't disable the webhook after its URL has changed."""
    webhook = hooks.make(host, "http://127.0.0.1:1/old")
    hooks.fan_out_event(host)
    hooks.fan_out_event(host)

    def change() -> None:
        posted.before = lambda: None
        ok(host.patch(f"/v1/webhooks/{webhook['webhookId']}", {"url": "http://127.0.0.1:1/new"}))

    posted = Posted(responded(410), responded(200), before=change)
    hooks.world = dataclasses.replace(hooks.world, webhook_http=posted)
    hooks.pump()

    assert posted.urls == ["http://127.0.0.1:1/old", "http://127.0.0.1:1/new"]
    now = hooks.read(host, webhook)
    assert (now["enabled"], now["failingSince"], now["url"]) == (True, None, "http://127.0.0.1:1/new")
    assert [entry["what"] for entry in now["log"]] == ["changed", "created"]


def test_attempts_after_a_rotation_are_signed_with_both_secrets(hooks: Hooks, host: Caller) -> None:
    with Endpoint([answer(500), answer(500), answer(500), answer(200)]) as endpoint:
        webhook = hooks.make(host, endpoint)
        path = f"/v1/webhooks/{webhook['webhookId']}"
        hooks.fan_out_event(host)
        hooks.pump()
        rotated = ok(host.post(f"{path}/rotate", {"overlapHours": 2}))
        assert rotated["formerSecretsUntil"] == "2040-01-02T10:00:00Z"
        for _ in range(3):
            hooks.wait(hooks.deliveries(host, webhook)[0]["nextAttemptAt"])
            hooks.run_retry_schedule()
        before, during, still, after = endpoint.requests

    old, new = webhook["secret"], rotated["secret"]
    assert old != new
    assert [signed_by(request, old) for request in (before, during, still, after)] == [True, True, True, True]
    assert [signed_by(request, new) for request in (before, during, still, after)] == [
        False,
        True,
        True,
        True,
    ]
    assert during.headers["webhook-signature"].count("v1,") == 2
    with Endpoint() as endpoint:
        ok(host.patch(path, {"url": endpoint.url}))
        hooks.wait(hours=2)
        hooks.fan_out_event(host)
        hooks.pump()
    (last,) = endpoint.requests
    assert (signed_by(last, old), signed_by(last, new)) == (False, True)
    assert ok(host.get(path))["formerSecretsUntil"] is None


def test_a_rotation_without_overlap_ends_every_former_secret(hooks: Hooks, host: Caller) -> None:
    with Endpoint() as endpoint:
        webhook = hooks.make(host, endpoint)
        path = f"/v1/webhooks/{webhook['webhookId']}/rotate"
        secrets = [webhook["secret"], *(ok(host.post(path))["secret"] for _ in range(3))]
        assert host.post(path).status_code == 409, "three former secrets still sign, and none may end early"
        hooks.fan_out_event(host)
        hooks.pump()
        secrets.append(ok(host.post(path, {"overlapHours": 0}))["secret"])
        hooks.fan_out_event(host)
        hooks.pump()

    with_overlap, without = endpoint.requests
    assert len(set(secrets)) == 5
    assert [signed_by(with_overlap, secret) for secret in secrets] == [True] * 4 + [False]
    assert [signed_by(without, secret) for secret in secrets] == [False] * 4 + [True]


def test_a_webhook_with_a_retired_signing_key_waits_for_the_key(hooks: Hooks, host: Caller) -> None:
    with Endpoint() as endpoint:
        webhook = hooks.make(host, endpoint)
        ring = hooks.world.keyring()
        fresh = Keyring(2, {2: b"n" * 32})
        hooks.fan_out_event(host)
        hooks.world = dataclasses.replace(hooks.world, keyring=lambda: fresh)
        hooks.pump()
        assert endpoint.requests == []
        (row,) = hooks.deliveries(host, webhook)
        assert (row["status"], row["attempts"][0]["error"]) == ("pending", "key-retired")
        both = Keyring(2, {**ring.keys, 2: b"n" * 32})
        hooks.world = dataclasses.replace(hooks.world, keyring=lambda: both)
        hooks.wait(row["nextAttemptAt"])
        hooks.pump()

    assert signed_by(endpoint.requests[0], webhook["secret"])


def test_a_test_event_reaches_a_disabled_webhook_once_and_never_counts(hooks: Hooks, host: Caller) -> None:
    with Endpoint([answer(500), answer(410), answer(200)]) as endpoint:
        webhook = hooks.make(host, endpoint, enabled=False, events=["link.used"])
        path = f"/v1/webhooks/{webhook['webhookId']}"
        for expected in ("failed", "failed", "delivered"):
            answered = host.post(f"{path}/test")
            assert answered.status_code == 202
            assert answered.json()["status"] == "pending"
            hooks.pump()
            assert hooks.queue.held == []
            found = {row["deliveryId"]: row["status"] for row in hooks.deliveries(host, webhook)}
            assert found[answered.json()["deliveryId"]] == expected

    assert len(endpoint.requests) == 3
    assert all(signed_by(request, webhook["secret"]) for request in endpoint.requests)
    assert {json.loads(request.body)["type"] for request in endpoint.requests} == {"webhook.test"}
    now = hooks.read(host, webhook)
    assert (now["disabledReason"], now["failingSince"], len(now["log"])) == ("host", None, 1)
    assert hooks.dlq.held == []


def test_a_failed_test_event_does_not_disable_the_webhook(hooks: Hooks, host: Caller) -> None:
    with Endpoint([answer(500), answer(410)]) as endpoint:
        webhook = hooks.make(host, endpoint)
        for _ in range(2):
            assert host.post(f"/v1/webhooks/{webhook['webhookId']}/test").status_code == 202
            hooks.pump()

    assert len(endpoint.requests) == 2
    now = hooks.read(host, webhook)
    assert (now["enabled"], now["failingSince"], len(now["log"])) == (True, None, 1)


def test_nothing_is_sent_while_the_store_is_unavailable(hooks: Hooks, host: Caller) -> None:
    posted = Posted(responded(200))
    hooks.world = dataclasses.replace(hooks.world, webhook_http=posted)
    webhook = hooks.make(host, "http://127.0.0.1:1/hook")
    (delivery,) = hooks.fan_out_event(host)
    with hooks.site.failing("PutItem", StoreUnavailableError()), pytest.raises(StoreUnavailableError):
        deliver(hooks.world, _message(webhook, delivery.delivery_id))
    assert posted.urls == [], "no request without the lease"
    hooks.pump()
    assert len(posted.urls) == 1


def test_concurrent_runs_of_the_schedule_queue_each_delivery_once(hooks: Hooks, host: Caller) -> None:
    posted = Posted(responded(200))
    hooks.world = dataclasses.replace(hooks.world, webhook_http=posted)
    hooks.make(host, "http://127.0.0.1:1/hook")
    made = [hooks.fan_out_event(host)[0] for _ in range(30)]
    hooks.queue.take()
    hooks.wait(minutes=6)
    with ThreadPoolExecutor(3) as pool:
        counts = [run.result() for run in [pool.submit(retry_due, hooks.world) for _ in range(3)]]
    assert sum(counts) == len(made)
    assert hooks.pump() == len(made)
    assert len(posted.urls) == len(made)
    hooks.wait(minutes=6)
    assert hooks.run_retry_schedule() == 0


def test_the_delivery_log_has_no_secret(hooks: Hooks, host: Caller) -> None:
    """P7: an endpoint may return the request or its own secrets; the stored excerpt hides them."""

    def echo(request: Request, webhook: dict[str, Any]) -> bytes:
        return (
            f"secret {webhook['secret']} sig {request.headers['webhook-signature']} "
            f"key {host.key.secret} url https://x.example/s/{'A' * 36} auth: Bearer abc.def\x00\x1b[0m"
        ).encode()

    with Endpoint() as endpoint:
        webhook = hooks.make(host, endpoint)
        hooks.fan_out_event(host)
        hooks.pump()
        endpoint.answers = [answer(500, echo(endpoint.requests[0], webhook))]
        hooks.fan_out_event(host)
        hooks.pump()
    excerpt = hooks.deliveries(host, webhook, status="pending")[0]["attempts"][0]["excerpt"]
    dump = json.dumps(hooks.site.items(), default=repr)
    bare = webhook["secret"].removeprefix("whsec_")
    for secret in (
        bare,
        host.key.secret,
        "A" * 36,
        "abc.def",
        endpoint.requests[0].headers["webhook-signature"],
    ):
        assert secret not in excerpt
        assert secret not in dump
    assert excerpt.startswith("secret [hidden] sig [hidden] key [hidden]")
    assert excerpt.isprintable()


def _message(webhook: dict[str, Any], delivery_id: str) -> str:
    return json.dumps({"webhookId": webhook["webhookId"], "deliveryId": delivery_id})
