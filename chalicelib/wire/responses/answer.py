"""The base of all response bodies: camelCase names, all fields present, instants as RFC 3339 text."""

from datetime import datetime
from typing import Annotated

import msgspec

from chalicelib.domain.clock import rfc3339

Time = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""An RFC 3339 instant in UTC, e.g. `2026-11-21T09:00:00Z`."""


class Answer(msgspec.Struct, rename="camel", kw_only=True, frozen=True):
    """A response body."""


def optional_time(value: datetime | None) -> str | None:
    """Return an instant as RFC 3339 text, or None."""
    return None if value is None else rfc3339(value)
