"""Hosts in the table. There are few, so one index partition lists all of them."""

from collections.abc import Sequence

from pynamodb.expressions.operand import Path

from chalicelib.domain.causes import Cause
from chalicelib.domain.listings import Entry
from chalicelib.domain.team.hosts import Host
from chalicelib.store.causes import audit_attributes
from chalicelib.store.conditions import ABSENT, unchanged_since
from chalicelib.store.faults import RawItem
from chalicelib.store.items import BY_HOST, HostItem, host_key, list_sort
from chalicelib.store.table import Table

TEAM_HOSTS = "TEAM#HOST"


class Hosts:
    """Reads and writes of hosts."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self, host_id: str) -> Host | None:
        """Return a host in its current state, or None."""
        item = self._table.get(HostItem, host_key(host_id))
        return host_of(item) if item else None

    def create(self, host: Host, cause: Cause) -> None:
        """Create a host under a new id."""
        self._table.put(_item_of(host, cause), ABSENT)

    def change(self, host: Host, cause: Cause, *, seen: int) -> bool:
        """Write the whole host if its sequence is still `seen`; otherwise return False."""
        return self._table.put(_item_of(host, cause), unchanged_since(seen))

    def entries(self, before: str | None, limit: int) -> list[Entry]:
        """Return up to `limit` index entries of the team's hosts, newest first, older than `before`."""
        condition = None if before is None else Path("listSort") < before
        found = self._table.index_page(BY_HOST, TEAM_HOSTS, condition, limit)
        return [Entry(entry["pk"].removeprefix("HOST#"), entry["listSort"]) for entry in found]

    def read_many(self, host_ids: Sequence[str]) -> list[Host]:
        """Return the hosts that exist, in the requested order."""
        return [host_of(item) for item in self._table.get_in_order(HostItem, map(host_key, host_ids))]


def host_of(item: HostItem) -> Host:
    """Return the host that an item holds."""
    return Host(
        host_id=item.pk.removeprefix("HOST#"),
        settings=item.settings,
        created_at=item.created_at,
        sequence=int(item.sequence),
    )


def host_of_raw(raw: RawItem) -> Host:
    """Return the host that a raw item holds."""
    return host_of(HostItem.from_raw_data(raw))


def _item_of(host: Host, cause: Cause) -> HostItem:
    pk, sk = host_key(host.host_id)
    return HostItem(
        pk,
        sk,
        settings=host.settings,
        created_at=host.created_at,
        sequence=host.sequence,
        **audit_attributes(cause),
        host_key=TEAM_HOSTS,
        list_sort=list_sort(host.created_at, host.host_id),
    )
