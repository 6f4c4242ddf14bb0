"""Write locations in words: before the booking without the details to join a call, after it in full."""

import re
from typing import Final

import msgspec

from chalicelib.domain.event_types.event_type import Location
from chalicelib.pages.languages import Words

_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()./-]{3,30}\Z")


class Place(msgspec.Struct, frozen=True):
    """A location as a page shows it: the icon of its kind, words, a detail, and the detail's URL."""

    kind: str
    words: str
    detail: str
    href: str | None = None


def place_before(location: Location, say: Words) -> Place:
    """Return a location as a visitor may see it before booking: without the details to join a call."""
    detail = location.before_booking.detail
    if location.kind == "custom":
        return Place(location.kind, detail or say("pages.place.shown-later"), "")
    return Place(location.kind, _kind_words(location, say), detail)


def place_after(location: Location, say: Words) -> Place:
    """Return a location in full, with a link if its detail is a URL or a phone number."""
    words, detail = _kind_words(location, say), location.detail.strip()
    href = None
    if detail.lower().startswith(("https://", "http://")) and not re.search(r"\s", detail):
        href = detail
    elif location.kind == "phone" and _PHONE.match(detail):
        href = "tel:" + re.sub(r"[^0-9+]", "", detail)
    return Place(location.kind, words, detail, href)


def place_line(location: Location | None, say: Words) -> str:
    """Return a location in full as one line of plain text, as calendars need it; empty if there is none."""
    if location is None:
        return ""
    place = place_after(location, say)
    return place.detail or place.words


def _kind_words(location: Location, say: Words) -> str:
    return "" if location.kind == "custom" else say(f"pages.place.{location.kind}")
