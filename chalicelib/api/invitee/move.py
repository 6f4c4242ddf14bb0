"""`POST /b/{bookingToken}/reschedule`: move the invitee's own booking; and the page with the form for it."""

from collections.abc import Mapping
from typing import Final

import msgspec

from chalicelib.api.http.call import FORM, JSON, Call
from chalicelib.api.http.routing import Reply
from chalicelib.api.invitee.confirmation import (
    booking_json,
    find_booking,
    page_path,
    refused_reply,
    show_booking_error,
)
from chalicelib.api.invitee.form import RECOVERABLE_ERRORS, field_errors, notice, require_known, require_start
from chalicelib.api.invitee.picker import shown_dates
from chalicelib.api.invitee.routing import invitee_router, page_reply
from chalicelib.domain import errors
from chalicelib.domain.bookings.booking import Booking
from chalicelib.domain.errors import AdmitOneError, ConflictError, FieldFault, InvalidRequestError
from chalicelib.pages.invitee.move import MovePage, move_page
from chalicelib.service.bookings.move import movable_booking, move_booking, slots_to_move_to
from chalicelib.wire.instants import Instant, instant
from chalicelib.wire.problems import STATUSES
from chalicelib.wire.requests.bookings import RescheduleBody
from chalicelib.wire.responses.bookings import BookingAnswer

_NOTICES: Final[Mapping[type[AdmitOneError], str]] = {
    errors.SlotTakenError: "pages.taken-move",
    errors.SlotNotOfferedError: "pages.not-offered-move",
}

moves = invitee_router(__name__, show_booking_error)


@moves.on(
    "POST", "/b/{bookingToken}/reschedule", body=RescheduleBody, answer=BookingAnswer, media=(JSON, FORM)
)
def post_reschedule(call: Call) -> Reply:
    """Move the booking. Returns 200 with the booking, or for a form 303 to the booking's page."""
    if call.media_type != FORM:
        return booking_json(call, _move(call, call.decode(RescheduleBody)))
    fields = call.form()
    try:
        _move(call, _form_body(fields))
    except RECOVERABLE_ERRORS as error:
        if not call.wants_html():
            raise
        return move_reply(call, STATUSES[type(error)], fields=fields, error=error)
    except ConflictError as error:
        return refused_reply(call, error)
    return Reply(303, headers={"Location": page_path(call) + "?moved=1"})


def _move(call: Call, body: RescheduleBody) -> Booking:
    return move_booking(
        call.world, find_booking(call), instant(body.start, "/start"), call.cause(), by_invitee=True
    )


def _form_body(fields: dict[str, str]) -> RescheduleBody:
    """Return a posted form as a JSON body. Raises `InvalidRequestError`, `InvalidValueError`."""
    require_known(fields, {"start", "timeZone"})
    start = require_start(fields)
    try:
        return RescheduleBody(start=msgspec.convert(start, type=Instant))
    except msgspec.ValidationError as error:
        raise InvalidRequestError([FieldFault("/start", "can't be read")]) from error


def move_reply(
    call: Call, status: int, *, fields: dict[str, str] | None = None, error: AdmitOneError | None = None
) -> Reply:
    """Return the page to move the booking; after a failed move, with the typed values and the errors."""
    fields, here = fields or {}, page_path(call)
    try:
        movable = movable_booking(call.world, find_booking(call))
    except (ConflictError, errors.SlotNotOfferedError) as refusal:
        return refused_reply(call, refusal)
    booking, offer = movable.booking, movable.offer
    shown = shown_dates(
        call,
        lambda start, end: slots_to_move_to(call.world, movable, start, end),
        now=movable.now,
        window_days=offer.booking_window_days,
        zone=booking.time_zone,
        fields=fields,
        path=here,
        query={"move": "1"},
    )
    page = MovePage(
        root=call.root,
        action=f"{here}/reschedule",
        here=shown.here,
        back=here,
        title=booking.title,
        start=booking.start,
        end=booking.end,
        duration_minutes=offer.duration_minutes,
        host_name=movable.host.public_name,
        zone=shown.zone,
        unknown_zone=shown.unknown_zone,
        zones=shown.zones,
        zones_page=shown.zones_page,
        days=shown.days,
        known=shown.known,
        earlier=shown.earlier,
        later=shown.later,
        values={"timeZone": shown.zone, **fields},
        errors=field_errors(error, fields, call.say),
        problem=error.code if error else None,
        notice=notice(call, error, _NOTICES),
    )
    return page_reply(call, status, move_page(page, call.say))
