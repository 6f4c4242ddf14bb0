"""Calendar files and invitations: independent parsers read every value, and typed text can't add properties (P7)."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, urlsplit

import icalendar
import msgspec
import pytest
from hypothesis import given, strategies as st
from ical.calendar import Calendar
from ical.calendar_stream import IcsCalendarStream
from ical.event import Event

from chalicelib.domain.bookings.booking import Booking, BookingStatus, Invitee
from chalicelib.domain.errors import InvalidValueError
from chalicelib.domain.event_types.event_type import Location
from chalicelib.domain.text import one_line
from chalicelib.domain.validation import Rules
from chalicelib.pages.languages import LANGUAGES, Language, words
from chalicelib.pages.mail.calendars import (
    Person,
    calendar_text,
    calendar_urls,
    hosts_title,
    invitation,
    invitees_description,
    invitees_title,
)

NOW = datetime(2026, 11, 21, 9, 0, 0, 250_000, tzinfo=UTC)
START = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
MIA = Person("Mia, of Sales", "mia@team.example")
HARD = 'Ünï; c, "q" \\n 日本語 👩‍👩‍👧 ^n\u2028x\u0085y:z' + " é" * 60
INJECTION = "Hi\r\nBEGIN:VEVENT\nX-EVIL:1\r\n\r\n<script>"


def a_booking(**changes: Any) -> Booking:
    booking = Booking(
        booking_id="bkg_abc",
        link_id="lnk_abc",
        host_id="hst_abc",
        event_type_id="evt_abc",
        key_id=1,
        title="Product walk-through",
        start=START,
        end=START + timedelta(minutes=45),
        occupied_from=START - timedelta(minutes=10),
        occupied_to=START + timedelta(minutes=60),
        time_zone="America/New_York",
        location=Location("video", "https://meet.example/a?b=c&d,e;f"),
        invitee=Invitee("Sam Okafor", "sam@example.org"),
        answers={"topic": "secret plans"},
        created_at=datetime(2026, 11, 20, 8, 7, 6, tzinfo=UTC),
    )
    return msgspec.structs.replace(booking, **changes)


def text_of(booking: Booking, *, host_name: str = "Mia") -> str:
    return calendar_text(booking, host_name=host_name, emailed=True, now=NOW)


def invited(booking: Booking, *, organizer: Person = MIA) -> str:
    """Return the invitation for a booking's invitee."""
    people = [Person(booking.invitee.name, booking.invitee.email)] if booking.invitee else []
    text, method = invitation(
        booking,
        title=invitees_title(booking, organizer.name, words("en")),
        organizer=organizer,
        attendees=people,
        description=invitees_description(booking, organizer.name, words("en"), emailed=True),
        now=NOW,
        say=words("en"),
    )
    assert f"METHOD:{method}\r\n" in text
    return text


def parsed(text: str) -> tuple[Calendar, Event]:
    calendar = IcsCalendarStream.calendar_from_ics(text)
    [event] = calendar.events
    return calendar, event


def properties(text: str) -> list[str]:
    """Unfold by RFC 5545 §3.1 and return the names of all properties."""
    lines = text.replace("\r\n ", "").split("\r\n")
    return [line.partition(":")[0].partition(";")[0] for line in lines]


def test_every_field_of_a_file_is_read_back_unchanged() -> None:
    calendar, event = parsed(text_of(a_booking(sequence=4)))
    assert (calendar.method, calendar.version, calendar.prodid) == (
        None,
        "2.0",
        "-//Admit One//Bookings//EN",
    )
    assert event.uid == "bkg_abc@admit-one"
    assert event.sequence == 3
    assert (event.dtstart, event.dtend) == (START, START + timedelta(minutes=45))
    assert event.dtstamp == NOW.replace(microsecond=0)
    assert event.created == datetime(2026, 11, 20, 8, 7, 6, tzinfo=UTC)
    assert event.summary == "Product walk-through with Mia"
    assert event.status == "CONFIRMED"
    assert event.location == "https://meet.example/a?b=c&d,e;f"
    assert event.description == (
        "With Mia.\nTo move or cancel, use the link in the email about this booking."
    )


def test_a_file_has_no_organizer_attendee_or_address() -> None:
    # With an attendee, deleting the entry would send them an email.
    text = text_of(a_booking())
    assert properties(text) == [
        *("BEGIN", "VERSION", "PRODID", "BEGIN"),
        *("SUMMARY", "DTSTART", "DTEND", "DTSTAMP", "UID", "SEQUENCE", "CREATED", "DESCRIPTION", "LOCATION"),
        *("STATUS", "END", "END", ""),
    ]
    for private in ("@team.example", "sam@", "secret plans", "lnk_", "hst_", "evt_"):
        assert private not in text


