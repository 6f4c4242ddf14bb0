"""A link's history, written from the table's stream: changes with their actor, opens, denied redeems (P5, P6)."""

import json
from typing import Any

from chalicelib.consumers.outbox import consume
from tests.support.app import HTML, Caller, Site, assert_problem, at, created, ok, path_of, unknown_id
from tests.support.aws.bus import Stream, deliver

PERSON = HTML | {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}


def _history(host: Caller, link: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = ok(host.get(f"/v1/links/{link['linkId']}/history"))["history"]
    return rows


def _types(host: Caller, link: dict[str, Any]) -> list[str]:
    return sorted(row["type"] for row in _history(host, link))


def test_each_change_is_in_the_history_once(site: Site, host: Caller, stream: Stream) -> None:
    """P6: each change is one entry with its actor, though every record is delivered three times."""
    link = host.link(maxUsageCount=2)
    ok(host.patch(f"/v1/links/{link['linkId']}", {"label": "second thoughts"}))
    booking = created(site.redeem(link, at(days=1)))
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/reschedule", {"start": at(days=2)}))
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/cancel"))
    ok(host.post(f"/v1/links/{link['linkId']}/revoke"))
    deliver(stream.records(), times=3)
    assert _types(host, link) == [
        "booking.cancelled",
        "booking.confirmed",
        "booking.rescheduled",
        "link.created",
        "link.revoked",
        "link.updated",
        "link.used",
    ]
    rows = {row["type"]: row for row in _history(host, link)}
    assert rows["link.created"]["actor"] == f"key:{host.key.key.key_id}"
    assert rows["booking.confirmed"]["actor"] == "invitee"
    assert rows["booking.confirmed"]["bookingId"] == booking["bookingId"]
    assert rows["link.updated"]["data"]["changed"] == ["label"]
    assert rows["link.used"]["data"]["usageCount"] == 1
    order = ["link.created", "link.updated", "link.used", "link.revoked"]
    sequences = [rows[kind]["sequence"] for kind in order]
    assert sequences == sorted(set(sequences))
    assert len({row["eventId"] for row in rows.values()}) == len(rows)


def test_history_outlives_the_link(host: Caller, other: Caller, stream: Stream) -> None:
    """A deleted link's history has who deleted it, and only its host can read it (P9)."""
    link = host.link()
    answer = host.delete(f"/v1/links/{link['linkId']}", headers={"X-Correlation-Id": "clean-up"})
    assert answer.status_code == 204
    deliver(stream.records(), times=2)
    assert _types(host, link) == ["link.created", "link.deleted"]
    deleted = next(row for row in _history(host, link) if row["type"] == "link.deleted")
    assert (deleted["actor"], deleted["correlationId"]) == (f"key:{host.key.key.key_id}", "clean-up")
    assert deleted["data"]["reason"] == "host"
    assert_problem(other.get(f"/v1/links/{link['linkId']}/history"), 404, "not-found")
    assert_problem(host.get(f"/v1/links/{unknown_id('lnk')}/history"), 404, "not-found")


def test_a_deletion_by_ttl_is_recorded_as_expiry_and_deletion(host: Caller, stream: Stream) -> None:
    """P3, P6: a link that DynamoDB's TTL deletes has an expiry and a deletion in its history."""
    link = host.link(expiresAt=at(days=1))
    records = stream.records()
    (insert,) = (r for r in records if r["dynamodb"]["Keys"]["sk"]["S"] == "LINK")
    removed = json.loads(json.dumps(insert)) | {
        "eventName": "REMOVE",
        "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
    }
    removed["dynamodb"]["OldImage"] = removed["dynamodb"].pop("NewImage")
    deliver([*records, removed], times=2)
    assert _types(host, link) == ["link.created", "link.deleted", "link.expired"]
    reasons = [r["data"].get("reason") for r in _history(host, link) if r["type"] == "link.deleted"]
    assert reasons == ["ttl"]


def test_opens_by_persons_and_machines_are_counted_and_consume_no_use(
    site: Site, host: Caller, stream: Stream
) -> None:
    """P5: opens don't write the link's item, and only the first open by a person is an event."""
    link = host.link()
    before = site.item(f"LINK#{link['linkId']}", "LINK")
    for correlation_id in ("first", "second", "third"):
        assert site.visit(link, headers=PERSON | {"X-Correlation-Id": correlation_id}).status_code == 200
    site.visit(
        link, headers=PERSON, params={"zones": "1"}
    )  # the page's own request for time zones isn't another open
    site.visit(link, "HEAD", headers=PERSON)
    site.visit(link, headers=HTML | {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"})
    site.visit(link, headers=PERSON | {"Sec-Purpose": "prefetch;prerender"})
    assert site.item(f"LINK#{link['linkId']}", "LINK") == before
    deliver(stream.records(), times=2)
    opens = ok(host.get(f"/v1/links/{link['linkId']}/history"))["opens"]
    assert opens == {"firstOpenedAt": at(), "persons": 3, "machines": 3}
    (opened,) = [row for row in _history(host, link) if row["type"] == "link.opened"]
    assert (opened["actor"], opened["correlationId"]) == ("person", "first")
    assert _types(host, link) == ["link.created", "link.opened"]


def test_denied_redeems_are_recorded_once_per_minute(site: Site, host: Caller, stream: Stream) -> None:
    """Many requests on a dead link write one entry per reason and minute, not one per request."""
    link = host.link()
    created(site.redeem(link, at(days=1)))
    eve = {"name": "Eve", "email": "eve@x.example"}
    for _ in range(5):
        assert_problem(site.redeem(link, at(days=2), invitee=eve), 410, "link-used")
    site.clock.advance(minutes=1)
    assert_problem(site.redeem(link, at(days=2), invitee=eve), 410, "link-used")
    deliver(stream.records())
    denied = [row for row in _history(host, link) if row["type"] == "link.denied"]
    assert [row["data"] for row in denied] == [{"reason": "link-used"}] * 2
    assert "eve@x.example" not in json.dumps(denied)


def test_history_is_paged_newest_first(host: Caller, stream: Stream) -> None:
    """P10: each entry is on exactly one page."""
    link = host.link(maxUsageCount=None)
    for number in range(7):
        ok(host.patch(f"/v1/links/{link['linkId']}", {"label": f"v{number}"}))
    deliver(stream.records())
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = ok(host.get(f"/v1/links/{link['linkId']}/history", params=params))
        assert len(page["history"]) <= 3
        seen += [row["eventId"] for row in page["history"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 8
    assert seen == [row["eventId"] for row in _history(host, link)]


def test_no_event_holds_a_token(site: Site, host: Caller, stream: Stream) -> None:
    """P7: neither the entries nor the stream records that they are made from have the secret."""
    link = host.link()
    booking = created(site.redeem(link, at(days=1)))
    records = stream.records()
    deliver(records)
    text = json.dumps(records) + json.dumps(_history(host, link))
    assert path_of(link).rpartition("/")[2] not in text
    assert booking["url"].rpartition("/")[2] not in text


def test_a_poison_record_does_not_block_its_batch(host: Caller, stream: Stream) -> None:
    """P6: an unreadable record is returned by its sequence number; the rest of the batch is in the history."""
    link = host.link()
    records = stream.records()
    poison = {"dynamodb": {"Keys": {"pk": {"S": "LINK#x"}, "sk": {"S": "LINK"}}, "SequenceNumber": "7"}}
    answer = consume({"Records": [poison, *records]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "7"}]}
    assert _types(host, link) == ["link.created"]
