"""P4: if a reply is lost after the commit, a retry gets the same booking, and nobody else does."""

import json
import secrets
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support import audit
from tests.support.aws.dynamodb_client import CLIENTS
from tests.support.proof.harness import (
    BASE_URL,
    Answer,
    Client,
    Link,
    NoAnswerError,
    Stage,
    codes_of,
    race,
    rfc3339,
    starts,
)
from tests.support.proof.proxy import (
    CutReply,
    Edit,
    Fault,
    First,
    Late,
    LoseReply,
    Proxy,
    Reset,
    Silence,
    error,
    operation,
    write,
)
from tests.support.proof.size import size
from tests.support.waiting import LIMIT

KEYS = pytest.mark.parametrize("key", [None, "the-same-key"], ids=["keyless", "keyed"])
LOST = pytest.mark.parametrize("fault", [LoseReply(), CutReply()], ids=["reset", "cut"])


@pytest.fixture
def before_the_app(stage: Stage) -> Iterator[Proxy]:
    """A proxy between a client and one app process."""
    with Proxy(stage.apps[0].url) as proxy:
        yield proxy


def assert_retry_answer(answer: Answer, key: str | None, booking_id: str) -> None:
    """Check the response to a retry: the booking with a key, and only the time without one."""
    assert answer.code == "201"
    if key is None:
        assert set(answer.json) == {"status", "start", "end", "title"}
        assert "location" not in answer.headers
    else:
        assert answer.json["bookingId"] == booking_id


def the_only_booking(stage: Stage) -> str:
    [booking_id] = audit.bookings_of(stage.audited())
    return booking_id


def test_the_app_retries_if_the_reply_of_dynamodb_is_lost(stage: Stage, dynamodb: Proxy) -> None:
    """P4: the connection is reset, the reply is cut or never arrives; the invitee gets the booking, not `link-used`."""
    cases = [(fault, key) for fault in (LoseReply(), CutReply(), Silence()) for key in (None, "k")]
    links = stage.links(stage.event_type(stage.host()), len(cases))
    clients, slots = stage.clients(len(cases)), starts(len(cases))
    lost = [
        dynamodb.inject(operation("TransactWriteItems", link.link_id), fault, times=1)
        for link, (fault, _) in zip(links, cases, strict=True)
    ]

    answers = race(
        [
            partial(client.redeem, link, slot, "grace@example.com", key=key)
            for client, link, slot, (_, key) in zip(clients, links, slots, cases, strict=True)
        ]
    )

    assert [rule.hits for rule in lost] == [1] * len(cases)
    assert codes_of(answers) == {"201": len(cases)}
    items = stage.audited()
    for link, answer in zip(links, answers, strict=True):
        assert list(audit.bookings_of(items, link.link_id)) == [answer.json["bookingId"]]
        assert answer.json["invitee"]["email"] == "grace@example.com"


def test_a_write_that_arrives_after_its_own_retry_changes_nothing(stage: Stage, dynamodb: Proxy) -> None:
    """P4, P1: the first write is delayed past its timeout, and arrives after the retry has committed."""
    cases = [("k", 1), (None, 1), (None, None)]
    event_type = stage.event_type(stage.host())
    links = [stage.links(event_type, maxUsageCount=uses)[0] for _, uses in cases]
    clients, slots = stage.clients(len(cases)), starts(len(cases))
    late = [Late(threading.Event(), threading.Event()) for _ in cases]
    for link, fault in zip(links, late, strict=True):
        dynamodb.inject(operation("TransactWriteItems", link.link_id), fault, times=1)

    answers = race(
        [
            partial(client.redeem, link, slot, "grace@example.com", key=key)
            for client, link, slot, (key, _) in zip(clients, links, slots, cases, strict=True)
        ]
    )
    before = stage.audited()
    for fault in late:
        fault.gate.set()
        assert fault.sent.wait(timeout=LIMIT)

    assert codes_of(answers) == {"201": len(cases)}
    assert audit.differences(before, stage.audited()) == []


