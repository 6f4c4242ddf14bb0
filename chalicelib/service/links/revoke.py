"""Revoke and delete links, one or many. After the response, nobody can book with them (P3)."""

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import (
    AdmitOneError,
    ConflictError,
    FieldFault,
    InvalidValueError,
)
from chalicelib.domain.events.events import link_deleted
from chalicelib.domain.links.link import MAX_LINKS_PER_CALL, Link, LinkStatus
from chalicelib.domain.team.api_keys import Caller
from chalicelib.service.contention import retry_until_result
from chalicelib.service.links.read import read_link_of_any_version
from chalicelib.service.ports import World


class BulkResult(msgspec.Struct, frozen=True):
    """The result for one link of many: its status (`deleted` if it was deleted), or the error."""

    link_id: str
    status: str | None
    error: AdmitOneError | None


def revoke_link(world: World, caller: Caller, link_id: str, cause: Cause) -> Link:
    """Revoke a link that is active, or used and restorable by a cancellation; return it. A revoked link stays as it is.

    Raises `NotFoundError`; `ConflictError` for other used links and expired ones, with which nobody can book anyway.
    """

    def attempt() -> Link | None:
        link = read_link_of_any_version(world, caller, link_id)
        now = world.now()
        status = link.status_at(now)
        if status is LinkStatus.REVOKED:
            return link
        if status is not LinkStatus.ACTIVE and not link.is_restorable(now):
            raise ConflictError(f"This link is already {status}.")
        return world.store.links.revoke(link, cause, now=now)

    return retry_until_result(world, attempt)


def delete_link(world: World, caller: Caller, link_id: str, cause: Cause) -> None:
    """Delete a link, whatever its status. Its bookings and history stay. Raises `NotFoundError`."""
    link = read_link_of_any_version(world, caller, link_id)

    def attempt() -> bool | None:
        nonlocal link
        if world.store.links.delete(link_deleted(link, cause, world.now())):
            return True
        # The link changed since it was read, or it is deleted: then an earlier try succeeded and its reply was lost.
        found = world.store.links.read_any_version(link_id)
        if found is None:
            return True
        link = found
        return None

    retry_until_result(world, attempt)


def bulk_revoke(world: World, caller: Caller, link_ids: Sequence[str], cause: Cause) -> list[BulkResult]:
    """Revoke up to 1,000 links independently; an error of one does not stop the others."""
    return _each(link_ids, lambda link_id: revoke_link(world, caller, link_id, cause).status_at(world.now()))


def bulk_delete(world: World, caller: Caller, link_ids: Sequence[str], cause: Cause) -> list[BulkResult]:
    """Delete up to 1,000 links independently; an error of one does not stop the others."""

    def delete(link_id: str) -> str:
        delete_link(world, caller, link_id, cause)
        return "deleted"

    return _each(link_ids, delete)


def _each(link_ids: Sequence[str], act: Callable[[str], str]) -> list[BulkResult]:
    if not 1 <= len(link_ids) <= MAX_LINKS_PER_CALL:
        raise InvalidValueError([FieldFault("/linkIds", f"must have 1 to {MAX_LINKS_PER_CALL} entries")])
    from concurrent.futures import ThreadPoolExecutor  # imported here: it adds 10 ms to a cold start

    unique = list(dict.fromkeys(link_ids))
    with ThreadPoolExecutor(max_workers=16) as pool:
        results = dict(zip(unique, pool.map(partial(_one, act), unique), strict=True))
    return [results[link_id] for link_id in link_ids]


def _one(act: Callable[[str], str], link_id: str) -> BulkResult:
    try:
        return BulkResult(link_id, str(act(link_id)), None)
    except AdmitOneError as error:
        return BulkResult(link_id, None, error)
