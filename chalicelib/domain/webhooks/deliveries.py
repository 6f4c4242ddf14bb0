"""The delivery of one event to one webhook: attempts, the waits between them, and how it ends.

Waits are those that Standard Webhooks recommends, over 75 hours, each up to a fifth longer by chance.
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
LONGEST_RETRY_AFTER: Final = timedelta(hours=24)
LEASE: Final = timedelta(seconds=60)  # an attempt takes 20 s at most; a slower sender counts as crashed
GRACE: Final = timedelta(minutes=5)  # how long the queue has before the schedule retries a delivery
EARLY: Final = timedelta(seconds=1)  # two machines' clocks may differ by that
MAX_KEPT_ATTEMPTS: Final = 20
MAX_REPLAYS: Final = 100  # of one delivery under keys of their own
LONGEST_EXCERPT: Final = 500
DELIVERY_SHARDS: Final = 4  # partitions of the due index

_HASH_BYTES: Final = 10
# An event's id is signed between full stops, and is the value of a header.
_EVENT_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")
# What might open something, should an endpoint answer with what it was sent, or with a secret of its own.
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
    """What an endpoint answered: a status and the beginning of its body; or `error`, a word for why there is none."""

    status_code: int | None = None
    error: str | None = None
    body: bytes = b""
    retry_after: str | None = None
    latency_ms: int = 0

    @property
    def taken(self) -> bool:
        """Whether the endpoint took the event: 2xx, nothing else."""
        return self.status_code is not None and 200 <= self.status_code < 300


class DeliveryAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One request to the endpoint: `status_code` of its answer, or `error`, a word for why there was none."""

    number: int
    time: datetime
    latency_ms: int
    status_code: int | None = None
    error: str | None = None
    excerpt: str = ""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """The delivery of one event to one webhook. `body` is exactly what is sent, every time.

    `tries` counts attempts begun; since the last replay, `tries - tries_before`. While `lease_until` is in the
    future one sender has it. `due_at` is when the schedule retries it if no message comes.
    Every write raises `sequence`, on the condition that it is as it was read, so one of several wins.
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
    """Return the delivery's id: the same event to the same webhook is the same delivery, however often it comes.

    Its first six bytes are the event's time in milliseconds, so that the id alone finds its place in the list.
    """
    digest = hashlib.sha256(f"{webhook_id}\x00{event_id}".encode()).digest()[:_HASH_BYTES]
    return make_id(DELIVERY, to_millis(event_time).to_bytes(ID_BYTES - _HASH_BYTES, "big") + digest)


def event_time_of(delivery_id: str) -> datetime | None:
    """Return the instant in a delivery's id, or None for what is not one, or lies past the year 5138."""
    raw = id_bytes(DELIVERY, delivery_id)
    millis = int.from_bytes(raw[:-_HASH_BYTES], "big") if raw else -1
    return from_millis(millis) if 0 <= millis < 10**14 else None


def payload_of(envelope: Envelope) -> str:
    """Return the body to send: the envelope, with `timestamp` beside `time` as Standard Webhooks has it."""
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
    """Return a delivery not yet tried. Raises ValueError for an event id that can't be signed."""
    if not _EVENT_ID.match(envelope.id):
        raise ValueError("an event's id has letters, digits, _ and - alone")
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
    """Return whether an attempt may begin: it is pending, its time has come, and no other sender has it."""
    return (
        delivery.status is DeliveryStatus.PENDING
        and (delivery.next_at is None or now >= delivery.next_at - EARLY)
        and (delivery.lease_until is None or now >= delivery.lease_until)
    )


def leased(delivery: Delivery, now: datetime) -> Delivery:
    """Return the delivery with an attempt begun. It counts now: one that always kills its sender ends too."""
    return _next(delivery, tries=delivery.tries + 1, lease_until=now + LEASE, due_at=now + LEASE, next_at=now)


def out_of_tries(delivery: Delivery) -> bool:
    """Return whether no attempt is left, of ten, or of one for a test."""
    return delivery.tries - delivery.tries_before >= (1 if delivery.test else MAX_TRIES)


def succeeded(delivery: Delivery, attempt: DeliveryAttempt, now: datetime) -> Delivery:
    """Return the delivery after the endpoint took it."""
    return _ended(delivery, DeliveryStatus.DELIVERED, None, attempt, now)


def given_up(delivery: Delivery, failure: str, attempt: DeliveryAttempt | None, now: datetime) -> Delivery:
    """Return the delivery as one that failed for good; a replay may take it up again."""
    return _ended(delivery, DeliveryStatus.FAILED, failure, attempt, now)


def postponed(delivery: Delivery, attempt: DeliveryAttempt, wait: timedelta, now: datetime) -> Delivery:
    """Return the delivery after an attempt failed and another is to come."""
    next_at = as_instant(now + wait)
    return _next(
        delivery,
        attempts=_kept(delivery, attempt),
        next_at=next_at,
        due_at=next_at + GRACE
        if in_queue(wait)
        else next_at,  # a short wait is the queue's, a long one the schedule's
        lease_until=None,
    )


def in_queue(wait: timedelta) -> bool:
    """Return whether a wait fits into an SQS message's delay, 15 minutes; longer ones end by the schedule."""
    return wait <= timedelta(minutes=15)


def handed_over(delivery: Delivery, now: datetime) -> Delivery:
    """Return the delivery after the schedule sent a message for it: due again in case that is lost."""
    return _next(delivery, due_at=now + GRACE)


def replayed(delivery: Delivery, key: str | None, now: datetime) -> Delivery | None:
    """Return an ended delivery as one to retry, from the first wait on; None if it must not be.

    `key` is the request's `Idempotency-Key`, hashed: the same one replays a delivery once, ever. Without one, a
    delivery that is pending already is left alone.
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
    """Return how long to wait after a failed attempt: the schedule's wait, or `Retry-After` where that is longer.

    `chance` is 0 to 1: it adds up to a fifth, so that what failed together does not come back together.
    """
    wait = WAITS[min(delivery.tries - delivery.tries_before, len(WAITS)) - 1]
    asked = min(read_retry_after(retry_after, now), LONGEST_RETRY_AFTER)
    return max(wait, asked) * (1 + 0.2 * chance)


def read_retry_after(value: str | None, now: datetime) -> timedelta:
    """Return what a `Retry-After` header asks for, seconds or a date (RFC 9110 §10.2.3); nothing for nonsense."""
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return timedelta(seconds=int(text))
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):  # a year or a zone of more digits than any integer's
        return timedelta()
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(when - now, timedelta())


def safe_excerpt(raw: bytes) -> str:
    """Return an answer's beginning for the log: printable, bounded, without what looks like a secret."""
    text = _SECRETS.sub("[hidden]", raw[: 8 * LONGEST_EXCERPT].decode(errors="replace"))
    return "".join(ch if ch.isprintable() else " " for ch in text)[:LONGEST_EXCERPT].strip()


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
