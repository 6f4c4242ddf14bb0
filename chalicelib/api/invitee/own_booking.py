"""`GET /b/{bookingToken}`: the invitee's own booking as a page, JSON or calendar file, and the slots it can move to."""

from typing import Final

from chalicelib.api.http.call import Call
from chalicelib.api.http.routing import Reply, json_reply
from chalicelib.api.invitee.cancel import cancel_reply
from chalicelib.api.invitee.confirmation import (
    booking_json,
    booking_reply,
    find_booking,
    host_name_of,
    is_emailed,
    show_booking_error,
)
from chalicelib.api.invitee.move import move_reply
from chalicelib.api.invitee.routing import invitee_router
from chalicelib.domain.event_types.slots import MAX_SLOTS
from chalicelib.pages.mail.calendars import calendar_text
from chalicelib.service.bookings.find import read_own_booking
from chalicelib.service.bookings.move import movable_booking, slots_to_move_to
from chalicelib.wire.instants import DEFAULT_RANGE, requested_range, requested_zone
from chalicelib.wire.responses.bookings import BookingAnswer
from chalicelib.wire.responses.offer import SlotsAnswer, slots_answer

CALENDAR: Final = "text/calendar; charset=utf-8"

own_booking = invitee_router(__name__, show_booking_error)


@own_booking.on("GET HEAD", "/b/{bookingToken}", answer=BookingAnswer)
def get_booking_page(call: Call) -> Reply:
    """Show the invitee's own booking, or with `?move=1` or `?cancel=1` the form for that. Changes nothing (P5)."""
    if not call.wants_html():
        return booking_json(call, find_booking(call)())
    if call.hint("move") == "1":
        return move_reply(call, 200)
    if call.hint("cancel") == "1":
        return cancel_reply(call)
    return booking_reply(call, 200)


@own_booking.on("GET HEAD", "/b/{bookingToken}/invite.ics", answer="text/calendar")
def get_invite(call: Call) -> Reply:
    """Return the booking as a calendar file. Its name is fixed, so no typed text gets into a header."""
    own = read_own_booking(call.world, call.path("bookingToken"))
    text = calendar_text(
        own.booking, host_name=host_name_of(own), emailed=is_emailed(call, own.booking), now=call.world.now()
    )
    headers = {"Content-Type": CALENDAR, "Content-Disposition": 'attachment; filename="invite.ics"'}
    return Reply(200, text, headers)


@own_booking.on("GET HEAD", "/b/{bookingToken}/slots", query=("from", "to", "timeZone"), answer=SlotsAnswer)
def get_slots(call: Call) -> Reply:
    """List the slots that the booking can move to between two instants or dates; by default the next 30 days.

    Dates are in `timeZone`, by default the schedule's zone.
    A response lists at most 2,000 slots. Its `to` is the end of the range that it covers: the next request's `from`.
    """
    query = call.query()
    zone = requested_zone(query)
    movable = movable_booking(call.world, find_booking(call))
    start, end = requested_range(query, zone or movable.offer.schedule.time_zone)
    start = start or movable.now
    end = end or start + DEFAULT_RANGE
    slots = slots_to_move_to(call.world, movable, start, end, most=MAX_SLOTS + 1)
    return json_reply(200, slots_answer(slots, start, end))
