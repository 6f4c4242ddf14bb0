"""Times in requests: RFC 3339 instants and dates, within the supported years."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final

import msgspec

from chalicelib.domain.clock import as_instant
from chalicelib.domain.errors import FieldFault, InvalidRequestError, InvalidValueError
from chalicelib.domain.zones import is_zone, load_zone, wall_to_utc

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A JSON string with a UTC offset, which is required."""

DEFAULT_RANGE: Final = timedelta(days=30)  # of slots, if a request has no end
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2200, 1, 1, tzinfo=UTC)


def instant(value: datetime, pointer: str) -> datetime:
    """Return a time in UTC, truncated to the millisecond. Raises `InvalidValueError` outside the years 2000 to 2199."""
    try:
        found = as_instant(value)
    except OverflowError:
        found = _LAST
    if not _FIRST <= found < _LAST:
        raise InvalidValueError([FieldFault(pointer, "must be in the years 2000 to 2199")])
    return found


def requested_zone(query: Mapping[str, str]) -> str | None:
    """Return the zone in `?timeZone=`, or None. Raises `InvalidValueError` if it is not an IANA time zone."""
    zone = query.get("timeZone")
    if zone is not None and not is_zone(zone):
        raise InvalidValueError([FieldFault("/timeZone", "is not an IANA time zone, e.g. Europe/Berlin")])
    return zone


def has_date(query: Mapping[str, str]) -> bool:
    """Return whether `from` or `to` is a date; a date needs a zone to become an instant."""
    return any(_DATE.fullmatch(query.get(name, "")) for name in ("from", "to"))


def requested_range(query: Mapping[str, str], zone: str) -> tuple[datetime | None, datetime | None]:
    """Return `?from=` and `?to=` as instants; a date becomes its first moment in the zone.

    Raises `InvalidRequestError` for a value that is neither an instant nor a date, and `InvalidValueError` for a year
    outside the supported range.
    """
    start = when(query["from"], "from", zone) if "from" in query else None
    end = when(query["to"], "to", zone) if "to" in query else None
    return start, end


def when(text: str, name: str, zone: str) -> datetime:
    """Return a query parameter as an instant; a date becomes its first moment in the zone. See `requested_range`."""
    if _DATE.fullmatch(text):
        day = date_of(text)
        if day is not None:
            return max(_FIRST, wall_to_utc(day, time(0), load_zone(zone)))
        try:
            date.fromisoformat(text)
        except ValueError:
            raise InvalidRequestError([FieldFault(f"/{name}", "is not a date in the calendar")]) from None
        raise InvalidValueError([FieldFault(f"/{name}", "must be in the years 2000 to 2199")])
    try:
        # An unencoded plus sign arrives as a space.
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
