"""The invitee's own booking, `/b/{bookingToken}`, to see, download, move and cancel."""

from collections.abc import Mapping
from typing import Final

import msgspec

from chalicelib.api.http.call import FORM, JSON, Call
from chalicelib.api.http.routing import Reply, json_reply
from chalicelib.api.invitee.picker import shown_dates
from chalicelib.api.invitee.routing import (
    embedded,
    field_errors,
    invitee_router,
    notice,
    page_reply,
    require_known,
)
from chalicelib.api.team.routing import base_url
from chalicelib.domain import errors
from chalicelib.domain.bookings.booking import Booking, BookingStatus
from chalicelib.domain.errors import AdmitOneError, ConflictError, FieldFault, InvalidRequestError
from chalicelib.domain.event_types.slots import MAX_SLOTS
from chalicelib.pages.invitee import own_booking as pages
from chalicelib.pages.invitee.offer import DeadPage, ProblemPage, dead_page, problem_page
from chalicelib.pages.mail.calendars import calendar_text, calendar_urls
from chalicelib.service.bookings.cancel import cancel_booking
from chalicelib.service.bookings.find import (
    FindBooking,
    OwnBooking,
    own_booking as booking_of_token,
    read_own_booking,
)
from chalicelib.service.bookings.move import movable_booking, move_booking, slots_to_move_to
from chalicelib.service.mail.can_email import can_email
from chalicelib.wire.instants import DEFAULT_RANGE, Instant, asked_range, asked_zone, instant
from chalicelib.wire.problems import STATUSES
from chalicelib.wire.requests.bookings import NothingBody, RescheduleBody
from chalicelib.wire.responses.bookings import BookingAnswer, own_booking_answer
from chalicelib.wire.responses.offer import SlotsAnswer, slots_answer

CALENDAR: Final = "text/calendar; charset=utf-8"

# What a person can mend by choosing again: the page comes back with fresh times.
RECOVERABLE_ERRORS: Final = (
    errors.SlotTakenError,
    errors.SlotNotOfferedError,
    errors.InvalidValueError,
    errors.InvalidRequestError,
)
_NOTICES: Final[Mapping[type[AdmitOneError], str]] = {
    errors.SlotTakenError: "pages.taken-move",
    errors.SlotNotOfferedError: "pages.not-offered-move",
}


def _show_error(call: Call, error: AdmitOneError) -> Reply | None:
    if not call.wants_html():
        return None
    status = STATUSES[type(error)]
    if isinstance(error, errors.NotFoundError):  # the same words as for every other path (P7)
        return page_reply(call, status, dead_page(DeadPage(root=call.root, reason="not-found"), call.say))
    return page_reply(call, status, problem_page(ProblemPage(root=call.root, status=status), call.say))


own_booking = invitee_router(__name__, _show_error)


@own_booking.on("GET HEAD", "/b/{bookingToken}", answer=BookingAnswer)
def get_booking_page(call: Call) -> Reply:
    """Show the invitee's own booking; with `?move=1` or `?cancel=1` the page to do that from (P5: it only asks)."""
    if not call.wants_html():
        return _json(call, _find(call)())
    if call.hint("move") == "1":
        return _move_reply(call, 200)
    if call.hint("cancel") == "1":
        return _cancel_reply(call)
    return _booking_reply(call, 200)


@own_booking.on("GET HEAD", "/b/{bookingToken}/invite.ics", answer="text/calendar")
def get_invite(call: Call) -> Reply:
    """Give the booking as a calendar file. Its name is fixed: nothing anyone typed gets into a header."""
    own = read_own_booking(call.world, call.path("bookingToken"))
    text = calendar_text(
        own.booking, host_name=_host_name(own), emailed=_emailed(call, own.booking), now=call.world.now()
    )
    headers = {"Content-Type": CALENDAR, "Content-Disposition": 'attachment; filename="invite.ics"'}
    return Reply(200, text, headers)


