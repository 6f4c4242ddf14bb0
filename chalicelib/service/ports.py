"""The ports that services work through: store, clock, randomness, signing keys, queues. Nothing here depends on AWS."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Protocol

from chalicelib.domain.bookings.booking import Booking, BookingStatus
from chalicelib.domain.bookings.limits import BookingLimits
from chalicelib.domain.bookings.occupancy import Cell
from chalicelib.domain.bookings.receipt import Receipt
from chalicelib.domain.bookings.redeem import Outcome, RedeemAttempt
from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import Clock
from chalicelib.domain.closing import Closing
from chalicelib.domain.errors import Fault, StoreUnavailableError
from chalicelib.domain.event_types.event_type import EventType
from chalicelib.domain.events.envelopes import Envelope
from chalicelib.domain.events.events import Event
from chalicelib.domain.links.batches import Batch, KeyedBatch
from chalicelib.domain.links.link import DueLink, Link, LinkStatus
from chalicelib.domain.links.link_requests import LinkRequest
from chalicelib.domain.links.visits import Opens, Visitor
from chalicelib.domain.listings import BookingFilter, DueList, Entry, LinkFilter
from chalicelib.domain.mail.budgets import MailLimits
from chalicelib.domain.mail.digests import Digest, DigestId
from chalicelib.domain.mail.mails import Claim, ClaimState, Letter, LinkMail, MailId
from chalicelib.domain.restore import AppliedEvents
from chalicelib.domain.restore_steps import RevokedLink, RevokeReason
from chalicelib.domain.team.api_keys import ApiKey
from chalicelib.domain.team.hosts import Host
from chalicelib.domain.tokens import Keyring
from chalicelib.domain.webhooks.deliveries import Delivery, DeliveryStatus, EndpointAnswer
from chalicelib.domain.webhooks.webhook import Webhook

CLOSED_SECONDS: Final = 60  # `Retry-After` while the table is being restored


class HostStore(Protocol):
    """Hosts, as `store.team.hosts.Hosts` stores them."""

    def read(self, host_id: str) -> Host | None: ...
    def create(self, host: Host, cause: Cause) -> None: ...
    def change(self, host: Host, cause: Cause, *, seen: int) -> bool: ...
    def entries(self, before: str | None, limit: int) -> list[Entry]: ...
    def read_many(self, host_ids: Sequence[str]) -> list[Host]: ...


class ApiKeyStore(Protocol):
    """API keys, as `store.team.api_keys.ApiKeys` stores them."""

    def read(self, secret: str) -> ApiKey | None: ...
    def create(self, key: ApiKey, secret: str, cause: Cause) -> None: ...
    def all(self) -> list[ApiKey]: ...
    def revoke(self, key_id: str, cause: Cause, *, now: datetime) -> bool: ...


class EventTypeStore(Protocol):
    """Event types, as `store.event_types.EventTypes` stores them."""

    def read(self, event_type_id: str) -> EventType | None: ...
    def read_with_host(self, event_type_id: str, host_id: str) -> tuple[EventType | None, Host | None]: ...
    def create(self, event_type: EventType, cause: Cause) -> None: ...
    def change(self, event_type: EventType, cause: Cause, *, seen: int) -> bool: ...
    def entries(self, host_id: str, *, archived: bool, before: str | None, limit: int) -> list[Entry]: ...
    def read_many(self, event_type_ids: Sequence[str]) -> list[EventType]: ...


class LinkStore(Protocol):
    """Links, as `store.links.links.Links` stores them."""

    def read(self, link_id: str) -> Link | None: ...
    def read_any_version(self, link_id: str) -> Link | None: ...
    def read_many_any_version(self, link_ids: Sequence[str]) -> list[Link]: ...
    def read_many(self, link_ids: Sequence[str]) -> list[Link]: ...
    def create(self, link: Link, cause: Cause) -> bool: ...
    def create_together(self, links: Sequence[Link], cause: Cause) -> bool: ...
    def change(self, link: Link, cause: Cause, *, seen: int) -> bool: ...
    def revoke(self, link: Link, cause: Cause, *, now: datetime) -> Link | None: ...
    def replace(
        self,
        old: Link,
        fresh: Link,
        cause: Cause,
        *,
        now: datetime,
        keyed: KeyedBatch | None = None,
        answers: LinkRequest | None = None,
    ) -> bool: ...
    def delete(self, deleted: Event) -> bool: ...
    def entries(
        self, where: LinkFilter, status: LinkStatus, before: str | None, limit: int
    ) -> list[Entry]: ...
    def entries_by_recipient(
        self, host_id: str, email: str, before: str | None, limit: int
    ) -> list[Entry]: ...
    def entries_by_external_id(
        self, host_id: str, external_id: str, before: str | None, limit: int
    ) -> list[Entry]: ...
    def entries_by_label(self, host_id: str, prefix: str, after: str | None, limit: int) -> list[Entry]: ...
    def expire(self, due: DueLink, cause: Cause, *, now: datetime) -> bool: ...


class DueStore(Protocol):
    """Links that are due to be marked expired, as `store.links.due.Due` finds them."""

    def links(
        self, shard: int, now: datetime, after: str | None, limit: int
    ) -> tuple[list[DueLink], str | None]: ...
    def of_host(self, where: LinkFilter, now: datetime) -> DueList: ...
    def of_minute(
        self, where: LinkFilter, minute: int, now: datetime, before: str | None, limit: int
    ) -> list[Entry]: ...


class HistoryStore(Protocol):
    """Links' history, as `store.events.history.History` stores it."""

    def append(self, event: Event) -> bool: ...
    def enter(self, event: Event) -> bool: ...
    def page(self, link_id: str, before: str | None, limit: int) -> list[tuple[Entry, Event]]: ...
    def opens(self, link_id: str) -> Opens: ...
    def count_open(self, link: Link, visitor: Visitor, correlation_id: str, *, now: datetime) -> None: ...
    def deny(self, about: Link | Booking, code: str, cause: Cause, *, now: datetime) -> None: ...
    def request(self, request: LinkRequest, cause: Cause) -> bool: ...
    def requests_of(self, link_id: str, day: date, limit: int) -> list[LinkRequest]: ...
    def request_entries(
        self, host_id: str, *, answered: bool, before: str | None, limit: int
    ) -> list[Entry]: ...
    def read_requests(self, request_ids: Sequence[str]) -> list[LinkRequest]: ...


