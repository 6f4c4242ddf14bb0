"""The mails the product writes: about a booking, to its invitee and its host, and the one that brings a link.

Times are told in the reader's zone, words in the reader's language. What is secret in a mail, the URL of a link or of
a booking, comes in from outside when the mail is written, and goes nowhere else (P7).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from urllib.parse import quote

from chalicelib.domain.bookings import Booking, BookingStatus
from chalicelib.domain.emails import ascii_address, email_domain, is_email
from chalicelib.domain.mails import Addressee, MailId
from chalicelib.domain.text import name_for_mail, one_line, quoted_name
from chalicelib.domain.zones import load_zone
from chalicelib.pages import times
from chalicelib.pages.calendars import Person, invitation
from chalicelib.pages.languages import Language, Words, language_of, words
from chalicelib.pages.mime import Heading, Mail, Mailbox, mail_bytes
from chalicelib.pages.places import place_after
from chalicelib.pages.render import render
from chalicelib.service.mails_of_event import BookingNews, LinkNews

PRODUCT: Final = "Admit One"
HOST_LANGUAGE: Final[Language] = "en"  # a host has no language of their own


class Envelope(NamedTuple):
    """Where a mail comes from and goes to, ASCII addresses both, and when it is written."""

    sender: str
    to: str
    now: datetime


class _Row(NamedTuple):
    label: str
    value: str
    href: str | None = None


class _Body(NamedTuple):
    before: Sequence[str]
    rows: Sequence[_Row] = ()
    quoted: str = ""
    button: _Row | None = None
    after: Sequence[str] = ()
    footer: str = ""


def booking_mail(news: BookingNews, envelope: Envelope, own_page: str | None) -> bytes:
    """Return the mail that tells invitee or host of a booking; `own_page` goes to the invitee alone.

    The invitee's is in the language they booked in, from their host, who is the organizer: what they answer, and
    what their calendar does, goes there. The host's is from the product, in whose name the invitation stands: in a
    calendar of their own they could not take an invitation that they sent themselves.
    """
    if news.draft.mail_id.addressee is Addressee.HOST:
        return _hosts_mail(news, envelope)
    return _invitees_mail(news, envelope, own_page)


def link_mail(news: LinkNews, envelope: Envelope, url: str) -> bytes:
    """Return the mail that brings a link to its recipient."""
    say = words(language_of(news.wish.language))
    link, offer = news.link, news.offer
    name, title, zone = one_line(news.host.public_name), one_line(offer.title), offer.schedule.time_zone
    recipient = link.settings.recipient
    to_name = name_for_mail(recipient.name) if recipient else ""
    terms = []
    if link.settings.not_before is not None and link.settings.not_before > envelope.now:
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
    body = _Body(
        before=[
            _hello(to_name, say),
            say("mails.link", host=name, title=title, duration=duration),
        ],
        quoted=news.wish.message,
        button=_Row(say("mails.link.pick"), say("mails.link.pick"), url),
        after=[" ".join(terms)] if terms else [],
        footer=say("mails.footer", name=name),
    )
    return _written(
        subject,
        body,
        news.draft.mail_id,
        envelope,
        say,
        sender_name=name,
        to_name=to_name,
        reply_to=_mailbox(name, news.host.settings.email),
    )


def _invitees_mail(news: BookingNews, envelope: Envelope, own_page: str | None) -> bytes:
    booking, host = news.booking, news.host
    say = words(language_of(booking.language))
    host_name, person = one_line(host.public_name), _Named.of(booking)
    zone = booking.time_zone
    same = times.same_wall_time((booking.start, booking.end), zone, host.settings.time_zone)
    rows = [
        _Row(say("mails.what"), one_line(booking.title)),
        *_when(news, zone, say),
        *(
            []
            if same
            else [_Row(say("mails.when-for", name=host_name), _span(booking, host.settings.time_zone, say))]
        ),
        *_where(booking, say),
        _Row(say("mails.with"), host_name),
    ]
    to_change = own_page if booking.status is BookingStatus.CONFIRMED else None
    body = _Body(
        before=[_hello(person.name, say), say(f"mails.{news.news}", host=host_name)],
        rows=rows,
        button=_Row(say("mails.change"), say("mails.change"), to_change) if to_change else None,
        after=[say("mails.change-note")] if to_change else [],
        footer=say("mails.footer", name=host_name),
    )
    return _about_booking(
        news,
        body,
        envelope,
        say,
        zone=zone,
        sender_name=host_name,
        to_name=person.name,
        reply_to=_mailbox(host_name, host.settings.email),
        organizer=Person(host_name, _ascii(host.settings.email)),
        attendees=[Person(person.name, envelope.to)],
        description=say("mails.row", label=say("mails.change"), value=to_change) if to_change else "",
        url=to_change,
    )


def _hosts_mail(news: BookingNews, envelope: Envelope) -> bytes:
    booking, host = news.booking, news.host
    say = words(HOST_LANGUAGE)
    person, zone = _Named.of(booking), host.settings.time_zone
    who = person.name or say("mails.host.someone")
    same = times.same_wall_time((booking.start, booking.end), zone, booking.time_zone)
    rows = [
        _Row(say("mails.what"), one_line(booking.title)),
        *_when(news, zone, say),
        *([] if same else [_Row(say("mails.when-for", name=who), _span(booking, booking.time_zone, say))]),
        *_where(booking, say),
    ]
    of_them = []
    if person.email:
        address = "mailto:" + quote(person.email, safe="@+")
        of_them.append(_Row(say("mails.with"), f"{person.quoted}{person.email}", address))
    if news.news == "confirmed":
        of_them += [
            _Row(one_line(news.labels[question]), answer)
            for question, answer in booking.answers.items()
            if answer and question in news.labels
        ]
    told = f"mails.host.{news.news}"
    if news.by_invitee and news.news != "confirmed":
        told += "-by-invitee"
    sentence = say(told, invitee=who)
    body = _Body(
        before=[_hello(one_line(host.settings.name), say), sentence[:1].upper() + sentence[1:]],
        rows=[*rows, *of_them],
        footer=say("mails.footer", name=who) if person.email else say("mails.footer-nobody"),
    )
    attendees = [Person(one_line(host.settings.name), envelope.to)]
    if person.email:
        attendees.append(Person(person.name, _ascii(person.email)))
    return _about_booking(
        news,
        body,
        envelope,
        say,
        zone=zone,
        sender_name=PRODUCT,
        to_name=host.settings.name,
        reply_to=_mailbox(person.name, person.email) if person.email else None,
        organizer=Person(PRODUCT, envelope.sender),
        attendees=attendees,
        description="\n".join(say("mails.row", label=row.label, value=row.value) for row in of_them),
    )


def _about_booking(
    news: BookingNews,
    body: _Body,
    envelope: Envelope,
    say: Words,
    *,
    zone: str,
    sender_name: str,
    to_name: str,
    reply_to: Mailbox | None,
    organizer: Person,
    attendees: list[Person],
    description: str,
    url: str | None = None,
) -> bytes:
    """Return a mail about a booking, with its part for the calendar; `zone` is the reader's."""
    booking = news.booking
    calendar, method = invitation(
        booking,
        organizer=organizer,
        attendees=attendees,
        description=description,
        url=url,
        now=envelope.now,
        say=say,
    )
    return _written(
        say(f"mails.{news.news}.subject", title=one_line(booking.title), when=_moment(booking, zone, say)),
        body,
        news.draft.mail_id,
        envelope,
        say,
        sender_name=sender_name,
        to_name=to_name,
        reply_to=reply_to,
        calendar=calendar,
        method=method,
    )


