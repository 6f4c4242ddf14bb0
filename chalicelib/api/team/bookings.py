"""`/v1/bookings`: list, read, cancel and move a host's bookings, and erase the invitee's personal data."""

from enum import StrEnum

import msgspec

from chalicelib.api.http.call import Call
from chalicelib.api.http.routing import Reply, json_reply
from chalicelib.api.team.routing import PAGING, one_of, page_limit, team_router
from chalicelib.domain.bookings.booking import Booking, BookingStatus
from chalicelib.domain.errors import FieldFault, InvalidValueError
from chalicelib.domain.listings import BookingFilter
from chalicelib.service.bookings.cancel import cancel_booking
from chalicelib.service.bookings.erase_person import erase_person
from chalicelib.service.bookings.find import FindBooking, hosts_booking
from chalicelib.service.bookings.list import BookingsRequest, list_bookings, zone_of_dates
from chalicelib.service.bookings.move import move_booking
from chalicelib.wire.instants import has_date, instant, requested_range, requested_zone
from chalicelib.wire.requests.bookings import RescheduleBody
from chalicelib.wire.responses.bookings import BookingAnswer, BookingsAnswer, booking_answer

bookings = team_router(__name__)


class _Order(StrEnum):
    """The order of a list of bookings, by start."""

    ASC = "asc"
    DESC = "desc"


@bookings.on(
    "GET",
    "/v1/bookings",
    query=("hostId", "linkId", "from", "to", "timeZone", "eventTypeId", "status", "order", *PAGING),
    answer=BookingsAnswer,
)
def get_bookings(call: Call) -> Reply:
    """List the bookings of a link (`?linkId=`), or those that start between `?from=` and `?to=`.

    They are sorted by start, with `?order=desc` the latest first. Dates are in `timeZone`, by default the host's zone.
    """
    query = call.query()
    zone = requested_zone(query)
    if "linkId" in query and ("from" in query or "to" in query):
        raise InvalidValueError([FieldFault("/linkId", "can't be given together with from or to")])
    where = BookingFilter(
        host_id=query.get("hostId", ""),
        link_id=query.get("linkId"),
        event_type_id=query.get("eventTypeId"),
        status=one_of(query, "status", BookingStatus),
    )
    if zone is None and has_date(query):
        zone = zone_of_dates(call.world, call.caller, where)
    start, end = requested_range(query, zone or "UTC")
    where = msgspec.structs.replace(where, start=start, end=end)
    request = BookingsRequest(
        where=where,
        cursor=query.get("cursor"),
        limit=page_limit(query),
        newest_first=one_of(query, "order", _Order) is _Order.DESC,
    )
    page = list_bookings(call.world, call.caller, request)
    rows = [_answer(call, booking) for booking in page.rows]
    return json_reply(200, BookingsAnswer(bookings=rows, next_cursor=page.next_cursor))


@bookings.on("GET", "/v1/bookings/{bookingId}", answer=BookingAnswer)
def get_booking(call: Call) -> Reply:
    """Read a booking."""
    return json_reply(200, _answer(call, _find(call)()))


@bookings.on("POST", "/v1/bookings/{bookingId}/cancel", answer=BookingAnswer)
def post_cancel(call: Call) -> Reply:
    """Cancel a booking; its slot is free again."""
    return json_reply(200, _answer(call, cancel_booking(call.world, _find(call), call.cause())))


@bookings.on("POST", "/v1/bookings/{bookingId}/reschedule", body=RescheduleBody, answer=BookingAnswer)
def post_reschedule(call: Call) -> Reply:
    """Move a booking to another slot on offer."""
    start = instant(call.decode(RescheduleBody).start, "/start")
    return json_reply(200, _answer(call, move_booking(call.world, _find(call), start, call.cause())))


@bookings.on("DELETE", "/v1/bookings/{bookingId}/personal-data", answer=BookingAnswer)
def delete_personal_data(call: Call) -> Reply:
    """Erase the person from a booking; the record stays."""
    return json_reply(200, _answer(call, erase_person(call.world, _find(call), call.cause())))


def _find(call: Call) -> FindBooking:
    return hosts_booking(call.world, call.caller, call.path("bookingId"))


def _answer(call: Call, booking: Booking) -> BookingAnswer:
    return booking_answer(booking, call.world.keyring(), call.base_url)
