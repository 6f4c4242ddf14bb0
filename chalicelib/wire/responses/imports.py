"""Responses about a CSV import."""

from chalicelib.domain.imports.sheet import Row
from chalicelib.domain.links.link import Recipient
from chalicelib.wire.responses.answer import Answer, Time, optional_time
from chalicelib.wire.responses.warnings import SettingsWarningAnswer


class ImportFault(Answer, frozen=True):
    """What is wrong with a cell, or with a whole row."""

    column: str | None
    detail: str


class ImportLink(Answer, frozen=True):
    """Summary of the link that a row would create."""

    recipient: Recipient | None
    label: str | None
    max_usage_count: int | None
    expires_at: Time | None
    not_before: Time | None


class ImportRowAnswer(Answer, frozen=True):
    """The link that a row would create, or the row's faults."""

    line: int
    link: ImportLink | None
    errors: list[ImportFault]


class ImportPreviewAnswer(Answer, frozen=True):
    """The result of a dry run of a CSV import, row by row. No link was created."""

    good: int
    bad: int
    rows: list[ImportRowAnswer]
    warnings: list[SettingsWarningAnswer]


def import_row_answer(row: Row) -> ImportRowAnswer:
    """Return a row of a preview: the link it would create, or its faults."""
    errors = [ImportFault(column=fault.column, detail=fault.detail) for fault in row.faults]
    settings = row.settings
    if settings is None or errors:
        return ImportRowAnswer(line=row.line, link=None, errors=errors)
    link = ImportLink(
        recipient=settings.recipient,
        label=settings.label,
        max_usage_count=settings.max_usage_count,
        expires_at=optional_time(settings.expires_at),
        not_before=optional_time(settings.not_before),
    )
    return ImportRowAnswer(line=row.line, link=link, errors=[])