class RollingLinkStore(Protocol):
    """Pointers to rolling links, as `store.links.rolling.RollingLinks` stores them."""

    def read(self, event_type_id: str) -> str | None: ...
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
    ) -> bool: ...


class BatchStore(Protocol):
    """Batches of requests with an idempotency key, as `store.links.batches.Batches` stores them."""

    def read(self, host_id: str, idempotency_key: str, *, now: datetime) -> Batch | None: ...
    def open(
        self, host_id: str, idempotency_key: str, fresh: Batch, cause: Cause, *, queued: bool = False
    ) -> Batch: ...
    def create_chunk(
        self,
        host_id: str,
        idempotency_key: str,
        batch: Batch,
        chunk: int,
        links: Sequence[Link],
        cause: Cause,
    ) -> bool: ...


class DayStore(Protocol):
    """Hosts' days, as `store.bookings.days.Days` stores them."""

    def busy_cells(self, host_id: str, first: date, last: date) -> frozenset[Cell]: ...


class BookingStore(Protocol):
    """Bookings, as `store.bookings.bookings.Bookings` stores them."""

    def read(self, booking_id: str) -> Booking | None: ...
    def read_many(self, booking_ids: Sequence[str]) -> list[Booking]: ...
    def cancel(self, booking: Booking, restored: Link | None, cause: Cause) -> bool: ...
    def move(
        self, booking: Booking, moved: Booking, cause: Cause, *, check: Callable[[], None]
    ) -> bool | None: ...
    def erase(self, booking: Booking, cause: Cause) -> bool: ...
    def entries(
        self,
        where: BookingFilter,
        status: BookingStatus,
        place: str | None,
        limit: int,
        *,
        newest_first: bool = False,
    ) -> list[Entry]: ...
    def entries_of_link(
        self, where: BookingFilter, place: str | None, limit: int, *, newest_first: bool = False
    ) -> list[Entry]: ...


class RedeemStore(Protocol):
    """The redeem's transaction, as `store.redeem.Redeems` writes it, and its receipts."""

    def read_link_and_receipt(self, link_id: str, receipt_id: str) -> tuple[Link | None, Receipt | None]: ...
    def read_receipt(self, link_id: str, receipt_id: str) -> Receipt | None: ...
    def commit(self, attempt: RedeemAttempt, cause: Cause) -> Outcome: ...


