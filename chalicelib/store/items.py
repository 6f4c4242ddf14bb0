"""The items of the table, kind by kind: attributes, keys and index keys."""

import hashlib
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final, Self

from pynamodb.attributes import (
    BooleanAttribute,
    NumberAttribute,
    NumberSetAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
)
from pynamodb.models import Model

from chalicelib.domain.bookings.booking import Invitee
from chalicelib.domain.clock import to_millis
from chalicelib.domain.errors import NewerItemError
from chalicelib.domain.event_types.event_type import EventSettings, Location
from chalicelib.domain.event_types.offers import Overrides
from chalicelib.domain.links.link import Recipient
from chalicelib.domain.mail.digests import DigestId
from chalicelib.domain.mail.mails import MailId
from chalicelib.domain.team.hosts import HostSettings
from chalicelib.domain.webhooks.deliveries import Delivery
from chalicelib.domain.webhooks.webhook import Webhook
from chalicelib.store.attributes import DocumentAttribute, InstantAttribute

BY_HOST: Final = "byHost"
BY_EVENT_TYPE: Final = "byEventType"
BY_REFERENCE: Final = "byReference"
BY_RECIPIENT: Final = "byRecipient"
BY_LABEL: Final = "byLabel"
DUE: Final = "due"

INDEX_KEYS: Final[dict[str, tuple[str, str]]] = {
    BY_HOST: ("hostKey", "listSort"),
    BY_EVENT_TYPE: ("eventTypeKey", "listSort"),
    BY_REFERENCE: ("referenceKey", "listSort"),
    BY_RECIPIENT: ("recipientKey", "listSort"),
    BY_LABEL: ("labelHost", "labelSort"),
    DUE: ("dueShard", "dueSort"),
}

LINKS: Final = "LINK"
BOOKINGS: Final = "BOOKING"

Key = tuple[str, str]


NEEDS: Final = "needs"
"""An optional string set: names of what older code must not ignore, because it limits what the item allows."""

KNOWN_NEEDS: Final[frozenset[str]] = frozenset()
"""The names in `needs` that this code respects (docs/adr/0033-newer-items.md)."""


def is_understood(raw: Mapping[str, Any]) -> bool:
    """Return whether this code knows every name in an item's `needs`; if not, newer code has written the item."""
    needs = raw.get(NEEDS)
    return needs is None or KNOWN_NEEDS.issuperset(needs["SS"])


