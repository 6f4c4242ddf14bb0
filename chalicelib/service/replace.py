"""Replace a link: a fresh one with the same settings, the old one revoked in the same transaction."""

import hashlib

from chalicelib.domain.api_keys import Caller
from chalicelib.domain.causes import Cause
from chalicelib.domain.ids import ID_BYTES, LINK, make_id
from chalicelib.domain.links import Link
from chalicelib.domain.succession import fresh_link
from chalicelib.service.contention import until_decided
from chalicelib.service.ports import World
from chalicelib.service.read_link import read_link


def replace_link(
    world: World, caller: Caller, link_id: str, idempotency_key: str | None, cause: Cause
) -> Link:
    """Make a fresh link in an old one's place and return it. Only an active old one becomes revoked.

    With an idempotency key the same request returns the same fresh link, as it now stands.
    Raises `NotFoundError`.
    """
    if idempotency_key is None:
        raw = world.random_bytes(ID_BYTES)
    else:
        # The old id and the key give the new id: a repeat finds the link that the first try made.
        raw = hashlib.sha256(f"replace\x00{link_id}\x00{idempotency_key}".encode()).digest()[:ID_BYTES]
    fresh_id = make_id(LINK, raw)
    tried = idempotency_key is not None

    def attempt() -> Link | None:
        nonlocal tried
        old = read_link(world, caller, link_id)
        now = world.now()
        seen = world.store.rolling_links.read(old.event_type_id) if old.rolling else None
        rolling = seen == old.link_id
        fresh = fresh_link(old, link_id=fresh_id, key_id=world.keyring().current, now=now, rolling=rolling)
        # P4: the first try may have been written and its reply lost, with a key or without.
        if tried and (made := world.store.links.read(fresh_id)):
            return made
        tried = True
        if rolling:
            return fresh if world.store.rolling_links.renew(fresh, old, seen, cause, now=now) else None
        return fresh if world.store.links.replace(old, fresh, cause, now=now) else None

    return until_decided(world, attempt)
