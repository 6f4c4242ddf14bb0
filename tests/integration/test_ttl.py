"""Links at the end of their retention: taken by DynamoDB's TTL, or left there where it is off (P3, P6).

ministack's TTL deletes, but tells its stream nothing of it, and dynoxide's table keeps what is over: so the stream's
record is made here, from the last image that the stream had, as DynamoDB's documentation has it.
"""

import json
import time
from typing import Any

import pytest

from chalicelib.service.expire import expire_due_links
from chalicelib.store.items import link_key
from infra.local.aws import local_client
from tests.integration.doors import Caller, Site, assert_problem, at, ok
from tests.integration.outside import Record, Stream, deliver

TTL = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
TAKEN_WITHIN_SECONDS = 100  # ministack looks once a minute


def _of_link(records: list[Record], link: dict[str, Any]) -> list[Record]:
    """Return the records of a link's own item, in order."""
    pk, sk = link_key(link["linkId"])
    return [r for r in records if r["dynamodb"]["Keys"] == {"pk": {"S": pk}, "sk": {"S": sk}}]


def _removal(last: Record) -> Record:
    """Return the record by which DynamoDB tells that its TTL took an item, after the record of its last change."""
    removed: Record = json.loads(json.dumps(last)) | {"eventName": "REMOVE", "userIdentity": TTL}
    removed["dynamodb"]["OldImage"] = removed["dynamodb"].pop("NewImage")
    return removed


def _history(host: Caller, link: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a link's entries in the order of their sequence."""
    rows: list[dict[str, Any]] = ok(host.get(f"/v1/links/{link['linkId']}/history"))["history"]
    return sorted(rows, key=lambda row: int(row["sequence"]))


def _let_ttl_take(site: Site, link: dict[str, Any]) -> None:
    """Let the engine's own clock be past the item's `purgeAt`, and wait until the engine has taken it."""
    pk, sk = link_key(link["linkId"])
    local_client("dynamodb", site.table.endpoint_url).update_item(
        TableName=site.table.name,
        Key={"pk": {"S": pk}, "sk": {"S": sk}},
        UpdateExpression="SET purgeAt = :past",
        ExpressionAttributeValues={":past": {"N": str(int(time.time()) - 60)}},
    )
    give_up = time.monotonic() + TAKEN_WITHIN_SECONDS
    while site.item(pk, sk) is not None:
        assert time.monotonic() < give_up, "the engine's TTL took nothing"
        time.sleep(0.5)


@pytest.mark.timeout(240)
def test_what_ttl_took_unmarked_is_expired_then_deleted(site: Site, host: Caller, stream: Stream) -> None:
    """P3, P6: the schedule never came by; the engine took the link; both are told once, and it stays gone."""
    link = host.link(expiresAt=at(hours=1), externalId="deal-1")
    records = _of_link(stream.records(), link)
    site.clock.pass_by(hours=2)
    _let_ttl_take(site, link)
    assert expire_due_links(site.world) == 0
    assert_problem(site.redeem(link, at(days=1)), 410, "link-deleted")
    assert site.item(*link_key(link["linkId"])) is None, "a ghost"
    deliver([*records, _removal(records[-1])], times=3)
    rows = _history(host, link)
    assert [(row["type"], row["sequence"]) for row in rows] == [
        ("link.created", 1),
        ("link.expired", 2),
        ("link.deleted", 3),
    ]
    assert rows[1]["time"] == at(hours=1)
    assert rows[1]["data"]["status"] == rows[2]["data"]["status"] == "expired"
    assert rows[2]["data"]["reason"] == "ttl"
    assert {row["actor"] for row in rows[1:]} == {"system:ttl"}
    assert {row["externalId"] for row in rows} == {"deal-1"}


def test_what_ttl_takes_after_the_mark_is_expired_once(site: Site, host: Caller, stream: Stream) -> None:
    """P6: by the schedule; and the ids are those that it would have had without."""
    marked, unmarked = (host.link(expiresAt=at(hours=1)) for _ in "ab")
    made_records = stream.records()
    site.clock.pass_by(hours=1)
    (as_it_was,) = _of_link(made_records, unmarked)
    expire_due_links(site.world)
    expire_due_links(site.world)
    (mark,) = _of_link(stream.records(), marked)
    created = _of_link(made_records, marked)
    deliver([*created, mark, _removal(mark), as_it_was, _removal(as_it_was)], times=2)
    rows = _history(host, marked)
    assert [row["type"] for row in rows] == ["link.created", "link.expired", "link.deleted"]
    assert [row["actor"] for row in rows[1:]] == ["system:expiry", "system:ttl"]
    assert [(r["type"], r["sequence"]) for r in rows] == [
        (r["type"], r["sequence"]) for r in _history(host, unmarked)
    ]


def test_late_records_of_mark_and_removal_tell_the_same(site: Site, host: Caller, stream: Stream) -> None:
    """P6: the removal is read before the mark; each is there once all the same."""
    link = host.link(expiresAt=at(hours=1))
    created = _of_link(stream.records(), link)
    site.clock.pass_by(hours=1)
    expire_due_links(site.world)
    (mark,) = _of_link(stream.records(), link)
    deliver([_removal(mark), mark, *created])
    assert [row["type"] for row in _history(host, link)] == ["link.created", "link.expired", "link.deleted"]


@pytest.mark.parametrize("status", ["used", "revoked"])
def test_a_dead_link_that_ttl_takes_did_not_expire(
    site: Site, host: Caller, stream: Stream, status: str
) -> None:
    """P6: used or revoked before its time, it is deleted and nothing else."""
    link = host.link(expiresAt=at(days=9))
    if status == "used":
        site.redeem(link, at(days=1))
    else:
        ok(host.post(f"/v1/links/{link['linkId']}/revoke"))
    records = _of_link(stream.records(), link)
    deliver([*records, _removal(records[-1])])
    assert [row["type"] for row in _history(host, link)] == ["link.created", f"link.{status}", "link.deleted"]


def test_a_removal_that_is_not_ttls_is_not_told_as_one(host: Caller, stream: Stream) -> None:
    """P6: a host's delete wrote its own entry; one past the app, by hand, has nobody to name."""
    link = host.link()
    records = _of_link(stream.records(), link)
    by_hand = _removal(records[-1])
    del by_hand["userIdentity"]
    deliver([*records, by_hand])
    assert [row["type"] for row in _history(host, link)] == ["link.created"]


def test_with_ttl_off_a_link_expires_once_and_stays(site: Site, host: Caller, stream: Stream) -> None:
    """P3, P6: nothing here leans on TTL; what it would have taken is expired, and told so once."""
    client = local_client("dynamodb", site.table.endpoint_url)
    off: Any = {"AttributeName": "purgeAt", "Enabled": False}
    client.update_time_to_live(TableName=site.table.name, TimeToLiveSpecification=off)
    try:
        link = host.link(expiresAt=at(hours=1))
        site.clock.pass_by(days=400)
        for _ in range(3):
            expire_due_links(site.world)
        assert_problem(site.redeem(link, at(days=401)), 410, "link-expired")
        deliver(_of_link(stream.records(), link), times=2)
        assert [row["type"] for row in _history(host, link)] == ["link.created", "link.expired"]
        assert host.reread(link)["status"] == "expired"
    finally:
        off["Enabled"] = True
        client.update_time_to_live(TableName=site.table.name, TimeToLiveSpecification=off)
