"""Webhooks and their deliveries in the table. Each write requires the version that was read (optimistic locking)."""

import hashlib
from collections.abc import Iterable
from datetime import datetime

from pynamodb.expressions.condition import size
from pynamodb.expressions.operand import Path

from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import to_millis
from chalicelib.domain.listings import Entry
from chalicelib.domain.webhooks.deliveries import DELIVERY_SHARDS, Delivery, DeliveryStatus, event_time_of
from chalicelib.domain.webhooks.webhook import MAX_WEBHOOKS, Webhook
from chalicelib.store.causes import audit_actions, audit_attributes
from chalicelib.store.conditions import ABSENT, is_due, unchanged_since
from chalicelib.store.faults import RawItem
from chalicelib.store.items import (
    BY_HOST,
    DUE,
    DeliveryItem,
    HostWebhooksItem,
    Key,
    NoticeItem,
    WebhookItem,
    delivery_key,
    host_webhooks_key,
    list_sort,
    notice_key,
    purge_seconds,
    webhook_key,
)
from chalicelib.store.retention import Retention
from chalicelib.store.table import Table
from chalicelib.store.transactions import Transaction

_PREFIX = "DELIVERY#"


class Webhooks:
    """Reads and writes of webhooks."""

    def __init__(self, table: Table, retention: Retention) -> None:
        self._table = table
        self._retention = retention

    def read(self, webhook_id: str) -> Webhook | None:
        """Return a webhook in its current state, or None if it does not exist or was deleted."""
        item = self._table.get(WebhookItem, webhook_key(webhook_id))
        return _unless_deleted(item.webhook) if item else None

    def of_host(self, host_id: str) -> list[Webhook]:
        """Return a host's webhooks in their current state, newest first. No index is read, as it may lag."""
        item = self._table.get(HostWebhooksItem, host_webhooks_key(host_id))
        ids = (item.webhook_ids if item else None) or ()
        found = self._table.get_many(webhook_key(webhook_id) for webhook_id in ids)
        webhooks = [webhook for raw in found.values() if (webhook := _unless_deleted(_webhook_of(raw)))]
        return sorted(webhooks, key=lambda webhook: (webhook.created_at, webhook.webhook_id), reverse=True)

    def create(self, webhook: Webhook, cause: Cause) -> bool:
        """Create a webhook; return False if its host has `MAX_WEBHOOKS`, or if it exists (a reply was lost)."""
        transaction = Transaction(self._table)
        transaction.put(self._item_of(webhook, cause), ABSENT, name="webhook")
        ids = HostWebhooksItem.webhook_ids
        count = size(Path("webhookIds"))  # type: ignore[no-untyped-call]
        has_room = ids.does_not_exist() | (count < MAX_WEBHOOKS)
        actions = [ids.add({webhook.webhook_id}), *audit_actions(cause)]
        transaction.update(host_webhooks_key(webhook.host_id), actions, has_room, name="host's webhooks")
        return transaction.committed()

    def change(self, webhook: Webhook, cause: Cause, *, seen: int) -> bool:
        """Write the whole webhook if its sequence is still `seen`; otherwise return False."""
        return self._table.put(self._item_of(webhook, cause), unchanged_since(seen))

    def delete(self, deleted: Webhook, cause: Cause, *, seen: int) -> bool:
        """Remove a webhook from its host; return False if it changed. The item stays for audit until TTL deletes it."""
        transaction = Transaction(self._table)
        transaction.put(self._item_of(deleted, cause), unchanged_since(seen), name="webhook")
        ids = HostWebhooksItem.webhook_ids
        actions = [ids.delete({deleted.webhook_id}), *audit_actions(cause)]
        transaction.update(host_webhooks_key(deleted.host_id), actions, name="host's webhooks")
        return transaction.committed()

    def _item_of(self, webhook: Webhook, cause: Cause) -> WebhookItem:
        pk, sk = webhook_key(webhook.webhook_id)
        over = webhook.deleted_at
        return WebhookItem(
            pk,
            sk,
            webhook=webhook,
            sequence=webhook.sequence,
            **audit_attributes(cause),
            purge_at=purge_seconds(over, self._retention.history) if over else None,
        )


