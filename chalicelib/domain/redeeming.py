"""One attempt to redeem: what it would write, what makes two attempts the same, and how it can end (P1–P4)."""

import hashlib
from datetime import datetime

import msgspec

from chalicelib.domain.bookings import Booking
from chalicelib.domain.clock import to_millis
from chalicelib.domain.emails import normalise_email
from chalicelib.domain.links import Link


class Receipt(msgspec.Struct, frozen=True):
    """What a committed redeem leaves behind, so that the same request again finds its booking."""

    booking_id: str
    body_hash: str


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one redeem writes. `link` is as it was read; the write's own conditions decide.

    `successor` is the next rolling link, made in the same transaction when `link` is one. The receipt of one that was
    `queued` is kept for longer.
    """

    link: Link
    successor: Link | None
    booking: Booking
    receipt_id: str
    body_hash: str
    now: datetime
    queued: bool = False


class Booked(msgspec.Struct, frozen=True):
    """The transaction committed: the booking exists, the use is counted, the cells are taken."""


class AlreadyBooked(msgspec.Struct, frozen=True):
    """The same request committed before; this is its receipt."""

    receipt: Receipt


class LinkRefused(msgspec.Struct, frozen=True):
    """The link's own condition did not hold; `link` is as it was then, None when it was gone."""

    link: Link | None


class CellsTaken(msgspec.Struct, frozen=True):
    """Another booking holds some of the time."""


Outcome = Booked | AlreadyBooked | LinkRefused | CellsTaken


def keyed_receipt_id(idempotency_key: str) -> str:
    """Return the receipt id of a request that carries an `Idempotency-Key`."""
    return hashlib.sha256(b"key\x00" + idempotency_key.encode()).hexdigest()[:40]


def keyless_receipt_id(start: datetime, email: str) -> str:
    """Return the receipt id of a request without a key: the same start and person are the same request."""
    person = f"{to_millis(start)}\x00{normalise_email(email)}"
    return hashlib.sha256(b"keyless\x00" + person.encode()).hexdigest()[:40]


def hash_body(body: object) -> str:
    """Return the hash by which two decoded bodies are told apart; key order and white space do not matter."""
    return hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest()