def test_a_move_and_a_cancellation_keep_the_uid_and_increase_the_sequence() -> None:
    later = START + timedelta(days=3)
    lives = [
        a_booking(),
        a_booking(sequence=2, start=later, end=later + timedelta(minutes=45)),
        a_booking(sequence=3, status=BookingStatus.CANCELLED, cancelled_at=NOW),
    ]
    events = [parsed(text_of(life))[1] for life in lives]
    assert {event.uid for event in events} == {"bkg_abc@admit-one"}
    assert [event.sequence for event in events] == [0, 1, 2]
    assert [event.status for event in events] == ["CONFIRMED", "CONFIRMED", "CANCELLED"]
    assert events[1].dtstart == later


@pytest.mark.parametrize(
    ("status", "method"), [(BookingStatus.CONFIRMED, "REQUEST"), (BookingStatus.CANCELLED, "CANCEL")]
)
def test_an_invitation_has_the_organizer_and_the_invitee(status: BookingStatus, method: str) -> None:
    # RFC 5546 §3.2.2 and §3.2.5: both need ORGANIZER and ATTENDEE.
    calendar, event = parsed(invited(a_booking(status=status)))
    assert calendar.method == method
    assert event.status == status.value.upper()
    assert event.organizer is not None
    assert (event.organizer.uri, event.organizer.common_name) == ("mailto:mia@team.example", MIA.name)
    [attendee] = event.attendees
    assert (attendee.uri, attendee.common_name) == ("mailto:sam@example.org", "Sam Okafor")
    assert (attendee.status, attendee.role) == ("ACCEPTED", "REQ-PARTICIPANT")


def test_the_file_of_a_cancelled_booking_has_its_status_and_no_location() -> None:
    calendar, event = parsed(text_of(a_booking(status=BookingStatus.CANCELLED)))
    assert (calendar.method, event.status, event.location) == (None, "CANCELLED", None)
    assert (event.description or "").startswith("This booking is cancelled.")


def test_missing_values_are_left_out() -> None:
    booking = a_booking(location=None, invitee=None)
    for text in (
        calendar_text(booking, host_name="", emailed=True, now=NOW),
        invited(booking),
    ):
        assert not {"LOCATION", "URL", "ATTENDEE"} & set(properties(text))
        assert "None" not in text


@pytest.mark.parametrize(
    ("location", "words"),
    [
        (Location("video"), "Video call"),
        (Location("phone", "+49 30 123"), "+49 30 123"),
        (Location("in_person", "Torstraße 12, Berlin"), "Torstraße 12, Berlin"),
        (Location("in_person"), "In person"),
        (Location("custom"), None),
    ],
)
def test_the_location_is_written_in_full(location: Location, words: str | None) -> None:
    assert parsed(text_of(a_booking(location=location)))[1].location == words


def test_times_in_other_zones_are_written_in_utc() -> None:
    zone = timezone(timedelta(hours=-3, minutes=-30))
    booking = a_booking(start=START.astimezone(zone), end=(START + timedelta(hours=1)).astimezone(zone))
    text = text_of(booking)
    assert "\r\nDTSTART:20261124T093000Z\r\n" in text
    assert "\r\nDTEND:20261124T103000Z\r\n" in text
    assert (
        "dates=20261124T093000Z%2F20261124T103000Z"
        in calendar_urls(booking, host_name="", emailed=True).google
    )


@pytest.mark.parametrize("typed", [HARD, INJECTION])
def test_typed_text_stays_one_value_on_one_line(typed: str) -> None:
    booking = a_booking(
        title=typed, location=Location("custom", typed), invitee=Invitee(typed, "sam@example.org")
    )
    line = one_line(typed)
    _, event = parsed(text_of(booking, host_name=typed))
    assert f"With {line}." in (event.description or "").splitlines()
    text = invited(booking, organizer=Person(typed, "mia@team.example"))
    _, event = parsed(text)
    assert event.summary == f"{line} with {line}"
    assert event.location == line
    assert event.attendees[0].common_name in (typed, typed.replace("\r\n", "\n"))
    assert "X-EVIL" not in properties(text)
    assert properties(text).count("BEGIN") == 2


@given(st.text(max_size=200))
def test_any_valid_title_is_read_back_from_lines_of_at_most_75_bytes(title: str) -> None:
    rules = Rules()
    rules.text(title, longest=200, shortest=1)
    try:
        rules.enforce()
    except InvalidValueError:
        return
    raw = text_of(a_booking(title=title)).encode()
    assert raw.endswith(b"END:VCALENDAR\r\n")
    for line in raw.removesuffix(b"\r\n").split(b"\r\n"):
        assert len(line) <= 75
        assert b"\n" not in line
        assert b"\r" not in line
        line.decode()  # a fold never splits a character
    assert parsed(raw.decode())[1].summary == (f"{one_line(title)} with Mia" if one_line(title) else "Mia")


