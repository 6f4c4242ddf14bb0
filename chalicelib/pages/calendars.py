"""A booking as calendars take it: iCalendar text (RFC 5545, 5546), and URLs that add it to Google's or Outlook's."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from chalicelib.domain.bookings import Booking, BookingStatus
from chalicelib.domain.clock import rfc3339
from chalicelib.pages.languages import Words, language_of, words
from chalicelib.pages.places import place_line

if TYPE_CHECKING:
    from icalendar import Event

PRODID: Final = "-//Admit One//Bookings//EN"
UID_DOMAIN: Final = "admit-one"
_MOST_QUOTED: Final = 600  # characters of one value in a URL, escaped: the whole stays well under 2,048


class Person(NamedTuple):
    """Who takes part in an invitation, or sends it: replies to it go to the sender's address."""

    name: str
    email: str


class CalendarUrls(NamedTuple):
    """Pages of calendars on the web, with the booking filled in."""

    google: str
    outlook: str


def calendar_text(booking: Booking, *, host_name: str, own_page: str | None, now: datetime) -> str:
    """Return a booking as an iCalendar file with one event, in UTC.

    It is `PUBLISH`, and nobody is invited, so that the calendar takes it as the reader's own and never writes to the
    host when it is deleted. (Outlook can't open a `REQUEST` that did not come by mail at all.)

    Parameters
    ----------
    host_name
        What the invitee knows the host by; may be empty.
    own_page
        The absolute URL of the invitee's own page, or None.
    now
        When this text is made, UTC.
    """
    say = words(language_of(booking.language))
    event = _event(booking, _description(booking, host_name, own_page, say), own_page, now, say)
    return _calendar(event, "PUBLISH")


def invitation(
    booking: Booking,
    *,
    organizer: Person,
    attendees: Sequence[Person],
    description: str,
    url: str | None,
    now: datetime,
    say: Words,
) -> tuple[str, str]:
    """Return a booking as a mail brings it to a calendar, and its METHOD: `REQUEST`, or `CANCEL` once cancelled.

    Everyone who takes part has agreed already, by booking or by offering the time, and nobody is asked to answer.
    Addresses are ASCII.
    """
    event = _event(booking, description, url, now, say)
    event.add("organizer", _address(organizer))
    for person in attendees:
        event.add("attendee", _address(person, ROLE="REQ-PARTICIPANT", PARTSTAT="ACCEPTED", RSVP="FALSE"))
    method = "CANCEL" if booking.status is BookingStatus.CANCELLED else "REQUEST"
    return _calendar(event, method), method


def calendar_urls(booking: Booking, *, host_name: str, own_page: str | None) -> CalendarUrls:
    """Return the URLs that open Google's or Outlook.com's calendar with a booking filled in, in UTC."""
    say = words(language_of(booking.language))
    place, details = place_line(booking.location, say), _description(booking, host_name, own_page, say)
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


def _event(booking: Booking, description: str, url: str | None, now: datetime, say: Words) -> "Event":
    """Return the event. Its UID never changes and SEQUENCE grows with every change: read again, it replaces itself."""
    from icalendar import Event  # here, not above: 50 to 130 ms that no other request need pay

    event = Event()
    event.add("uid", f"{booking.booking_id}@{UID_DOMAIN}")
    event.add("sequence", booking.sequence - 1)
    event.add("dtstamp", now.astimezone(UTC))
    event.add("created", booking.created_at.astimezone(UTC))
    event.add("dtstart", booking.start.astimezone(UTC))
    event.add("dtend", booking.end.astimezone(UTC))
    event.add("summary", booking.title)
    event.add("status", "CANCELLED" if booking.status is BookingStatus.CANCELLED else "CONFIRMED")
    if description:
        event.add("description", description)
    if place := place_line(booking.location, say):
        event.add("location", place)
    if url:
        event.add("url", url)
    return event


def _calendar(event: "Event", method: str) -> str:
    from icalendar import Calendar

    calendar = Calendar()
    calendar.add("prodid", PRODID)
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(event)
    text: str = calendar.to_ical().decode()
    return text


def _description(booking: Booking, host_name: str, own_page: str | None, say: Words) -> str:
    if booking.status is BookingStatus.CANCELLED:
        lines = [say("mails.calendar.cancelled"), own_page]
    else:  # the page first: what is cut where all this goes into a URL is the name
        change = own_page and say("mails.row", label=say("mails.change"), value=own_page)
        lines = [change, host_name and say("mails.calendar.with", host=host_name)]
    return "\n".join(line for line in lines if line)


def _address(person: Person, **parameters: str) -> str:
    from icalendar import vCalAddress

    address: str = vCalAddress("mailto:" + quote(person.email, safe="@+!$&'*=/._~-"))
    named = {"CN": person.name} if person.name else {}
    address.params.update({**named, **parameters})  # type: ignore[attr-defined] # vCalAddress is a str
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
