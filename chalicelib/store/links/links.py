"""Links in the table: create and change them by conditional writes, find them by index (P1, P3, P10)."""

from collections.abc import Sequence
from datetime import datetime

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import to_millis
from chalicelib.domain.event_types.offers import NO_OVERRIDES
from chalicelib.domain.events.events import Event
from chalicelib.domain.links.batches import KeyedBatch
from chalicelib.domain.links.link import DueLink, Link, LinkSettings, LinkStatus, folded_label
from chalicelib.domain.links.link_requests import LinkRequest
from chalicelib.domain.listings import Entry, LinkFilter
from chalicelib.domain.mail.email_addresses import normalise_email
from chalicelib.store.causes import audit_actions, audit_attributes
from chalicelib.store.conditions import ABSENT, EXISTS, unchanged_since
from chalicelib.store.events.history import History
from chalicelib.store.faults import ConditionRefused
from chalicelib.store.items import (
    BY_LABEL,
    BY_RECIPIENT,
    BY_REFERENCE,
    INDEX_KEYS,
    LINKS,
    LinkItem,
    event_type_list,
    host_list,
    link_key,
    list_sort,
    owner_list,
    purge_seconds,
)
from chalicelib.store.links.chunks import mark_chunk_within
from chalicelib.store.links.conditions import IS_ACTIVE, is_alive, is_revocable, same_edition
from chalicelib.store.links.due import due_keys
from chalicelib.store.retention import Retention
from chalicelib.store.table import Table
from chalicelib.store.transactions import Transaction