@own_booking.on("GET HEAD", "/b/{bookingToken}/slots", query=("from", "to", "timeZone"), answer=SlotsAnswer)
def get_slots(call: Call) -> Reply:
    """List the slots that the booking may move to between two instants or dates; by default the next 30 days.

    Dates are in `timeZone`, by default the schedule's zone.
    At most 2,000: `to` says how far the response reaches; send it as the next `from`.
    """
    query = call.query()
    zone = asked_zone(query)
    movable = movable_booking(call.world, _find(call))
    start, end = asked_range(query, zone or movable.offer.schedule.time_zone)
    start = start or movable.now
    end = end or start + DEFAULT_RANGE
    slots = slots_to_move_to(call.world, movable, start, end, most=MAX_SLOTS + 1)
    return json_reply(200, slots_answer(slots, start, end))


@own_booking.on(
    "POST", "/b/{bookingToken}/cancel", body=NothingBody, answer=BookingAnswer, media=(JSON, FORM)
)
def post_cancel(call: Call) -> Reply:
    """Cancel the booking: 200 with it, or 303 to its page for a form."""
    if call.media_type == FORM:
        require_known(call.form(), set())
        try:
            _cancel(call)
        except ConflictError as error:
            return _refused_reply(call, error)
        return Reply(303, headers={"Location": _page_path(call)})
    if call.body():
        call.decode(NothingBody)
    return _json(call, _cancel(call))


@own_booking.on(
    "POST", "/b/{bookingToken}/reschedule", body=RescheduleBody, answer=BookingAnswer, media=(JSON, FORM)
)
def post_reschedule(call: Call) -> Reply:
    """Move the booking: 200 with it, or 303 to its page for a form."""
    if call.media_type != FORM:
        return _json(call, _move(call, call.decode(RescheduleBody)))
    fields = call.form()
    try:
        _move(call, _form_body(fields))
    except RECOVERABLE_ERRORS as error:
        if not call.wants_html():
            raise
        return _move_reply(call, STATUSES[type(error)], fields=fields, error=error)
    except ConflictError as error:
        return _refused_reply(call, error)
    return Reply(303, headers={"Location": _page_path(call) + "?moved=1"})


def _find(call: Call) -> FindBooking:
    return booking_of_token(call.world, call.path("bookingToken"))


def _cancel(call: Call) -> Booking:
    return cancel_booking(call.world, _find(call), call.cause())


def _move(call: Call, body: RescheduleBody) -> Booking:
    return move_booking(call.world, _find(call), instant(body.start, "/start"), call.cause(), by_invitee=True)


def _form_body(fields: dict[str, str]) -> RescheduleBody:
    """Read a posted form as the JSON body it stands for. Raises `InvalidRequestError`, `InvalidValueError`."""
    require_known(fields, {"start", "timeZone"})
    if not fields.get("start"):
        raise errors.InvalidValueError([FieldFault("/start", "Choose a time.")])
    try:
        return RescheduleBody(start=msgspec.convert(fields["start"], type=Instant))
    except msgspec.ValidationError as error:
        raise InvalidRequestError([FieldFault("/start", "can't be read")]) from error


def _json(call: Call, booking: Booking) -> Reply:
    return json_reply(200, own_booking_answer(booking, call.world.keyring(), base_url(call)))


def _booking_reply(call: Call, status: int, *, refused: AdmitOneError | None = None) -> Reply:
    """Return the booking's page. What can be done with it is offered until it begins, and never once cancelled."""
    own, here = read_own_booking(call.world, call.path("bookingToken")), _page_path(call)
    booking = own.booking
    ahead = booking.status is BookingStatus.CONFIRMED and booking.start > call.world.now()
    page = pages.ConfirmationPage(
        root=call.root,
        title=booking.title,
        start=booking.start,
        end=booking.end,
        zone=booking.time_zone,
        host_zone=own.host.settings.time_zone if own.host else booking.time_zone,
        location=booking.location,
        host_name=_host_name(own),
        invitee_name=booking.invitee.name if booking.invitee else "",
        invitee_email=booking.invitee.email if booking.invitee else "",
        answers=_answers(own),
        status=booking.status.value,
        news=_news(call, booking),
        link_used=own.link_used,
        calendars=_calendars(call, own) if ahead else (),
        move=f"{here}?move=1" if ahead else None,
        cancel=f"{here}?cancel=1" if ahead else None,
        notice=_why_refused(call, booking, refused, ahead=ahead) if refused else None,
        own_tab=here if embedded(call) else None,
        unreachable=_unreachable(call, booking),
    )
    return page_reply(call, status, pages.confirmation_page(page, call.say))


