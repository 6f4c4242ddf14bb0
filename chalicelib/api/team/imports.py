"""`/v1/links/import` and `/v1/links/export`: create links from CSV, and list them as CSV."""

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final
from urllib.parse import urlencode

from chalicelib.api.http.call import Call, whole_number
from chalicelib.api.http.routing import Reply, json_reply
from chalicelib.api.http.uploads import MULTIPART, read_upload
from chalicelib.api.team.routing import is_true, one_of, team_router
from chalicelib.domain.errors import (
    FieldFault,
    InvalidRequestError,
    InvalidValueError,
    UnsupportedMediaTypeError,
)
from chalicelib.domain.imports.csv_text import BOM, decode_csv, write_csv
from chalicelib.domain.imports.sheet import (
    EXPORT_COLUMNS,
    RESULT_COLUMNS,
    Sheet,
    link_cells,
    read_sheet,
    result_cells,
)
from chalicelib.domain.links.link import LinkStatus
from chalicelib.domain.listings import MAX_EXPORTED, MIN_PAGE
from chalicelib.domain.urls import link_url
from chalicelib.service.imports.import_links import Imported, ImportRequest, import_links, preview_import
from chalicelib.service.links.list import ListRequest, list_links
from chalicelib.wire.responses.imports import (
    ImportPreviewAnswer,
    import_row_answer,
)
from chalicelib.wire.responses.warnings import warnings_answer

CSV: Final = "text/csv"
TSV: Final = "text/tab-separated-values"
# The content types with which clients send CSV files; Windows sends Excel's.
_FILES: Final = (CSV, "application/csv", "application/vnd.ms-excel", TSV)
_MEDIA: Final = (*_FILES, MULTIPART)
MANY_ROWS: Final = 2_500_000  # bytes; Lambda's event, at most 6 MB, escapes each quote with one more byte

_LIST_PAGE: Final = 100
_FULL: Final = 3_000_000  # bytes; a larger response gets no further page of the list
_HEADERS: Final = {"Content-Type": "text/csv; charset=utf-8; header=present"}
_CHARSET: Final = re.compile(r';\s*charset\s*=\s*"?([^";\s]*)', re.IGNORECASE)

imports = team_router(__name__)


class _Header(StrEnum):
    """The pages of an export that begin with the names of the columns."""

    EVERY = "every"
    FIRST = "first"


@imports.on(
    "POST",
    "/v1/links/import",
    query=("eventTypeId", "partial", "bom"),
    answer=CSV,
    status=201,
    keyed=True,
    max_bytes=MANY_ROWS,
    media=_MEDIA,
)
def post_import(call: Call) -> Reply:
    """Create a link for each row. The response has a row for each row, in the same order, and a `Batch-Id` header."""
    partial = is_true(call.query(), "partial")
    event_type_id, sheet = _sheet(call)
    request = ImportRequest(
        event_type_id=event_type_id,
        sheet=sheet,
        partial=partial,
        idempotency_key=call.idempotency_key,
    )
    done = import_links(call.world, call.caller, request, call.cause())
    rows = [RESULT_COLUMNS, *(_result_cells(call, one) for one in done.rows)]
    return Reply(201, _mark(call) + write_csv(rows), {**_HEADERS, "Batch-Id": done.batch_id})


@imports.on(
    "POST",
    "/v1/links/import/preview",
    query=("eventTypeId",),
    answer=ImportPreviewAnswer,
    max_bytes=MANY_ROWS,
    media=_MEDIA,
)
def post_preview(call: Call) -> Reply:
    """Return the links that an import would create, and the errors of each row. Nothing is created."""
    event_type_id, sheet = _sheet(call)
    preview = preview_import(call.world, call.caller, event_type_id, sheet)
    rows = [import_row_answer(row) for row in preview.rows]
    bad = sum(1 for row in rows if row.errors)
    answer = ImportPreviewAnswer(
        good=len(rows) - bad, bad=bad, rows=rows, warnings=warnings_answer(preview.warnings)
    )
    return json_reply(200, answer)


