"""Receipts of redeems: a retry finds its booking by the receipt. They define which requests are the same (P4)."""

import hashlib
import hmac
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from chalicelib.domain.bookings.booking import Invitee
from chalicelib.domain.clock import to_millis
from chalicelib.domain.mail.email_addresses import normalise_email

KEYLESS_WINDOW: Final = timedelta(minutes=10)  # how long a request without a key can be retried (P4)
_ID_LETTERS: Final = 40


class Receipt(msgspec.Struct, frozen=True):
    """The record of a committed redeem, by which a retry finds its booking.

    The receipt is ignored from `ends_at` on, even if TTL has not deleted it yet.
    """

    booking_id: str
    body_hash: str
    ends_at: datetime


class NormalBody(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a request that must be the same in a retry. `start` is an aware instant."""

    start: datetime
    time_zone: str
    invitee: Invitee
    answers: Mapping[str, str]
    location_index: int | None


def keyed_receipt_id(idempotency_key: str) -> str:
    """Return the receipt id of a request with an `Idempotency-Key`."""
    return hashlib.sha256(b"key\x00" + idempotency_key.encode()).hexdigest()[:_ID_LETTERS]


def keyless_receipt_id(secret: bytes, link_id: str, body: NormalBody) -> str:
    """Return the receipt id of a request without a key. Only equal bodies for the same link have the same id.

    Differences in line ends, white space and the case of an address are ignored. An empty answer counts as absent.
    Without the `secret`, the id does not reveal who booked (P7).
    """
    normal = [
        to_millis(body.start),
        body.time_zone,
        _plain(body.invitee.name),
        normalise_email(body.invitee.email),
        sorted((name, _plain(text)) for name, text in body.answers.items() if text.strip()),
        body.location_index or 0,
    ]
    message = b"keyless\x00" + link_id.encode() + b"\x00" + msgspec.json.encode(normal)
    return hmac.new(secret, message, hashlib.sha256).hexdigest()[:_ID_LETTERS]


def keyed_hash(secret: bytes, link_id: str, body_hash: str) -> str:
    """Return the hash of a body for its receipt, keyed so that nobody can guess bodies without the `secret` (P7)."""
    message = b"body\x00" + link_id.encode() + b"\x00" + body_hash.encode()
    return hmac.new(secret, message, hashlib.sha256).hexdigest()


def hash_body(body: object) -> str:
    """Return the hash of a decoded body. The order of keys and the white space between them are ignored."""
    return hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest()


def _plain(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.strip().splitlines())
    return unicodedata.normalize("NFC", "\n".join(lines))
