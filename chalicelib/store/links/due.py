"""The due index: active links that will expire, by the minute they expire in, then by host (P3, P10).

The index is sparse: it contains a link only while the link is active. The expiry schedule reads a partition from its
start. A list jumps from minute to minute to its own host's entries, so that other hosts' links cost it little.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from pynamodb.expressions.operand import Path

from chalicelib.domain.clock import to_millis
from chalicelib.domain.links.link import DueLink, Link
from chalicelib.domain.listings import DUE_SHARDS, DueList, Entry, LinkFilter
from chalicelib.store.items import DUE
from chalicelib.store.table import Table

MAX_PROBES: Final = 8  # queries of one list to find its host's due links
PROBE: Final = 100  # entries per query

_MINUTE: Final = 60_000
_SORT: Final = Path("dueSort")


class _Place(NamedTuple):
    """The parts of a sort key, in its order: minute, host, then creation time."""

    minute: int
    host_id: str
    created: str
    link_id: str
    expires: int
    event_type_id: str

    def is_in(self, where: LinkFilter, now: int) -> bool:
        if self.host_id != where.host_id or self.expires > now:
            return False
        return where.event_type_id in (None, self.event_type_id)

    @property
    def entry(self) -> Entry:
        return Entry(self.link_id, f"{self.created}#{self.link_id}")


class Due:
    """Reads of the due index."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def links(
        self, shard: int, now: datetime, after: str | None, limit: int
    ) -> tuple[list[DueLink], str | None]:
        """Return links of a shard that are due to be marked expired, the longest due first, and where to continue.

        Reads up to `limit` entries and leaves out those of the current minute that are not due yet.
        """
        millis = to_millis(now)
        found = self._read(_partition(shard), after or "", _end(_minute(millis)), limit)
        due = [DueLink(p.link_id, p.host_id, p.event_type_id) for p in found if p.expires <= millis]
        return due, _sort(found[-1]) + "\x1f" if len(found) == limit else None

    def of_host(self, where: LinkFilter, now: datetime) -> DueList:
        """Return a host's links that are due but not marked yet by the expiry schedule.

        If the schedule has not run for so long that `MAX_PROBES` queries don't reach the end, return the longest due.
        """
        millis = to_millis(now)
        partition, end = due_partition(where.host_id), _end(_minute(millis))
        place = ""
        mine: list[_Place] = []
        crowded: list[int] = []
        for _ in range(MAX_PROBES):
            found = self._read(partition, place, end, PROBE)
            mine += [p for p in found if p.host_id == where.host_id]
            if len(found) < PROBE:
                break
            last = found[-1]
            if last.host_id == where.host_id:
                # This minute has more entries of the host than were read: the list reads that minute separately.
                crowded.append(last.minute)
            passed = last.host_id >= where.host_id
            place = f"{last.minute + _MINUTE * passed:014d}#{where.host_id}#"
            if place > end:
                break
        read = (p.entry for p in mine if p.minute not in crowded and p.is_in(where, millis))
        return DueList(sorted(read, key=lambda entry: entry.sort, reverse=True), crowded)

    def of_minute(
        self, where: LinkFilter, minute: int, now: datetime, before: str | None, limit: int
    ) -> list[Entry]:
        """Return up to `limit` of a host's due links of one minute, newest first, older than `before`."""
        head = f"{minute:014d}#{where.host_id}"
        entries: list[Entry] = []
        while len(entries) < limit:
            end = f"{head}$" if before is None else f"{head}#{before}"
            found = self._read(due_partition(where.host_id), f"{head}#", end, limit, newest_first=True)
            entries += [p.entry for p in found if p.is_in(where, to_millis(now))]
            if len(found) < limit:
                break
            before = found[-1].entry.sort
        return entries[:limit]

    def _read(
        self, partition: str, start: str, end: str, limit: int, *, newest_first: bool = False
    ) -> list[_Place]:
        between = _SORT.between(start, end) if start else end > _SORT
        found = self._table.index_page(DUE, partition, between, limit, newest_first=newest_first)
        return list(_places(entry["dueSort"] for entry in found))


def due_keys(link: Link, expires_at: datetime) -> tuple[str, str]:
    """Return the index keys of a link that expires."""
    expires = to_millis(expires_at)
    place = _Place(
        _minute(expires),
        link.host_id,
        f"{to_millis(link.created_at):014d}",
        link.link_id,
        expires,
        link.event_type_id,
    )
    return due_partition(link.host_id), _sort(place)


def due_partition(host_id: str) -> str:
    """Return the index partition of a host, one of several, so that no partition takes every expiry."""
    return _partition(hashlib.sha256(host_id.encode()).digest()[0] % DUE_SHARDS)


def _partition(shard: int) -> str:
    return f"DUE#{shard:02d}"


def _minute(millis: int) -> int:
    return millis - millis % _MINUTE


def _end(minute: int) -> str:
    """Return a string that sorts after every entry of a minute."""
    return f"{minute:014d}$"


def _sort(place: _Place) -> str:
    minute, host_id, created, link_id, expires, event_type_id = place
    return f"{minute:014d}#{host_id}#{created}#{link_id}#{expires:014d}#{event_type_id}"


def _places(sorts: Iterable[str]) -> Iterable[_Place]:
    for sort in sorts:
        minute, host_id, created, link_id, expires, event_type_id = sort.split("#")
        yield _Place(int(minute), host_id, created, link_id, int(expires), event_type_id)