def test_the_calendar_urls_have_the_booking() -> None:
    booking = a_booking(title="50% off & more + «ü»")
    urls = calendar_urls(booking, host_name="Mia", emailed=True)
    google, outlook = urlsplit(urls.google), urlsplit(urls.outlook)
    assert (google.scheme, google.netloc, google.path) == ("https", "calendar.google.com", "/calendar/render")
    assert (outlook.scheme, outlook.netloc, outlook.path) == (
        "https",
        "outlook.live.com",
        "/calendar/0/action/compose",
    )
    details = "With Mia.\nTo move or cancel, use the link in the email about this booking."
    assert parse_qs(google.query) == {
        "action": ["TEMPLATE"],
        "text": [f"{booking.title} with Mia"],
        "dates": ["20261124T093000Z/20261124T101500Z"],
        "details": [details],
        "location": ["https://meet.example/a?b=c&d,e;f"],
    }
    assert parse_qs(outlook.query) == {
        "path": ["/calendar/action/compose"],
        "rru": ["addevent"],
        "subject": [f"{booking.title} with Mia"],
        "startdt": ["2026-11-24T09:30:00Z"],
        "enddt": ["2026-11-24T10:15:00Z"],
        "body": [details],
        "location": ["https://meet.example/a?b=c&d,e;f"],
    }
    assert "+" not in urls.google + urls.outlook, "Outlook shows a plus sign unchanged"
    assert "location=" not in calendar_urls(a_booking(location=None), host_name="", emailed=True).google


@pytest.mark.parametrize("character", ["a", "é", "語", "👩", "a "])
def test_a_calendar_url_has_a_limited_length(character: str) -> None:
    title_and_name = (character * 200)[:200].strip()
    long = a_booking(title=title_and_name, location=Location("custom", "x" + character * 499))
    for url in calendar_urls(long, host_name=title_and_name, emailed=True):
        assert len(url) < 2048
        assert url.isascii()
        values = parse_qs(urlsplit(url).query, errors="strict")
        [title] = values.get("text") or values["subject"]
        assert f"{title_and_name} with {title_and_name}".startswith(title.rstrip("…"))
        assert len(title) >= 40


def test_no_calendar_entry_has_the_bookings_url() -> None:
    """P7: calendars are shared, so their entries have no secret URL, even if no email can be sent."""
    booking = a_booking()
    for emailed in (True, False):
        texts = [
            calendar_text(booking, host_name="Mia", emailed=emailed, now=NOW),
            invited(booking),
            *calendar_urls(booking, host_name="Mia", emailed=emailed),
        ]
        assert not [text for text in texts if "/b/" in text or "%2Fb%2F" in text]
    assert "open the page of this booking" in calendar_text(
        booking, host_name="Mia", emailed=False, now=NOW
    ).replace("\r\n ", "")


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_title_has_the_other_persons_name(language: Language) -> None:
    """Entries for the same event type have different names, in every language, also if a name is missing or odd."""
    booking, say = a_booking(title="Intro call"), words(language)
    for title in (hosts_title(booking, "Grace Hopper", say), invitees_title(booking, "Grace Hopper", say)):
        assert "Intro call" in title
        assert "Grace Hopper" in title
    assert hosts_title(booking, "", say) == invitees_title(booking, "", say) == "Intro call"
    for odd in (HARD, INJECTION, "{title} {0.__class__} %s"):
        assert one_line(odd) in hosts_title(booking, odd, say)
    assert hosts_title(booking, "Grace Hopper", words("en")) == "Intro call: Grace Hopper"
    assert invitees_title(booking, "Ada", words("en")) == "Intro call with Ada"


def test_every_file_follows_the_rules_of_its_method() -> None:
    """RFC 5546: with a METHOD, a file needs an ORGANIZER; libical enforces this."""
    for status in BookingStatus:
        booking = a_booking(status=status)
        for text in (text_of(booking), invited(booking)):
            read = icalendar.Calendar.from_ical(text)
            [event] = read.walk("VEVENT")
            assert not event.errors
            assert ("METHOD" in read) == ("ORGANIZER" in event)
            assert {"UID", "DTSTAMP", "DTSTART", "SUMMARY", "SEQUENCE"} <= set(event)


def test_icalendar_is_imported_only_when_a_file_is_created() -> None:
    modules = "chalicelib.pages.mail.calendars, chalicelib.api.invitee.own_booking"
    code = f"import sys, {modules}; print('icalendar' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
