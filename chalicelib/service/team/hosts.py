"""Create, read, list and change hosts. Admin keys may do all of this; a host key may read and change its own host."""

from collections.abc import Callable
from operator import attrgetter
from typing import Final

import msgspec

from chalicelib.domain.bookings.receipt import hash_body
from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import NotFoundError
from chalicelib.domain.ids import HOST, is_id
from chalicelib.domain.listings import read_cursor
from chalicelib.domain.team.api_keys import Caller
from chalicelib.domain.team.hosts import Host, HostSettings, check_host_settings
from chalicelib.domain.validation import Rules
from chalicelib.service.contention import retry_until_result
from chalicelib.service.create_once import identity
from chalicelib.service.paging import Page, fill, portion, stream
from chalicelib.service.ports import World

TEAM: Final = "team"  # the owner of the idempotency keys for new hosts, which admins share


def create_host(
    world: World, caller: Caller, settings: HostSettings, cause: Cause, *, idempotency_key: str | None = None
) -> Host:
    """Create a host; with an idempotency key, a retry returns its current state.

    Raises `ForbiddenError`, `InvalidValueError`, `IdempotencyKeyReusedError`.
    """
    caller.require_admin()
    _check(settings)
    own = identity(world, TEAM, HOST, idempotency_key, hash_body(settings), cause)
    if own.repeated and (made := world.store.hosts.read(own.id)):
        return made
    host = Host(host_id=own.id, settings=settings, created_at=own.created_at)
    world.store.hosts.create(host, cause)
    # If a concurrent request created it first, return that one.
    return (world.store.hosts.read(own.id) if idempotency_key else None) or host


def read_host(world: World, caller: Caller, host_id: str) -> Host:
    """Return a host. Raises `NotFoundError`, also for a host that the caller may not see (P9)."""
    host = world.store.hosts.read(host_id) if is_id(HOST, host_id) and caller.may_see(host_id) else None
    if host is None:
        raise NotFoundError
    return host


def own_host(world: World, caller: Caller) -> Host | None:
    """Return the host of a key; None for an admin's key without one."""
    return world.store.hosts.read(caller.host_id) if caller.host_id else None


def list_hosts(world: World, caller: Caller, cursor: str | None, limit: int) -> Page[Host]:
    """Return a page of the team's hosts. Raises `ForbiddenError`, `InvalidValueError`."""
    caller.require_admin()
    _, before = read_cursor(cursor, "h")
    hosts = world.store.hosts
    return fill(
        stream(hosts.entries, before, portion(limit, 1)), limit, "h", hosts.read_many, attrgetter("host_id")
    )


def change_host(
    world: World, caller: Caller, host_id: str, edit: Callable[[HostSettings], HostSettings], cause: Cause
) -> Host:
    """Change a host if it still has the version that was read. Raises `NotFoundError`, `InvalidValueError`."""

    def attempt() -> Host | None:
        host = read_host(world, caller, host_id)
        settings = edit(host.settings)
        _check(settings)
        changed = msgspec.structs.replace(host, settings=settings, sequence=host.sequence + 1)
        return changed if world.store.hosts.change(changed, cause, seen=host.sequence) else None

    return retry_until_result(world, attempt)


def _check(settings: HostSettings) -> None:
    rules = Rules()
    check_host_settings(settings, rules)
    rules.enforce()
