"""A booking: who booked which slot with which link, and the time that it occupies (P2, P4)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from chalicelib.domain.event_types.event_type import EventSettings, Location, Question
from chalicelib.domain.event_types.offers import NO_OVERRIDES, Overrides
from chalicelib.domain.mail.email_addresses import is_email
from chalicelib.domain.text import MAX_ANSWER_LENGTH, MAX_NAME_LENGTH, is_visible, tidied
from chalicelib.domain.validation import Rules
from chalicelib.domain.zones import is_zone


class BookingStatus(StrEnum):
    """A booking's status."""

    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


class Invitee(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The person who books. The email is stored as typed; comparisons use its normalized form."""

    name: str
    email: str

    def __post_init__(self) -> None:
        tidied(self, line=("name",), email="email")


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """A booking as stored.

    `occupied_from` and `occupied_to` include the buffers at the time of booking; cancelling frees exactly this span.
    `overrides`, `external_id` and `metadata` are copied from the link, because the booking outlives it. `language` is
    the two-letter code of the page on which the invitee booked, and of emails to them. `invitee` is None after the
    person was erased. `keyless_receipt_id` is the receipt that a retry without an `Idempotency-Key` would find; it is
    removed when the booking leaves its slot (P4).
    """

    booking_id: str
    link_id: str
    host_id: str
    event_type_id: str
    key_id: int
    title: str
    start: datetime
    end: datetime
    occupied_from: datetime
    occupied_to: datetime
    time_zone: str
    location: Location | None
    invitee: Invitee | None
    answers: dict[str, str]
    created_at: datetime
    overrides: Overrides = NO_OVERRIDES
    external_id: str | None = None
    metadata: dict[str, Any] = {}
    language: str = "en"
    keyless_receipt_id: str | None = None
    moves_by_invitee: int = 0
    status: BookingStatus = BookingStatus.CONFIRMED
    cancelled_at: datetime | None = None
    sequence: int = 1

    @property
    def occupied(self) -> tuple[datetime, datetime]:
        """The span of the host's time that the booking occupies."""
        return self.occupied_from, self.occupied_to


def occupied_span(settings: EventSettings, start: datetime) -> tuple[datetime, datetime]:
    """Return the span of the host's time that a booking at `start` occupies: the slot and its buffers."""
    before = timedelta(minutes=settings.buffer_before_minutes)
    after = timedelta(minutes=settings.duration_minutes + settings.buffer_after_minutes)
    return start - before, start + after


def check_invitee(invitee: Invitee, time_zone: str, rules: Rules) -> None:
    """Record every fault in the invitee and their time zone."""
    rules.at("invitee", "name").text(invitee.name, shortest=1, longest=MAX_NAME_LENGTH)
    rules.at("invitee", "email").require(is_email(invitee.email), "is not an email address")
    rules.at("timeZone").require(is_zone(time_zone), "is not an IANA time zone, e.g. Europe/Berlin")


def check_answers(answers: Mapping[str, str], questions: tuple[Question, ...], rules: Rules) -> None:
    """Record unknown questions, missing answers and unknown options."""
    asked = {question.id: question for question in questions}
    for name, answer in answers.items():
        here = rules.at(name.replace("~", "~0").replace("/", "~1"))
        question = asked.get(name)
        if question is None:
            here.fault("is not a question of this event type")
        else:
            here.text(answer, longest=MAX_ANSWER_LENGTH, lines=True)
            if question.kind == "choice" and answer:
                here.require(answer in question.options, "must be one of the question's options")
    for question in questions:
        if question.required:
            rules.at(question.id).require(is_visible(answers.get(question.id, "")), "is required")


def choose_location(locations: tuple[Location, ...], index: int | None, rules: Rules) -> Location | None:
    """Return the chosen location, or the first; None if the event type has none."""
    if not locations:
        return None
    if index is None:
        return locations[0].booked
    if rules.require(0 <= index < len(locations), f"must be 0 to {len(locations) - 1}"):
        return locations[index].booked
    return None
