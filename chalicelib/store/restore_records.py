"""What a restore records in the restored table: the applied messages, its marker, and the links it revoked."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from chalicelib.domain.causes import Cause
from chalicelib.domain.links.link import Link
from chalicelib.domain.restore_steps import RevokedLink, RevokeReason
from chalicelib.store.causes import audit_attributes
from chalicelib.store.items import (
    Key,
    RestoreMarkerItem,
    RestoreMessageItem,
    RestoreRevocationItem,
    link_key,
    purge_seconds,
    restore_key,
    restore_partition,
)
from chalicelib.store.links.conditions import is_revocable
from chalicelib.store.links.links import Links
from chalicelib.store.restore import KEEP
from chalicelib.store.table import Table
from chalicelib.store.transactions import Transaction

_MESSAGE: Final = "MESSAGE"
_MARKER: Final = "MARKER"
_REVOKED: Final = "REVOKED"


class RestoreRecords:
    """The records of the restore to this table. TTL deletes them later."""

    def __init__(self, table: Table, links: Links) -> None:
        self._table = table
        self._links = links

    def note_messages(self, message_ids: Iterable[str], cause: Cause, *, now: datetime) -> None:
        """Record the SQS messages whose events are applied. Call it only after they are."""
        purge_at, audit = purge_seconds(now, KEEP), audit_attributes(cause)
        self._table.put_many(
            RestoreMessageItem(*self._key(_MESSAGE, message_id), purge_at=purge_at, **audit)
            for message_id in message_ids
        )

    def count_messages(self, shard: str, after: str | None) -> tuple[int, str | None]:
        """Return the number of recorded messages of a shard, and the place from which to continue, if any."""
        partition = restore_partition(self._table.name, shard)
        return self._table.count(partition, *_range(_MESSAGE), after)

    def note_marker(self, marker_id: str, cause: Cause, *, now: datetime) -> None:
        """Record that the marker was received."""
        key, purge_at = self._key(_MARKER, marker_id), purge_seconds(now, KEEP)
        self._table.put_many([RestoreMarkerItem(*key, purge_at=purge_at, **audit_attributes(cause))])

    def has_marker(self, marker_id: str) -> bool:
        """Return whether the marker was received."""
        return self._table.get(RestoreMarkerItem, self._key(_MARKER, marker_id)) is not None

    def revoke(self, link: Link, reason: RevokeReason, cause: Cause, *, now: datetime) -> bool:
        """Revoke a link that is active or restorable now, and record it, all or nothing; return whether this call did.

        False if an earlier call did, and its reply was lost.
        """
        record = RestoreRevocationItem(
            *self._key(_REVOKED, link.link_id),
            host_id=link.host_id,
            event_type_id=link.event_type_id,
            reason=reason.value,
            revoked_at=now,
            purge_at=purge_seconds(now, KEEP),
            **audit_attributes(cause),
        )
        transaction = Transaction(self._table)
        actions = self._links.revocation(link, cause, now)
        transaction.update(link_key(link.link_id), actions, is_revocable(now), name="link")
        transaction.put(record, name="record")
        return transaction.committed()

    def revoked(self, shard: str, after: str | None, limit: int) -> list[RevokedLink]:
        """Return up to `limit` links of a shard that were revoked, in the order of their ids, after `after`."""
        first, last = _range(_REVOKED)
        partition = restore_partition(self._table.name, shard)
        items = self._table.oldest(RestoreRevocationItem, partition, first + (after or ""), last, limit)
        return [_revoked_link_of(item) for item in items]

    def _key(self, kind: str, item_id: str) -> Key:
        return restore_key(self._table.name, kind, item_id)


def _range(kind: str) -> tuple[str, str]:
    """Return the bounds of the sort keys of one kind of record."""
    return f"{kind}#", f"{kind}$"


def _revoked_link_of(item: RestoreRevocationItem) -> RevokedLink:
    return RevokedLink(
        link_id=item.sk.removeprefix(f"{_REVOKED}#"),
        host_id=item.host_id,
        event_type_id=item.event_type_id,
        reason=RevokeReason(item.reason),
        at=item.revoked_at,
    )