def _move_reply(
    call: Call, status: int, *, fields: dict[str, str] | None = None, error: AdmitOneError | None = None
) -> Reply:
    """Return the page on which the booking is moved, after a failed move with what was chosen and what was wrong."""
    fields, here = fields or {}, _page_path(call)
    try:
        movable = movable_booking(call.world, _find(call))
    except (ConflictError, errors.SlotNotOfferedError) as refusal:
        return _refused_reply(call, refusal)
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
    page = pages.MovePage(
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
    return page_reply(call, status, pages.move_page(page, call.say))


def _cancel_reply(call: Call) -> Reply:
    """Return the page that asks before cancelling, or the booking's own where there is nothing to cancel."""
    own, here = read_own_booking(call.world, call.path("bookingToken")), _page_path(call)
    booking = own.booking
    if booking.status is BookingStatus.CANCELLED or booking.start <= call.world.now():
        return _booking_reply(call, 200)
    page = pages.CancelPage(
        root=call.root,
        action=f"{here}/cancel",
        back=here,
        title=booking.title,
        start=booking.start,
        end=booking.end,
        zone=booking.time_zone,
        host_name=_host_name(own),
    )
    return page_reply(call, 200, pages.cancel_page(page, call.say))


def _refused_reply(call: Call, error: AdmitOneError) -> Reply:
    """Return the booking's page with why it stays as it is; for programs the problem itself."""
    if not call.wants_html():
        raise error
    return _booking_reply(call, STATUSES[type(error)], refused=error)


def _answers(own: OwnBooking) -> list[tuple[str, str]]:
    """Return the answers given, in the questions' order; to one that is no longer asked under its id."""
    labels = {question.id: question.label for question in own.questions}
    given = own.booking.answers
    names = [name for name in labels if name in given] + [name for name in given if name not in labels]
    return [(labels.get(name, name), given[name]) for name in names]


def _news(call: Call, booking: Booking) -> pages.News | None:
    """Return what the URL says was just done, where it can be true."""
    if call.hint("moved") == "1":
        return "moved" if booking.sequence > 1 else None
    return "booked" if call.hint("booked") == "1" else None


def _why_refused(call: Call, booking: Booking, refused: AdmitOneError, *, ahead: bool) -> str:
    """Return why the booking stays as it is, in the reader's words."""
    if isinstance(refused, errors.MoveLimitError):
        return call.say.count("pages.moved-too-often", booking.moves_by_invitee)
    if booking.status is BookingStatus.CANCELLED:
        return call.say("pages.was-cancelled")
    return call.say("pages.nothing-to-move-to" if ahead else "pages.has-begun")


def _calendars(call: Call, own: OwnBooking) -> list[pages.CalendarLink]:
    booking = own.booking
    urls = calendar_urls(booking, host_name=_host_name(own), emailed=_emailed(call, booking))
    return [
        pages.CalendarLink(call.say("pages.calendar-file"), f"{_page_path(call)}/invite.ics"),
        pages.CalendarLink("Google", urls.google),
        pages.CalendarLink("Outlook.com", urls.outlook),
    ]


def _host_name(own: OwnBooking) -> str:
    return own.host.public_name if own.host else ""


def _page_path(call: Call) -> str:
    """Return the relative URL of the booking's page, right behind any stage or domain."""
    return f"{call.root}b/{call.path('bookingToken')}"


def _emailed(call: Call, booking: Booking) -> bool:
    """Return whether the invitee gets emails about their booking."""
    return can_email(call.world, booking.invitee.email if booking.invitee else None)


def _unreachable(call: Call, booking: Booking) -> bool:
    """Return whether email is on but this invitee's address can't be emailed."""
    return call.world.mailer is not None and booking.invitee is not None and not _emailed(call, booking)
