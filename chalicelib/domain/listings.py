"""Lists: their filters, and the cursors from which the next pages start (P10)."""

import base64
import binascii
import re
from datetime import datetime
from typing import Final

import msgspec

from chalicelib.domain.bookings.booking import BookingStatus
from chalicelib.domain.errors import FieldFault, InvalidValueError
from chalicelib.domain.links.link import LinkStatus

MIN_PAGE: Final = 1
MAX_PAGE: Final = 200
DEFAULT_PAGE: Final = 50
MAX_EXPORTED: Final = 1000  # rows per page of a CSV export
DUE_SHARDS: Final = 8  # partitions of the due index, to spread the expiry of links

_POSITION: Final = re.compile(r"[0-9]{14}(?:[0-9]{10})?#[a-z]{3}_[a-z2-7]{26}(?:\.[0-9]{1,2})?\Z")


class LinkFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Select links of one host, optionally of one event type and in one status."""

    host_id: str
    event_type_id: str | None = None
    status: LinkStatus | None = None


class BookingFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Select bookings of one host, optionally of one link or event type, and with a start in `[start, end)`."""

    host_id: str
    link_id: str | None = None
    event_type_id: str | None = None
    status: BookingStatus | None = None
    start: datetime | None = None
    end: datetime | None = None


class Entry(msgspec.Struct, frozen=True):
    """One index entry: an item's id and its sort key in the list."""

    item_id: str
    sort: str


class DueList(msgspec.Struct, frozen=True):
    """A host's due links, newest first. Links of the `crowded` minutes (milliseconds since 1970) are left out."""

    entries: list[Entry]
    crowded: list[int]


def write_cursor(stage: str, sort: str) -> str:
    """Return an opaque cursor: the list's stage (one letter) and the sort key of the page's last entry."""
    return base64.urlsafe_b64encode(f"{stage}{sort}".encode()).decode().rstrip("=")


def read_cursor(cursor: str | None, stages: str) -> tuple[str, str | None]:
    """Return the stage and the sort key in a cursor. Without a cursor, return the first stage and None.

    A forged cursor reveals nothing, because the partition depends on the caller and not on the cursor (P9).

    Raises `InvalidValueError` if it is not a cursor of one of these stages.
    """
    if cursor is None:
        return stages[0], None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    stage, sort = text[:1], text[1:]
    place = sort.rpartition("\x1f")[2]
    if not stage or stage not in stages or (sort and not _POSITION.match(place)) or len(sort.encode()) > 1000:
        raise InvalidValueError(
            [
                FieldFault(
                    "/cursor",
                    "is not a cursor of this list; send the nextCursor of the previous page, with the same parameters",
                )
            ]
        )
    return stage, sort or None