@KEYS
def test_nobody_else_books_while_a_reply_is_lost(stage: Stage, dynamodb: Proxy, key: str | None) -> None:
    """P4, P1: between the commit and the app's retry, 15 other clients try the link and are refused."""
    link, slots = stage.link(), starts(CLIENTS)
    others: list[Answer] = []

    def rush() -> None:
        clients = [stage.new_client(n) for n in range(1, CLIENTS)]
        others.extend(
            race(
                [
                    partial(client.redeem, link, slots[n], f"p{n}@example.com")
                    for n, client in enumerate(clients, 1)
                ]
            )
        )

    lost = dynamodb.inject(operation("TransactWriteItems", link.link_id), LoseReply(), times=1)
    again = dynamodb.inject(operation("BatchGetItem", link.link_id), First(rush), times=1, skip=1)

    answer = stage.new_client().redeem(link, slots[0], "grace@example.com", key=key)

    assert (lost.hits, again.hits) == (1, 1)
    assert codes_of(others) == {"410 link-used": CLIENTS - 1}
    assert answer.code == "201"
    assert answer.json["bookingId"] == the_only_booking(stage)


def test_a_client_that_gets_429_or_503_gets_its_booking_by_a_retry(stage: Stage, dynamodb: Proxy) -> None:
    """P4: the write commits, its reply is lost, and DynamoDB then fails until the app gives up."""
    cases = [(key, fault) for key in (None, "k") for fault in (Reset(), error("ThrottlingException"))]
    links = stage.links(stage.event_type(stage.host()), len(cases))
    clients, slots = stage.clients(len(cases)), starts(len(cases))
    for link, (_, fault) in zip(links, cases, strict=True):
        dynamodb.inject(operation("TransactWriteItems", link.link_id), LoseReply(), times=1)
        # The first two calls about a link are its read and that transaction.
        dynamodb.inject(lambda call, link=link: link.link_id.encode() in call.body, fault, skip=1)  # type: ignore[misc]

    def redeem_all() -> list[Answer]:
        return race(
            [
                partial(client.redeem, link, slot, "grace@example.com", key=key)
                for client, link, slot, (key, _) in zip(clients, links, slots, cases, strict=True)
            ]
        )

    responses = redeem_all()
    dynamodb.clear()
    again = redeem_all()

    assert [answer.status for answer in responses] == [503, 429, 503, 429]
    assert all(int(answer.headers["retry-after"]) > 0 for answer in responses)
    assert codes_of(again) == {"201": len(cases)}
    items = stage.audited()
    for link, answer, (key, _) in zip(links, again, cases, strict=True):
        [booking_id] = audit.bookings_of(items, link.link_id)
        assert_retry_answer(answer, key, booking_id)


@KEYS
@LOST
def test_a_client_that_loses_the_answer_gets_its_booking_by_a_retry(
    stage: Stage, before_the_app: Proxy, fault: Fault, key: str | None
) -> None:
    """P4: the app's answer is lost; the same request to another process returns the booking."""
    link, [start] = stage.link(), starts(1)
    before_the_app.inject(lambda call: call.name.endswith("/redeem"), fault, times=1)
    client = stage.new_client(urls=[before_the_app.url, stage.apps[1].url])

    with pytest.raises(NoAnswerError):
        client.redeem(link, start, "grace@example.com", key=key)
    again = client.redeem(link, start, "grace@example.com", key=key)

    assert_retry_answer(again, key, the_only_booking(stage))
    assert again.headers["idempotent-replayed"] == "true"


@KEYS
def test_a_retry_reads_its_receipt_again_if_the_link_is_used(
    stage: Stage, dynamodb: Proxy, key: str | None
) -> None:
    """P4: the retry reads the receipt before the first request commits, and the link after it, as used.

    `BatchGetItem` does not read its items at one moment; the engines here do.
    """
    link, [start] = stage.link(), starts(1)
    client = stage.new_client()
    first = client.redeem(link, start, "grace@example.com", key=key)

    def without_receipt(answer: dict[str, Any]) -> None:
        found = answer["Responses"][stage.table.name]
        found[:] = [item for item in found if not item["sk"]["S"].startswith("RECEIPT#")]

    edited = dynamodb.inject(operation("BatchGetItem", link.link_id), Edit(without_receipt), times=1)

    again = client.redeem(link, start, "grace@example.com", key=key)

    assert edited.hits == 1
    assert first.json["bookingId"] == the_only_booking(stage)
    assert_retry_answer(again, key, first.json["bookingId"])