class Links:
    """Reads and writes of links."""

    def __init__(self, table: Table, history: History, retention: Retention) -> None:
        self._table = table
        self.history = history
        self._retention = retention

    def read(self, link_id: str) -> Link | None:
        """Return a link in its current state, or None."""
        item = self._table.get(LinkItem, link_key(link_id))
        return link_of(item) if item else None

    def read_any_version(self, link_id: str) -> Link | None:
        """Return a link in its current state, even if it needs newer code, or None if it does not exist."""
        raw = self._table.get_raw(link_key(link_id))
        return link_of(LinkItem.of_any_version(raw)) if raw else None

    def read_many_any_version(self, link_ids: Sequence[str]) -> list[Link]:
        """Return the links that exist, in the requested order, to revoke them or to see whether any is active."""
        return [link_of(item) for item in self._table.get_any_version(LinkItem, map(link_key, link_ids))]

    def read_many(self, link_ids: Sequence[str]) -> list[Link]:
        """Return the links that exist, in the requested order."""
        return [link_of(item) for item in self._table.get_in_order(LinkItem, map(link_key, link_ids))]

    def create(self, link: Link, cause: Cause) -> bool:
        """Create one link, in one try; return False if that id exists, whatever its status."""
        return self._table.put(self.item_of(link, cause), ABSENT, tries=1)

    def create_together(self, links: Sequence[Link], cause: Cause) -> bool:
        """Create up to 99 links, all or none; return False if an id exists, and then nothing was created."""
        transaction = Transaction(self._table)
        for link in links:
            transaction.put(self.item_of(link, cause), ABSENT, name=f"link {link.link_id}")
        return transaction.committed()

    def change(self, link: Link, cause: Cause, *, seen: int) -> bool:
        """Write the whole link if its sequence is still `seen`; return False if not, or if the link does not exist."""
        return self._table.put(self.item_of(link, cause), unchanged_since(seen))

    def revoke(self, link: Link, cause: Cause, *, now: datetime) -> Link | None:
        """Revoke a link if it is active or restorable now, and return it; otherwise return None.

        Once this returns, no redeem can commit, because its condition requires `active` (P3). No cancellation can
        restore a use either, because it commits only if the link has not changed since it was read.
        """
        try:
            raw = self._table.update(
                link_key(link.link_id), self.revocation(link, cause, now), is_revocable(now), tries=1
            )
        except ConditionRefused:
            return None
        return link_of(LinkItem.of_any_version(raw))

    def replace(
        self,
        old: Link,
        fresh: Link,
        cause: Cause,
        *,
        now: datetime,
        keyed: KeyedBatch | None = None,
        answers: LinkRequest | None = None,
    ) -> bool:
        """Create `fresh` and revoke `old` if it is active, all or nothing; for a keyed request only once.

        `answers` is the request for a new link that is marked answered in the same transaction, also only once.
        Returns False if `old` changed since it was read, or if `fresh` exists or the request was answered already.
        """
        transaction = Transaction(self._table)
        transaction.put(self.item_of(fresh, cause), ABSENT, name="fresh link")
        self.revoke_within(transaction, old, cause, now=now)
        if keyed is not None:
            mark_chunk_within(transaction, old.host_id, keyed.key, keyed.batch, 0, cause)
        if answers is not None:
            self.history.answer_within(transaction, answers, fresh.link_id, cause, now)
        return transaction.committed()

    def revoke_within(self, transaction: Transaction, link: Link, cause: Cause, *, now: datetime) -> None:
        """Add to a transaction the revocation of a link that is being replaced.

        A used link stays used, but a cancellation can't restore its use any more (P8); it can restore a replacement's.
        The replacement copies the settings that were read, so they must not have changed since.
        """
        at, unchanged = link_key(link.link_id), unchanged_since(link.sequence)
        if link.status_at(now) is LinkStatus.ACTIVE:
            revocable = is_alive(now) & same_edition(link.edition)
            transaction.update(at, self.revocation(link, cause, now), revocable, name="old link")
        elif link.is_restorable(now):
            ended = [
                Path("restoreUseOnCancel").remove(),
                Path("restorePassedOn").set(True),
                Path("edition").add(1),
                Path("sequence").add(1),
                *audit_actions(cause),
            ]
            transaction.update(at, ended, unchanged, name="old link")
        else:
            transaction.check(at, unchanged, name="old link")

    def revocation(self, link: Link, cause: Cause, now: datetime) -> list[Action]:
        """Return the update actions that revoke a link."""
        return [
            *final_status(link, LinkStatus.REVOKED, cause, now, self._retention),
            Path("revokedAt").set(to_millis(now)),
            Path("sequence").add(1),
        ]

    def delete(self, deleted: Event) -> bool:
        """Delete a link and write a history entry about it; return False if the link changed or does not exist.

        The stream's last image of a link names its last writer; only the entry says who deleted it.
        """
        transaction = Transaction(self._table)
        # The entry's sequence follows the link's, so no other write may come between (P6).
        transaction.delete(link_key(deleted.link_id), unchanged_since(deleted.sequence - 1), name="link")
        self.history.enter_within(transaction, deleted)
        return transaction.committed()

    def entries(self, where: LinkFilter, status: LinkStatus, before: str | None, limit: int) -> list[Entry]:
        """Return up to `limit` index entries of one owner and stored status, newest first, older than `before`."""
        index, partition = owner_list(where.host_id, where.event_type_id, LINKS, status)
        return self._entries(index, partition, before, limit)

    def entries_by_recipient(self, host_id: str, email: str, before: str | None, limit: int) -> list[Entry]:
        """Return entries of a host's links for a recipient's address in one of its normalized forms, newest first."""
        return self._entries(BY_RECIPIENT, f"HOST#{host_id}#EMAIL#{email}", before, limit)

    def entries_by_external_id(
        self, host_id: str, external_id: str, before: str | None, limit: int
    ) -> list[Entry]:
        """Return entries of a host's links with an external id, newest first."""
        return self._entries(BY_REFERENCE, f"HOST#{host_id}#EXTERNAL#{external_id}", before, limit)

    def entries_by_label(self, host_id: str, prefix: str, after: str | None, limit: int) -> list[Entry]:
        """Return entries of a host's links whose label begins with `prefix`, in the labels' order, ignoring case."""
        folded = folded_label(prefix)
        begin = folded if after is None else after + "\x1f"
        # A key condition takes one range. Its upper bound sorts after every label with the prefix.
        condition = Path("labelSort").between(begin, folded + "\U0010ffff")
        found = self._table.index_page(BY_LABEL, f"HOST#{host_id}", condition, limit, newest_first=False)
        return [Entry(_link_id(entry["pk"]), entry["labelSort"]) for entry in found]

    def expire(self, due: DueLink, cause: Cause, *, now: datetime) -> bool:
        """Mark a link expired if it is active and past its expiry; return False if it is not, or does not exist."""
        actions = [
            *final_status(due, LinkStatus.EXPIRED, cause, now, self._retention),
            Path("sequence").add(1),
        ]
        is_over = Path("expiresAt") <= to_millis(now)
        return self._table.change(link_key(due.link_id), actions, EXISTS & (IS_ACTIVE & is_over))

    def _entries(self, index: str, partition: str, before: str | None, limit: int) -> list[Entry]:
        sort = INDEX_KEYS[index][1]
        condition: Condition | None = None if before is None else Path(sort) < before
        found = self._table.index_page(index, partition, condition, limit)
        return [Entry(_link_id(entry["pk"]), entry[sort]) for entry in found]

    def item_of(self, link: Link, cause: Cause) -> LinkItem:
        """Return the whole item of a link, including index keys and TTL."""
        settings, status = link.settings, link.stored_status
        active = status is LinkStatus.ACTIVE
        pk, sk = link_key(link.link_id)
        recipient, expires = settings.recipient, settings.expires_at
        final_at = (
            expires if active else link.used_at if status is LinkStatus.USED else link.revoked_at or expires
        )
        item = LinkItem(
            pk,
            sk,
            host_id=link.host_id,
            event_type_id=link.event_type_id,
            key_id=link.key_id,
            edition=link.edition,
            status=status.value,
            usage_count=link.usage_count,
            max_usage_count=settings.max_usage_count,
            expires_at=expires,
            not_before=settings.not_before,
            created_at=link.created_at,
            used_at=link.used_at,
            revoked_at=link.revoked_at,
            recipient=recipient,
            overrides=settings.overrides if settings.overrides != NO_OVERRIDES else None,
            label=settings.label,
            metadata=settings.metadata or None,
            external_id=settings.external_id,
            restore_use_on_cancel=settings.restore_use_on_cancel or None,
            rolling=link.rolling or None,
            restored_uses=link.restored_uses or None,
            restore_passed_on=link.restore_passed_on or None,
            sequence=link.sequence,
            **audit_attributes(cause),
            host_key=host_list(link.host_id, LINKS, status),
            event_type_key=event_type_list(link.event_type_id, LINKS, status),
            list_sort=list_sort(link.created_at, link.link_id),
            purge_at=purge_seconds(final_at, self._retention.link) if final_at else None,
        )
        if settings.external_id is not None:
            item.reference_key = f"HOST#{link.host_id}#EXTERNAL#{settings.external_id}"
        if recipient is not None and recipient.email:
            item.recipient_key = f"HOST#{link.host_id}#EMAIL#{normalise_email(recipient.email)}"
        if settings.label is not None:
            item.label_host = f"HOST#{link.host_id}"
            item.label_sort = f"{folded_label(settings.label)}\x1f{item.list_sort}"
        if active and expires is not None:
            item.due_shard, item.due_sort = due_keys(link, expires)
        return item