@imports.on(
    "GET",
    "/v1/links/export",
    query=("hostId", "eventTypeId", "status", "q", "limit", "cursor", "header", "bom"),
    answer=CSV,
)
def get_export(call: Call) -> Reply:
    """List links as CSV, a page at a time; `Link: <…>; rel="next"` leads to the next one.

    A page ends at `limit` links, or before it exceeds Lambda's maximum response size. With `header=first` only the
    first page has the header, so that the pages can be appended to one file. With `bom=true` each page that has the
    header begins with a byte order mark.
    """
    query = call.query()
    limit = _limit(query)
    cursor = query.get("cursor")
    has_header = one_of(query, "header", _Header) is not _Header.FIRST or cursor is None
    text = _mark(call) + write_csv([EXPORT_COLUMNS]) if has_header else ""
    base = call.base_url
    count = 0
    while True:
        request = ListRequest(
            host_id=query.get("hostId"),
            event_type_id=query.get("eventTypeId"),
            status=one_of(query, "status", LinkStatus),
            query=query.get("q"),
            cursor=cursor,
            limit=min(_LIST_PAGE, limit - count),
        )
        page = list_links(call.world, call.caller, request)
        ring, now = call.world.keyring(), call.world.now()
        text += write_csv(link_cells(link, link_url(link, ring, base), now) for link in page.rows)
        count += len(page.rows)
        cursor = page.next_cursor
        if cursor is None or count >= limit or len(json.dumps(text)) > _FULL:
            break
    headers = {**_HEADERS, "Content-Disposition": 'attachment; filename="links.csv"'}
    if not has_header:
        headers["Content-Type"] = headers["Content-Type"].replace("present", "absent")
    if cursor is not None:
        following = urlencode({**query, "cursor": cursor})
        headers["Link"] = f'<{base}/v1/links/export?{following}>; rel="next"'
        headers["Next-Cursor"] = cursor
    return Reply(200, text, headers)


def _sheet(call: Call) -> tuple[str, Sheet]:
    """Return the event type that the query names, and the rows of the body."""
    query = call.query()
    if "eventTypeId" not in query:
        raise InvalidRequestError([FieldFault("/eventTypeId", "is required")])
    raw, content_type, kind = call.body(), call.header("content-type") or "", call.media_type
    if kind == MULTIPART:
        upload = read_upload(content_type, raw)
        raw, content_type = upload.raw, upload.content_type
        # The browser guesses the file's type, so it is used only to recognize tab-separated values.
        kind = content_type.partition(";")[0].strip().lower()
    charset = _CHARSET.search(content_type)
    if charset and charset.group(1).lower() not in {"utf-8", "utf8", "us-ascii"}:
        raise UnsupportedMediaTypeError("This path accepts CSV in UTF-8.")
    delimiter = "\t" if kind == TSV else None
    return query["eventTypeId"], read_sheet(decode_csv(raw), query["eventTypeId"], delimiter=delimiter)


def _mark(call: Call) -> str:
    """Return a byte order mark if `?bom=true` asks for it, so that Excel reads UTF-8."""
    return BOM if is_true(call.query(), "bom") else ""


def _result_cells(call: Call, done: Imported) -> list[str]:
    url = link_url(done.link, call.world.keyring(), call.base_url) if done.link else None
    return result_cells(done.row, done.link_id, done.link, url, call.world.now())


def _limit(query: Mapping[str, str]) -> int:
    limit = whole_number(query["limit"], "limit") if "limit" in query else MAX_EXPORTED
    if not MIN_PAGE <= limit <= MAX_EXPORTED:
        raise InvalidValueError([FieldFault("/limit", f"must be {MIN_PAGE} to {MAX_EXPORTED}")])
    return limit