@KEYS
@pytest.mark.parametrize("later", ["begun", "expired", "revoked", "deleted", "closed"])
def test_a_retry_gets_its_booking_whatever_happens_to_the_link(
    stage: Stage, later: str, key: str | None
) -> None:
    """P4: even if the slot could no longer be booked; without a key, for ten minutes."""
    now = datetime.now(UTC)
    event_type = stage.event_type(stage.host())
    [link] = stage.links(event_type, maxUsageCount=2, expiresAt=rfc3339(now + timedelta(days=5)))
    client, [start] = stage.new_client(), starts(1)
    first = client.redeem(link, start, "grace@example.com", key=key)
    assert first.code == "201"
    match later:
        case "begun":
            stage.point(now=start + timedelta(minutes=1))
        case "expired":
            stage.point(now=now + timedelta(days=6))  # a receipt is kept for 7
        case "revoked":
            assert stage.team.send("POST", f"/v1/links/{link.link_id}/revoke").status == 200
        case "deleted":
            assert stage.team.send("DELETE", f"/v1/links/{link.link_id}").status == 204
        case _:
            hours = {"timeZone": "UTC", "weekly": []}
            patch = stage.team.send("PATCH", f"/v1/event-types/{event_type}", {"schedule": hours})
            assert patch.status == 200

    again = client.redeem(link, start, "grace@example.com", key=key)

    if key is None and later in ("begun", "expired"):
        # After ten minutes a keyless retry counts as a new request.
        assert again.code == {"begun": "409 slot-not-offered", "expired": "410 link-expired"}[later]
    else:
        assert_retry_answer(again, key, first.json["bookingId"])
    assert len(audit.bookings_of(stage.audited(deleted=[link.link_id]))) == 1


@KEYS
def test_eight_concurrent_identical_redeems_create_one_booking(stage: Stage, key: str | None) -> None:
    """P4: the same request, eight times at once on three processes: all return 201 for one booking."""
    event_type = stage.event_type(stage.host())
    clients, count = stage.clients(8), size(4, 30)
    for link, start in zip(stage.links(event_type, count), starts(count), strict=True):
        answers = race(
            [partial(client.redeem, link, start, "grace@example.com", key=key) for client in clients]
        )

        assert codes_of(answers) == {"201": 8}
        responses = [answer.json.get("bookingId") for answer in answers]
        assert len(set(responses) - {None}) == 1
        assert responses.count(None) == (7 if key is None else 0), (
            "without a key, only the request that booked may get the whole booking"
        )
    assert len(audit.bookings_of(stage.audited())) == count


def test_of_two_people_with_eight_requests_each_one_wins_all_and_one_loses_all(stage: Stage) -> None:
    """P4, P1: one person gets the booking eight times, the other gets `link-used` eight times."""
    event_type = stage.event_type(stage.host())
    count = size(4, 20)
    clients, slots = stage.clients(), starts(2 * count)
    for number, link in enumerate(stage.links(event_type, count)):
        ours = slots[2 * number : 2 * number + 2]

        answers = race(
            [
                partial(client.redeem, link, ours[n % 2], f"p{n % 2}@example.com")
                for n, client in enumerate(clients)
            ]
        )

        assert sorted([codes_of(answers[0::2]), codes_of(answers[1::2])], key=str) == [
            {"201": 8},
            {"410 link-used": 8},
        ]
    assert len(audit.bookings_of(stage.audited())) == count


def redeem_until_decided(client: Client, link: Link, start: datetime, person: int) -> Answer:
    """Retry as long as the answer is a 503."""
    while (answer := client.redeem(link, start, f"p{person}@example.com")).status == 503:
        pass
    return answer


