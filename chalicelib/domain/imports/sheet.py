"""Convert CSV rows to link settings, with all faults by line and column, and links to CSV rows."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, get_args

import msgspec

from chalicelib.domain.clock import as_instant, rfc3339
from chalicelib.domain.errors import AdmitOneError, CellFault, FieldFault, InvalidValueError
from chalicelib.domain.event_types.event_type import EventSettings, Location, LocationKind, Question
from chalicelib.domain.event_types.offers import Overrides, check_overrides
from chalicelib.domain.event_types.schedules import Schedule
from chalicelib.domain.imports.csv_text import Record, broken, read_csv
from chalicelib.domain.links.link import (
    MAX_LINKS_PER_CALL,
    Enforce,
    Link,
    LinkSettings,
    Recipient,
    check_link_settings,
)
from chalicelib.domain.text import is_blank, tidy_line
from chalicelib.domain.validation import Rules

MAX_COLUMNS: Final = 100
MAX_FAULTS_PER_ROW: Final = 5  # so that the faults in 1,000 rows fit into one response
UNLIMITED: Final = "unlimited"

_METADATA: Final = "metadata."
_MAX_DETAIL_LENGTH: Final = 200  # a detail may quote the cell
# The range of instants, as in JSON requests.
_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_NUMBER: Final = re.compile(r"-?[0-9]{1,9}\Z")


class Row(msgspec.Struct, frozen=True):
    """One row: its index from 0, the line on which it begins, and its nonempty cells by column.

    `settings` is None if a cell can't be read; `faults` then lists the unreadable cells.
    """

    index: int
    line: int
    cells: Mapping[str, str]
    settings: LinkSettings | None
    faults: tuple[CellFault, ...]


class Sheet(msgspec.Struct, frozen=True):
    """A file of links to create. `digest` depends only on the cells' values, not on quotes and delimiters."""

    rows: tuple[Row, ...]
    digest: str


class _Unreadable(Exception):
    """A cell's text can't be read as its column's type."""


class _Column(msgspec.Struct, frozen=True):
    """A column. `pointer` is the value's place in the JSON of a link; `read` raises `_Unreadable`."""

    pointer: str
    read: Callable[[str], Any]


def read_sheet(
    text: str, event_type_id: str, *, most: int = MAX_LINKS_PER_CALL, delimiter: str | None = None
) -> Sheet:
    """Return the rows of a CSV text as links to create. An unreadable cell is a fault in its row.

    Raises `InvalidRequestError` for broken CSV, an unknown or repeated column, or a row with too many or too few cells
    (empty trailing columns do not count), and `InvalidValueError` for a file without rows or with more than `most`.
    """
    records = read_csv(text, delimiter)
    header = next(records, None)
    if header is None:
        raise broken(1, "must be a header; the file is empty")
    columns = _columns_of(header)
    rows: list[Row] = []
    digest = hashlib.sha256(msgspec.json.encode([event_type_id, columns]))
    for record in records:
        if len(rows) == most:
            detail = f"must have at most {most} rows"
            raise InvalidValueError([CellFault("/items", detail, record.line, None)])
        cells, beyond = record.cells[: len(columns)], record.cells[len(columns) :]
        if len(cells) < len(columns) or not all(map(is_blank, beyond)):
            detail = f"has {len(record.cells)} cells; the header has {len(columns)}"
            raise broken(record.line, detail)
        rows.append(_row(len(rows), Record(record.line, cells), columns, event_type_id))
        digest.update(msgspec.json.encode(cells))
    if not rows:
        raise InvalidValueError([CellFault("/items", "must have at least one row", header.line, None)])
    return Sheet(tuple(rows), digest.hexdigest())


def checked_rows(rows: Iterable[Row], event_settings: EventSettings, *, now: datetime) -> Iterator[Row]:
    """Yield the rows, each with the faults that its settings have at `now`."""
    for row in rows:
        if row.settings is None:
            yield row
            continue
        found: list[FieldFault] = []
        rules = Rules(f"/items/{row.index}", found)
        check_link_settings(row.settings, rules, now=now)
        check_overrides(row.settings.overrides, event_settings, rules.at("overrides"))
        faults = tuple(_placed(row, fault) for fault in found)
        yield Row(row.index, row.line, row.cells, row.settings, (*row.faults, *faults)[:MAX_FAULTS_PER_ROW])


