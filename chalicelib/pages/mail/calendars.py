"""Write a booking for calendars: as iCalendar text (RFC 5545, 5546), and as URLs of Google's or Outlook's calendar."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from chalicelib.domain.bookings.booking import Booking, BookingStatus
from chalicelib.domain.clock import rfc3339
from chalicelib.domain.text import one_line
from chalicelib.pages.invitee.places import place_line
from chalicelib.pages.languages import Words, language_of, words

if TYPE_CHECKING:
    from icalendar import Event

PRODID: Final = "-//Admit One//Bookings//EN"
UID_DOMAIN: Final = "admit-one"
_MAX_QUOTED: Final = 600  # characters of one escaped value in a URL, so that the URL stays well under 2,048


class Person(NamedTuple):
    """An attendee of an invitation, or its organizer, who gets the replies."""

    name: str
    email: str


class CalendarUrls(NamedTuple):
    """URLs of web calendars' forms with the booking filled in."""

    google: str
    outlook: str


def calendar_text(booking: Booking, *, host_name: str, emailed: bool, now: datetime) -> str:
    """Return a booking as an iCalendar file with one event, in UTC.

    The file has no METHOD and no attendees, so a calendar imports it as the reader's own event and never writes to the
    host when the event is deleted. (RFC 5546 requires an ORGANIZER with `PUBLISH`, and libical enforces it; Outlook
    can't open a `REQUEST` that was not sent by email.) It has no URL that opens the booking, because calendars are
    shared (P7).

    Parameters
    ----------
    host_name
        The host's public name; may be empty.
    emailed
        Whether the invitee has an email with the link to their booking.
    now
        The time when this text is written, UTC.
    """
    say = words(language_of(booking.language))
    title = invitees_title(booking, host_name, say)
    event = _event(booking, title, invitees_description(booking, host_name, say, emailed=emailed), now, say)
    return _calendar([event], None)


def calendar_of_all(entries: Sequence[tuple[Booking, str, str]], *, now: datetime, say: Words) -> str:
    """Return bookings, each with its title and description, as one file without METHOD."""
    return _calendar([_event(*entry, now, say) for entry in entries], None)


def hosts_title(booking: Booking, invitee_name: str, say: Words) -> str:
    """Return a booking's title for its host; the name may be empty."""
    title, name = one_line(booking.title), one_line(invitee_name)
    return say("mails.title.host", title=title, invitee=name) if title and name else title or name


def invitees_title(booking: Booking, host_name: str, say: Words) -> str:
    """Return a booking's title for its invitee; the name may be empty."""
    title, name = one_line(booking.title), one_line(host_name)
    return say("mails.title.invitee", title=title, host=name) if title and name else title or name


def invitees_description(booking: Booking, host_name: str, say: Words, *, emailed: bool) -> str:
    """Return the text of the invitee's calendar entry. It does not contain the secret URL (P7)."""
    if booking.status is BookingStatus.CANCELLED:
        return say("mails.calendar.cancelled")
    change = say("mails.calendar.change" if emailed else "mails.calendar.change-page")
    name = one_line(host_name)
    return "\n".join(filter(None, [name and say("mails.calendar.with", host=name), change]))


def invitation(
    booking: Booking,
    *,
    title: str,
    organizer: Person,
    attendees: Sequence[Person],
    description: str,
    now: datetime,
    say: Words,
) -> tuple[str, str]:
    """Return a booking as an email's calendar part, and its METHOD: `REQUEST`, or `CANCEL` for a cancelled booking.

    The attendees have accepted by booking or by offering the time, so the calendar asks nobody to reply. Addresses are
    ASCII.
    """
    event = _event(booking, title, description, now, say)
    event.add("organizer", _address(organizer))
    for person in attendees:
        event.add("attendee", _address(person, ROLE="REQ-PARTICIPANT", PARTSTAT="ACCEPTED", RSVP="FALSE"))
    method = "CANCEL" if booking.status is BookingStatus.CANCELLED else "REQUEST"
    return _calendar([event], method), method


def calendar_urls(booking: Booking, *, host_name: str, emailed: bool) -> CalendarUrls:
    """Return the URLs that open Google's and Outlook.com's calendars with a booking filled in, in UTC."""
    say = words(language_of(booking.language))
    title, place = invitees_title(booking, host_name, say), _place(booking, say)
    details = invitees_description(booking, host_name, say, emailed=emailed)
    google = {
        "action": "TEMPLATE",
        "text": title,
        "dates": f"{booking.start.astimezone(UTC):%Y%m%dT%H%M%SZ}/{booking.end.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        "details": details,
        "location": place,
    }
    outlook = {
        "path": "/calendar/action/compose",
        "rru": "addevent",
        "subject": title,
        "startdt": rfc3339(booking.start),
        "enddt": rfc3339(booking.end),
        "body": details,
        "location": place,
    }
    return CalendarUrls(
        "https://calendar.google.com/calendar/render?" + _query(google),
        "https://outlook.live.com/calendar/0/action/compose?" + _query(outlook),
    )


def _event(booking: Booking, title: str, description: str, now: datetime, say: Words) -> "Event":
    """Return the event. Its UID is fixed and SEQUENCE grows with each change, so newer files replace older ones."""
    from icalendar import Event  # imported here: it takes 50 to 130 ms, and no other request needs it

    event = Event()
    event.add("uid", f"{booking.booking_id}@{UID_DOMAIN}")
    event.add("sequence", booking.sequence - 1)
    event.add("dtstamp", now.astimezone(UTC))
    event.add("created", booking.created_at.astimezone(UTC))
    event.add("dtstart", booking.start.astimezone(UTC))
    event.add("dtend", booking.end.astimezone(UTC))
    event.add("summary", title)
    event.add("status", "CANCELLED" if booking.status is BookingStatus.CANCELLED else "CONFIRMED")
    if description:
        event.add("description", description)
    if place := _place(booking, say):
        event.add("location", place)
    return event


def _place(booking: Booking, say: Words) -> str:
    """Return a booking's location; empty for a cancelled booking, which nobody can join."""
    return "" if booking.status is BookingStatus.CANCELLED else one_line(place_line(booking.location, say))


def _calendar(events: "Sequence[Event]", method: str | None) -> str:
    from icalendar import Calendar

    calendar = Calendar()
    calendar.add("prodid", PRODID)
    calendar.add("version", "2.0")
    if method is not None:
        calendar.add("method", method)
    for event in events:
        calendar.add_component(event)
    text: str = calendar.to_ical().decode()
    return text


def _address(person: Person, **parameters: str) -> str:
    from icalendar import vCalAddress

    address: str = vCalAddress("mailto:" + quote(person.email, safe="@+!$&'*=/._~-"))
    named = {"CN": person.name} if person.name else {}
    address.params.update({**named, **parameters})  # type: ignore[attr-defined] # vCalAddress is a str
    return address


def _query(values: dict[str, str]) -> str:
    """Return a query string with spaces as %20, because Outlook shows a plus unchanged."""
    return "&".join(f"{name}={_quoted(value)}" for name, value in values.items() if value)


def _quoted(value: str) -> str:
    """Return a value escaped for a query. A value that would make the URL too long is cut between two characters."""
    pieces = [quote(character, safe="") for character in value]
    if sum(map(len, pieces)) <= _MAX_QUOTED:
        return "".join(pieces)
    kept, left = [], _MAX_QUOTED - len(quote("…"))
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            break
        kept.append(piece)
    return "".join(kept) + quote("…")
