"""Import a file from the import bucket: create links from its rows, once, and write a result file (P1, P4)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import AdmitOneError, PayloadTooLargeError, TryLaterError
from chalicelib.domain.imports.csv_text import BOM, decode_csv, write_csv
from chalicelib.domain.imports.import_file import ImportFile, Place
from chalicelib.domain.imports.sheet import RESULT_COLUMNS, Row, read_sheet, rejected_cells, result_cells
from chalicelib.domain.links.link import MAX_LINKS_PER_BATCH, Link
from chalicelib.domain.team.api_keys import Caller, Role
from chalicelib.service.imports.import_links import Import, ImportRequest, import_links
from chalicelib.service.links.generate import Progress
from chalicelib.service.ports import Objects, World

MAX_BYTES: Final = 25_000_000
CSV: Final = "text/csv; charset=utf-8"

UrlOf = Callable[[Link], str | None]


class ImportedObject(msgspec.Struct, frozen=True):
    """The result of an import."""

    batch_id: str
    rows: int
    made: int


def import_file(
    world: World, file: ImportFile, place: Place, cause: Cause, *, url_of: UrlOf, progress: Progress
) -> ImportedObject:
    """Create the links of a file, up to 10,000, and write a result file.

    The result file has each row with its status, and its link or errors.

    Imports all rows or none, unless the object's metadata has `partial: true`. A retry for the same object version
    resumes where the previous attempt stopped. It returns the same links, and the result file shows their current
    state.

    Raises the errors of `import_links`, `PayloadTooLargeError` if the file exceeds 25 MB, and `ConflictError` if the
    object was deleted or overwritten (then no result file is written). Retry only after a `TryLaterError`.
    """
    objects = world.objects
    if objects is None:
        raise RuntimeError("World.objects is None: imports need an S3 client")
    rows: Sequence[Row] = ()
    try:
        raw, metadata = objects.read(
            file.bucket, file.key, version=file.version, etag=file.etag, max_bytes=MAX_BYTES
        )
    except PayloadTooLargeError as error:
        _write(objects, file, place, rejected_cells(rows, error))
        raise
    try:
        sheet = read_sheet(decode_csv(raw), place.event_type_id, most=MAX_LINKS_PER_BATCH)
        rows = sheet.rows
        request = ImportRequest(
            event_type_id=place.event_type_id,
            sheet=sheet,
            partial=metadata.get("partial", "").strip().lower() == "true",
            idempotency_key=file.idempotency_key,
            queued=True,
        )
        done = import_links(world, Caller("", Role.HOST, place.host_id), request, cause, progress)
    except TryLaterError:
        raise
    except AdmitOneError as error:
        _write(objects, file, place, rejected_cells(rows, error))
        raise
    _write(objects, file, place, _results(world, done, url_of))
    return ImportedObject(done.batch_id, len(done.rows), sum(1 for one in done.rows if one.link_id))


def _results(world: World, done: Import, url_of: UrlOf) -> Iterable[list[str]]:
    now = world.now()
    for one in done.rows:
        yield result_cells(one.row, one.link_id, one.link, url_of(one.link) if one.link else None, now)


def _write(objects: Objects, file: ImportFile, place: Place, rows: Iterable[Sequence[str]]) -> None:
    text = BOM + write_csv([RESULT_COLUMNS, *rows])  # people open it in Excel
    objects.write(file.bucket, place.result_key, text.encode(), content_type=CSV)