def link_cells(link: Link, url: str | None, now: datetime) -> list[str]:
    """Return a link as a row under `EXPORT_COLUMNS`; reading it back gives the same settings."""
    settings, recipient, own = link.settings, link.settings.recipient, link.settings.overrides
    place = own.locations[0] if own.locations and len(own.locations) == 1 else None
    if place is not None and place != place.booked:  # the two cells for a location can't express it
        place = None
    values: dict[str, Any] = {
        "linkId": link.link_id,
        "url": url,
        "hostId": link.host_id,
        "eventTypeId": link.event_type_id,
        "status": link.status_at(now).value,
        "usageCount": link.usage_count,
        "remainingUses": UNLIMITED if link.remaining_uses is None else link.remaining_uses,
        "createdAt": link.created_at,
        "usedAt": link.used_at,
        "revokedAt": link.revoked_at,
        "recipientName": recipient.name if recipient else None,
        "recipientEmail": recipient.email if recipient else None,
        "recipientEnforce": recipient.enforce if recipient else None,
        "label": settings.label,
        "externalId": settings.external_id,
        "maxUsageCount": UNLIMITED if settings.max_usage_count is None else settings.max_usage_count,
        "expiresAt": settings.expires_at,
        "notBefore": settings.not_before,
        "restoreUseOnCancel": settings.restore_use_on_cancel,
        "metadata": settings.metadata or None,
        **{name: getattr(own, field) for name, field in _OVERRIDES.items()},
        "locationKind": place.kind if place else None,
        "locationDetail": place.detail if place else None,
        "locations": None if place else own.locations,
    }
    return [_cell(values[name]) for name in EXPORT_COLUMNS]


def result_cells(
    row: Row, link_id: str | None, link: Link | None, url: str | None, now: datetime
) -> list[str]:
    """Return the result of a row, under `RESULT_COLUMNS`: its link, or why there is none."""
    status = link.status_at(now).value if link else ("deleted" if link_id else "invalid")
    faults = "; ".join(f"{fault.column or 'row'}: {fault.detail}" for fault in row.faults)
    if not faults and link_id is None:
        faults = "this row was invalid when the file was first imported"
    values: dict[str, Any] = {
        **row.cells,
        "line": str(row.line),
        "linkId": link_id,
        "url": url,
        "status": status,
        "error": "" if link_id else faults,
    }
    return [values.get(name) or "" for name in RESULT_COLUMNS]


def rejected_cells(rows: Sequence[Row], error: AdmitOneError) -> Iterator[list[str]]:
    """Yield the result of each row of a rejected file, under `RESULT_COLUMNS`."""
    faults = getattr(error, "faults", ())
    placed = [fault for fault in faults if isinstance(fault, CellFault)]
    by_line: dict[int, list[str]] = {}
    for fault in placed:
        by_line.setdefault(fault.line, []).append(f"{fault.column or 'row'}: {fault.detail}")
    for row in rows:
        found = by_line.pop(row.line, None)
        result = {"status": "invalid", "error": "; ".join(found)} if found else {"status": "not made"}
        values = {**row.cells, "linkId": "", "url": "", "error": "", "line": str(row.line), **result}
        yield [values.get(name) or "" for name in RESULT_COLUMNS]
    if not rows and not by_line:
        by_line[1] = [error.detail]
    for line, details in by_line.items():  # faults in the file itself, such as its header
        values = {"line": str(line), "status": "invalid", "error": "; ".join(details)}
        yield [values.get(name) or "" for name in RESULT_COLUMNS]


def _columns_of(header: Record) -> list[str]:
    """Return the canonical names of the header's columns. Raises `InvalidRequestError` at the first unknown one."""
    if len(header.cells) > MAX_COLUMNS:
        raise broken(header.line, f"has more than {MAX_COLUMNS} columns")
    columns: list[str] = []
    cells = list(header.cells)
    while is_blank(
        cells[-1]
    ):  # spreadsheets add empty columns; a header has at least one cell that is not blank
        cells.pop()
    for place, cell in enumerate(cells, start=1):
        given = tidy_line(cell)
        name = _KNOWN.get(given.lower())
        if name is None and given.lower().startswith(_METADATA) and len(given) > len(_METADATA):
            name = _METADATA + given[len(_METADATA) :]
        if name is None:
            detail = "is not a column of an import" if given else f"has no name for column {place}"
            raise broken(header.line, f"{given!r:.80} {detail}" if given else detail, given[:80] or None)
        if name in columns:
            raise broken(header.line, f"has the column {name!r:.80} twice", name[:80])
        columns.append(name)
    return columns


