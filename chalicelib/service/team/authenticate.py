"""Authenticate a caller by API key; create, list and revoke keys."""

import msgspec

from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import FieldFault, InvalidValueError, NotFoundError, UnauthorizedError
from chalicelib.domain.ids import API_KEY, ID_BYTES, make_id
from chalicelib.domain.team.api_keys import SECRET_BYTES, ApiKey, Caller, Role, is_secret, make_secret
from chalicelib.domain.text import MAX_KEY_NAME_LENGTH, tidy_line
from chalicelib.domain.validation import Rules
from chalicelib.service.ports import World


class NewKey(msgspec.Struct, frozen=True):
    """A new key. `secret` is shown only now; the store has only its SHA-256."""

    key: ApiKey
    secret: str


def authenticate(world: World, secret: str) -> Caller:
    """Return the caller of an API key. Raises `UnauthorizedError`; a malformed key causes no read."""
    key = world.store.api_keys.read(secret) if is_secret(secret) else None
    if key is None or key.revoked_at is not None:
        raise UnauthorizedError
    return Caller(key.key_id, key.role, key.host_id)


def make_key(
    world: World, *, role: Role, host_id: str | None, name: str, cause: Cause, secret: str | None = None
) -> NewKey:
    """Create a key. A host key names its host; an admin key may name one, and then acts for it by default.

    `secret` lets local mode keep one key over restarts. Raises `InvalidValueError`, `NotFoundError`.
    """
    rules = Rules()
    name = tidy_line(name)
    rules.at("name").text(name, longest=MAX_KEY_NAME_LENGTH)
    rules.enforce()
    if role is Role.HOST and host_id is None:
        raise InvalidValueError([FieldFault("/hostId", "a host key needs a host")])
    if host_id is not None and world.store.hosts.read(host_id) is None:
        raise NotFoundError("There is no such host.")
    key = ApiKey(
        key_id=make_id(API_KEY, world.random_bytes(ID_BYTES)),
        role=role,
        host_id=host_id,
        name=name,
        created_at=world.now(),
    )
    secret = secret or make_secret(world.random_bytes(SECRET_BYTES))
    world.store.api_keys.create(key, secret, cause)
    return NewKey(key, secret)


def list_keys(world: World) -> list[ApiKey]:
    """Return every key, including revoked keys, newest first."""
    return world.store.api_keys.all()


def revoke_key(world: World, key_id: str, cause: Cause) -> None:
    """Revoke a key; it takes effect when API Gateway's cached response for the key expires. Raises `NotFoundError`."""
    if not world.store.api_keys.revoke(key_id, cause, now=world.now()):
        raise NotFoundError("There is no such key.")
