"""Links after their retention: DynamoDB's TTL deletes them; without TTL they stay expired (P3, P6).

These tests use dynoxide, whose TTL writes stream records with DynamoDB's `userIdentity`. ministack's TTL writes no
stream records.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.service.links.expire import expire_due_links
from chalicelib.store.items import link_key
from infra.local.aws import local_client
from tests.support.app import Caller, Site, assert_problem, at, ok, running_site
from tests.support.aws.bus import Record, Stream, deliver
from tests.support.aws.engines import new_table, require_dynoxide
from tests.support.aws.ttl_sweep import SweepingDynoxide

pytestmark = pytest.mark.undated("dynoxide is linked statically, so its clock is never shifted")


@pytest.fixture(scope="module")
def sweeping() -> Iterator[SweepingDynoxide]:
    """Run an engine whose TTL deletes on request."""
    require_dynoxide()
    with SweepingDynoxide() as engine:
        yield engine


@pytest.fixture(scope="module")
def whole_site(sweeping: SweepingDynoxide) -> Iterator[Site]:
    """Run an app on that engine."""
    with running_site(new_table(sweeping.endpoint_url)) as site:
        yield site


def _key(link: dict[str, Any]) -> dict[str, Any]:
    pk, sk = link_key(link["linkId"])
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _of_link(records: list[Record], link: dict[str, Any]) -> list[Record]:
    """Return the stream records of a link's own item, in order."""
    return [record for record in records if record["dynamodb"]["Keys"] == _key(link)]


def _history(host: Caller, link: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a link's history, ordered by sequence."""
    rows: list[dict[str, Any]] = ok(host.get(f"/v1/links/{link['linkId']}/history"))["history"]
    return sorted(rows, key=lambda row: int(row["sequence"]))


def _types(host: Caller, link: dict[str, Any]) -> list[str]:
    return [row["type"] for row in _history(host, link)]


def _delete_by_ttl(site: Site, sweeping: SweepingDynoxide, *links: dict[str, Any]) -> None:
    """Set the links' `purgeAt` to the past and run the engine's TTL."""
    past = {":past": {"N": str(int(time.time()) - 60)}}
    for link in links:
        local_client("dynamodb", site.table.endpoint_url).update_item(
            TableName=site.table.name,
            Key=_key(link),
            UpdateExpression="SET purgeAt = :past",
            ExpressionAttributeValues=past,
        )
    sweeping.sweep()


def test_an_unmarked_link_that_ttl_deletes_is_recorded_as_expired_and_deleted(
    site: Site, sweeping: SweepingDynoxide, host: Caller, stream: Stream
) -> None:
    """P3, P6: the schedule hasn't marked the link yet; both events are published once, and the link stays deleted."""
    link = host.link(expiresAt=at(hours=1), externalId="deal-1")
    site.clock.advance(hours=2)
    _delete_by_ttl(site, sweeping, link)
    assert site.item(*link_key(link["linkId"])) is None
    assert expire_due_links(site.world) == 0
    assert_problem(site.redeem(link, at(days=1)), 410, "link-deleted")
    assert site.item(*link_key(link["linkId"])) is None, "the redeem recreated the link"
    records = _of_link(stream.records(), link)
    removal = records[-1]
    assert removal["eventName"] == "REMOVE"
    assert removal["userIdentity"] == {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    deliver(records, times=3)
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


def test_a_marked_link_that_ttl_deletes_is_recorded_as_expired_once(
    site: Site, sweeping: SweepingDynoxide, host: Caller, stream: Stream
) -> None:
    """P6: its events have the same sequences as those of a link without a mark."""
    marked, unmarked = (host.link(expiresAt=at(hours=1)) for _ in "ab")
    _delete_by_ttl(site, sweeping, unmarked)
    site.clock.advance(hours=1)
    expire_due_links(site.world)
    expire_due_links(site.world)
    _delete_by_ttl(site, sweeping, marked)
    deliver(stream.records(), times=2)
    rows = _history(host, marked)
    assert [row["type"] for row in rows] == ["link.created", "link.expired", "link.deleted"]
    assert [row["actor"] for row in rows[1:]] == ["system:expiry", "system:ttl"]
    assert [(r["type"], r["sequence"]) for r in rows] == [
        (r["type"], r["sequence"]) for r in _history(host, unmarked)
    ]


def test_records_of_mark_and_deletion_in_reverse_order_give_the_same_history(
    site: Site, sweeping: SweepingDynoxide, host: Caller, stream: Stream
) -> None:
    """P6: the deletion is read before the mark; each event is there once."""
    link = host.link(expiresAt=at(hours=1))
    site.clock.advance(hours=1)
    expire_due_links(site.world)
    _delete_by_ttl(site, sweeping, link)
    deliver(list(reversed(_of_link(stream.records(), link))))
    assert _types(host, link) == ["link.created", "link.expired", "link.deleted"]


@pytest.mark.parametrize("status", ["used", "revoked"])
def test_a_used_or_revoked_link_that_ttl_deletes_is_not_recorded_as_expired(
    site: Site, sweeping: SweepingDynoxide, host: Caller, stream: Stream, status: str
) -> None:
    """P6: it has only a deletion, although its expiry has passed."""
    link = host.link(expiresAt=at(days=9))
    if status == "used":
        site.redeem(link, at(days=1))
    else:
        ok(host.post(f"/v1/links/{link['linkId']}/revoke"))
    _delete_by_ttl(site, sweeping, link)
    deliver(_of_link(stream.records(), link))
    assert _types(host, link) == ["link.created", f"link.{status}", "link.deleted"]


def test_a_deletion_outside_the_app_is_not_recorded(site: Site, host: Caller, stream: Stream) -> None:
    """P6: a host's delete writes its own history entry; a delete by hand has no actor to record."""
    link = host.link()
    local_client("dynamodb", site.table.endpoint_url).delete_item(TableName=site.table.name, Key=_key(link))
    records = _of_link(stream.records(), link)
    assert records[-1]["eventName"] == "REMOVE"
    deliver(records)
    assert _types(host, link) == ["link.created"]


def test_without_ttl_a_link_expires_once_and_stays(
    site: Site, sweeping: SweepingDynoxide, host: Caller, stream: Stream
) -> None:
    """P3, P6: nothing depends on TTL; the link is marked as expired, and the event is published once."""
    client = local_client("dynamodb", site.table.endpoint_url)
    off: Any = {"AttributeName": "purgeAt", "Enabled": False}
    client.update_time_to_live(TableName=site.table.name, TimeToLiveSpecification=off)
    try:
        link = host.link(expiresAt=at(hours=1))
        site.clock.advance(days=400)
        for _ in range(3):
            expire_due_links(site.world)
        _delete_by_ttl(site, sweeping, link)
        assert_problem(site.redeem(link, at(days=401)), 410, "link-expired")
        deliver(_of_link(stream.records(), link), times=2)
        assert _types(host, link) == ["link.created", "link.expired"]
        assert host.reread(link)["status"] == "expired"
    finally:
        off["Enabled"] = True
        client.update_time_to_live(TableName=site.table.name, TimeToLiveSpecification=off)