def _row(index: int, record: Record, columns: Sequence[str], event_type_id: str) -> Row:
    cells = {name: cell for name, cell in zip(columns, record.cells, strict=True) if cell}
    values: dict[str, Any] = {}
    faults: list[CellFault] = []
    for name, cell in cells.items():
        column = _column(name)
        try:
            values[name] = column.read(cell)
        except _Unreadable as error:
            faults.append(_fault(index, record.line, column.pointer, str(error), name))
    for name, detail in _clashes(cells, values, event_type_id):
        faults.append(_fault(index, record.line, _column(name).pointer, detail, name))
    settings = None if faults else _settings(values)
    return Row(index, record.line, cells, settings, tuple(faults[:MAX_FAULTS_PER_ROW]))


def _clashes(
    cells: Mapping[str, str], values: Mapping[str, Any], event_type_id: str
) -> Iterator[tuple[str, str]]:
    """Yield each column whose cell conflicts with another cell or with the import, and why."""
    if values.get("eventTypeId", event_type_id) != event_type_id:
        yield (
            "eventTypeId",
            "is not the event type of this import; remove the column to import into another event type",
        )
    if "locationDetail" in cells and "locationKind" not in cells:
        yield "locationDetail", "requires a locationKind in the same row"
    if "locations" in cells and "locationKind" in cells:
        yield "locations", "can't be used together with locationKind; leave one of the two empty"
    for name in values:
        if name.startswith(_METADATA) and name.removeprefix(_METADATA) in values.get("metadata", {}):
            yield name, "is also in the column metadata; remove one of the two"


def _settings(values: Mapping[str, Any]) -> LinkSettings:
    recipient = None
    if not values.keys().isdisjoint(_RECIPIENT):
        given = {field: values[name] for name, field in _RECIPIENT.items() if name in values}
        recipient = Recipient(**given)
    own = {field: values[name] for name, field in _OVERRIDES.items() if name in values}
    if "locationKind" in values:
        own["locations"] = (Location(values["locationKind"], values.get("locationDetail", "")),)
    metadata = dict(values.get("metadata", {}))
    metadata |= {n.removeprefix(_METADATA): v for n, v in values.items() if n.startswith(_METADATA)}
    plain = {field: values[name] for name, field in _PLAIN.items() if name in values}
    return LinkSettings(recipient=recipient, overrides=Overrides(**own), metadata=metadata, **plain)


def _placed(row: Row, fault: FieldFault) -> CellFault:
    """Return a fault in a setting with its line and column."""
    within = fault.pointer.removeprefix(f"/items/{row.index}")
    pointers = {name: _column(name).pointer for name in row.cells if _column(name).pointer}
    around = [name for name, pointer in pointers.items() if f"{within}/".startswith(f"{pointer}/")]
    inside = [name for name, pointer in pointers.items() if pointer.startswith(f"{within}/")]
    if around:
        column: str | None = around[0]
    elif inside:  # the values are too large together: report the longest cell
        column = max(inside, key=lambda name: len(row.cells[name]))
    else:
        column = next((name for name, known in _COLUMNS.items() if known.pointer == within), None)
    return CellFault(fault.pointer, fault.detail, row.line, column)


def _fault(index: int, line: int, pointer: str, detail: str, column: str) -> CellFault:
    return CellFault(f"/items/{index}{pointer}", detail[:_MAX_DETAIL_LENGTH], line, column)


def _column(name: str) -> _Column:
    if name.startswith(_METADATA):
        key = name.removeprefix(_METADATA).replace("~", "~0").replace("/", "~1")
        return _Column(f"/metadata/{key}", _text)
    return _COLUMNS[name]


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str() | int():
            return str(value)
        case datetime():
            return rfc3339(value)
    return msgspec.json.encode(value).decode()


def _text(cell: str) -> str:
    return cell


def _word(cell: str) -> str:
    return cell.strip()


def _number(cell: str) -> int:
    digits = cell.strip()
    if not _NUMBER.match(digits):
        raise _Unreadable("must be a whole number")
    return int(digits)  # not `int(cell)`: `strip` removes separators (U+001C to U+001F) that `int` rejects


def _uses(cell: str) -> int | None:
    return None if cell.strip().lower() == UNLIMITED else _number(cell)


def _flag(cell: str) -> bool:
    word = cell.strip().lower()
    if word not in {"true", "false"}:
        raise _Unreadable("must be true or false")
    return word == "true"


def _one_of(words: Sequence[str]) -> Callable[[str], str]:
    def read(cell: str) -> str:
        word = cell.strip().lower()
        if word not in words:
            raise _Unreadable(f"must be one of {', '.join(words)}")
        return word

    return read


