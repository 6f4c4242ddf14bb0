"""Import links from a sheet of rows: all of them or none, or with `partial` those that are good (P1, P4, ADR 0004)."""

from collections.abc import Sequence
from typing import Final

import msgspec

from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import (
    FieldFault,
    IdempotencyKeyReusedError,
    InvalidRequestError,
    InvalidValueError,
    StoreUnavailableError,
)
from chalicelib.domain.event_types.contradictions import SettingsWarning, warnings_of_link_settings
from chalicelib.domain.imports.sheet import Row, Sheet, judged
from chalicelib.domain.links.batches import Batch
from chalicelib.domain.links.link import Link
from chalicelib.domain.team.api_keys import Caller
from chalicelib.service.event_types import read_event_type
from chalicelib.service.links.generate import GenerateRequest, Progress, by_place, generate
from chalicelib.service.ports import World

_TRIES: Final = 3


class ImportRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: a sheet of links of one event type. `partial` makes the good rows though others are not."""

    event_type_id: str
    sheet: Sheet
    partial: bool
    idempotency_key: str | None
    queued: bool = False


class Import(msgspec.Struct, frozen=True):
    """What became of each row in order, and the id of the batch."""

    batch_id: str
    rows: list["Imported"]


class Imported(msgspec.Struct, frozen=True):
    """What became of one row. Neither id nor link: not made, its faults say why. An id alone: made, deleted since."""

    row: Row
    link_id: str | None
    link: Link | None


def import_links(
    world: World, caller: Caller, request: ImportRequest, cause: Cause, progress: Progress | None = None
) -> Import:
    """Make the links of a sheet, and return what became of each row in order.

    With an idempotency key the same sheet again returns the same links, as `generate` does; which rows were good
    was settled the first time.

    Raises `NotFoundError` (the event type); `InvalidRequestError` or `InvalidValueError` with a fault for every bad
    row when not all are good, or with `partial` when none is; `IdempotencyKeyReusedError`, `TryLaterError`.
    """
    world.require_open()
    for _ in range(_TRIES):
        try:
            return _import(world, caller, request, cause, progress)
        except _Outrun:
            continue  # an expiry passed, or the event type changed, between our look and generate's own
    raise StoreUnavailableError


class Preview(msgspec.Struct, frozen=True):
    """The rows of a sheet with what is wrong with each, and why nobody could book with links of the good ones."""

    rows: list[Row]
    warnings: list[SettingsWarning]


def preview_import(world: World, caller: Caller, event_type_id: str, sheet: Sheet) -> Preview:
    """Return what an import of a sheet would create now; create nothing. Raises `NotFoundError` (the event type)."""
    event_type = read_event_type(world, caller, event_type_id)
    now = world.now()
    rows = list(judged(sheet.rows, event_type.settings, now=now))
    good = [None if row.faults else row.settings for row in rows]
    return Preview(rows, warnings_of_link_settings(event_type.settings, good, now=now, under="/rows"))


class _Outrun(Exception):
    """What was checked is no longer true."""


def _import(
    world: World, caller: Caller, request: ImportRequest, cause: Cause, progress: Progress | None
) -> Import:
    event_type = read_event_type(world, caller, request.event_type_id)
    key, digest = request.idempotency_key, f"csv:{request.sheet.digest}:{request.partial:d}:"
    kept = world.store.batches.read(event_type.host_id, key, now=world.now()) if key else None
    if kept is not None and not kept.body_hash.startswith(digest):
        raise IdempotencyKeyReusedError
    # A retry is checked against the same rules as the first request.
    now = kept.created_at if kept else world.now()
    rows = list(judged(request.sheet.rows, event_type.settings, now=now))
    taken = _taken_before(rows, kept, digest) if kept else [row for row in rows if not row.faults]
    if kept is None and (not taken or (len(taken) < len(rows) and not request.partial)):
        raise _refusal(rows)
    asked = GenerateRequest(
        event_type_id=event_type.event_type_id,
        links=[row.settings for row in taken if row.settings],
        from_items=True,
        idempotency_key=key,
        body_hash=kept.body_hash if kept else digest + _mask(taken),
        queued=request.queued,
    )
    try:
        made = generate(world, caller, asked, cause, progress)
    except InvalidValueError as error:
        raise _Outrun from error
    except IdempotencyKeyReusedError as error:
        if kept is not None:
            raise
        raise _Outrun from error  # the same request came twice at once, and the other one was first
    found = by_place(made)
    links = {row.index: one for row, one in zip(taken, found, strict=True)}
    nothing: tuple[None, None] = (None, None)
    return Import(made.batch_id, [Imported(row, *links.get(row.index, nothing)) for row in rows])


def _taken_before(rows: Sequence[Row], kept: Batch, digest: str) -> list[Row]:
    mask = int(kept.body_hash.removeprefix(digest), 16)
    return [row for row in rows if row.settings and mask >> row.index & 1]


def _mask(taken: Sequence[Row]) -> str:
    """Return which rows were taken, one bit for each: kept with the batch, a repeat takes the same ones."""
    return f"{sum(1 << row.index for row in taken):x}"


def _refusal(rows: Sequence[Row]) -> InvalidRequestError | InvalidValueError:
    faults: list[FieldFault] = [fault for row in rows for fault in row.faults]
    bad = sum(1 for row in rows if row.faults)
    detail = f"{bad} of {len(rows)} rows can't be used; nothing was made."
    unreadable = any(row.settings is None for row in rows)
    return (InvalidRequestError if unreadable else InvalidValueError)(faults, detail)
