"""P3: no deleted, revoked, expired or unopened link books, whatever was read before the write.

The clock is stopped, so limits are tested to the millisecond. "Between read and write" is after the redeem's last read
and before its write, when only the write's condition protects.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import pytest

from tests.support import audit
from tests.support.aws.dynamodb_client import CLIENTS
from tests.support.proof.harness import (
    Answer,
    Client,
    Link,
    Stage,
    codes_of,
    day_start,
    race,
    rfc3339,
    starts,
)
from tests.support.proof.proxy import First, Proxy, operation, write
from tests.support.proof.size import size

MILLISECOND: Final = timedelta(milliseconds=1)


@pytest.fixture
def now(stage: Stage) -> datetime:
    """The instant at which every app's clock is stopped."""
    at = datetime.now(UTC).replace(microsecond=123000)
    stage.point(now=at)
    return at


def millis(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // MILLISECOND


def test_a_deleted_link_stays_deleted(stage: Stage) -> None:
    """P3: TTL deletes the item before the redeem, which returns 410 `link-deleted` and does not recreate the link."""
    link = stage.link()
    stage.delete_raw(link)
    before = stage.dump()

    answers = race(
        [
            partial(client.redeem, link, starts(1)[0], f"p{n}@example.com")
            for n, client in enumerate(stage.clients(4))
        ]
    )

    assert codes_of(answers) == {"410 link-deleted": 4}
    assert audit.differences(before, stage.dump()) == []


def test_a_redeem_does_not_recreate_a_link_that_ttl_deletes_before_its_write(
    stage: Stage, dynamodb: Proxy
) -> None:
    """P3: without a condition, DynamoDB's update would create an incomplete item."""
    link = stage.link(maxUsageCount=None)
    written = operation("TransactWriteItems", link.link_id)
    taken = dynamodb.inject(written, First(lambda: stage.delete_raw(link)), times=1)

    answer = stage.new_client().redeem(link, starts(1)[0], "grace@example.com")

    assert taken.hits == 1
    assert answer.code == "410 link-deleted"
    items = stage.audited()
    assert link.link_id not in audit.links_of(items)
    assert not audit.bookings_of(items)


@pytest.mark.parametrize("verb", ["revoke", "change"])
def test_a_team_write_does_not_recreate_a_link_that_ttl_deletes(
    stage: Stage, dynamodb: Proxy, verb: str
) -> None:
    """P3: a revoke or a change just after the deletion returns 404."""
    link = stage.link()
    taken = dynamodb.inject(write(link.link_id), First(lambda: stage.delete_raw(link)), times=1)

    if verb == "revoke":
        answer = stage.team.send("POST", f"/v1/links/{link.link_id}/revoke")
    else:
        answer = stage.team.send("PATCH", f"/v1/links/{link.link_id}", {"label": "new"})

    assert taken.hits == 1
    assert answer.code == "404 not-found"
    assert stage.raw(link) is None


def test_a_redeem_at_the_expiry_is_refused(stage: Stage, now: datetime) -> None:
    """P3: `now < expiresAt`, to the millisecond."""
    event_type = stage.event_type(stage.host())
    ahead = now + timedelta(hours=1)
    last, late = (stage.links(event_type, expiresAt=rfc3339(ahead))[0] for _ in range(2))
    client, slots = stage.new_client(), starts(2)

    stage.point(now=ahead - MILLISECOND)
    in_time = client.redeem(last, slots[0], "grace@example.com")
    stage.point(now=ahead)
    too_late = client.redeem(late, slots[1], "grace@example.com")

    assert in_time.code == "201"
    assert too_late.code == "410 link-expired"
    stage.audited()


def test_a_redeem_before_not_before_is_refused(stage: Stage, now: datetime) -> None:
    """P3: `notBefore <= now`, to the millisecond; the response has `notBefore`."""
    event_type = stage.event_type(stage.host())
    opens = now + timedelta(hours=1)
    [link] = stage.links(event_type, notBefore=rfc3339(opens))
    client, [slot] = stage.new_client(), starts(1)

    stage.point(now=opens - MILLISECOND)
    early = client.redeem(link, slot, "grace@example.com")
    stage.point(now=opens)
    on_time = client.redeem(link, slot, "grace@example.com")

    assert early.code == "403 link-not-open"
    assert early.json["notBefore"] == rfc3339(opens).replace("000Z", "Z")
    assert on_time.code == "201"
    stage.audited()


def test_a_redeem_obeys_changes_between_its_read_and_its_write(stage: Stage) -> None:
    """P3, P1: each clause of the write's condition, exactly at its limit."""
    now = datetime.now(UTC).replace(microsecond=456000)
    at = millis(now)
    cases: list[tuple[str, dict[str, int | str]]] = [
        ("410 link-expired", {"expiresAt": at}),
        ("410 link-expired", {"expiresAt": at - 1}),
        ("201", {"expiresAt": at + 1}),
        ("201", {"notBefore": at}),
        ("403 link-not-open", {"notBefore": at + 1}),
        ("410 link-revoked", {"status": "revoked"}),
        ("410 link-expired", {"status": "expired"}),
        ("410 link-used", {"status": "used", "usageCount": 1}),
    ]
    links = stage.links(
        stage.event_type(stage.host()), len(cases), expiresAt=rfc3339(now + timedelta(hours=1))
    )
    clients, slots = stage.clients(len(cases)), starts(len(cases))
    with Proxy(stage.table.endpoint_url) as proxy:
        stage.point(proxy.url, now=now)
        for link, (_, values) in zip(links, cases, strict=True):
            change = First(lambda link=link, values=values: stage.change_raw(link, **values))  # type: ignore[misc]
            proxy.inject(operation("TransactWriteItems", link.link_id), change, times=1)

        answers = race(
            [
                partial(client.redeem, link, slot, "grace@example.com")
                for client, link, slot in zip(clients, links, slots, strict=True)
            ]
        )

    assert [answer.code for answer in answers] == [code for code, _ in cases]
    items = stage.dump()
    for link, answer in zip(links, answers, strict=True):
        assert len(audit.bookings_of(items, link.link_id)) == (answer.status == 201)


def test_a_redeem_uses_settings_that_change_between_its_read_and_its_write(
    stage: Stage, dynamodb: Proxy
) -> None:
    """P3: a longer duration, and a restriction to one recipient."""
    event_type = stage.event_type(stage.host())
    longer, locked = stage.links(event_type, 2)
    changes = {
        longer: {"overrides": {"durationMinutes": 15}},
        locked: {"recipient": {"email": "ada@example.com", "enforce": "email"}},
    }
    for link, change in changes.items():
        patch = partial(stage.team.send, "PATCH", f"/v1/links/{link.link_id}", change)
        dynamodb.inject(operation("TransactWriteItems", link.link_id), First(patch), times=1)
    client, slots = stage.new_client(), starts(2, 15)

    booked = client.redeem(longer, slots[0], "grace@example.com")
    refused = client.redeem(locked, slots[1], "grace@example.com")

    assert booked.code == "201"
    assert booked.json["end"] == rfc3339(slots[0] + timedelta(minutes=15))
    assert refused.code == "403 recipient-mismatch"
    stage.audited()


def test_an_expired_link_that_ttl_has_not_deleted_books_nothing(stage: Stage, now: datetime) -> None:
    """P3: DynamoDB deletes items up to days after their TTL; the stored status is still active."""
    event_type = stage.event_type(stage.host())
    [link] = stage.links(event_type, expiresAt=rfc3339(now + timedelta(hours=1)))
    client = stage.new_client()
    days_late = now + timedelta(days=33)  # past `purgeAt` too
    item = stage.raw(link)
    assert item is not None
    assert item["purgeAt"] < days_late.timestamp()
    stage.point(now=days_late)
    before = stage.dump()

    redeemed = client.redeem(link, day_start(40), "grace@example.com")
    opened = client.send("GET", f"/s/{link.token}")
    revoked = stage.team.send("POST", f"/v1/links/{link.link_id}/revoke")

    assert (redeemed.code, opened.code) == ("410 link-expired", "410 link-expired")
    assert revoked.code == "409 conflict"
    assert audit.differences(before, stage.dump()) == []


def test_a_revoke_in_a_race_with_sixteen_redeems_either_wins_or_conflicts(stage: Stage) -> None:
    """P3, P1: either the revoke is first and nothing is booked, or one redeem is, and the revoke returns 409."""
    event_type = stage.event_type(stage.host())
    count = size(6, 25)
    clients, slots = stage.clients(), starts(CLIENTS * count)
    ends = {200: 0, 409: 0}
    for number, link in enumerate(stage.links(event_type, count)):
        mine = slots[CLIENTS * number : CLIENTS * (number + 1)]

        delay = stage.random.randrange(
            3
        )  # requests by which the redeems come later, so that both ends are seen

        def book(client: Client, slot: datetime, link: Link = link, delay: int = delay) -> Answer:
            for _ in range(delay):
                client.send("HEAD", "/s/nothing")
            return client.redeem(link, slot, "grace@example.com")

        revoked, *answers = race(
            [
                partial(stage.team.send, "POST", f"/v1/links/{link.link_id}/revoke"),
                *(
                    partial(book, client, slot, link, delay)
                    for client, slot in zip(clients, mine, strict=True)
                ),
            ]
        )

        ends[revoked.status] += 1
        if revoked.status == 200:
            assert codes_of(answers) == {"410 link-revoked": CLIENTS}
        else:
            assert revoked.code == "409 conflict"
            assert codes_of(answers) == {"201": 1, "410 link-used": CLIENTS - 1}
    stage.audited()
    print(f"the revoke came first {ends[200]} times, a booking {ends[409]} times")


def test_a_revoke_between_a_redeems_read_and_its_write_refuses_the_redeem(
    stage: Stage, dynamodb: Proxy
) -> None:
    """P3: the revoke is acknowledged before the write."""
    link = stage.link(maxUsageCount=2)
    responses: list[Answer] = []

    def revoke() -> None:
        responses.append(stage.team.send("POST", f"/v1/links/{link.link_id}/revoke"))

    dynamodb.inject(operation("TransactWriteItems", link.link_id), First(revoke), times=1)

    answer = stage.new_client().redeem(link, starts(1)[0], "grace@example.com")

    assert [one.status for one in responses] == [200]
    assert answer.code == "410 link-revoked"
    assert not audit.bookings_of(stage.audited())


def test_a_redeem_between_a_revokes_read_and_its_write_refuses_the_revoke(
    stage: Stage, dynamodb: Proxy
) -> None:
    """P1, P3: the booking remains, the link stays `used`, and the revoke returns 409."""
    link = stage.link()
    responses: list[Answer] = []

    def redeem() -> None:
        responses.append(stage.new_client().redeem(link, starts(1)[0], "grace@example.com"))

    dynamodb.inject(write(link.link_id), First(redeem), times=1)

    answer = stage.team.send("POST", f"/v1/links/{link.link_id}/revoke")

    assert codes_of(responses) == {"201": 1}
    assert answer.code == "409 conflict"
    stored = audit.links_of(stage.audited())[link.link_id]
    assert (stored["status"], stored["usageCount"]) == ("used", 1)


def test_nothing_books_after_a_revoke_is_acknowledged(stage: Stage) -> None:
    """P3: sixteen clients book slot after slot with one unlimited link until it is revoked."""
    link = stage.link(maxUsageCount=None)
    clients, slots = stage.clients(), starts(CLIENTS * 40)
    acknowledged, enough = threading.Event(), threading.Semaphore(0)

    def book(client: Client, mine: list[datetime]) -> list[tuple[bool, Answer]]:
        responses = []
        for slot in mine:
            too_late = acknowledged.is_set()
            responses.append((too_late, client.redeem(link, slot, "grace@example.com")))
            enough.release()
            if too_late:
                break
        return responses

    def revoke() -> list[tuple[bool, Answer]]:
        for _ in range(60):
            enough.acquire()
        answer = stage.team.send("POST", f"/v1/links/{link.link_id}/revoke")
        acknowledged.set()
        return [(False, answer)]

    racers: list[Callable[[], list[tuple[bool, Answer]]]] = [revoke]
    racers += [partial(book, client, slots[n::CLIENTS]) for n, client in enumerate(clients)]
    [[(_, revoked)], *responses] = race(racers)

    assert revoked.status == 200
    answers = [one for client in responses for one in client]
    assert {answer.code for _, answer in answers} == {"201", "410 link-revoked"}
    late = [answer for too_late, answer in answers if too_late]
    assert late
    assert codes_of(late) == {"410 link-revoked": len(late)}
    booked = [answer for _, answer in answers if answer.status == 201]
    items = stage.audited()
    stored = audit.links_of(items)[link.link_id]
    assert (stored["status"], stored["usageCount"]) == ("revoked", len(booked))
    assert set(audit.bookings_of(items)) == {answer.json["bookingId"] for answer in booked}
    # The revoke's response counts every booking, so none was added after it.
    assert revoked.json["usageCount"] == len(booked)


def test_a_link_that_is_deleted_during_sixteen_redeems_stays_deleted(stage: Stage) -> None:
    """P3: no redeem recreates the link or part of it."""
    event_type = stage.event_type(stage.host())
    clients = stage.clients()
    links = stage.links(event_type, size(8, 15), maxUsageCount=None)
    slots = starts(CLIENTS * len(links))
    for number, link in enumerate(links):
        mine = slots[CLIENTS * number : CLIENTS * (number + 1)]

        deleted, *answers = race(
            [
                partial(stage.team.send, "DELETE", f"/v1/links/{link.link_id}"),
                *(
                    partial(client.redeem, link, slot, "grace@example.com")
                    for client, slot in zip(clients, mine, strict=True)
                ),
            ]
        )

        assert deleted.status == 204
        assert set(codes_of(answers)) <= {"201", "410 link-deleted"}
        booked = {answer.json["bookingId"] for answer in answers if answer.status == 201}
        assert set(audit.bookings_of(stage.dump(), link.link_id)) == booked
    items = stage.audited(deleted=[link.link_id for link in links])
    assert not audit.links_of(items)
