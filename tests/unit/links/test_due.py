"""The due index: the schedule reads each due link once, and a list reads little but its host's (P6, P9, P10)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings, strategies as st

from chalicelib.domain.clock import to_millis
from chalicelib.domain.links.link import Link, LinkSettings
from chalicelib.domain.listings import DUE_SHARDS, LinkFilter
from chalicelib.service.links.expire import TIME, expire_due_links
from chalicelib.service.paging import merged, stream
from chalicelib.store.links import due as due_module
from chalicelib.store.links.due import Due, _places, due_keys

NOW = datetime(2040, 1, 2, 8, 0, 30, 500000, tzinfo=UTC)
HOSTS = ("hst_a", "hst_b", "hst_c")


class Index(Due):
    """An index in memory in which all hosts share one partition; it counts queries."""

    def __init__(self, links: list[Link]) -> None:
        self.sorts = sorted(due_keys(link, link.settings.expires_at or NOW)[1] for link in links)
        self.queries = 0

    def _read(
        self, partition: str, start: str, end: str, limit: int, *, newest_first: bool = False
    ) -> list[Any]:
        del partition
        assert start <= end, "DynamoDB rejects a range that ends before it begins"
        self.queries += 1
        found = [sort for sort in self.sorts if start <= sort <= end]
        return list(_places((found[::-1] if newest_first else found)[:limit]))


def link(number: int, host: str, event_type: str, expires: datetime, created: int) -> Link:
    return Link(
        link_id=f"lnk_{number:04d}",
        host_id=host,
        event_type_id=event_type,
        key_id=1,
        settings=LinkSettings(expires_at=expires),
        created_at=datetime(2039, 1, 1, tzinfo=UTC) + timedelta(seconds=created),
    )


FATES = st.lists(
    st.tuples(
        st.sampled_from(HOSTS),
        st.sampled_from(["ety_x", "ety_y"]),
        # milliseconds from now: the exact instant, and minutes before and after
        st.one_of(st.sampled_from([-1, 0, 1]), st.integers(-6, 1).map(lambda m: m * 60_000)),
        st.integers(0, 3),
    ),
    max_size=40,
)


def made(fates: list[tuple[str, str, int, int]]) -> list[Link]:
    return [
        link(number, host, event_type, NOW + timedelta(milliseconds=late), created)
        for number, (host, event_type, late, created) in enumerate(fates)
    ]


def is_due(one: Link) -> bool:
    return one.settings.expires_at is not None and one.settings.expires_at <= NOW


@settings(max_examples=300)
@given(
    fates=FATES,
    host=st.sampled_from(HOSTS),
    event_type=st.sampled_from([None, "ety_x"]),
    size=st.integers(1, 4),
)
def test_a_list_has_exactly_its_hosts_due_links(
    fates: list[tuple[str, str, int, int]], host: str, event_type: str | None, size: int
) -> None:
    """P9, P10: newest first, each once, whatever other links are in the partition, also in crowded minutes."""
    links = made(fates)
    index, where = Index(links), LinkFilter(host_id=host, event_type_id=event_type)
    with patch.object(due_module, "PROBE", 3), patch.object(due_module, "MAX_PROBES", 1000):
        found = index.of_host(where, NOW)
        streams = [iter(found.entries)]
        for minute in found.crowded:
            fetch = lambda place, limit, minute=minute: index.of_minute(where, minute, NOW, place, limit)  # noqa: E731
            streams.append(stream(fetch, None, size))
        ids = [entry.item_id for entry in merged(streams, newest_first=True)]
    mine = [a for a in links if a.host_id == host and event_type in (None, a.event_type_id) and is_due(a)]
    mine.sort(key=lambda a: (to_millis(a.created_at), a.link_id), reverse=True)
    assert ids == [a.link_id for a in mine]


@settings(max_examples=200)
@given(fates=FATES, limit=st.integers(1, 5))
def test_the_schedule_reads_each_due_link_once(fates: list[tuple[str, str, int, int]], limit: int) -> None:
    """P6: a link is due exactly at `expiresAt`, and not a millisecond before."""
    links = made(fates)
    index, seen, after = Index(links), [], None
    while True:
        found, after = index.links(0, NOW, after, limit)
        seen += [one.link_id for one in found]
        if after is None:
            break
    assert sorted(seen) == sorted(a.link_id for a in links if is_due(a))


def test_many_due_links_of_another_host_cost_few_queries() -> None:
    """P10: a list skips 9,000 due links of another host in the same minutes."""
    links = [link(n, "hst_a", "ety_x", NOW - timedelta(minutes=n % 3), n) for n in range(9_000)]
    links += [link(9_000 + n, "hst_b", "ety_x", NOW - timedelta(minutes=n % 3), n) for n in range(6)]
    index = Index(links)
    assert len(index.of_host(LinkFilter(host_id="hst_b"), NOW).entries) == 6
    assert index.queries <= 8
    index.queries = 0
    found = index.of_host(LinkFilter(host_id="hst_a"), NOW)
    assert (found.entries, len(found.crowded)) == ([], 3)
    assert index.queries <= 4


@pytest.mark.parametrize("minute", range(DUE_SHARDS))
def test_the_schedule_starts_with_another_shard_every_minute(minute: int) -> None:
    """P6: even if one run can't mark all due links, every shard is handled in turn."""
    start = datetime(2040, 1, 1, 0, minute, tzinfo=UTC)
    asked: list[int] = []

    class World:
        """A store in which no shard ends, and a page takes more than half of the available time."""

        time = start

        def __getattr__(self, name: str) -> "World":
            return self

        def now(self) -> datetime:
            return World.time

        def due_links(self, shard: int, *_: object) -> tuple[list[Any], str]:
            asked.append(shard)
            World.time += TIME * 0.6
            return [], "more"

    world: Any = World()
    world.links = world.due_links
    assert expire_due_links(world) == 0
    assert asked == [minute % DUE_SHARDS] * 2