def final_status(
    link: Link | DueLink, status: LinkStatus, cause: Cause, now: datetime, retention: Retention
) -> list[Action]:
    """Return the update actions that move a link to a final status: status, index keys, TTL and cause."""
    return [
        Path("status").set(status.value),
        Path("hostKey").set(host_list(link.host_id, LINKS, status)),
        Path("eventTypeKey").set(event_type_list(link.event_type_id, LINKS, status)),
        Path("purgeAt").set(purge_seconds(now, retention.link)),
        Path("dueShard").remove(),
        Path("dueSort").remove(),
        *audit_actions(cause),
    ]


def link_of(item: LinkItem) -> Link:
    """Return the link that an item holds."""
    return Link(
        link_id=_link_id(item.pk),
        host_id=item.host_id,
        event_type_id=item.event_type_id,
        key_id=int(item.key_id),
        settings=LinkSettings(
            max_usage_count=_whole(item.max_usage_count),
            expires_at=item.expires_at,
            not_before=item.not_before,
            recipient=item.recipient,
            overrides=item.overrides or NO_OVERRIDES,
            label=item.label,
            metadata=item.metadata or {},
            external_id=item.external_id,
            restore_use_on_cancel=bool(item.restore_use_on_cancel),
        ),
        created_at=item.created_at,
        stored_status=LinkStatus(item.status),
        usage_count=int(item.usage_count),
        used_at=item.used_at,
        revoked_at=item.revoked_at,
        rolling=bool(item.rolling),
        restored_uses=int(item.restored_uses or 0),
        restore_passed_on=bool(item.restore_passed_on),
        sequence=int(item.sequence),
        edition=int(item.edition),
    )


def _link_id(pk: str) -> str:
    return pk.removeprefix("LINK#")


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)
