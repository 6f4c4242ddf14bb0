"""The page of the invitee's own booking, and functions that the booking's routes share."""

from chalicelib.api.http.call import Call
from chalicelib.api.http.routing import Reply, json_reply
from chalicelib.api.invitee.routing import embedded, page_reply
from chalicelib.domain import errors
from chalicelib.domain.bookings.booking import Booking, BookingStatus
from chalicelib.domain.bookings.move import is_upcoming
from chalicelib.domain.errors import AdmitOneError
from chalicelib.pages.invitee.confirmation import CalendarLink, ConfirmationPage, News, confirmation_page
from chalicelib.pages.invitee.dead_links import DeadPage, dead_page
from chalicelib.pages.invitee.problem import ProblemPage, problem_page
from chalicelib.pages.mail.calendars import calendar_urls
from chalicelib.service.bookings.find import (
    FindBooking,
    OwnBooking,
    own_booking as booking_of_token,
    read_own_booking,
)
from chalicelib.service.mail.can_email import can_email
from chalicelib.wire.problems import STATUSES
from chalicelib.wire.responses.bookings import own_booking_answer


def show_booking_error(call: Call, error: AdmitOneError) -> Reply | None:
    """Return an error as a page, or None for a caller that wants JSON."""
    if not call.wants_html():
        return None
    status = STATUSES[type(error)]
    if isinstance(error, errors.NotFoundError):  # the same page as for every other unknown path (P7)
        return page_reply(call, status, dead_page(DeadPage(root=call.root, reason="not-found"), call.say))
    return page_reply(call, status, problem_page(ProblemPage(root=call.root, status=status), call.say))


def find_booking(call: Call) -> FindBooking:
    """Return a function that reads the booking of the token in the URL."""
    return booking_of_token(call.world, call.path("bookingToken"))


def booking_json(call: Call, booking: Booking) -> Reply:
    """Return the booking as JSON."""
    return json_reply(200, own_booking_answer(booking, call.world.keyring(), call.base_url))


def booking_reply(call: Call, status: int, *, refused: AdmitOneError | None = None) -> Reply:
    """Return the booking's page. It offers to move, cancel or download a confirmed booking that has not started."""
    own, here = read_own_booking(call.world, call.path("bookingToken")), page_path(call)
    booking = own.booking
    ahead = is_upcoming(booking, call.world.now())
    page = ConfirmationPage(
        root=call.root,
        title=booking.title,
        start=booking.start,
        end=booking.end,
        zone=booking.time_zone,
        host_zone=own.host.settings.time_zone if own.host else booking.time_zone,
        location=booking.location,
        host_name=host_name_of(own),
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
    return page_reply(call, status, confirmation_page(page, call.say))


def refused_reply(call: Call, error: AdmitOneError) -> Reply:
    """Return the booking's page with the reason why it is unchanged. For a program, raises the error."""
    if not call.wants_html():
        raise error
    return booking_reply(call, STATUSES[type(error)], refused=error)


def _answers(own: OwnBooking) -> list[tuple[str, str]]:
    """Return questions and answers in the questions' order. A question that no longer exists is shown as its id."""
    labels = {question.id: question.label for question in own.questions}
    given = own.booking.answers
    names = [name for name in labels if name in given] + [name for name in given if name not in labels]
    return [(labels.get(name, name), given[name]) for name in names]


def _news(call: Call, booking: Booking) -> News | None:
    """Return the change that the page confirms, according to the URL: `booked`, `moved`, or None.

    A `moved` in the URL of a booking that was never moved is ignored.
    """
    if call.hint("moved") == "1":
        return "moved" if booking.sequence > 1 else None
    return "booked" if call.hint("booked") == "1" else None


def _why_refused(call: Call, booking: Booking, refused: AdmitOneError, *, ahead: bool) -> str:
    """Return why the booking is unchanged, in the reader's language."""
    if isinstance(refused, errors.MoveLimitError):
        return call.say.count("pages.moved-too-often", booking.moves_by_invitee)
    if booking.status is BookingStatus.CANCELLED:
        return call.say("pages.was-cancelled")
    return call.say("pages.nothing-to-move-to" if ahead else "pages.has-begun")


def _calendars(call: Call, own: OwnBooking) -> list[CalendarLink]:
    booking = own.booking
    urls = calendar_urls(booking, host_name=host_name_of(own), emailed=is_emailed(call, booking))
    return [
        CalendarLink(call.say("pages.calendar-file"), f"{page_path(call)}/invite.ics"),
        CalendarLink("Google", urls.google),
        CalendarLink("Outlook.com", urls.outlook),
    ]


def host_name_of(own: OwnBooking) -> str:
    """Return the host's public name; empty if the host no longer exists."""
    return own.host.public_name if own.host else ""


def page_path(call: Call) -> str:
    """Return the relative URL of the booking's page, which works with any stage and domain."""
    return f"{call.root}b/{call.path('bookingToken')}"


def is_emailed(call: Call, booking: Booking) -> bool:
    """Return whether the invitee gets emails about their booking."""
    return can_email(call.world, booking.invitee.email if booking.invitee else None)


def _unreachable(call: Call, booking: Booking) -> bool:
    """Return whether email is on but this invitee's address can't be emailed."""
    return call.world.mailer is not None and booking.invitee is not None and not is_emailed(call, booking)