class Item(Model):
    """The attributes of every item: its key, the cause of its last write, and when DynamoDB may delete it."""

    class Meta:
        table_name = "bound-at-run-time"  # `Table` sends every request; a model only describes an item

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    purge_at = NumberAttribute(attr_name="purgeAt", null=True)
    actor = UnicodeAttribute(null=True)
    correlation_id = UnicodeAttribute(attr_name="correlationId", null=True)
    host_key = UnicodeAttribute(attr_name="hostKey", null=True)
    list_sort = UnicodeAttribute(attr_name="listSort", null=True)

    @classmethod
    def from_raw_data(cls, data: dict[str, Any]) -> Self:
        """Return the item of DynamoDB's typed JSON. Raise `NewerItemError` if it needs newer code."""
        if not is_understood(data):
            raise NewerItemError
        return cls.of_any_version(data)

    @classmethod
    def of_any_version(cls, data: dict[str, Any]) -> Self:
        """Return the item even if it needs newer code. Only for events, and for writes that can't allow more."""
        return super().from_raw_data(data)

    @property
    def key(self) -> Key:
        """The item's partition and sort key."""
        return self.pk, self.sk

    def is_in_force(self, now: datetime) -> bool:
        """Return whether an item is not past its `purgeAt`. TTL may delete it days later, so the time decides."""
        return bool(self.purge_at > to_millis(now) // 1000)


class HostItem(Item):
    """A host; `pk HOST#<hostId>`, `sk HOST`."""

    settings = DocumentAttribute[HostSettings](HostSettings)
    created_at = InstantAttribute(attr_name="createdAt")
    sequence = NumberAttribute()


class ApiKeyItem(Item):
    """An API key; `pk KEY#<sha256 of the key>`, `sk KEY`. The key itself is not stored."""

    key_id = UnicodeAttribute(attr_name="keyId")
    role = UnicodeAttribute()
    host_id = UnicodeAttribute(attr_name="hostId", null=True)
    name = UnicodeAttribute(null=True)
    created_at = InstantAttribute(attr_name="createdAt")
    revoked_at = InstantAttribute(attr_name="revokedAt", null=True)


class EventTypeItem(Item):
    """An event type; `pk ETYPE#<eventTypeId>`, `sk ETYPE`."""

    host_id = UnicodeAttribute(attr_name="hostId")
    settings = DocumentAttribute[EventSettings](EventSettings)
    created_at = InstantAttribute(attr_name="createdAt")
    archived_at = InstantAttribute(attr_name="archivedAt", null=True)
    sequence = NumberAttribute()


class LinkItem(Item):
    """A link; `pk LINK#<linkId>`, `sk LINK`. It holds the signing key's id, never the token (P7)."""

    host_id = UnicodeAttribute(attr_name="hostId")
    event_type_id = UnicodeAttribute(attr_name="eventTypeId")
    key_id = NumberAttribute(attr_name="keyId")
    edition = NumberAttribute()
    status = UnicodeAttribute()
    usage_count = NumberAttribute(attr_name="usageCount")
    max_usage_count = NumberAttribute(attr_name="maxUsageCount", null=True)
    expires_at = InstantAttribute(attr_name="expiresAt", null=True)
    not_before = InstantAttribute(attr_name="notBefore", null=True)
    created_at = InstantAttribute(attr_name="createdAt")
    used_at = InstantAttribute(attr_name="usedAt", null=True)
    revoked_at = InstantAttribute(attr_name="revokedAt", null=True)
    recipient = DocumentAttribute[Recipient](Recipient, null=True)
    overrides = DocumentAttribute[Overrides | None](Overrides, null=True)
    label = UnicodeAttribute(null=True)
    metadata = DocumentAttribute[dict[str, Any]](dict[str, Any], null=True)
    external_id = UnicodeAttribute(attr_name="externalId", null=True)
    restore_use_on_cancel = BooleanAttribute(attr_name="restoreUseOnCancel", null=True)
    rolling = BooleanAttribute(null=True)
    restored_uses = NumberAttribute(attr_name="restoredUses", null=True)
    restore_passed_on = BooleanAttribute(attr_name="restorePassedOn", null=True)
    sequence = NumberAttribute()
    event_type_key = UnicodeAttribute(attr_name="eventTypeKey", null=True)
    reference_key = UnicodeAttribute(attr_name="referenceKey", null=True)
    recipient_key = UnicodeAttribute(attr_name="recipientKey", null=True)
    label_host = UnicodeAttribute(attr_name="labelHost", null=True)
    label_sort = UnicodeAttribute(attr_name="labelSort", null=True)
    due_shard = UnicodeAttribute(attr_name="dueShard", null=True)
    due_sort = UnicodeAttribute(attr_name="dueSort", null=True)


class BookingItem(Item):
    """A booking; `pk BOOKING#<bookingId>`, `sk BOOKING`."""

    link_id = UnicodeAttribute(attr_name="linkId")
    host_id = UnicodeAttribute(attr_name="hostId")
    event_type_id = UnicodeAttribute(attr_name="eventTypeId")
    key_id = NumberAttribute(attr_name="keyId")
    title = UnicodeAttribute()
    start = InstantAttribute()
    end = InstantAttribute()
    occupied_from = InstantAttribute(attr_name="occupiedFrom")
    occupied_to = InstantAttribute(attr_name="occupiedTo")
    time_zone = UnicodeAttribute(attr_name="timeZone")
    location = DocumentAttribute[Location](Location, null=True)
    invitee = DocumentAttribute[Invitee | None](Invitee, null=True)
    answers = DocumentAttribute[dict[str, str]](dict[str, str], null=True)
    created_at = InstantAttribute(attr_name="createdAt")
    overrides = DocumentAttribute[Overrides | None](Overrides, null=True)
    external_id = UnicodeAttribute(attr_name="externalId", null=True)
    metadata = DocumentAttribute[dict[str, Any]](dict[str, Any], null=True)
    language = UnicodeAttribute(null=True)
    keyless_receipt_id = UnicodeAttribute(attr_name="keylessReceiptId", null=True)
    moves_by_invitee = NumberAttribute(attr_name="movesByInvitee", null=True)
    status = UnicodeAttribute()
    cancelled_at = InstantAttribute(attr_name="cancelledAt", null=True)
    sequence = NumberAttribute()
    event_type_key = UnicodeAttribute(attr_name="eventTypeKey", null=True)
    reference_key = UnicodeAttribute(attr_name="referenceKey", null=True)


class DayItem(Item):
    """A host's day; `pk HOST#<hostId>`, `sk DAY#<UTC date>`: the set of its busy 5-minute cells (P2)."""

    busy = NumberSetAttribute(null=True)


class ReceiptItem(Item):
    """Proof that a redeem happened; `pk LINK#<linkId>`, `sk RECEIPT#<hash>` (P4)."""

    body_hash = UnicodeAttribute(attr_name="bodyHash")
    booking_id = UnicodeAttribute(attr_name="bookingId")


class RollingItem(Item):
    """An event type's current rolling link; `pk ETYPE#<eventTypeId>`, `sk ROLLING`."""

    link_id = UnicodeAttribute(attr_name="linkId")


class OpensItem(Item):
    """A link's open counts; `pk LINK#<linkId>`, `sk OPENS`. It is a separate item, so that opens block no redeem."""

    host_id = UnicodeAttribute(attr_name="hostId")
    event_type_id = UnicodeAttribute(attr_name="eventTypeId")
    first_opened_at = InstantAttribute(attr_name="firstOpenedAt", null=True)
    persons = NumberAttribute(null=True)
    machines = NumberAttribute(null=True)
    external_id = UnicodeAttribute(attr_name="externalId", null=True)
    metadata = DocumentAttribute[dict[str, Any]](dict[str, Any], null=True)


class DenialItem(Item):
    """A refused redeem, move or restore of a use. At most one item per link, code and minute.

    `pk LINK#<linkId>`, `sk DENIAL#<code>#<minute>`.
    """

    host_id = UnicodeAttribute(attr_name="hostId")
    event_type_id = UnicodeAttribute(attr_name="eventTypeId")
    code = UnicodeAttribute()
    denied_at = InstantAttribute(attr_name="deniedAt")
    external_id = UnicodeAttribute(attr_name="externalId", null=True)
    metadata = DocumentAttribute[dict[str, Any]](dict[str, Any], null=True)


class RequestItem(Item):
    """A request for a new link; `pk LINK#<linkId>`, `sk REQUEST#<UTC date>#<slot>`: a few per link and day.

    Keys written by older versions have no slot and end with the date.
    """

    host_id = UnicodeAttribute(attr_name="hostId")
    event_type_id = UnicodeAttribute(attr_name="eventTypeId")
    requested_at = InstantAttribute(attr_name="requestedAt")
    name = UnicodeAttribute(null=True)
    email = UnicodeAttribute()
    message = UnicodeAttribute(null=True)
    reason = UnicodeAttribute()
    external_id = UnicodeAttribute(attr_name="externalId", null=True)
    metadata = DocumentAttribute[dict[str, Any]](dict[str, Any], null=True)
    answered_at = InstantAttribute(attr_name="answeredAt", null=True)
    replacement_link_id = UnicodeAttribute(attr_name="replacementLinkId", null=True)
    recipient_name = UnicodeAttribute(attr_name="recipientName", null=True)
    recipient_email = UnicodeAttribute(attr_name="recipientEmail", null=True)
    mail_to = UnicodeAttribute(attr_name="mailTo", null=True)


class HistoryItem(Item):
    """One entry of a link's history; `pk LINK#<linkId>`, `sk HISTORY#<time>#<eventId>`. It outlives the link.

    `direct` marks an entry that was not derived from the stream, so the stream's reader must publish it.
    """

    event_id = UnicodeAttribute(attr_name="eventId")
    type = UnicodeAttribute()
    time = InstantAttribute()
    host_id = UnicodeAttribute(attr_name="hostId")
    event_type_id = UnicodeAttribute(attr_name="eventTypeId")
    booking_id = UnicodeAttribute(attr_name="bookingId", null=True)
    sequence = NumberAttribute()
    data = DocumentAttribute[dict[str, Any]](dict[str, Any])
    external_id = UnicodeAttribute(attr_name="externalId", null=True)
    direct = BooleanAttribute(null=True)
    metadata = DocumentAttribute[dict[str, Any]](dict[str, Any], null=True)


class AppliedEventsItem(Item):
    """The events of a link that a restore applied; `pk LINK#<linkId>`, `sk REDONE#<run>`.

    `run` is the name of the restored table. A backup contains the items of earlier restores, so the key names the
    restore. Older versions used the key `REDONE`, which nothing reads any more. `base` is the link's sequence in the
    backup; `partly`: an event did not contain everything that it changed.
    """

    base = NumberAttribute()
    seen = NumberSetAttribute(null=True)
    partly = BooleanAttribute(null=True)


class RestoreMessageItem(Item):
    """An SQS message that a restore applied; `pk RESTORE#<run>#<shard>`, `sk MESSAGE#<messageId>`."""


class RestoreMarkerItem(Item):
    """The marker of a restore, once it is received; `pk RESTORE#<run>#<shard>`, `sk MARKER#<markerId>`."""


class RestoreRevocationItem(Item):
    """A link that a restore revoked; `pk RESTORE#<run>#<shard>`, `sk REVOKED#<linkId>`."""

    host_id = UnicodeAttribute(attr_name="hostId")
    event_type_id = UnicodeAttribute(attr_name="eventTypeId")
    reason = UnicodeAttribute()
    revoked_at = InstantAttribute(attr_name="revokedAt")


class BatchItem(Item):
    """A request with an idempotency key and its progress; `pk HOST#<hostId>`, `sk BATCH#<hash of the key>` (P4)."""

    body_hash = UnicodeAttribute(attr_name="bodyHash")
    seed = UnicodeAttribute()
    created_at = InstantAttribute(attr_name="createdAt")
    size = NumberAttribute()
    chunks_done = NumberSetAttribute(attr_name="chunksDone", null=True)


class WebhookItem(Item):
    """A webhook; `pk HOOK#<webhookId>`, `sk HOOK`. Its signing secret is derived, never stored (P7)."""

    webhook = DocumentAttribute[Webhook](Webhook)
    sequence = NumberAttribute()


class HostWebhooksItem(Item):
    """The ids of a host's webhooks; `pk HOST#<hostId>`, `sk HOOKS`. Read consistently; its size is capped."""

    webhook_ids = UnicodeSetAttribute(attr_name="webhookIds", null=True)


class DeliveryItem(Item):
    """The delivery of an event to a webhook; `pk HOOK#<webhookId>`, `sk DELIVERY#<event's time>#<deliveryId>`."""

    delivery = DocumentAttribute[Delivery](Delivery)
    sequence = NumberAttribute()
    due_shard = UnicodeAttribute(attr_name="dueShard", null=True)
    due_sort = UnicodeAttribute(attr_name="dueSort", null=True)


class NoticeItem(Item):
    """The first publication of a notice; `pk NOTICE#<eventId>`, `sk NOTICE`. Deliveries of a repeat use its time."""

    time = InstantAttribute()


class MailItem(Item):
    """One email; `pk MAIL#<eventId>`, `sk MAIL#<addressee>`: its sender, the end of the claim, and the outcome."""

    state = UnicodeAttribute()
    holder = UnicodeAttribute()
    claimed_until = InstantAttribute(attr_name="claimedUntil")
    attempts = NumberAttribute()
    ended_at = InstantAttribute(attr_name="endedAt", null=True)
    detail = UnicodeAttribute(null=True)


class MailBudgetItem(Item):
    """The emails counted against one budget of one UTC day; `pk BUDGET#<keyed hash>`, `sk BUDGET` (P15)."""

    mails = UnicodeSetAttribute(null=True)


class MailDigestItem(Item):
    """The bookings for one digest email to a host; `pk DIGEST#<hostId>`, `sk DIGEST#<UTC date>` (P15)."""

    bookings = UnicodeSetAttribute(null=True)
    more = BooleanAttribute(null=True)
    closed_at = InstantAttribute(attr_name="closedAt", null=True)
    due_shard = UnicodeAttribute(attr_name="dueShard", null=True)
    due_sort = UnicodeAttribute(attr_name="dueSort", null=True)


class HeartbeatItem(Item):
    """The heartbeat; `pk HEARTBEAT`, `sk HEARTBEAT`. Its stream record shows that the outbox runs."""

    beat_at = InstantAttribute(attr_name="beatAt")


class LinkMailItem(Item):
    """A request to email a link to its recipient; `pk LINK#<linkId>`, `sk SEND#<sendId>`."""

    host_id = UnicodeAttribute(attr_name="hostId")
    event_type_id = UnicodeAttribute(attr_name="eventTypeId")
    email = UnicodeAttribute()
    language = UnicodeAttribute()
    message = UnicodeAttribute(null=True)
    body_hash = UnicodeAttribute(attr_name="bodyHash")
    requested_at = InstantAttribute(attr_name="requestedAt")
    external_id = UnicodeAttribute(attr_name="externalId", null=True)
    metadata = DocumentAttribute[dict[str, Any]](dict[str, Any], null=True)


def host_key(host_id: str) -> Key:
    """Return the key of a host."""
    return f"HOST#{host_id}", "HOST"


def api_key_key(digest: str) -> Key:
    """Return the key of an API key, by the SHA-256 of its secret."""
    return f"KEY#{digest}", "KEY"


def event_type_key(event_type_id: str) -> Key:
    """Return the key of an event type."""
    return f"ETYPE#{event_type_id}", "ETYPE"


def rolling_key(event_type_id: str) -> Key:
    """Return the key of an event type's rolling link pointer."""
    return f"ETYPE#{event_type_id}", "ROLLING"


def opens_key(link_id: str) -> Key:
    """Return the key of a link's open counts."""
    return f"LINK#{link_id}", "OPENS"


def denial_key(link_id: str, code: str, minute: datetime) -> Key:
    """Return the key of a refusal of one kind in one minute."""
    return f"LINK#{link_id}", f"DENIAL#{code}#{minute:%Y-%m-%dT%H:%M}"


def request_key(link_id: str, day: date, slot: int | None) -> Key:
    """Return the key of a request for a new link on a UTC date."""
    return f"LINK#{link_id}", f"REQUEST#{day.isoformat()}" + ("" if slot is None else f"#{slot}")


def history_key(link_id: str, time: datetime, sequence: int, event_id: str) -> Key:
    """Return the key of an entry in a link's history; the sequence orders entries of the same second."""
    return f"LINK#{link_id}", f"HISTORY#{to_millis(time):014d}{sequence:010d}#{event_id}"


def link_key(link_id: str) -> Key:
    """Return the key of a link."""
    return f"LINK#{link_id}", "LINK"


def applied_events_key(link_id: str, run: str) -> Key:
    """Return the key of the events of a link that a restore applied."""
    return f"LINK#{link_id}", f"REDONE#{run}"


def restore_key(run: str, kind: str, item_id: str) -> Key:
    """Return the key of a record of a restore: `MESSAGE`, `MARKER` or `REVOKED`."""
    return restore_partition(run, restore_shard(item_id)), f"{kind}#{item_id}"


def restore_partition(run: str, shard: str) -> str:
    """Return the partition of a restore's records in a shard."""
    return f"RESTORE#{run}#{shard}"


def applied_events_list(run: str, shard: str) -> str:
    """Return the `byHost` partition that lists the links of a shard that a restore applied events to."""
    return f"REDONE#{run}#{shard}"


def restore_shard(item_id: str) -> str:
    """Return the shard of an id: a partition takes 1,000 writes a second, and a replay may be faster."""
    return hashlib.sha256(item_id.encode()).hexdigest()[0]


def receipt_key(link_id: str, receipt: str) -> Key:
    """Return the key of a redeem's receipt; `receipt` is a hash of what makes two requests the same."""
    return f"LINK#{link_id}", f"RECEIPT#{receipt}"


def booking_key(booking_id: str) -> Key:
    """Return the key of a booking."""
    return f"BOOKING#{booking_id}", "BOOKING"


def day_key(host_id: str, day: date) -> Key:
    """Return the key of a host's UTC day."""
    return f"HOST#{host_id}", f"DAY#{day.isoformat()}"


def batch_key(host_id: str, key_hash: str) -> Key:
    """Return the key of a request with an idempotency key."""
    return f"HOST#{host_id}", f"BATCH#{key_hash}"


def webhook_key(webhook_id: str) -> Key:
    """Return the key of a webhook."""
    return f"HOOK#{webhook_id}", "HOOK"


def host_webhooks_key(host_id: str) -> Key:
    """Return the key of the item that lists a host's webhooks."""
    return f"HOST#{host_id}", "HOOKS"


def delivery_key(webhook_id: str, delivery_id: str, event_time: datetime) -> Key:
    """Return the key of a delivery."""
    return f"HOOK#{webhook_id}", f"DELIVERY#{list_sort(event_time, delivery_id)}"


def notice_key(event_id: str) -> Key:
    """Return the key of the item that says when a notice was first published."""
    return f"NOTICE#{event_id}", "NOTICE"


def mail_key(mail_id: MailId) -> Key:
    """Return the key of an email."""
    return f"MAIL#{mail_id.event_id}", f"MAIL#{mail_id.addressee}"


def mail_budget_key(budget: str) -> Key:
    """Return the key of an email budget, by its keyed id."""
    return f"BUDGET#{budget}", "BUDGET"


def mail_digest_key(digest_id: DigestId) -> Key:
    """Return the key of a digest."""
    return f"DIGEST#{digest_id.host_id}", f"DIGEST#{digest_id.day.isoformat()}"


def link_mail_key(link_id: str, send_id: str) -> Key:
    """Return the key of a request to email a link."""
    return f"LINK#{link_id}", f"SEND#{send_id}"


def heartbeat_key() -> Key:
    """Return the key of the heartbeat, which is written every minute so that the stream always has a record."""
    return "HEARTBEAT", "HEARTBEAT"


def host_list(host_id: str, kind: str, status: str) -> str:
    """Return the `byHost` partition that lists a host's links or bookings in a status."""
    return f"HOST#{host_id}#{kind}#{status}"


def event_type_list(event_type_id: str, kind: str, status: str) -> str:
    """Return the `byEventType` partition that lists an event type's links or bookings in a status."""
    return f"ETYPE#{event_type_id}#{kind}#{status}"


def owner_list(host_id: str, event_type_id: str | None, kind: str, status: str) -> tuple[str, str]:
    """Return the index and partition that list a status: the event type's if one is given, otherwise the host's."""
    if event_type_id is not None:
        return BY_EVENT_TYPE, event_type_list(event_type_id, kind, status)
    return BY_HOST, host_list(host_id, kind, status)


def list_sort(instant: datetime, item_id: str) -> str:
    """Return a sort key that orders by instant, then id. Sorts correctly until the year 5138."""
    return f"{to_millis(instant):014d}#{item_id}"


def purge_seconds(instant: datetime, keep: timedelta) -> int:
    """Return the TTL value (epoch seconds, rounded up) of an item that is kept for `keep` after an instant."""
    return -(-to_millis(instant + keep) // 1000)