class _Named(NamedTuple):
    """The invitee as mails name them, empty where the person was erased or what they typed is no name.

    `quoted` goes before the address, in the host's mail alone: the name, or the letters of what was typed, in quotes.
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


def _written(
    subject: str,
    body: _Body,
    mail_id: MailId,
    envelope: Envelope,
    say: Words,
    *,
    sender_name: str,
    to_name: str,
    reply_to: Mailbox | None,
    calendar: str | None = None,
    method: str | None = None,
) -> bytes:
    html = render(
        "mail/mail.html",
        language=say.language,
        subject=subject,
        before=body.before,
        rows=body.rows,
        quoted=body.quoted.splitlines(),
        button=body.button,
        after=body.after,
        footer=body.footer,
    )
    mail = Mail(subject=subject, text=_text(body, say), html=html, calendar=calendar, method=method)
    domain = envelope.sender.rpartition("@")[2]
    heading = Heading(
        sender=Mailbox(sender_name, envelope.sender),
        to=Mailbox(to_name, envelope.to),
        reply_to=reply_to,
        date=envelope.now,
        message_id=f"{mail_id.event_id}.{mail_id.addressee}@{domain}",
        language=say.language,
    )
    return mail_bytes(mail, heading)


def _text(body: _Body, say: Words) -> str:
    rows = [say("mails.row", label=row.label, value=row.value) for row in body.rows]
    button = body.button
    paragraphs = [
        *body.before,
        "\n".join(f"> {line}" for line in body.quoted.splitlines()),
        "\n".join(rows),
        say("mails.row", label=button.label, value=button.href) if button else "",
        *body.after,
        "-- \n" + body.footer,
    ]
    return "\n\n".join(filter(None, paragraphs)) + "\n"


def _hello(name: str, say: Words) -> str:
    return say("mails.hello", name=name) if name else say("mails.hello-nobody")


def _when(news: BookingNews, zone: str, say: Words) -> list[_Row]:
    booking = news.booking
    rows = [_Row(say("mails.when"), _span(booking, zone, say))]
    if news.previous_start is not None:
        rows.append(_Row(say("mails.when-before"), times.moment_words(news.previous_start, zone, say)))
    return rows


def _where(booking: Booking, say: Words) -> list[_Row]:
    if booking.location is None:
        return []
    place = place_after(booking.location, say)
    value = one_line(place.detail or place.words)
    return [_Row(say("mails.where"), value, place.href)] if value else []


def _span(booking: Booking, zone: str, say: Words) -> str:
    span = times.span_words(booking.start, booking.end, zone, say)
    return f"{span.day}, {span.times} ({span.zone})"


def _moment(booking: Booking, zone: str, say: Words) -> str:
    local = booking.start.astimezone(load_zone(zone))
    return say(
        "mails.subject.when", day=times.day_words(local.date(), say), clock=times.clock_words(local, say)
    )


def _mailbox(name: str, email: str) -> Mailbox | None:
    """Return who gets the answers, or None for an address that no header can hold: answers then go to the sender."""
    address = _ascii(email)
    return Mailbox(name, address) if address.isascii() else None


def _ascii(email: str) -> str:
    """Return an address with its domain in ASCII."""
    return ascii_address(email) if is_email(email) else email
