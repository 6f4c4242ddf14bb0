"""Lists: their filters, and the cursor with which the next page starts where one ended (P10)."""

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
MAX_EXPORTED: Final = 1000  # rows of a page of a CSV export
DUE_SHARDS: Final = 8  # partitions of the due index, so that no one partition takes every expiry

_POSITION: Final = re.compile(r"[0-9]{14}(?:[0-9]{10})?#[a-z]{3}_[a-z2-7]{26}(?:\.[0-9]{1,2})?\Z")


class LinkFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which links: always one host's; then, if given, of one event type and in one status."""

    host_id: str
    event_type_id: str | None = None
    status: LinkStatus | None = None


class BookingFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which bookings: always one host's; of one link, or of an event type; starting in `[start, end)`."""

    host_id: str
    link_id: str | None = None
    event_type_id: str | None = None
    status: BookingStatus | None = None
    start: datetime | None = None
    end: datetime | None = None


class Entry(msgspec.Struct, frozen=True):
    """One index entry: an id, and its place in the list."""

    item_id: str
    sort: str


class DueList(msgspec.Struct, frozen=True):
    """A host's due links, newest made first; of the `crowded` minutes (milliseconds since 1970) none are among them."""

    entries: list[Entry]
    crowded: list[int]


def write_cursor(stage: str, sort: str) -> str:
    """Return the opaque cursor for a place: the list's stage (one letter) and the last entry's sort key."""
    return base64.urlsafe_b64encode(f"{stage}{sort}".encode()).decode().rstrip("=")


def read_cursor(cursor: str | None, stages: str) -> tuple[str, str | None]:
    """Return stage and sort key; without a cursor the first stage, and None for its beginning.

    A made-up cursor can only name a place: the partition is worked out from the caller (P9).

    Raises `InvalidValueError` for anything that is not a cursor of these stages.
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
        raise InvalidValueError([FieldFault("/cursor", "is not a cursor of this list")])
    return stage, sort or None
