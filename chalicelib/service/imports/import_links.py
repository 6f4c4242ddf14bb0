"""Import links from a sheet of rows: all of them or none, or with `partial` the valid ones (P1, P4, ADR 0004)."""

from collections.abc import Sequence
from typing import Final

import msgspec

from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import (
    ContendedError,
    FieldFault,
    IdempotencyKeyReusedError,
    InvalidRequestError,
    InvalidValueError,
)
from chalicelib.domain.event_types.contradictions import SettingsWarning, warnings_of_link_settings
from chalicelib.domain.imports.sheet import Row, Sheet, checked_rows
from chalicelib.domain.links.batches import Batch
from chalicelib.domain.links.link import Link
from chalicelib.domain.team.api_keys import Caller
from chalicelib.service.event_types import read_event_type
from chalicelib.service.links.generate import GenerateRequest, Progress, by_place, generate
from chalicelib.service.ports import World

_TRIES: Final = 3


class ImportRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to import links of one event type. `partial` imports the valid rows even if others are invalid."""

    event_type_id: str
    sheet: Sheet
    partial: bool
    idempotency_key: str | None
    queued: bool = False


class Import(msgspec.Struct, frozen=True):
    """The batch's id, and the result of each row in order."""

    batch_id: str
    rows: list["Imported"]


class Imported(msgspec.Struct, frozen=True):
    """The result of one row. `link_id` is None if it was not imported; `link` is also None if it was deleted since."""

    row: Row
    link_id: str | None
    link: Link | None


def import_links(
    world: World, caller: Caller, request: ImportRequest, cause: Cause, progress: Progress | None = None
) -> Import:
    """Create the links of a sheet, and return the result of each row in order.

    With an idempotency key, the same sheet returns the same links, as with `generate`; the first request decides which
    rows are valid.

    Raises `NotFoundError` (the event type); `InvalidRequestError` or `InvalidValueError`, with the faults in every
    row, unless all rows are valid (with `partial`: at least one); `IdempotencyKeyReusedError`; `TryLaterError`.
    """
    world.require_open()
    for _ in range(_TRIES):
        try:
            return _import(world, caller, request, cause, progress)
        except _OutdatedCheckError:
            continue  # an expiry passed, or the event type changed, between this check and the one in `generate`
    raise ContendedError


class Preview(msgspec.Struct, frozen=True):
    """The rows of a sheet with their faults, and warnings if nobody could book with links of the valid rows."""

    rows: list[Row]
    warnings: list[SettingsWarning]


def preview_import(world: World, caller: Caller, event_type_id: str, sheet: Sheet) -> Preview:
    """Return what an import of a sheet would create now; create nothing. Raises `NotFoundError` (the event type)."""
    event_type = read_event_type(world, caller, event_type_id)
    now = world.now()
    rows = list(checked_rows(sheet.rows, event_type.settings, now=now))
    valid = [None if row.faults else row.settings for row in rows]
    return Preview(rows, warnings_of_link_settings(event_type.settings, valid, now=now, under="/rows"))


class _OutdatedCheckError(Exception):
    """The rows passed the check, but something changed before their links were created."""


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
    rows = list(checked_rows(request.sheet.rows, event_type.settings, now=now))
    taken = _taken_before(rows, kept, digest) if kept else [row for row in rows if not row.faults]
    if kept is None and (not taken or (len(taken) < len(rows) and not request.partial)):
        raise _refusal(rows)
    to_generate = GenerateRequest(
        event_type_id=event_type.event_type_id,
        links=[row.settings for row in taken if row.settings],
        from_items=True,
        idempotency_key=key,
        body_hash=kept.body_hash if kept else digest + _mask(taken),
        queued=request.queued,
    )
    try:
        made = generate(world, caller, to_generate, cause, progress)
    except InvalidValueError as error:
        raise _OutdatedCheckError from error
    except IdempotencyKeyReusedError as error:
        if kept is not None:
            raise
        raise _OutdatedCheckError from error  # a concurrent request with the same key was first
    found = by_place(made)
    links = {row.index: one for row, one in zip(taken, found, strict=True)}
    nothing: tuple[None, None] = (None, None)
    return Import(made.batch_id, [Imported(row, *links.get(row.index, nothing)) for row in rows])


def _taken_before(rows: Sequence[Row], kept: Batch, digest: str) -> list[Row]:
    mask = int(kept.body_hash.removeprefix(digest), 16)
    return [row for row in rows if row.settings and mask >> row.index & 1]


def _mask(taken: Sequence[Row]) -> str:
    """Return the imported rows as a bit mask. It is stored with the batch, so that a retry imports the same rows."""
    return f"{sum(1 << row.index for row in taken):x}"


def _refusal(rows: Sequence[Row]) -> InvalidRequestError | InvalidValueError:
    faults: list[FieldFault] = [fault for row in rows for fault in row.faults]
    bad = sum(1 for row in rows if row.faults)
    detail = f"{bad} of {len(rows)} rows can't be used, so no link was created."
    unreadable = any(row.settings is None for row in rows)
    return (InvalidRequestError if unreadable else InvalidValueError)(faults, detail)