class Deliveries:
    """Reads and writes of deliveries."""

    def __init__(self, table: Table, retention: Retention) -> None:
        self._table = table
        self._retention = retention

    def read(self, webhook_id: str, delivery_id: str) -> tuple[Webhook | None, Delivery | None]:
        """Return a webhook and one of its deliveries in their current state, in one round trip."""
        time = event_time_of(delivery_id)
        if time is None:
            return None, None
        webhook_at, delivery_at = webhook_key(webhook_id), delivery_key(webhook_id, delivery_id, time)
        found = self._table.get_many([webhook_at, delivery_at])
        webhook, delivery = found.get(webhook_at), found.get(delivery_at)
        return (
            _unless_deleted(_webhook_of(webhook)) if webhook else None,
            _delivery_of(delivery) if delivery else None,
        )

    def create(self, delivery: Delivery, cause: Cause) -> bool:
        """Create a delivery; return False if it exists, because the event is a repeat."""
        return self._table.put(self._item_of(delivery, cause), ABSENT)

    def first_published(self, event_id: str, time: datetime, cause: Cause) -> datetime:
        """Return the stored time at which a notice was first published; if there is none, store and return `time`."""
        pk, sk = notice_key(event_id)
        item = NoticeItem(
            pk,
            sk,
            time=time,
            **audit_attributes(cause),
            purge_at=purge_seconds(time, self._retention.queued),
        )
        if self._table.put(item, ABSENT):
            return time
        first = self._table.get(NoticeItem, (pk, sk))
        return first.time if first else time

    def change(self, delivery: Delivery, cause: Cause, *, seen: int) -> bool:
        """Write the whole delivery if its sequence is still `seen`; otherwise return False."""
        return self._table.put(self._item_of(delivery, cause), unchanged_since(seen))

    def due(self, shard: int, now: datetime, limit: int) -> list[Delivery]:
        """Return up to `limit` due deliveries of a shard, the longest due first."""
        entries = self._table.index_page(DUE, _due_shard(shard), is_due(now), limit, newest_first=False)
        return self._of((entry["pk"], entry["sk"]) for entry in entries)

    def page(
        self,
        webhook_id: str,
        status: DeliveryStatus | None,
        since: datetime | None,
        below: str,
        limit: int,
    ) -> list[tuple[Entry, Delivery | None]]:
        """Return up to `limit` entries of a webhook by event time, newest first, from `since` on and before `below`.

        With a status, the entries come from an index, which lags. A delivery that no longer has the status is None.
        """
        pk = webhook_key(webhook_id)[0]
        first = f"{to_millis(since) if since else 0:014d}"
        if status is None:
            items = self._table.newest(DeliveryItem, pk, _PREFIX + first, _PREFIX + below, limit)
            return [(_entry(item.sk), item.delivery) for item in items]
        found = self._table.index_page(
            BY_HOST, _status_list(webhook_id, status), Path("listSort").between(first, below), limit + 1
        )
        keys = [(e["pk"], e["sk"]) for e in found if e["listSort"] < below][:limit]
        items_by_key = {(d.webhook_id, d.delivery_id): d for d in self._of(keys) if d.status is status}
        entries = [_entry(sk) for _, sk in keys]
        return [(entry, items_by_key.get((webhook_id, entry.item_id))) for entry in entries]

    def _of(self, keys: Iterable[Key]) -> list[Delivery]:
        return [item.delivery for item in self._table.get_in_order(DeliveryItem, keys)]

    def _item_of(self, delivery: Delivery, cause: Cause) -> DeliveryItem:
        pk, sk = delivery_key(delivery.webhook_id, delivery.delivery_id, delivery.event_time)
        last = delivery.ended_at or delivery.next_at or delivery.created_at
        item = DeliveryItem(
            pk,
            sk,
            delivery=delivery,
            sequence=delivery.sequence,
            **audit_attributes(cause),
            host_key=_status_list(delivery.webhook_id, delivery.status),
            list_sort=list_sort(delivery.event_time, delivery.delivery_id),
            purge_at=purge_seconds(last, self._retention.delivery),  # a replay extends it
        )
        if delivery.due_at is not None:
            number = hashlib.sha256(delivery.delivery_id.encode()).digest()[0] % DELIVERY_SHARDS
            item.due_shard = _due_shard(number)
            item.due_sort = list_sort(delivery.due_at, delivery.delivery_id)
        return item


def _unless_deleted(webhook: Webhook) -> Webhook | None:
    return webhook if webhook.deleted_at is None else None


def _webhook_of(raw: RawItem) -> Webhook:
    webhook: Webhook = WebhookItem.from_raw_data(raw).webhook
    return webhook


def _delivery_of(raw: RawItem) -> Delivery:
    delivery: Delivery = DeliveryItem.from_raw_data(raw).delivery
    return delivery


def _entry(sk: str) -> Entry:
    sort = sk.removeprefix(_PREFIX)
    return Entry(sort.partition("#")[2], sort)


def _status_list(webhook_id: str, status: DeliveryStatus) -> str:
    return f"HOOK#{webhook_id}#{status.value}"


def _due_shard(number: int) -> str:
    return f"HOOKS#{number}"
