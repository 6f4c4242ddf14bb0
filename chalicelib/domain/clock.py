"""Instants: aware UTC datetimes with millisecond precision, and the type of a clock."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_millis(instant: datetime) -> int:
    """Return whole milliseconds since 1970-01-01T00:00Z, rounding down."""
    return (instant - _EPOCH) // _MILLISECOND


def from_millis(millis: int) -> datetime:
    """Return the UTC instant that is `millis` milliseconds after 1970-01-01T00:00Z."""
    return _EPOCH + millis * _MILLISECOND


def as_instant(value: datetime) -> datetime:
    """Return an aware datetime in UTC, truncated to the millisecond.

    Raises OverflowError outside the years 1 to 9999.
    """
    return from_millis(to_millis(value))


def rfc3339(instant: datetime) -> str:
    """Return an instant as RFC 3339 text, e.g. `2026-11-21T09:00:00Z`; milliseconds are left out if they are zero."""
    spec = "milliseconds" if instant.microsecond else "seconds"
    return instant.astimezone(UTC).isoformat(timespec=spec).replace("+00:00", "Z")
