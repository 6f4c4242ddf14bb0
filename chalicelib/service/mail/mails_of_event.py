"""Decide from the current state which emails an event causes: events may come late, twice or out of order (P6)."""

import math
from datetime import datetime
from typing import Any, Literal

import msgspec

from chalicelib.domain.bookings.booking import Booking, BookingStatus
from chalicelib.domain.causes import INVITEE
from chalicelib.domain.clock import rfc3339
from chalicelib.domain.errors import AdmitOneError
from chalicelib.domain.event_types.event_type import EventSettings
from chalicelib.domain.event_types.offers import offer_of
from chalicelib.domain.events.envelopes import Envelope
from chalicelib.domain.events.events import EventKind, event_id_of
from chalicelib.domain.links.link import Link
from chalicelib.domain.mail.email_addresses import normalise_email
from chalicelib.domain.mail.mails import Addressee, LinkMail, MailId, MailRefusedError
from chalicelib.domain.team.hosts import Host
from chalicelib.service.mail.send import Draft
from chalicelib.service.ports import World

News = Literal["confirmed", "moved", "cancelled"]
"""The events that an email about a booking reports."""

_NEWS: dict[str, News] = {
    EventKind.BOOKING_CONFIRMED: "confirmed",
    EventKind.BOOKING_RESCHEDULED: "moved",
    EventKind.BOOKING_CANCELLED: "cancelled",
}


