"""Write the emails: about a booking to its invitee and its host, and with a link to its recipient.

An email is in the reader's language, with times in the reader's zone. The secret URL of a link or a booking is passed
as an argument and appears only in the email (P7).
"""

from typing import Final, NamedTuple
from urllib.parse import quote

from chalicelib.domain.bookings.booking import Booking, BookingStatus
from chalicelib.domain.mail.email_addresses import ascii_address, email_domain, is_email
from chalicelib.domain.mail.mails import Addressee
from chalicelib.domain.text import name_for_mail, one_line, quoted_name
from chalicelib.domain.zones import load_zone
from chalicelib.pages import times
from chalicelib.pages.invitee.places import place_after
from chalicelib.pages.languages import Language, Words, language_of, words
from chalicelib.pages.mail.body import Attached, Body, Correspondents, MailRoute, Row, rows_text, written
from chalicelib.pages.mail.calendars import (
    Person,
    hosts_title,
    invitation,
    invitees_description,
    invitees_title,
)
from chalicelib.pages.mail.mime import Mailbox
from chalicelib.service.mail.can_email import is_deliverable
from chalicelib.service.mail.mails_of_event import BookingNews, LinkNews

PRODUCT: Final = "Admit One"
HOST_LANGUAGE: Final[Language] = "en"  # a host has no language of their own


def booking_mail(news: BookingNews, route: MailRoute, own_page: str | None, console: str) -> bytes:
    """Return the email about a booking to its invitee or host.

    `own_page` is only in the invitee's email, and `console`, the URL of the console, only in the host's.

    The invitee's email is in the language they booked in. It is from the host, who is the organizer, so replies and the
    calendar's responses go to the host. The host's email is from the product, which is the organizer there, because a
    calendar does not accept an invitation from its own owner.
    """
    if news.draft.mail_id.addressee is Addressee.HOST:
        return _hosts_mail(news, route, console)
    return _invitees_mail(news, route, own_page)


def link_mail(news: LinkNews, route: MailRoute, url: str) -> bytes:
    """Return the email that sends a link to its recipient."""
    say = words(language_of(news.request.language))
    link, offer = news.link, news.offer
    name, title, zone = one_line(news.host.public_name), one_line(offer.title), offer.schedule.time_zone
    recipient = link.settings.recipient
    to_name = name_for_mail(recipient.name) if recipient else ""
    terms = []
    if link.settings.not_before is not None and link.settings.not_before > route.now:
        terms.append(say("mails.link.opens", moment=times.moment_words(link.settings.not_before, zone, say)))
    if link.settings.expires_at is not None:
        terms.append(say("mails.link.until", moment=times.moment_words(link.settings.expires_at, zone, say)))
    if link.remaining_uses is not None:
        terms.append(say.count("mails.link.uses", link.remaining_uses))
    if recipient is not None and recipient.enforce == "email":
        terms.append(say("mails.link.lock-email"))
    elif recipient is not None and recipient.enforce == "domain":
        terms.append(say("mails.link.lock-domain", domain=email_domain(recipient.email)))
    duration = times.duration_words(offer.duration_minutes, say)
    subject = say("mails.link.subject", host=name, title=title)
    body = Body(
        before=[
            hello(to_name, say),
            say("mails.link", host=name, title=title, duration=duration),
        ],
        quoted=news.request.message,
        button=Row(say("mails.link.pick"), say("mails.link.pick"), url),
        after=[" ".join(terms)] if terms else [],
        footer=_footer(name, news.host.settings.email, say),
    )
    who = Correspondents(name, to_name, _mailbox(name, news.host.settings.email))
    return written(subject, body, news.draft.mail_id, route, say, who)


def _invitees_mail(news: BookingNews, route: MailRoute, own_page: str | None) -> bytes:
    booking, host = news.booking, news.host
    say = words(language_of(booking.language))
    host_name, person = one_line(host.public_name), _Named.of(booking)
    zone = booking.time_zone
    same = times.same_wall_time((booking.start, booking.end), zone, host.settings.time_zone)
    rows = [
        Row(say("mails.what"), booking.title, typed=True),
        *_when(news, zone, say),
        *(
            []
            if same
            else [Row(say("mails.when-for", name=host_name), _span(booking, host.settings.time_zone, say))]
        ),
        *_where(booking, say),
        Row(say("mails.with"), host_name, typed=True),
    ]
    to_change = own_page if booking.status is BookingStatus.CONFIRMED else None
    body = Body(
        before=[hello(person.name, say), say(f"mails.{news.news}", host=host_name)],
        rows=rows,
        button=Row(say("mails.change"), say("mails.change"), to_change) if to_change else None,
        after=[say("mails.change-note")] if to_change else [],
        footer=_footer(host_name, host.settings.email, say),
    )
    reply_to = _mailbox(host_name, host.settings.email)
    # If the address can't be emailed, the organizer is the product, which then gets the calendar's replies.
    organizer = Person(host_name, reply_to.address if reply_to else route.sender)
    part = _Invitation(
        title=invitees_title(booking, host_name, say),
        organizer=organizer,
        attendees=[Person(person.name, route.to)],
        description=invitees_description(booking, host_name, say, emailed=True),
    )
    who = Correspondents(host_name, person.name, reply_to)
    return _about_booking(news, body, route, say, zone, part, who)


