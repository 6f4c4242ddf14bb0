"""API keys, stored only as SHA-256 hashes, and the permissions of callers (P7, P9)."""

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
    """The scope of a key: one host's resources, or the whole team's."""

    ADMIN = "admin"
    HOST = "host"


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as stored, without the secret. An admin key may also have a host (`host_id`)."""

    key_id: str
    role: Role
    host_id: str | None
    name: str
    created_at: datetime
    revoked_at: datetime | None = None


class Owned(Protocol):
    """A resource that belongs to one host."""

    @property
    def host_id(self) -> str: ...


_Found = TypeVar("_Found", bound=Owned)


class Caller(msgspec.Struct, frozen=True):
    """The sender of a request, as determined by the authorizer."""

    key_id: str
    role: Role
    host_id: str | None

    @property
    def is_admin(self) -> bool:
        """True if this caller has access to the whole team's resources."""
        return self.role is Role.ADMIN

    def may_see(self, host_id: str) -> bool:
        """Return whether this caller may see a host's resources. If not, the response is 404 (P9)."""
        return self.is_admin or self.host_id == host_id

    def require_visible(self, found: _Found | None) -> _Found:
        """Return `found`. Raises the same `NotFoundError` for None and for another host's resource (P9)."""
        if found is None or not self.may_see(found.host_id):
            raise NotFoundError
        return found

    def require_admin(self) -> None:
        """Raise `ForbiddenError` unless this is an admin key."""
        if not self.is_admin:
            raise ForbiddenError("This request requires an admin key.")


def make_secret(raw: bytes) -> str:
    """Return a new key for 32 random bytes. Show it once and store only its digest."""
    if len(raw) != SECRET_BYTES:
        raise ValueError(f"an API key needs {SECRET_BYTES} bytes")
    return "ao_" + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def is_secret(value: str) -> bool:
    """Return whether a string looks like an API key. Anything else is rejected without a read."""
    return bool(_FORM.match(value))


def digest(secret: str) -> str:
    """Return the SHA-256 of a key in hex, for the table. 256 random bits need no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()