def _instant(cell: str) -> datetime:
    try:
        found = as_instant(msgspec.convert(cell.strip(), type=Annotated[datetime, msgspec.Meta(tz=True)]))
    except (msgspec.ValidationError, OverflowError):
        raise _Unreadable("must be an RFC 3339 instant with an offset, e.g. 2026-11-21T09:00:00Z") from None
    if not _FIRST <= found < _LAST:
        raise _Unreadable("must be in the years 2000 to 2199")
    return found


def _json(kind: Any) -> Callable[[str], Any]:
    def read(cell: str) -> Any:
        try:
            return msgspec.json.decode(cell, type=kind)
        except msgspec.ValidationError as error:
            raise _Unreadable(str(error)) from None
        except (msgspec.DecodeError, ValueError) as error:
            raise _Unreadable(f"is not JSON: {error}") from None
        except RecursionError:
            raise _Unreadable("is nested too deeply") from None

    return read


# Columns by the settings they fill. The names are those of the API.
_PLAIN: Final = {
    "label": "label",
    "externalId": "external_id",
    "maxUsageCount": "max_usage_count",
    "expiresAt": "expires_at",
    "notBefore": "not_before",
    "restoreUseOnCancel": "restore_use_on_cancel",
}
_RECIPIENT: Final = {"recipientName": "name", "recipientEmail": "email", "recipientEnforce": "enforce"}
_OVERRIDES: Final = {
    "title": "title",
    "durationMinutes": "duration_minutes",
    "slotIntervalMinutes": "slot_interval_minutes",
    "bufferBeforeMinutes": "buffer_before_minutes",
    "bufferAfterMinutes": "buffer_after_minutes",
    "minimumNoticeMinutes": "minimum_notice_minutes",
    "locations": "locations",
    "schedule": "schedule",
    "questions": "questions",
}
# Columns that only an export fills. An import ignores them, so that an export can be imported.
_FACTS: Final = (
    "linkId",
    "url",
    "hostId",
    "status",
    "usageCount",
    "remainingUses",
    "createdAt",
    "usedAt",
    "revokedAt",
)
_COLUMNS: Final[Mapping[str, _Column]] = {
    **{name: _Column("", _text) for name in _FACTS},
    "eventTypeId": _Column("/eventTypeId", _word),
    "recipientName": _Column("/recipient/name", _text),
    "recipientEmail": _Column("/recipient/email", _word),
    "recipientEnforce": _Column("/recipient/enforce", _one_of(get_args(Enforce))),
    "label": _Column("/label", _text),
    "externalId": _Column("/externalId", _word),
    "maxUsageCount": _Column("/maxUsageCount", _uses),
    "expiresAt": _Column("/expiresAt", _instant),
    "notBefore": _Column("/notBefore", _instant),
    "restoreUseOnCancel": _Column("/restoreUseOnCancel", _flag),
    "metadata": _Column("/metadata", _json(dict[str, Any])),
    "title": _Column("/overrides/title", _text),
    "durationMinutes": _Column("/overrides/durationMinutes", _number),
    "slotIntervalMinutes": _Column("/overrides/slotIntervalMinutes", _number),
    "bufferBeforeMinutes": _Column("/overrides/bufferBeforeMinutes", _number),
    "bufferAfterMinutes": _Column("/overrides/bufferAfterMinutes", _number),
    "minimumNoticeMinutes": _Column("/overrides/minimumNoticeMinutes", _number),
    "locationKind": _Column("/overrides/locations/0/kind", _one_of(get_args(LocationKind))),
    "locationDetail": _Column("/overrides/locations/0/detail", _text),
    "locations": _Column("/overrides/locations", _json(tuple[Location, ...])),
    "schedule": _Column("/overrides/schedule", _json(Schedule)),
    "questions": _Column("/overrides/questions", _json(tuple[Question, ...])),
}
_KNOWN: Final = {name.lower(): name for name in _COLUMNS}

RESULT_COLUMNS: Final = (
    "line",
    "recipientName",
    "recipientEmail",
    "label",
    "externalId",
    "linkId",
    "url",
    "status",
    "error",
)

EXPORT_COLUMNS: Final = (
    "linkId",
    "url",
    "status",
    "recipientName",
    "recipientEmail",
    "recipientEnforce",
    "label",
    "externalId",
    "usageCount",
    "maxUsageCount",
    "remainingUses",
    "createdAt",
    "notBefore",
    "expiresAt",
    "usedAt",
    "revokedAt",
    "restoreUseOnCancel",
    "hostId",
    "eventTypeId",
    "title",
    "durationMinutes",
    "slotIntervalMinutes",
    "bufferBeforeMinutes",
    "bufferAfterMinutes",
    "minimumNoticeMinutes",
    "locationKind",
    "locationDetail",
    "locations",
    "schedule",
    "questions",
    "metadata",
)
