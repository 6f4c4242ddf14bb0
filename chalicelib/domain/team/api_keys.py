"""API keys, stored only as their SHA-256, and what their callers may see and do (P7, P9)."""

import base64
import hashlib
import re
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol, TypeVar

import msgspec

from chalicelib.domain.errors import ForbiddenError, NotFoundError

_FORM: Final = re.compile(r"ao_[A-Za-z0-9_-]{43}\Z")
SECRET_BYTES: Final = 32


class Role(StrEnum):
    """What a key may do: a host's own things, or the whole team's."""

    ADMIN = "admin"
    HOST = "host"


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as stored: never the key itself. An admin key may also stand for one host (`host_id`)."""

    key_id: str
    role: Role
    host_id: str | None
    name: str
    created_at: datetime
    revoked_at: datetime | None = None


class Owned(Protocol):
    """A thing of one host's."""

    @property
    def host_id(self) -> str: ...


_Found = TypeVar("_Found", bound=Owned)


class Caller(msgspec.Struct, frozen=True):
    """Who is asking, as the authorizer found it."""

    key_id: str
    role: Role
    host_id: str | None

    @property
    def is_admin(self) -> bool:
        """Whether this caller sees the whole team's."""
        return self.role is Role.ADMIN

    def may_see(self, host_id: str) -> bool:
        """Return whether things of that host exist for this caller; if not, the response is 404 (P9)."""
        return self.is_admin or self.host_id == host_id

    def require_visible(self, found: _Found | None) -> _Found:
        """Return what was found. Raises `NotFoundError` if nothing was, or it is another host's: both alike (P9)."""
        if found is None or not self.may_see(found.host_id):
            raise NotFoundError
        return found

    def require_admin(self) -> None:
        """Raise `ForbiddenError` unless this is an admin key."""
        if not self.is_admin:
            raise ForbiddenError("This needs an admin key.")


def make_secret(raw: bytes) -> str:
    """Return the key to show once, made of 32 random bytes."""
    if len(raw) != SECRET_BYTES:
        raise ValueError(f"an API key takes {SECRET_BYTES} bytes")
    return "ao_" + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def is_secret(value: str) -> bool:
    """Return whether a string has an API key's form; anything else costs no read."""
    return bool(_FORM.match(value))


def digest(secret: str) -> str:
    """Return the SHA-256 of a key in hex, which is all the table holds. 256 random bits need no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()