def test_a_link_is_booked_once_by_repeated_requests_with_lost_replies(stage: Stage, dynamodb: Proxy) -> None:
    """P4, P1: four people send four requests each while every third reply of DynamoDB is lost."""
    event_type = stage.event_type(stage.host())
    count = size(3, 12)
    clients, slots = stage.clients(), starts(4 * count)
    links = stage.links(event_type, count)  # created before any reply is lost

    def unlucky(_: object) -> bool:
        return stage.random.random() < 1 / 3

    lost = dynamodb.inject(unlucky, LoseReply())
    for number, link in enumerate(links):
        ours = slots[4 * number : 4 * number + 4]

        answers = race(
            [
                partial(redeem_until_decided, client, link, ours[n % 4], n % 4)
                for n, client in enumerate(clients)
            ]
        )

        for n in range(4):
            assert len(codes_of(answers[n::4])) == 1, "one person got different results"
        assert codes_of(answers) == {"201": 4, "410 link-used": 12}
        responses = {answer.json.get("bookingId") for answer in answers if answer.status == 201}
        assert len(responses - {None}) <= 1
    assert lost.hits > 10
    assert len(audit.bookings_of(stage.audited())) == count


def test_a_key_reused_with_another_body_is_refused(stage: Stage) -> None:
    """P4: it returns 422, even though the link is used, and changes nothing."""
    [client], [start, other] = stage.clients(1), starts(2)
    link = stage.link()
    assert client.redeem(link, start, "grace@example.com", key="k").code == "201"
    before = stage.audited()

    answers = [
        client.redeem(link, other, "grace@example.com", key="k"),
        client.redeem(link, start, "other@example.com", key="k"),
        client.redeem(link, start, "grace@example.com", key="k", name="Someone else"),
    ]

    assert codes_of(answers) == {"422 idempotency-key-reused": 3}
    assert audit.differences(before, stage.dump()) == []


def test_of_two_concurrent_redeems_with_one_key_one_wins(stage: Stage) -> None:
    """P4, P1: all senders of one body get its booking; all senders of the other get 422."""
    event_type = stage.event_type(stage.host())
    count = size(4, 20)
    clients, slots = stage.clients(8), starts(2 * count)
    for number, link in enumerate(stage.links(event_type, count, maxUsageCount=None)):
        ours = slots[2 * number : 2 * number + 2]

        answers = race(
            [
                partial(client.redeem, link, ours[n % 2], "grace@example.com", key="k")
                for n, client in enumerate(clients)
            ]
        )

        assert sorted([codes_of(answers[0::2]), codes_of(answers[1::2])], key=str) == [
            {"201": 4},
            {"422 idempotency-key-reused": 4},
        ]
    assert len(audit.bookings_of(stage.audited())) == count


def test_a_form_sent_twice_leads_to_the_same_confirmation(stage: Stage) -> None:
    """P4: a browser without JavaScript submits the form twice, or goes back and submits it again."""
    link, [start] = stage.link(), starts(1)
    form = {
        "start": rfc3339(start),
        "timeZone": "UTC",
        "invitee.name": "Grace Hopper",
        "invitee.email": "grace@example.com",
        "idempotencyKey": secrets.token_hex(16),  # as the booking page renders it
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}

    def press(client: Client) -> Answer:
        return client.send("POST", f"/s/{link.token}/redeem", urlencode(form).encode(), headers)

    answers = race([partial(press, client) for client in stage.clients(8)])

    assert codes_of(answers) == {"303": 8}
    assert len({answer.headers["location"] for answer in answers}) == 1
    the_only_booking(stage)


def test_a_generate_with_a_lost_reply_creates_its_links_once(stage: Stage, dynamodb: Proxy) -> None:
    """P4: the app's retry creates no second link, even without a key."""
    event_type = stage.event_type(stage.host())
    for count in (1, 5):
        lost = dynamodb.inject(write(event_type), LoseReply(), times=1)

        created = stage.links(event_type, count)

        assert lost.hits == 1
        assert len(created) == count
    assert len(audit.links_of(stage.audited())) == 6


