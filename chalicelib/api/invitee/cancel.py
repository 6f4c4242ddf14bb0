"""`POST /b/{bookingToken}/cancel`: cancel the invitee's own booking; and the page that asks for confirmation."""

from chalicelib.api.http.call import FORM, JSON, Call
from chalicelib.api.http.routing import Reply
from chalicelib.api.invitee.confirmation import (
    booking_json,
    booking_reply,
    find_booking,
    host_name_of,
    page_path,
    refused_reply,
    show_booking_error,
)
from chalicelib.api.invitee.form import require_known
from chalicelib.api.invitee.routing import invitee_router, page_reply
from chalicelib.domain.bookings.booking import Booking, BookingStatus
from chalicelib.domain.errors import ConflictError
from chalicelib.pages.invitee.cancel import CancelPage, cancel_page
from chalicelib.service.bookings.cancel import cancel_booking
from chalicelib.service.bookings.find import read_own_booking
from chalicelib.wire.requests.bookings import NothingBody
from chalicelib.wire.responses.bookings import BookingAnswer

cancellations = invitee_router(__name__, show_booking_error)


@cancellations.on(
    "POST", "/b/{bookingToken}/cancel", body=NothingBody, answer=BookingAnswer, media=(JSON, FORM)
)
def post_cancel(call: Call) -> Reply:
    """Cancel the booking. Returns 200 with the booking, or for a form 303 to the booking's page."""
    if call.media_type == FORM:
        require_known(call.form(), set())
        try:
            _cancel(call)
        except ConflictError as error:
            return refused_reply(call, error)
        return Reply(303, headers={"Location": page_path(call)})
    if call.body():
        call.decode(NothingBody)
    return booking_json(call, _cancel(call))


def _cancel(call: Call) -> Booking:
    return cancel_booking(call.world, find_booking(call), call.cause())


def cancel_reply(call: Call) -> Reply:
    """Return the page that asks for confirmation, or the booking's page if the booking can't be cancelled."""
    own, here = read_own_booking(call.world, call.path("bookingToken")), page_path(call)
    booking = own.booking
    if booking.status is BookingStatus.CANCELLED or booking.start <= call.world.now():
        return booking_reply(call, 200)
    page = CancelPage(
        root=call.root,
        action=f"{here}/cancel",
        back=here,
        title=booking.title,
        start=booking.start,
        end=booking.end,
        zone=booking.time_zone,
        host_name=host_name_of(own),
    )
    return page_reply(call, 200, cancel_page(page, call.say))
