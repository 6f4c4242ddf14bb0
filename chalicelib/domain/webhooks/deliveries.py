"""The delivery of one event to one webhook: its attempts, the waits between them, and its outcome.

The waits are those that Standard Webhooks recommends, over 75 hours, each with up to 20 % of jitter.
"""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

import msgspec

from chalicelib.domain.clock import as_instant, from_millis, to_millis
from chalicelib.domain.events.envelopes import Envelope
from chalicelib.domain.ids import DELIVERY, ID_BYTES, id_bytes, make_id

WAITS: Final = tuple(
    timedelta(**units)
    for units in (
        *({"seconds": 5}, {"minutes": 5}, {"minutes": 30}, {"hours": 2}, {"hours": 5}),
        *({"hours": 10}, {"hours": 14}, {"hours": 20}, {"hours": 24}),
    )
)
MAX_TRIES: Final = len(WAITS) + 1
MAX_RETRY_AFTER: Final = timedelta(hours=24)
LEASE: Final = timedelta(seconds=60)  # an attempt takes at most 20 s; a slower sender counts as crashed
GRACE: Final = timedelta(minutes=5)  # how long the schedule waits for the queue before it retries a delivery
EARLY: Final = timedelta(seconds=1)  # how far two machines' clocks may differ
MAX_KEPT_ATTEMPTS: Final = 20
MAX_REPLAYS: Final = 100  # of one delivery, each with its own idempotency key
MAX_EXCERPT_LENGTH: Final = 500
DELIVERY_SHARDS: Final = 4  # partitions of the due index

_HASH_BYTES: Final = 10
# An event's id is the value of a header, and periods separate it from the other signed parts.
_EVENT_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")
# Possible secrets, in case an endpoint's response contains its request or a secret of its own.
_SECRETS: Final = re.compile(
    r"whsec_[A-Za-z0-9+/=]+|ao_[A-Za-z0-9_-]{43}|(?<=/[sb]/)[A-Za-z0-9_-]{36}|v1,[A-Za-z0-9+/=]{40,}"
    r"|(?i:(?<=bearer )[^\s\"',;]+)"
)


class DeliveryStatus(StrEnum):
    """A delivery's status."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class EndpointAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The response of an endpoint: a status and the beginning of its body; or `error`, the code of the failure."""

    status_code: int | None = None
    error: str | None = None
    body: bytes = b""
    retry_after: str | None = None
    latency_ms: int = 0

    @property
    def accepted(self) -> bool:
        """True if the endpoint accepted the event, with a 2xx status."""
        return self.status_code is not None and 200 <= self.status_code < 300


class DeliveryAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One request to the endpoint: the `status_code` of its response, or `error`, the code of the failure."""

    number: int
    time: datetime
    latency_ms: int
    status_code: int | None = None
    error: str | None = None
    excerpt: str = ""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """The delivery of one event to one webhook. Every attempt sends exactly `body`.

    `tries` counts attempts that were started; `tries - tries_before` are those since the last replay. While
    `lease_until` is in the future, one sender has the delivery. `due_at` is when the schedule retries it if the queue
    has no message for it. Every write increases `sequence` and requires the value that was read, so one of several
    concurrent writes succeeds.
    """

    delivery_id: str
    webhook_id: str
    host_id: str
    event_id: str
    event_type: str
    event_time: datetime
    body: str
    created_at: datetime
    status: DeliveryStatus = DeliveryStatus.PENDING
    test: bool = False
    tries: int = 0
    tries_before: int = 0
    next_at: datetime | None = None
    lease_until: datetime | None = None
    due_at: datetime | None = None
    ended_at: datetime | None = None
    failure: str | None = None
    attempts: tuple[DeliveryAttempt, ...] = ()
    replays: tuple[str, ...] = ()
    sequence: int = 1


def delivery_id_of(webhook_id: str, event_id: str, event_time: datetime) -> str:
    """Return the delivery's id. The same event for the same webhook always has the same id.

    The first six bytes are the event's time in milliseconds, so that the sort key can be derived from the id.
    """
    digest = hashlib.sha256(f"{webhook_id}\x00{event_id}".encode()).digest()[:_HASH_BYTES]
    return make_id(DELIVERY, to_millis(event_time).to_bytes(ID_BYTES - _HASH_BYTES, "big") + digest)


def event_time_of(delivery_id: str) -> datetime | None:
    """Return the instant in a delivery's id, or None if it is invalid or after the year 5138."""
    raw = id_bytes(DELIVERY, delivery_id)
    millis = int.from_bytes(raw[:-_HASH_BYTES], "big") if raw else -1
    return from_millis(millis) if 0 <= millis < 10**14 else None


def payload_of(envelope: Envelope) -> str:
    """Return the body to send: the envelope, with the `timestamp` that Standard Webhooks requires."""
    document = msgspec.to_builtins(envelope)
    ordered = {name: document.pop(name) for name in ("type", "data")}
    body = {"type": ordered["type"], "timestamp": envelope.time, "data": ordered["data"], **document}
    return msgspec.json.encode(body).decode()


def new_delivery(
    webhook_id: str,
    host_id: str,
    envelope: Envelope,
    event_time: datetime,
    now: datetime,
    *,
    test: bool = False,
) -> Delivery:
    """Return a delivery without attempts. Raises ValueError for an event id that can't be signed."""
    if not _EVENT_ID.match(envelope.id):
        raise ValueError("an event's id must consist of letters, digits, _ and -")
    return Delivery(
        delivery_id=delivery_id_of(webhook_id, envelope.id, event_time),
        webhook_id=webhook_id,
        host_id=host_id,
        event_id=envelope.id,
        event_type=envelope.type,
        event_time=event_time,
        body=payload_of(envelope),
        created_at=now,
        test=test,
        next_at=now,
        due_at=now + GRACE,
    )


