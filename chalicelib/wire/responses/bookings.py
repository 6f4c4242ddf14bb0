"""Responses about bookings, to the team and to the invitee."""

from typing import Literal

import msgspec

from chalicelib.domain.bookings.booking import Booking, BookingStatus, Invitee
from chalicelib.domain.clock import rfc3339
from chalicelib.domain.event_types.event_type import Location
from chalicelib.domain.tokens import Keyring
from chalicelib.domain.urls import booking_url
from chalicelib.service.bookings.redeem import Redeemed
from chalicelib.wire.responses.answer import Answer, Time, optional_time


class BookingAnswer(Answer, frozen=True):
    """A booking."""

    booking_id: str
    link_id: str
    host_id: str
    event_type_id: str
    status: Literal["confirmed", "cancelled"]
    title: str
    start: Time
    end: Time
    time_zone: str
    location: Location | None
    invitee: Invitee | None
    answers: dict[str, str]
    url: str | None
    created_at: Time
    cancelled_at: Time | None


class BookedAnswer(Answer, frozen=True):
    """The response to a retry without an `Idempotency-Key`: it confirms the booking without its details."""

    status: Literal["confirmed", "cancelled"]
    start: Time
    end: Time
    title: str


class BookingsAnswer(Answer, frozen=True):
    """One page of bookings, by start."""

    bookings: list[BookingAnswer]
    next_cursor: str | None


def own_booking_answer(booking: Booking, ring: Keyring, base_url: str) -> BookingAnswer:
    """Return a booking as a response to its invitee. If it is cancelled, the location's detail is left out."""
    answer = booking_answer(booking, ring, base_url)
    if booking.status is not BookingStatus.CANCELLED or answer.location is None:
        return answer
    return msgspec.structs.replace(answer, location=answer.location.without_detail)


def booking_answer(booking: Booking, ring: Keyring, base_url: str) -> BookingAnswer:
    """Return a booking as a response."""
    return BookingAnswer(
        booking_id=booking.booking_id,
        link_id=booking.link_id,
        host_id=booking.host_id,
        event_type_id=booking.event_type_id,
        status=booking.status.value,
        title=booking.title,
        start=rfc3339(booking.start),
        end=rfc3339(booking.end),
        time_zone=booking.time_zone,
        location=booking.location,
        invitee=booking.invitee,
        answers=booking.answers,
        url=booking_url(booking, ring, base_url),
        created_at=rfc3339(booking.created_at),
        cancelled_at=optional_time(booking.cancelled_at),
    )


def redeemed_answer(done: Redeemed, ring: Keyring, base_url: str) -> BookingAnswer | BookedAnswer:
    """Return the result of a redeem as a response: the booking, or a short confirmation for a retry without a key."""
    if not done.only_confirmed:
        return own_booking_answer(done.booking, ring, base_url)
    booking = done.booking
    return BookedAnswer(
        status=booking.status.value,
        start=rfc3339(booking.start),
        end=rfc3339(booking.end),
        title=booking.title,
    )