class BookingNews(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of an email about a booking: the booking in its current state, not its state at the event.

    `previous_start` is the start before a move, if the reader knows it. `by_invitee`: the invitee made the change.
    `labels` are the questions that the invitee was asked, by id, if they still exist. `link_label` is the host's label
    of the link.
    """

    draft: Draft
    news: News
    booking: Booking
    host: Host
    previous_start: datetime | None
    by_invitee: bool
    labels: dict[str, str]
    link_label: str = ""


class LinkNews(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of an email with a link."""

    draft: Draft
    request: LinkMail
    link: Link
    offer: EventSettings
    host: Host


class NoNews(msgspec.Struct, frozen=True, kw_only=True):
    """An email that must not be sent any more, with the reason."""

    draft: Draft
    reason: str


MailNews = BookingNews | LinkNews | NoNews


def mails_of_event(world: World, event: Envelope) -> list[MailNews]:
    """Return the emails to send for an event; none for a kind without emails, or if it is too late.

    Raises ValueError for a malformed event.
    """
    if event.type in _NEWS:
        return list(_about_booking(world, event, _NEWS[event.type]))
    if event.type == EventKind.MAIL_REQUESTED:
        return _about_link(world, event)
    return []


def seconds_to_wait(event: Envelope, wait_seconds: int, now: datetime) -> int:
    """Return how long an event's email waits, so that a later change of the same booking replaces it (P15).

    A confirmation and a link are sent at once. The wait is counted from the event and never longer than
    `wait_seconds`, whatever the clocks say. Raises ValueError for a malformed event.
    """
    if _NEWS.get(event.type) not in ("moved", "cancelled"):
        return 0
    age = (now - _instant(event.time)).total_seconds()
    return math.ceil(min(max(0.0, wait_seconds - age), wait_seconds))


def _about_booking(world: World, event: Envelope, news: News) -> list[MailNews]:
    booking = world.store.bookings.read(event.booking_id) if event.booking_id else None
    if booking is None or not _still_true(booking, event, news, world.now()):
        return []
    event_type, host = world.store.event_types.read_with_host(booking.event_type_id, booking.host_id)
    if host is None:
        return []
    questions = offer_of(event_type.settings, booking.overrides).questions if event_type else ()
    labels = {question.id: question.label for question in questions}
    link = world.store.links.read(booking.link_id)
    addresses = {
        Addressee.INVITEE: booking.invitee.email if booking.invitee else None,  # None: the person was erased
        Addressee.HOST: host.settings.email,
    }
    return [
        BookingNews(
            draft=Draft(
                mail_id=MailId(event.id, addressee),
                link_id=booking.link_id,
                host_id=booking.host_id,
                event_type_id=booking.event_type_id,
                booking_id=booking.booking_id,
                to=address,
                external_id=booking.external_id,
                metadata=booking.metadata,
            ),
            news=news,
            booking=booking,
            host=host,
            previous_start=_previous_start(world, event, addressee) if news == "moved" else None,
            by_invitee=event.actor == INVITEE,
            labels=labels,
            link_label=(link.settings.label or "") if link else "",
        )
        for addressee, address in addresses.items()
        if address is not None
    ]


def _previous_start(world: World, event: Envelope, addressee: Addressee) -> datetime | None:
    """Return the start before a move if the reader knows it, otherwise None.

    Only the last of several moves is emailed, so the reader may not know the start that it replaced.
    """
    before = event.sequence - 1
    if before > 1:
        earlier = event_id_of(EventKind.BOOKING_RESCHEDULED, event.booking_id, before)
        if not world.store.mails.sent(MailId(earlier, addressee)):
            return None
    return _instant(event.data["previousStart"])


def _still_true(booking: Booking, event: Envelope, news: News, now: datetime) -> bool:
    """Return whether an event still describes its booking, so that an email about it is useful.

    If a booking was cancelled since, only the cancellation is emailed. If it was moved several times, only the last
    move is emailed, even if it returns to the first time: moving it back and forth causes one email (P15). Nothing
    is emailed about a booking that has ended.
    """
    if booking.end <= now:
        return False
    if news == "cancelled":
        return booking.status is BookingStatus.CANCELLED
    if booking.status is not BookingStatus.CONFIRMED:
        return False
    if news == "confirmed":
        return True
    # Erasing the person is also a write, and the only one without an email.
    later = booking.sequence - event.sequence
    return rfc3339(booking.start) == event.data["start"] and (
        later == 0 or (later == 1 and booking.invitee is None)
    )


def _about_link(world: World, event: Envelope) -> list[MailNews]:
    send_id = event.data.get("sendId")
    if not isinstance(send_id, str) or event.link_id is None:
        raise ValueError("a mail.requested event without sendId or linkId")
    request = world.store.mails.read_request(event.link_id, send_id, now=world.now())
    if request is None:
        return []
    draft = Draft(
        mail_id=MailId(event.id, Addressee.RECIPIENT),
        link_id=request.link_id,
        host_id=request.host_id,
        event_type_id=request.event_type_id,
        booking_id=None,
        to=request.to,
        external_id=request.external_id,
        metadata=request.metadata,
    )
    try:
        link, offer, host = _sendable(world, request)
    except MailRefusedError as refusal:
        return [NoNews(draft=draft, reason=refusal.reason)]
    return [LinkNews(draft=draft, request=request, link=link, offer=offer, host=host)]


def _sendable(world: World, request: LinkMail) -> tuple[Link, EventSettings, Host]:
    """Return the link, its offer and its host. Raises `MailRefusedError` if the link must not be sent any more."""
    link = world.store.links.read(request.link_id)
    if link is None:
        raise MailRefusedError("link-deleted")
    refusal: AdmitOneError | None = link.refusal_at(world.now())
    if refusal is not None and refusal.code != "link-not-open":
        raise MailRefusedError(refusal.code)
    recipient = link.settings.recipient
    if (
        recipient is None
        or not recipient.email
        or normalise_email(recipient.email) != normalise_email(request.to)
    ):
        raise MailRefusedError("recipient-changed")
    event_type, host = world.store.event_types.read_with_host(link.event_type_id, link.host_id)
    if event_type is None or event_type.archived or host is None:
        raise MailRefusedError("event-type-deleted")
    return link, offer_of(event_type.settings, link.settings.overrides), host


def _instant(text: Any) -> datetime:
    found: datetime = msgspec.convert(text, datetime)
    return found
