"""Finish a restore in steps: revoke links with incomplete events, count the applied messages, list the revoked links.

Each function returns when no time is left. Its reply then has a cursor, from which the next request continues.
"""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from chalicelib.domain.links.link import Link, LinkStatus
from chalicelib.domain.listings import LinkFilter
from chalicelib.domain.restore import AppliedEvents, missing
from chalicelib.domain.restore_steps import (
    SHARDS,
    CountReply,
    CountStep,
    ListReply,
    ListStep,
    RevokedLink,
    RevokeReason,
    RevokeReply,
    RevokeStep,
    Step,
)
from chalicelib.service.contention import retry_until_result
from chalicelib.service.paging import stream
from chalicelib.service.ports import World
from chalicelib.service.restore import run_cause

_PAGE: Final = 100
_LIST_PAGE: Final = 500
_MAX_LISTED: Final = 2000

HasTime = Callable[[], bool]


class OtherTableError(Exception):
    """A step is for another table than the function's."""


class InvalidCursorError(Exception):
    """A cursor is not from a reply."""


class _Place(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Where a step continues: a shard and the last id in it; then a host, and the last link in one of its lists.

    `host` is the place in the list of hosts before the current host, `used` whether the list of its used links is
    next. Both matter only when no shard is left.
    """

    shard: int = 0
    after: str | None = None
    host: str | None = None
    used: bool = False


class _Portion(msgspec.Struct, frozen=True):
    """The links to revoke from one page, how many links with applied events it had, and the place after it."""

    links: list[tuple[Link, RevokeReason]]
    checked: int
    place: _Place


def revoke_step(world: World, step: RevokeStep, has_time: HasTime) -> RevokeReply:
    """Revoke every link for which an event is missing or incomplete; with `everything`, also every other usable link.

    `everything` is for an archive that does not reach back to the backup: any link may have been used since (P1), also
    a used one, if a booking was cancelled in between.
    If the time ends within a page, the next request repeats that page, and skips the links that are revoked by then.
    """
    place = _begin(world, step)
    checked = revoked = 0
    for portion in _portions(world, place, everything=step.everything):
        for link, reason in portion.links:
            revoked += _revoke(world, link, reason)
            if not has_time():
                return RevokeReply(checked=checked, revoked=revoked, cursor=_cursor(place))
        place, checked = portion.place, checked + portion.checked
        if not has_time():
            return RevokeReply(checked=checked, revoked=revoked, cursor=_cursor(place))
    return RevokeReply(checked=checked, revoked=revoked, cursor=None)


def count_step(world: World, step: CountStep, has_time: HasTime) -> CountReply:
    """Count the messages whose events were applied, and find the marker."""
    place = _begin(world, step)
    records, messages = world.store.restore_records, 0
    found = step.marker is not None and records.has_marker(step.marker)
    while place.shard < len(SHARDS):
        count, after = records.count_messages(SHARDS[place.shard], place.after)
        messages += count
        place = _Place(place.shard, after) if after else _Place(place.shard + 1)
        if not has_time():
            break
    return CountReply(messages=messages, marker_found=found, cursor=_cursor_unless_done(place))


def list_step(world: World, step: ListStep, has_time: HasTime) -> ListReply:
    """List the links that this restore revoked."""
    place = _begin(world, step)
    revoked: list[RevokedLink] = []
    while place.shard < len(SHARDS) and len(revoked) + _LIST_PAGE <= _MAX_LISTED:
        page = world.store.restore_records.revoked(SHARDS[place.shard], place.after, _LIST_PAGE)
        revoked += page
        place = _Place(place.shard, page[-1].link_id) if page else _Place(place.shard + 1)
        if not has_time():
            break
    return ListReply(revoked=revoked, cursor=_cursor_unless_done(place))


def _begin(world: World, step: Step) -> _Place:
    """Return the place at which a step begins. Raises `OtherTableError` or `InvalidCursorError`."""
    run = world.store.restore.run
    if step.run != run:
        raise OtherTableError(
            f"This function uses the table {run}, not {step.run}: deploy the stage over it first."
        )
    if step.cursor is None:
        return _Place()
    try:
        return msgspec.json.decode(step.cursor, type=_Place)
    except msgspec.DecodeError as error:
        raise InvalidCursorError("The cursor is not from a reply: start again without one.") from error


def _cursor(place: _Place) -> str:
    return msgspec.json.encode(place).decode()


def _cursor_unless_done(place: _Place) -> str | None:
    return _cursor(place) if place.shard < len(SHARDS) else None


def _portions(world: World, place: _Place, *, everything: bool) -> Iterator[_Portion]:
    """Yield the links to revoke, page by page, which takes three round trips for each 100 links without a gap."""
    while place.shard < len(SHARDS):
        portion = _gaps(world, place)
        yield portion
        place = portion.place
    if everything:
        yield from _usable(world, place)


def _gaps(world: World, place: _Place) -> _Portion:
    """Return the links of one page of applied events that lack one, or have an incomplete one."""
    page, after = world.store.restore.applied(SHARDS[place.shard], place.after, _PAGE)
    if after is None:
        return _Portion([], 0, _Place(place.shard + 1))
    reasons = {each.link_id: reason for each in page if (reason := _reason(each)) is not None}
    links = world.store.links.read_many_any_version(list(reasons))
    found = [(link, reasons[link.link_id]) for link in links if _is_revocable(world, link)]
    return _Portion(found, len(page), _Place(place.shard, after))


def _reason(applied: AppliedEvents) -> RevokeReason | None:
    """Return why a link must be revoked if it is usable."""
    if applied.last is None:
        return None
    if missing(applied.base, applied.last, applied.seen):
        return RevokeReason.GAP
    return RevokeReason.INCOMPLETE if applied.partly else None


def _usable(world: World, place: _Place) -> Iterator[_Portion]:
    """Yield the links that can be used, now or after a cancellation, host by host."""
    for host in stream(world.store.hosts.entries, place.host, _PAGE):
        for status in (LinkStatus.USED,) if place.used else (LinkStatus.ACTIVE, LinkStatus.USED):
            where = LinkFilter(host_id=host.item_id, event_type_id=None, status=status)
            while entries := world.store.links.entries(where, status, place.after, _PAGE):
                link_ids = [entry.item_id for entry in entries]
                if status is LinkStatus.USED:  # few are restorable, so read only those whole
                    link_ids = world.store.restore.restoring_uses(link_ids)
                links = world.store.links.read_many_any_version(link_ids)
                found = [(link, RevokeReason.EVERYTHING) for link in links if _is_revocable(world, link)]
                place = msgspec.structs.replace(place, after=entries[-1].sort)
                yield _Portion(found, 0, place)
            place = msgspec.structs.replace(place, after=None, used=True)
        place = _Place(len(SHARDS), host=host.sort)
        yield _Portion([], 0, place)


def _is_revocable(world: World, link: Link) -> bool:
    """Return whether a link can be used now, or could after a cancellation."""
    now = world.now()
    return link.status_at(now) is LinkStatus.ACTIVE or link.is_restorable(now)


def _revoke(world: World, link: Link, reason: RevokeReason) -> bool:
    def attempt() -> tuple[bool]:
        return (world.store.restore_records.revoke(link, reason, run_cause(world), now=world.now()),)

    return retry_until_result(world, attempt)[0]
