"""The rolling link: an event type's one private link that renews itself whenever it is redeemed."""

from collections.abc import Callable

from chalicelib.domain.api_keys import Caller
from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import NotFoundError
from chalicelib.domain.ids import ID_BYTES, LINK, make_id
from chalicelib.domain.links import Link, LinkSettings, check_link_settings, check_rolling_settings
from chalicelib.domain.offers import check_overrides
from chalicelib.domain.rules import Rules
from chalicelib.domain.succession import renewed_settings
from chalicelib.service.contention import until_decided
from chalicelib.service.manage_event_types import read_event_type
from chalicelib.service.ports import World


def read_rolling_link(world: World, caller: Caller, event_type_id: str) -> Link:
    """Return an event type's rolling link. Raises `NotFoundError`, also where it has none."""
    read_event_type(world, caller, event_type_id)
    link_id = world.store.rolling_links.read(event_type_id)
    link = world.store.links.read(link_id) if link_id else None
    if link is None:
        raise NotFoundError
    return link


def renew_rolling_link(
    world: World,
    caller: Caller,
    event_type_id: str,
    edit: Callable[[LinkSettings], LinkSettings],
    cause: Cause,
) -> Link:
    """Make an event type's rolling link, or a fresh one in its place; an active old one is revoked with it.

    The fresh one has the old one's settings with `edit` applied.
    Raises `NotFoundError`, `InvalidValueError`: a rolling link has one use, and does not get it back.
    """
    world.require_open()
    fresh_id = make_id(LINK, world.random_bytes(ID_BYTES))
    tried = False

    def attempt() -> Link | None:
        nonlocal tried
        event_type = read_event_type(world, caller, event_type_id)
        # P4: the first try may have been written and its reply lost.
        if tried and (made := world.store.links.read(fresh_id)):
            return made
        tried = True
        seen = world.store.rolling_links.read(event_type_id)
        old = world.store.links.read(seen) if seen else None
        key_id = world.keyring().current
        now = world.now()  # P3: after the last read
        settings = edit(renewed_settings(old.settings, old.created_at, now) if old else LinkSettings())
        rules = Rules()
        check_link_settings(settings, rules, now=now)
        check_rolling_settings(settings, rules)
        check_overrides(settings.overrides, event_type.settings, rules.at("overrides"))
        rules.enforce()
        fresh = Link(
            link_id=fresh_id,
            host_id=event_type.host_id,
            event_type_id=event_type_id,
            key_id=key_id,
            settings=settings,
            created_at=now,
            rolling=True,
        )
        return fresh if world.store.rolling_links.renew(fresh, old, seen, cause, now=now) else None

    return until_decided(world, attempt)