class WebhookStore(Protocol):
    """Webhooks, as `store.webhooks.Webhooks` stores them."""

    def read(self, webhook_id: str) -> Webhook | None: ...
    def of_host(self, host_id: str) -> list[Webhook]: ...
    def create(self, webhook: Webhook, cause: Cause) -> bool: ...
    def change(self, webhook: Webhook, cause: Cause, *, seen: int) -> bool: ...
    def delete(self, deleted: Webhook, cause: Cause, *, seen: int) -> bool: ...


class DeliveryStore(Protocol):
    """Deliveries, as `store.webhooks.Deliveries` stores them."""

    def read(self, webhook_id: str, delivery_id: str) -> tuple[Webhook | None, Delivery | None]: ...
    def create(self, delivery: Delivery, cause: Cause) -> bool: ...
    def first_published(self, event_id: str, time: datetime, cause: Cause) -> datetime: ...
    def change(self, delivery: Delivery, cause: Cause, *, seen: int) -> bool: ...
    def due(self, shard: int, now: datetime, limit: int) -> list[Delivery]: ...
    def page(
        self,
        webhook_id: str,
        status: DeliveryStatus | None,
        since: datetime | None,
        below: str,
        limit: int,
    ) -> list[tuple[Entry, Delivery | None]]: ...


class RestoreStore(Protocol):
    """Writes to a restored table, as `store.restore.Restore` makes them. `run` is the table's name."""

    @property
    def run(self) -> str: ...
    def put_link(self, before: Link, after: Link, cause: Cause, *, partly: bool, now: datetime) -> bool: ...
    def delete_link(self, before: Link, sequence: int, cause: Cause, *, now: datetime) -> bool: ...
    def note_seen(self, link_id: str, sequence: int, cause: Cause, *, partly: bool) -> None: ...
    def put_booking(self, before: Booking | None, after: Booking, cause: Cause) -> bool: ...
    def applied(
        self, shard: str, after: str | None, limit: int
    ) -> tuple[list[AppliedEvents], str | None]: ...
    def restoring_uses(self, link_ids: Sequence[str]) -> list[str]: ...


class RestoreRecordStore(Protocol):
    """What a restore records, as `store.restore_records.RestoreRecords` stores it."""

    def note_messages(self, message_ids: Iterable[str], cause: Cause, *, now: datetime) -> None: ...
    def count_messages(self, shard: str, after: str | None) -> tuple[int, str | None]: ...
    def note_marker(self, marker_id: str, cause: Cause, *, now: datetime) -> None: ...
    def has_marker(self, marker_id: str) -> bool: ...
    def revoke(self, link: Link, reason: RevokeReason, cause: Cause, *, now: datetime) -> bool: ...
    def revoked(self, shard: str, after: str | None, limit: int) -> list[RevokedLink]: ...


class MailStore(Protocol):
    """Emails, as `store.mail.mails.Mails` stores them."""

    def claim(self, mail_id: MailId, holder: str, *, now: datetime, until: datetime) -> Claim: ...
    def release(self, mail_id: MailId, holder: str, *, now: datetime) -> None: ...
    def end(self, mail_id: MailId, state: ClaimState, detail: str, *, now: datetime) -> Claim | None: ...
    def sent(self, mail_id: MailId) -> bool: ...
    def store_request(self, request: LinkMail, cause: Cause) -> LinkMail: ...
    def read_request(self, link_id: str, send_id: str, *, now: datetime) -> LinkMail | None: ...


class MailBudgetStore(Protocol):
    """Email budgets, as `store.mail.budgets.MailBudgets` stores them."""

    def take(self, budget: str, mail_id: MailId, limit: int, *, now: datetime) -> bool: ...


class MailDigestStore(Protocol):
    """Digests, as `store.mail.digests.MailDigests` stores them."""

    def add(self, host_id: str, booking_id: str, event_id: str, *, now: datetime) -> DigestId: ...
    def due(self, now: datetime, limit: int) -> list[DigestId]: ...
    def reschedule(self, digest_id: DigestId, until: datetime, *, now: datetime) -> bool: ...
    def close(self, digest_id: DigestId, *, now: datetime) -> Digest | None: ...
    def end(self, digest_id: DigestId) -> None: ...


class HeartbeatStore(Protocol):
    """The heartbeat, as `store.heartbeat.Heartbeat` stores it."""

    def beat(self, cause: Cause, *, now: datetime) -> None: ...


class Mailer(Protocol):
    """Sends an email, as `clients.ses.Ses` does."""

    def send(self, letter: Letter) -> str: ...


