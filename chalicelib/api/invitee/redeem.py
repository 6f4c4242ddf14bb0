"""`POST /s/{token}/redeem`: book a slot by a link, from JSON or a form."""

from chalicelib.api.http.call import FORM, JSON, KEY_FIELD, Call, is_idempotency_key
from chalicelib.api.http.routing import Reply, json_reply
from chalicelib.api.invitee.dead_links import show_link_error
from chalicelib.api.invitee.form import RECOVERABLE_ERRORS
from chalicelib.api.invitee.offer import offer_reply
from chalicelib.api.invitee.redeem_form import redeem_body
from chalicelib.api.invitee.routing import in_frame, invitee_router, page_reply
from chalicelib.domain.bookings.booking import Booking
from chalicelib.domain.errors import AdmitOneError, DeadLinkError, IdempotencyKeyReusedError
from chalicelib.domain.urls import booking_url
from chalicelib.pages.invitee.already_booked import BookedPage, booked_page
from chalicelib.service.bookings.redeem import Redeemed, redeem
from chalicelib.service.links.open import open_link
from chalicelib.service.mail.can_email import can_email
from chalicelib.wire.problems import STATUSES
from chalicelib.wire.requests.bookings import RedeemBody, redeem_request
from chalicelib.wire.responses.bookings import BookedAnswer, BookingAnswer, redeemed_answer

redeems = invitee_router(__name__, show_link_error)


@redeems.on(
    "POST",
    "/s/{token}/redeem",
    body=RedeemBody,
    answer=(BookingAnswer, BookedAnswer),
    status=201,
    keyed=True,
    media=(JSON, FORM),
)
def post_redeem(call: Call) -> Reply:
    """Book a slot. Returns 201 with the booking, or for a form 303 to the booking's page. Nothing else uses a link."""
    if call.media_type == FORM:
        return _redeem_by_form(call)
    done = _redeem(call, call.decode(RedeemBody), call.idempotency_key)
    return _redeemed_json(call, done)


def _redeem(call: Call, body: RedeemBody, key: str | None) -> Redeemed:
    request = redeem_request(body, key, language=call.say.language)
    return redeem(call.world, call.path("token"), request, call.cause())


def _redeemed_json(call: Call, done: Redeemed) -> Reply:
    document = redeemed_answer(done, call.world.keyring(), call.base_url)
    headers = {"Idempotent-Replayed": "true"} if done.replayed else {}
    if not done.only_confirmed:
        headers["Location"] = _own_page(call, done.booking)
    return json_reply(201, document, headers)


def _redeem_by_form(call: Call) -> Reply:
    fields = call.form()
    try:
        done = _redeem(call, redeem_body(fields), call.form_key(fields))
    except RECOVERABLE_ERRORS as error:
        if not call.wants_html():
            raise
        return _form_again(call, fields, error)
    if not done.only_confirmed:
        return Reply(303, headers={"Location": in_frame(call, _own_page(call, done.booking) + "?booked=1")})
    if not call.wants_html():
        return _redeemed_json(call, done)
    return _booked_reply(call, done.booking)


def _booked_reply(call: Call, booking: Booking) -> Reply:
    """Return the page for a retry without an `Idempotency-Key`. It only confirms that the time is booked."""
    page = BookedPage(root=call.root, title=booking.title, start=booking.start, zone=booking.time_zone)
    emailed = can_email(call.world, booking.invitee.email if booking.invitee else None)
    reply = page_reply(call, 200, booked_page(page, call.say, emailed=emailed))
    return Reply(reply.status, reply.body, {**reply.headers, "Idempotent-Replayed": "true"})


def _form_again(call: Call, fields: dict[str, str], error: AdmitOneError) -> Reply:
    """Return the booking page with the typed values and the errors. The form keeps its key unless the key was used."""
    key = fields.pop(KEY_FIELD, "")
    if isinstance(error, IdempotencyKeyReusedError) or not is_idempotency_key(key):
        key = ""
    try:
        opened = open_link(call.world, call.path("token"))
    except DeadLinkError:
        if not isinstance(error, IdempotencyKeyReusedError):
            raise
        # The form was sent again with other details after its booking used up the link: the booking is unchanged.
        emailed = can_email(call.world, fields.get("invitee.email"))
        page = booked_page(None, call.say, emailed=emailed, root=call.root)
        return page_reply(call, STATUSES[type(error)], page)
    return offer_reply(call, opened, STATUSES[type(error)], fields=fields, error=error, key=key)


def _own_page(call: Call, booking: Booking) -> str:
    return booking_url(booking, call.world.keyring(), call.root.rstrip("/")) or ""
