"""Responses to the holder of a link: the offer and its slots."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from chalicelib.domain.clock import rfc3339
from chalicelib.domain.event_types.event_type import Location, Question
from chalicelib.domain.event_types.slots import MAX_SLOTS, Slot
from chalicelib.domain.links.link import Recipient, expected_address
from chalicelib.service.links.open import OpenLink
from chalicelib.wire.responses.answer import Answer, Time, optional_time


class SlotAnswer(Answer, frozen=True):
    """A slot on offer."""

    start: Time
    end: Time


class SlotsAnswer(Answer, frozen=True):
    """The slots on offer in a range."""

    slots: list[SlotAnswer]
    start: Time = msgspec.field(name="from")
    end: Time = msgspec.field(name="to")


class OfferHost(Answer, frozen=True):
    """The host as invitees see it before booking."""

    public_name: str


class OfferRecipient(Answer, frozen=True):
    """The recipient, to prefill the form with."""

    name: str
    email: str | None
    expected: str | None


class OfferAnswer(Answer, frozen=True):
    """What can be booked with a link."""

    title: str
    description: str
    duration_minutes: int
    locations: list[Location]
    questions: tuple[Question, ...]
    time_zone: str
    host: OfferHost
    recipient: OfferRecipient | None
    expires_at: Time | None
    not_before: Time | None
    remaining_uses: int | None


def slots_answer(slots: Sequence[Slot], start: datetime, end: datetime) -> SlotsAnswer:
    """Return the first `MAX_SLOTS` slots as a response. If there are more, `to` is the start of the next one."""
    if len(slots) > MAX_SLOTS:
        slots, end = slots[:MAX_SLOTS], slots[MAX_SLOTS].start
    found = [SlotAnswer(start=rfc3339(slot.start), end=rfc3339(slot.end)) for slot in slots]
    return SlotsAnswer(slots=found, start=rfc3339(start), end=rfc3339(end))


def offer_answer(opened: OpenLink) -> OfferAnswer:
    """Return the offer of a link as a response."""
    offer, settings = opened.offer, opened.link.settings
    return OfferAnswer(
        title=offer.title,
        description=offer.description,
        duration_minutes=offer.duration_minutes,
        locations=[location.before_booking for location in offer.locations],
        questions=offer.questions,
        time_zone=offer.schedule.time_zone,
        host=OfferHost(public_name=opened.host.public_name),
        recipient=_recipient_answer(settings.recipient),
        expires_at=optional_time(settings.expires_at),
        not_before=optional_time(settings.not_before),
        remaining_uses=opened.link.remaining_uses,
    )


def _recipient_answer(recipient: Recipient | None) -> OfferRecipient | None:
    """Return the values to prefill; if the link is locked to an address or domain, return only a hint of it."""
    if recipient is None:
        return None
    expected = expected_address(recipient)
    return OfferRecipient(name=recipient.name, email=None if expected else recipient.email, expected=expected)