class Store(Protocol):
    """Everything that is stored, by subject."""

    @property
    def hosts(self) -> HostStore: ...
    @property
    def api_keys(self) -> ApiKeyStore: ...
    @property
    def event_types(self) -> EventTypeStore: ...
    @property
    def links(self) -> LinkStore: ...
    @property
    def due(self) -> DueStore: ...
    @property
    def history(self) -> HistoryStore: ...
    @property
    def rolling_links(self) -> RollingLinkStore: ...
    @property
    def days(self) -> DayStore: ...
    @property
    def batches(self) -> BatchStore: ...
    @property
    def bookings(self) -> BookingStore: ...
    @property
    def redeems(self) -> RedeemStore: ...
    @property
    def webhooks(self) -> WebhookStore: ...
    @property
    def deliveries(self) -> DeliveryStore: ...
    @property
    def restore(self) -> RestoreStore: ...
    @property
    def restore_records(self) -> RestoreRecordStore: ...
    @property
    def mails(self) -> MailStore: ...
    @property
    def mail_budgets(self) -> MailBudgetStore: ...
    @property
    def mail_digests(self) -> MailDigestStore: ...
    @property
    def heartbeat(self) -> HeartbeatStore: ...
    @property
    def events_of(self) -> Callable[[Mapping[str, Any]], list[Event]]: ...


class EventBus(Protocol):
    """The bus that events are published on, as `clients.event_bus.EventBus` implements it."""

    def put(self, envelopes: Sequence[Envelope]) -> dict[int, str]: ...


class Queue(Protocol):
    """A queue of JSON messages, as `clients.queue.Queue` implements it."""

    def send(self, body: str, *, delay_seconds: int = 0, tenant: str | None = None) -> None: ...
    def send_many(self, bodies: Sequence[str], *, tenants: Sequence[str] = ()) -> dict[int, str]: ...
    def delay(self, receipt: str, seconds: int) -> None: ...


class WebhookHttp(Protocol):
    """HTTP requests to webhooks' endpoints, as `clients.webhook_http.WebhookHttp` sends them."""

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> EndpointAnswer: ...


class Objects(Protocol):
    """Objects in buckets, as `clients.objects.Objects` reads and writes them."""

    def read(
        self, bucket: str, key: str, *, version: str | None, etag: str, max_bytes: int
    ) -> tuple[bytes, Mapping[str, str]]: ...
    def write(self, bucket: str, key: str, body: bytes, *, content_type: str) -> None: ...


@dataclass(frozen=True)
class World:
    """Everything that a service may use.

    `now` returns aware UTC. `sleep` takes seconds. The first call of `keyring` may be slow. The bus, the queues and the
    mailer are None if the environment does not configure them. `local` allows webhooks to loopback addresses. `stage`
    is this installation's name, if it has one. `requests_per_day` is how many people besides the recipient may ask for
    a replacement of one link per day. `closed` says what a restore closes.
    """

    store: Store
    now: Clock
    random_bytes: Callable[[int], bytes]
    sleep: Callable[[float], None]
    keyring: Callable[[], Keyring]
    event_bus: EventBus | None = None
    outbox_dlq: Queue | None = None
    command_dlq: Queue | None = None
    webhook_queue: Queue | None = None
    webhook_dlq: Queue | None = None
    webhook_http: WebhookHttp | None = None
    local: bool = False
    stage: str | None = None
    requests_per_day: int = 5
    objects: Objects | None = None
    mailer: Mailer | None = None
    mail_queue: Queue | None = None
    mail_limits: MailLimits = field(default_factory=MailLimits)
    closed: Closing = Closing.NOTHING
    limits: BookingLimits = field(default_factory=BookingLimits)

    def require_open(self) -> None:
        """Raise `StoreUnavailableError` while bookings are closed (P1)."""
        if self.closed is not Closing.NOTHING:
            raise StoreUnavailableError(
                "Bookings are being restored, so nothing can be booked now. Try again later.",
                retry_after=CLOSED_SECONDS,
                fault=Fault("bookings-closed"),
            )

    @property
    def is_writable(self) -> bool:
        """Whether changes are possible: not while events are applied to a restored table.

        An archived event with a higher sequence would undo a new revocation (P3). An archived use with the same
        sequence as a new change would not be applied (P1).
        """
        return self.closed is not Closing.ALL

    def require_writable(self) -> None:
        """Raise `StoreUnavailableError` while changes are closed."""
        if not self.is_writable:
            raise StoreUnavailableError(
                "Bookings are being restored, so nothing can be changed now. Try again later.",
                retry_after=CLOSED_SECONDS,
                fault=Fault("changes-closed"),
            )
