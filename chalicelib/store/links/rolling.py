"""The pointer to an event type's current rolling link, changed only in one transaction with its links."""

from datetime import datetime

from pynamodb.expressions.operand import Path

from chalicelib.domain.causes import Cause
from chalicelib.domain.links.batches import KeyedBatch
from chalicelib.domain.links.link import Link
from chalicelib.domain.links.link_requests import LinkRequest
from chalicelib.store.causes import audit_actions, audit_attributes
from chalicelib.store.conditions import ABSENT
from chalicelib.store.items import RollingItem, rolling_key
from chalicelib.store.links.chunks import mark_chunk_within
from chalicelib.store.links.links import Links
from chalicelib.store.table import Table
from chalicelib.store.transactions import Transaction


class RollingLinks:
    """Reads and writes of the pointer."""

    def __init__(self, table: Table, links: Links) -> None:
        self._table = table
        self._links = links

    def read(self, event_type_id: str) -> str | None:
        """Return the id of an event type's rolling link, or None if it never had one."""
        item = self._table.get(RollingItem, rolling_key(event_type_id))
        return item.link_id if item else None

    def renew(
        self,
        fresh: Link,
        old: Link | None,
        seen: str | None,
        cause: Cause,
        *,
        now: datetime,
        keyed: KeyedBatch | None = None,
        answers: LinkRequest | None = None,
    ) -> bool:
        """Make `fresh` the rolling link and revoke `old` if it was read as active, all or nothing.

        `seen` is the link that the pointer named when it was read. `answers` is the request for a new link that is
        marked answered in the same transaction. Returns False if anything changed since it was read.
        """
        transaction = Transaction(self._table)
        transaction.put(self._links.item_of(fresh, cause), ABSENT, name="fresh link")
        pk, sk = rolling_key(fresh.event_type_id)
        pointer = RollingItem(
            pk,
            sk,
            link_id=fresh.link_id,
            **audit_attributes(cause),
        )
        points_as_read = ABSENT if seen is None else Path("linkId") == seen
        transaction.put(pointer, points_as_read, name="pointer")
        if old is not None:
            self._links.revoke_within(transaction, old, cause, now=now)
        if keyed is not None:
            mark_chunk_within(transaction, fresh.host_id, keyed.key, keyed.batch, 0, cause)
        if answers is not None:
            self._links.history.answer_within(transaction, answers, fresh.link_id, cause, now)
        return transaction.committed()

    def succeed_within(self, transaction: Transaction, link: Link, successor: Link, cause: Cause) -> None:
        """Add to a redeem the creation of the successor, on the condition that the pointer still names `link`."""
        transaction.put(self._links.item_of(successor, cause), ABSENT, name="successor")
        actions = [Path("linkId").set(successor.link_id), *audit_actions(cause)]
        is_current = Path("linkId") == link.link_id
        transaction.update(rolling_key(link.event_type_id), actions, is_current, name="pointer")
