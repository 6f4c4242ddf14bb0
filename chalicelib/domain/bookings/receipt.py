"""The receipt of a redeem: a retry finds its booking by it. What it holds, and which requests are the same (P4)."""

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

KEYLESS_WINDOW: Final = timedelta(minutes=10)  # how long a request without a key may be repeated (P4)
_ID_LETTERS: Final = 40


class Receipt(msgspec.Struct, frozen=True):
    """The record of a committed redeem, by which a retry finds its booking.

    From `ends_at` on it is ignored, whether or not TTL has deleted it.
    """

    booking_id: str
    body_hash: str
    ends_at: datetime


class NormalBody(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a request that must be equal in a retry. `start` is an aware instant."""

    start: datetime
    time_zone: str
    invitee: Invitee
    answers: Mapping[str, str]
    location_index: int | None


def keyed_receipt_id(idempotency_key: str) -> str:
    """Return the receipt id of a request that carries an `Idempotency-Key`."""
    return hashlib.sha256(b"key\x00" + idempotency_key.encode()).hexdigest()[:_ID_LETTERS]


def keyless_receipt_id(secret: bytes, link_id: str, body: NormalBody) -> str:
    """Return the receipt id of a request without a key: only an equal body with the same link has the same id.

    Line ends, white space around and between words, the spelling of an address, and whether an answer is empty or left
    out make no difference. Without the `secret` a receipt's id does not reveal who booked (P7).
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
    """Return the keyed hash of a body for its receipt: without the `secret` nobody can test bodies against it (P7)."""
    message = b"body\x00" + link_id.encode() + b"\x00" + body_hash.encode()
    return hmac.new(secret, message, hashlib.sha256).hexdigest()


def hash_body(body: object) -> str:
    """Return the hash that two decoded bodies share only if they are equal; key order and white space do not matter."""
    return hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest()


def _plain(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.strip().splitlines())
    return unicodedata.normalize("NFC", "\n".join(lines))
