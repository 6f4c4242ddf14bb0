"""Each due link is marked as expired once, at the exact time, and no other link is (P3, P6, P10)."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.domain.listings import DUE_SHARDS
from chalicelib.service.links.expire import expire_due_links
from chalicelib.store.items import link_key
from chalicelib.store.links.due import due_partition
from tests.support.app import CAUSE, Caller, Site, assert_problem, at, created, ok


def _stored(site: Site, link_id: str) -> str:
    item = site.item(*link_key(link_id))
    assert item is not None
    return str(item["status"]["S"])


def test_only_due_links_are_marked_and_only_once(site: Site, host: Caller) -> None:
    """P3: a link is expired when `now == expiresAt`, not a millisecond before; other final statuses stay."""
    event_type = host.event_type()
    due, later = (host.link(event_type, expiresAt=at(hours=h)) for h in (1, 2))
    forever, revoked, used = (
        host.link(event_type),
        *(host.link(event_type, expiresAt=at(hours=1)) for _ in "ab"),
    )
    ok(host.post(f"/v1/links/{revoked['linkId']}/revoke"))
    created(site.redeem(used, at(days=1)))
    site.clock.advance(minutes=59, seconds=59, milliseconds=999)
    assert expire_due_links(site.world) == 0
    site.clock.advance(milliseconds=1)
    assert expire_due_links(site.world) == 1
    assert expire_due_links(site.world) == 0
    stored = [_stored(site, link["linkId"]) for link in (due, later, forever, revoked, used)]
    assert stored == ["expired", "active", "active", "revoked", "used"]
    item = site.item(*link_key(due["linkId"]))
    assert item is not None
    assert "dueShard" not in item
    assert item["sequence"]["N"] == "2"


@pytest.mark.parametrize("seconds", [0.0, 0.001, 30.0, 59.999])
@pytest.mark.parametrize("early", [True, False])
def test_expiry_is_exact_at_any_second_of_a_minute(
    site: Site, host: Caller, seconds: float, early: bool
) -> None:
    """P3: the mark, the lists and the redeem agree that a link is expired when `now == expiresAt`, and not before."""
    link = host.link(expiresAt=at(hours=3, seconds=seconds))
    site.clock.advance(hours=3, seconds=seconds)
    if early:
        site.clock.advance(milliseconds=-1)
    assert [row["linkId"] for row in host.list(status="expired")["links"]] == [link["linkId"]] * (not early)
    assert [row["linkId"] for row in host.list(status="active")["links"]] == [link["linkId"]] * early
    expire_due_links(site.world)
    assert _stored(site, link["linkId"]) == ("active" if early else "expired")
    site.clock.advance(milliseconds=1)
    expire_due_links(site.world)
    assert _stored(site, link["linkId"]) == "expired"
    assert_problem(site.redeem(link, at(days=2)), 410, "link-expired")


def test_a_link_whose_expiry_was_extended_is_not_marked(site: Site, host: Caller) -> None:
    """P3: the write of the mark is conditional, so an earlier change wins."""
    link = host.link(expiresAt=at(hours=1))
    site.clock.advance(hours=1)
    due = [
        one
        for shard in range(DUE_SHARDS)
        for one in site.world.store.due.links(shard, site.clock(), None, 100)[0]
    ]
    (mine,) = (found for found in due if found.link_id == link["linkId"])
    site.clock.advance(hours=-1)
    ok(host.patch(f"/v1/links/{link['linkId']}", {"expiresAt": at(hours=9)}))
    site.clock.advance(hours=1)
    assert site.world.store.links.expire(mine, CAUSE, now=site.clock()) is False
    assert host.reread(link)["status"] == "active"


def test_concurrent_runs_mark_each_link_once(site: Site, host: Caller) -> None:
    """P6: `link.expired` is published once; the list of expired links is complete (P10)."""
    event_type = host.event_type()
    site.clock.advance(hours=12)
    expire_due_links(site.world)  # the links of other tests
    host.links(event_type, count=450, expiresAt=at(hours=13))
    site.clock.advance(hours=2)
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(expire_due_links, site.world) for _ in range(3)]
    assert sum(run.result() for run in runs) == 450
    seen: set[str] = set()
    cursor: str | None = None
    while True:
        page = host.list(status="expired", limit=200, **({"cursor": cursor} if cursor else {}))
        seen |= {row["linkId"] for row in page["links"]}
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert len(seen) == 450
    assert host.list(status="active")["links"] == []


def test_other_hosts_due_links_do_not_affect_a_hosts_expired_list(
    site: Site, host: Caller, other: Caller
) -> None:
    """P9, P10: before the schedule runs, two hosts share a partition of the due index; no unneeded item is read."""
    while due_partition(str(other.host_id)) != due_partition(str(host.host_id)):
        other = site.host()
    neighbours, own = other.event_type(), host.event_type()
    for minutes in (60, 60, 61):
        other.links(neighbours, count=300, expiresAt=at(minutes=minutes))
    mine = {row["linkId"] for row in host.links(own, count=220, expiresAt=at(minutes=61))}
    mine |= {host.link(own, expiresAt=at(minutes=minutes))["linkId"] for minutes in (59, 60, 62)}
    host.link(own, expiresAt=at(minutes=63))
    site.clock.advance(minutes=62, seconds=10)
    for where in ({}, {"eventTypeId": own["eventTypeId"]}):
        seen: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            with site.counting() as reads:
                page = host.list(status="expired", limit=50, **where, **cursor)
            seen += [row["linkId"] for row in page["links"]]
            assert reads.items - reads.calls.count("GetItem") == len(page["links"])
            assert reads.index_entries <= 600
            if page["nextCursor"] is None:
                break
            assert len(page["links"]) == 50
            cursor = {"cursor": page["nextCursor"]}
        assert len(seen) == len(set(seen)) == 223
        assert set(seen) == mine
