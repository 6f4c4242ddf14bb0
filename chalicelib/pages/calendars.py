"""A booking as calendars take it: iCalendar text (RFC 5545, 5546), and URLs that add it to Google's or Outlook's."""

from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.parse import quote

from chalicelib.domain.bookings import Booking, BookingStatus, Invitee
from chalicelib.domain.clock import rfc3339
from chalicelib.pages.languages import words
from chalicelib.pages.places import place_line

PRODID: Final = "-//Admit One//Bookings//EN"
UID_DOMAIN: Final = "admit-one"
_MOST_QUOTED: Final = 600  # characters of one value in a URL, escaped: the whole stays well under 2,048


class Organizer(NamedTuple):
    """Who sends an invite: replies to it go to this address."""

    name: str
    email: str


class CalendarUrls(NamedTuple):
    """Pages of calendars on the web, with the booking filled in."""

    google: str
    outlook: str


def calendar_text(
    booking: Booking,
    *,
    host_name: str,
    own_page: str | None,
    now: datetime,
    organizer: Organizer | None = None,
) -> str:
    """Return a booking as an iCalendar object with one event, in UTC.

    The UID never changes and SEQUENCE grows with every change, so an event that is read again replaces itself.

    Without an organizer it is for a file: `PUBLISH`, and nobody is invited, so that the calendar takes it as the
    reader's own and never writes to the host when it is deleted (Outlook can't open a `REQUEST` that did not come
    by mail at all). With one it is for a mail to the invitee: `REQUEST`, or `CANCEL` once it is cancelled.

    Parameters
    ----------
    host_name
        What the invitee knows the host by; may be empty.
    own_page
        The absolute URL of the invitee's own page, or None.
    now
        When this text is made, UTC.
    """
    from icalendar import Calendar, Event  # here, not above: 50 to 130 ms that no other request need pay

    cancelled = booking.status is BookingStatus.CANCELLED
    event = Event()
    event.add("uid", f"{booking.booking_id}@{UID_DOMAIN}")
    event.add("sequence", booking.sequence - 1)
    event.add("dtstamp", now.astimezone(UTC))
    event.add("created", booking.created_at.astimezone(UTC))
    event.add("dtstart", booking.start.astimezone(UTC))
    event.add("dtend", booking.end.astimezone(UTC))
    event.add("summary", booking.title)
    event.add("status", "CANCELLED" if cancelled else "CONFIRMED")
    event.add("description", _description(booking, host_name, own_page))
    if place := place_line(booking.location, words("en")):
        event.add("location", place)
    if own_page:
        event.add("url", own_page)
    if organizer is not None:
        event.add("organizer", _address(organizer))
        if booking.invitee is not None:
            event.add("attendee", _address(booking.invitee, ROLE="REQ-PARTICIPANT", PARTSTAT="ACCEPTED"))

    calendar = Calendar()
    calendar.add("prodid", PRODID)
    calendar.add("version", "2.0")
    calendar.add("method", _method(scheduled=organizer is not None, cancelled=cancelled))
    calendar.add_component(event)
    text: str = calendar.to_ical().decode()
    return text


def calendar_urls(booking: Booking, *, host_name: str, own_page: str | None) -> CalendarUrls:
    """Return the URLs that open Google's or Outlook.com's calendar with a booking filled in, in UTC."""
    place, details = place_line(booking.location, words("en")), _description(booking, host_name, own_page)
    google = {
        "action": "TEMPLATE",
        "text": booking.title,
        "dates": f"{booking.start.astimezone(UTC):%Y%m%dT%H%M%SZ}/{booking.end.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        "details": details,
        "location": place,
    }
    outlook = {
        "path": "/calendar/action/compose",
        "rru": "addevent",
        "subject": booking.title,
        "startdt": rfc3339(booking.start),
        "enddt": rfc3339(booking.end),
        "body": details,
        "location": place,
    }
    return CalendarUrls(
        "https://calendar.google.com/calendar/render?" + _query(google),
        "https://outlook.live.com/calendar/0/action/compose?" + _query(outlook),
    )


def _method(*, scheduled: bool, cancelled: bool) -> str:
    if not scheduled:
        return "PUBLISH"
    return "CANCEL" if cancelled else "REQUEST"


def _description(booking: Booking, host_name: str, own_page: str | None) -> str:
    if booking.status is BookingStatus.CANCELLED:
        lines = ["This booking is cancelled.", own_page]
    else:  # the page first: what is cut where all this goes into a URL is the name
        lines = [own_page and f"Move or cancel: {own_page}", host_name and f"With {host_name}."]
    return "\n".join(line for line in lines if line)


def _address(person: Organizer | Invitee, **parameters: str) -> str:
    from icalendar import vCalAddress

    address: str = vCalAddress("mailto:" + quote(person.email, safe="@+!$&'*=/._~-"))
    address.params.update({"CN": person.name, **parameters})  # type: ignore[attr-defined] # vCalAddress is a str
    return address


def _query(values: dict[str, str]) -> str:
    """Return a query string. A space is %20: Outlook shows a plus as it is."""
    return "&".join(f"{name}={_quoted(value)}" for name, value in values.items() if value)


def _quoted(value: str) -> str:
    """Return a value escaped for a query, cut at a character where it would make the URL too long."""
    pieces = [quote(character, safe="") for character in value]
    if sum(map(len, pieces)) <= _MOST_QUOTED:
        return "".join(pieces)
    kept, left = [], _MOST_QUOTED - len(quote("…"))
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            break
        kept.append(piece)
    return "".join(kept) + quote("…")