def _hosts_mail(news: BookingNews, route: MailRoute, console: str) -> bytes:
    booking, host = news.booking, news.host
    say = words(HOST_LANGUAGE)
    person, zone = _Named.of(booking), host.settings.time_zone
    who = person.name or person.email or say("mails.host.someone")
    same = times.same_wall_time((booking.start, booking.end), zone, booking.time_zone)
    rows = [
        Row(say("mails.what"), booking.title, typed=True),
        *_when(news, zone, say),
        *([] if same else [Row(say("mails.when-for", name=who), _span(booking, booking.time_zone, say))]),
        *_where(booking, say),
    ]
    invitee_rows = [*_invitee_rows(news, say), Row(say("mails.host.manage"), console, console)]
    key = f"mails.host.{news.news}"
    if news.by_invitee and news.news != "confirmed":
        key += "-by-invitee"
    sentence = say(key, invitee=who)
    if not (person.name or person.email):  # a name or an address keeps its case at the start of a sentence
        sentence = sentence[:1].upper() + sentence[1:]
    before = [hello(one_line(host.settings.name), say), sentence]
    if person.email and not is_deliverable(person.email):
        before.append(say("mails.host.not-emailed", invitee=who, email=one_line(person.email)))
        if not news.by_invitee:  # otherwise the invitee knows already
            before.append(say("mails.host.tell-them"))
    body = Body(before=before, rows=[*rows, *invitee_rows], footer=_footer(who, person.email, say))
    attendees = [Person(one_line(host.settings.name), route.to)]
    if person.email and is_deliverable(person.email):
        attendees.append(Person(person.name, _ascii(person.email)))
    part = _Invitation(
        title=hosts_title(booking, person.name, say),
        organizer=Person(PRODUCT, route.sender),
        attendees=attendees,
        description=rows_text(invitee_rows, say),
    )
    correspondents = Correspondents(
        PRODUCT, host.settings.name, _mailbox(person.name, person.email) if person.email else None
    )
    return _about_booking(news, body, route, say, zone, part, correspondents)


def _invitee_rows(news: BookingNews, say: Words) -> list[Row]:
    """Return the rows about an invitee, which are in every email and calendar entry for the host."""
    booking, person = news.booking, _Named.of(news.booking)
    rows = []
    if person.email:
        address = "mailto:" + quote(person.email, safe="@+")
        rows.append(Row(say("mails.with"), f"{person.quoted}{person.email}", address, typed=True))
    rows += [
        Row(one_line(news.labels[question]), answer, typed=True)
        for question, answer in booking.answers.items()
        if answer and question in news.labels
    ]
    if news.link_label:
        rows.append(Row(say("mails.host.label"), news.link_label, typed=True))
    return rows


class _Invitation(NamedTuple):
    """The calendar part of an email: `title` is the booking's title for the reader."""

    title: str
    organizer: Person
    attendees: list[Person]
    description: str


def _about_booking(
    news: BookingNews,
    body: Body,
    route: MailRoute,
    say: Words,
    zone: str,
    part: _Invitation,
    who: Correspondents,
) -> bytes:
    """Return an email about a booking with its calendar part; `zone` is the reader's zone."""
    calendar, method = invitation(
        news.booking,
        title=part.title,
        organizer=part.organizer,
        attendees=part.attendees,
        description=part.description,
        now=route.now,
        say=say,
    )
    subject = say(f"mails.{news.news}.subject", title=part.title, when=moment(news.booking, zone, say))
    attached = Attached(calendar=calendar, method=method)
    return written(subject, body, news.draft.mail_id, route, say, who, attached)


class _Named(NamedTuple):
    """The invitee's name as emails show it; empty if the person was erased or the typed text is not a name.

    `quoted` precedes the address, only in the host's email: the name, or the letters of the typed text in quotes.
    """

    name: str
    email: str
    quoted: str

    @classmethod
    def of(cls, booking: Booking) -> "_Named":
        person = booking.invitee
        if person is None:
            return cls("", "", "")
        name, typed = name_for_mail(person.name), quoted_name(person.name)
        return cls(name, person.email, f"{name}, " if name else f"“{typed}”, " if typed else "")


def hello(name: str, say: Words) -> str:
    """Return the greeting, with the name if there is one."""
    return say("mails.hello", name=name) if name else say("mails.hello-nobody")


def _footer(name: str, email: str, say: Words) -> str:
    """Return the last line. It names the person who gets replies, unless that person can't be emailed."""
    reached = email and is_deliverable(email)
    return say("mails.footer", name=name) if reached else say("mails.footer-nobody")


def _when(news: BookingNews, zone: str, say: Words) -> list[Row]:
    booking = news.booking
    rows = [Row(say("mails.when"), _span(booking, zone, say))]
    if news.previous_start is not None:
        rows.append(Row(say("mails.when-before"), times.moment_words(news.previous_start, zone, say)))
    return rows


def _where(booking: Booking, say: Words) -> list[Row]:
    if booking.location is None or booking.status is BookingStatus.CANCELLED:
        return []  # a cancelled booking can't be joined
    place = place_after(booking.location, say)
    value = one_line(place.detail or place.words)
    return [Row(say("mails.where"), value, place.href, typed=True)] if value else []


def _span(booking: Booking, zone: str, say: Words) -> str:
    span = times.span_words(booking.start, booking.end, zone, say)
    return say("mails.span", day=span.day, times=span.times, zone=span.zone)


def moment(booking: Booking, zone: str, say: Words) -> str:
    """Return a booking's start in the form for a subject."""
    local = booking.start.astimezone(load_zone(zone))
    return say(
        "mails.subject.when", day=times.day_words(local.date(), say), clock=times.clock_words(local, say)
    )


def _mailbox(name: str, email: str) -> Mailbox | None:
    """Return the mailbox that gets replies, or None if it can't be emailed: replies then go to the sender."""
    return Mailbox(name, _ascii(email)) if is_deliverable(email) else None


def _ascii(email: str) -> str:
    """Return an address with its domain in ASCII."""
    return ascii_address(email) if is_email(email) else email
