"""Marking links expired: once each, at the edge, and only those that are (P3, P6, P10)."""

from concurrent.futures import ThreadPoolExecutor

from chalicelib.service.expire import expire_due_links
from chalicelib.store.items import link_key
from tests.integration.doors import CAUSE, Caller, Site, at, made, ok


def _stored(site: Site, link_id: str) -> str:
    item = site.item(*link_key(link_id))
    assert item is not None
    return str(item["status"]["S"])


def test_only_what_is_due_is_marked_and_only_once(site: Site, host: Caller) -> None:
    """P3: `now == expiresAt` is over; a millisecond before is not. What died otherwise stays as it was."""
    event_type = host.event_type()
    due, later = (host.link(event_type, expiresAt=at(hours=h)) for h in (1, 2))
    forever, revoked, used = (
        host.link(event_type),
        *(host.link(event_type, expiresAt=at(hours=1)) for _ in "ab"),
    )
    ok(host.post(f"/v1/links/{revoked['linkId']}/revoke"))
    made(site.redeem(used, at(days=1)))
    site.clock.pass_by(minutes=59, seconds=59, milliseconds=999)
    assert expire_due_links(site.world) == 0
    site.clock.pass_by(milliseconds=1)
    assert expire_due_links(site.world) == 1
    assert expire_due_links(site.world) == 0
    stored = [_stored(site, link["linkId"]) for link in (due, later, forever, revoked, used)]
    assert stored == ["expired", "active", "active", "revoked", "used"]
    item = site.item(*link_key(due["linkId"]))
    assert item is not None
    assert "dueShard" not in item
    assert item["sequence"]["N"] == "2"


def test_a_link_given_more_time_is_not_marked(site: Site, host: Caller) -> None:
    """P3: the mark is conditional, so a change that came first wins."""
    link = host.link(expiresAt=at(hours=1))
    stale = site.world.store.links.due_links
    site.clock.pass_by(hours=1)
    due = [found for shard in range(8) for found in stale(shard, site.clock(), 100)]
    (mine,) = (found for found in due if found.link_id == link["linkId"])
    site.clock.pass_by(hours=-1)
    ok(host.patch(f"/v1/links/{link['linkId']}", {"expiresAt": at(hours=9)}))
    site.clock.pass_by(hours=1)
    assert site.world.store.links.expire(mine, CAUSE, now=site.clock()) is False
    assert host.reread(link)["status"] == "active"


def test_several_at_once_mark_each_link_once(site: Site, host: Caller) -> None:
    """P6: overlapping runs mark each link once, so `link.expired` is told once; lists show them all (P10)."""
    event_type = host.event_type()
    site.clock.pass_by(hours=12)
    expire_due_links(site.world)  # the links of other tests
    host.links(event_type, count=450, expiresAt=at(hours=13))
    site.clock.pass_by(hours=2)
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