@pytest.mark.parametrize("verb", ["revoke", "delete", "change"])
def test_a_team_write_with_a_lost_reply_succeeds(stage: Stage, dynamodb: Proxy, verb: str) -> None:
    """P4, P3: the app's retry recognizes the effect of its first attempt."""
    link = stage.link()
    lost = dynamodb.inject(write(link.link_id), LoseReply(), times=1)
    sends: dict[str, Callable[[], Answer]] = {
        "revoke": lambda: stage.team.send("POST", f"/v1/links/{link.link_id}/revoke"),
        "delete": lambda: stage.team.send("DELETE", f"/v1/links/{link.link_id}"),
        "change": lambda: stage.team.send("PATCH", f"/v1/links/{link.link_id}", {"label": "new"}),
    }

    answer = sends[verb]()

    assert lost.hits == 1
    assert answer.status == (204 if verb == "delete" else 200), answer
    stored = stage.raw(link)
    match verb:
        case "delete":
            assert stored is None
        case "revoke":
            assert stored is not None
            assert stored["status"] == answer.json["status"] == "revoked"
        case _:
            assert stored is not None
            assert stored["label"] == answer.json["label"] == "new"
            assert json.loads(answer.body)["url"].startswith(BASE_URL)
    stage.audited()


@pytest.mark.parametrize("old", ["active", "used", "rolling"])
def test_a_replace_with_a_lost_reply_creates_one_link(stage: Stage, dynamodb: Proxy, old: str) -> None:
    """P4: the app's retry finds the new link, whatever the old one's status."""
    event_type = stage.event_type(stage.host())
    if old == "rolling":
        created = stage.team.send("POST", f"/v1/event-types/{event_type}/rolling-link", {})
        assert created.status == 201, created
        link = Link.of(created.json)
    else:
        [link] = stage.links(event_type)
    if old == "used":
        assert stage.new_client().redeem(link, starts(1)[0], "grace@example.com").code == "201"
    lost = dynamodb.inject(write(link.link_id), LoseReply(), times=1)

    answer = stage.team.send("POST", f"/v1/links/{link.link_id}/replace")

    assert lost.hits == 1
    assert answer.code == "201"
    stored = audit.links_of(stage.audited())
    assert set(stored) == {link.link_id, answer.json["linkId"]}
    assert stored[link.link_id]["status"] == ("used" if old == "used" else "revoked")


@pytest.mark.parametrize("verb", ["cancel", "reschedule"])
def test_a_cancel_or_move_with_a_lost_reply_succeeds(stage: Stage, dynamodb: Proxy, verb: str) -> None:
    """P8, P4: the booking is cancelled or moved once, and its time is freed once."""
    link, [start, later] = stage.link(restoreUseOnCancel=True), starts(2)
    booking_id = stage.new_client().redeem(link, start, "grace@example.com").json["bookingId"]
    lost = dynamodb.inject(write(booking_id), LoseReply(), times=1)

    body = {"start": rfc3339(later)} if verb == "reschedule" else None
    answer = stage.team.send("POST", f"/v1/bookings/{booking_id}/{verb}", body)

    assert lost.hits == 1
    assert answer.status == 200, answer
    items = stage.audited()
    booking = audit.bookings_of(items)[booking_id]
    if verb == "cancel":
        assert booking["status"] == answer.json["status"] == "cancelled"
        assert audit.links_of(items)[link.link_id]["usageCount"] == 0
    else:
        assert booking["start"] == later.timestamp() * 1000
        assert answer.json["start"] == rfc3339(later)
    assert booking["sequence"] == 2


def test_a_rolling_link_has_one_successor(stage: Stage, dynamodb: Proxy) -> None:
    """P1, P4: sixteen clients redeem it at once and the winner's reply is lost: one booking and one successor."""
    event_type = stage.event_type(stage.host())
    created = stage.team.send("POST", f"/v1/event-types/{event_type}/rolling-link", {})
    count = size(2, 8)
    clients, slots = stage.clients(), starts(CLIENTS * count)
    for number in range(count):
        link = Link.of(created.json)
        lost = dynamodb.inject(operation("TransactWriteItems", link.link_id), LoseReply(), times=1)
        mine = slots[CLIENTS * number : CLIENTS * (number + 1)]

        answers = race(
            [partial(client.redeem, link, mine[n], f"p{n}@example.com") for n, client in enumerate(clients)]
        )

        assert lost.hits == 1
        assert codes_of(answers) == {"201": 1, "410 link-used": CLIENTS - 1}
        created = stage.team.send("GET", f"/v1/event-types/{event_type}/rolling-link")
        assert created.json["status"] == "active"
    assert len(audit.links_of(stage.audited())) == count + 1
