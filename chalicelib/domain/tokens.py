"""Tokens, the secrets in URLs: an id and a truncated HMAC, verified before any read (P7, ADR 0001)."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import msgspec

from chalicelib.domain.errors import NotFoundError
from chalicelib.domain.ids import BOOKING, ID_BYTES, LINK, make_id

TOKEN_LENGTH: Final = 36
_MAC_BYTES: Final = 10
_RAW_BYTES: Final = 1 + ID_BYTES + _MAC_BYTES  # 27 bytes are exactly 36 base64 characters


class Purpose(StrEnum):
    """The purpose of a token. A token for one purpose is invalid for any other."""

    LINK = "link"
    BOOKING = "booking"

    @property
    def id_kind(self) -> str:
        """The kind of id in the tokens of this purpose."""
        return LINK if self is Purpose.LINK else BOOKING


@dataclass(frozen=True)
class Keyring:
    """The signing keys by id (1–255). `current` signs, all verify. Removing a key invalidates its tokens."""

    current: int
    keys: Mapping[int, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        if self.current not in self.keys:
            raise ValueError("the current signing key is not in the keyring")
        for key_id, key in self.keys.items():
            if not 1 <= key_id <= 255:
                raise ValueError("a signing key's id must be 1 to 255")
            if len(key) < 32:
                raise ValueError("a signing key must have at least 32 bytes")


class TokenClaim(msgspec.Struct, frozen=True):
    """The content of a verified token: its signing key, its purpose, and the 16 bytes of the id that it opens."""

    key_id: int
    purpose: Purpose
    raw_id: bytes

    @property
    def item_id(self) -> str:
        """The id of the link or booking that the token opens."""
        return make_id(self.purpose.id_kind, self.raw_id)


def make_token(ring: Keyring, purpose: Purpose, raw_id: bytes, key_id: int | None = None) -> str:
    """Return the 36-character token for an id, signed with `key_id` (default: the current key).

    Raises KeyError if that key was retired: no token can be made with it.
    """
    key_id = ring.current if key_id is None else key_id
    body = bytes([key_id]) + raw_id
    return base64.urlsafe_b64encode(body + _mac(ring.keys[key_id], purpose, body)).decode()


def read_token(ring: Keyring, purpose: Purpose, token: str) -> TokenClaim | None:
    """Return the claim of a genuine token, or None for any other string, in constant time and without a read."""
    if len(token) != TOKEN_LENGTH or not token.isascii():
        return None
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) != _RAW_BYTES or base64.urlsafe_b64encode(raw).decode() != token:
        return None
    body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    key = ring.keys.get(body[0])
    # An unknown key id costs as much work as a known one, so timing reveals nothing about the keyring.
    expected = _mac(key or ring.keys[ring.current], purpose, body)
    genuine = hmac.compare_digest(mac, expected)
    return TokenClaim(body[0], purpose, body[1:]) if genuine and key is not None else None


def open_token(ring: Keyring, purpose: Purpose, token: str) -> TokenClaim:
    """Return the claim of a genuine token. Raises `NotFoundError` for any other string, without a read (P7)."""
    claim = read_token(ring, purpose, token)
    if claim is None:
        raise NotFoundError
    return claim


def token_in(text: str) -> str:
    """Return the token in a link's URL, without a query and a trailing slash, or a bare token unchanged."""
    return text.partition("?")[0].rstrip("/").rpartition("/")[2]


def _mac(key: bytes, purpose: Purpose, body: bytes) -> bytes:
    message = purpose.value.encode() + b"\x00" + body
    return hmac.new(key, message, hashlib.sha256).digest()[:_MAC_BYTES]
