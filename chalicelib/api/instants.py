"""Times as requests give them: RFC 3339 instants and dates, in years that can be reckoned with."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final

import msgspec

from chalicelib.domain.clock import as_instant
from chalicelib.domain.errors import FieldFault, InvalidRequestError, InvalidValueError

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A JSON string with a zone offset; one without is not of the documented form."""

DEFAULT_RANGE: Final = timedelta(days=30)  # of slots, where a request names no end
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2200, 1, 1, tzinfo=UTC)


def instant(value: datetime, pointer: str) -> datetime:
    """Return a given time as UTC to the millisecond. Raises `InvalidValueError` outside the years 2000–2199."""
    try:
        found = as_instant(value)
    except OverflowError:
        found = _LAST
    if not _FIRST <= found < _LAST:
        raise InvalidValueError([FieldFault(pointer, "must be in the years 2000 to 2199")])
    return found


def when(text: str, name: str) -> datetime:
    """Return a query parameter's instant, or date as its first moment UTC. Raises as `instant`, or 400."""
    day = date_of(text)
    if day is not None:
        return datetime.combine(day, time(0), UTC)
    try:
        # A plus sign that was not encoded arrives as a space.
        found = msgspec.convert(text.replace(" ", "+"), type=Instant)
    except msgspec.ValidationError:
        raise InvalidRequestError([FieldFault(f"/{name}", "must be an RFC 3339 instant or a date")]) from None
    return instant(found, f"/{name}")


def date_of(text: str) -> date | None:
    """Return a `YYYY-MM-DD` of the years 2000–2199, or None."""
    if not _DATE.fullmatch(text):
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if _FIRST.year <= found.year < _LAST.year else None