def may_start(delivery: Delivery, now: datetime) -> bool:
    """Return whether an attempt may start: the delivery is pending and due, and no other sender has it."""
    return (
        delivery.status is DeliveryStatus.PENDING
        and (delivery.next_at is None or now >= delivery.next_at - EARLY)
        and (delivery.lease_until is None or now >= delivery.lease_until)
    )


def leased(delivery: Delivery, now: datetime) -> Delivery:
    """Return the delivery with an attempt started. It is counted now, so that crashes can't repeat it forever."""
    return _next(delivery, tries=delivery.tries + 1, lease_until=now + LEASE, due_at=now + LEASE, next_at=now)


def out_of_tries(delivery: Delivery) -> bool:
    """Return whether no attempt is left, of ten in total, or one for a test event."""
    return delivery.tries - delivery.tries_before >= (1 if delivery.test else MAX_TRIES)


def succeeded(delivery: Delivery, attempt: DeliveryAttempt, now: datetime) -> Delivery:
    """Return the delivery after the endpoint accepted it."""
    return _ended(delivery, DeliveryStatus.DELIVERED, None, attempt, now)


def given_up(delivery: Delivery, failure: str, attempt: DeliveryAttempt | None, now: datetime) -> Delivery:
    """Return the delivery as failed. Only a replay retries it."""
    return _ended(delivery, DeliveryStatus.FAILED, failure, attempt, now)


def postponed(delivery: Delivery, attempt: DeliveryAttempt, wait: timedelta, now: datetime) -> Delivery:
    """Return the delivery after a failed attempt, with the time of the next one."""
    next_at = as_instant(now + wait)
    return _next(
        delivery,
        attempts=_kept(delivery, attempt),
        next_at=next_at,
        # The queue delays a message for a short wait; the schedule ends a long one.
        due_at=next_at + GRACE if in_queue(wait) else next_at,
        lease_until=None,
    )


def in_queue(wait: timedelta) -> bool:
    """Return whether a wait fits into the delay of an SQS message, 15 minutes. The schedule ends longer waits."""
    return wait <= timedelta(minutes=15)


def requeued(delivery: Delivery, now: datetime) -> Delivery:
    """Return the delivery after the schedule queued it. It is due again in `GRACE`, in case the message is lost."""
    return _next(delivery, due_at=now + GRACE)


def replayed(delivery: Delivery, key: str | None, now: datetime) -> Delivery | None:
    """Return an ended delivery as pending, with its attempts and waits reset; None if it can't be replayed.

    `key` is the hash of the request's `Idempotency-Key`; the same key replays a delivery only once. A pending delivery
    is never replayed.
    """
    if delivery.status is DeliveryStatus.PENDING or (key is not None and key in delivery.replays):
        return None
    if len(delivery.replays) >= MAX_REPLAYS:
        return None
    return _next(
        delivery,
        status=DeliveryStatus.PENDING,
        tries_before=delivery.tries,
        next_at=now,
        due_at=now + GRACE,
        lease_until=None,
        ended_at=None,
        failure=None,
        replays=delivery.replays if key is None else (*delivery.replays, key),
    )


def wait_before_next(delivery: Delivery, retry_after: str | None, chance: float, now: datetime) -> timedelta:
    """Return how long to wait after a failed attempt: the wait from `WAITS`, or `Retry-After` if that is longer.

    `chance`, from 0 to 1, adds up to 20 % of jitter, so that deliveries that failed together are not retried together.
    """
    wait = WAITS[min(delivery.tries - delivery.tries_before, len(WAITS)) - 1]
    asked = min(read_retry_after(retry_after, now), MAX_RETRY_AFTER)
    return max(wait, asked) * (1 + 0.2 * chance)


def read_retry_after(value: str | None, now: datetime) -> timedelta:
    """Return the wait in a `Retry-After` header, seconds or a date (RFC 9110 §10.2.3); zero if it is invalid."""
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return timedelta(seconds=int(text))
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):  # OverflowError: a year or an offset with too many digits
        return timedelta()
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(when - now, timedelta())


def safe_excerpt(raw: bytes) -> str:
    """Return the beginning of a response for the log: printable, bounded, with possible secrets hidden."""
    text = _SECRETS.sub("[hidden]", raw[: 8 * MAX_EXCERPT_LENGTH].decode(errors="replace"))
    return "".join(ch if ch.isprintable() else " " for ch in text)[:MAX_EXCERPT_LENGTH].strip()


def _ended(
    delivery: Delivery,
    status: DeliveryStatus,
    failure: str | None,
    attempt: DeliveryAttempt | None,
    now: datetime,
) -> Delivery:
    return _next(
        delivery,
        status=status,
        failure=failure,
        attempts=_kept(delivery, attempt),
        ended_at=now,
        next_at=None,
        due_at=None,
        lease_until=None,
    )


def _kept(delivery: Delivery, attempt: DeliveryAttempt | None) -> tuple[DeliveryAttempt, ...]:
    attempts = delivery.attempts if attempt is None else (*delivery.attempts, attempt)
    return attempts[-MAX_KEPT_ATTEMPTS:]


def _next(delivery: Delivery, **fields: object) -> Delivery:
    return msgspec.structs.replace(delivery, sequence=delivery.sequence + 1, **fields)
