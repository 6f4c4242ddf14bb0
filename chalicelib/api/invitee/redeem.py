"""The invitee's door to a link: `/s/{token}`, pages for browsers and JSON for programs."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from chalicelib.api.http.call import FORM, JSON, KEY_FIELD, Call, is_idempotency_key
from chalicelib.api.http.routing import Reply, json_reply
from chalicelib.api.invitee.dead_links import show_link_error
from chalicelib.api.invitee.picker import shown_dates
from chalicelib.api.invitee.routing import (
    embedded,
    field_errors,
    in_frame,
    invitee_router,
    notice,
    page_reply,
    require_known,
)
from chalicelib.api.team.routing import base_url
from chalicelib.domain import errors
from chalicelib.domain.bookings.booking import Booking, Invitee, check_answers, check_invitee
from chalicelib.domain.bookings.redeem import hash_body
from chalicelib.domain.errors import AdmitOneError, FieldFault, InvalidRequestError
from chalicelib.domain.event_types.event_type import EventSettings
from chalicelib.domain.event_types.slots import MAX_SLOTS
from chalicelib.domain.links.link import expected_address
from chalicelib.domain.rules import Rules
from chalicelib.domain.urls import booking_url
from chalicelib.pages.invitee import offer as pages
from chalicelib.pages.languages import Words
from chalicelib.service.bookings.redeem import Redeemed, RedeemRequest, redeem
from chalicelib.service.links.note_open import note_open
from chalicelib.service.links.open import OpenLink, open_link, slots_of
from chalicelib.service.mail.can_email import can_email
from chalicelib.wire.instants import DEFAULT_RANGE, Instant, asked_range, asked_zone, instant
from chalicelib.wire.problems import STATUSES
from chalicelib.wire.requests.bookings import RedeemBody
from chalicelib.wire.responses.bookings import BookedAnswer, BookingAnswer, redeemed_answer
from chalicelib.wire.responses.offer import (
    OfferAnswer,
    SlotsAnswer,
    offer_answer,
    slots_answer,
)

# What a person can mend by choosing or typing again: the page comes back with all that was typed.
RECOVERABLE_ERRORS: Final = (
    errors.SlotTakenError,
    errors.SlotNotOfferedError,
    errors.RecipientMismatchError,
    errors.InvalidValueError,
    errors.InvalidRequestError,
    errors.IdempotencyKeyReusedError,
)
_NOTICES: Final[Mapping[type[AdmitOneError], str]] = {
    errors.SlotTakenError: "pages.taken",
    errors.SlotNotOfferedError: "pages.not-offered",
}


_KEY_BYTES: Final = 16  # of a form's request key, so that nobody can guess it

invitee = invitee_router(__name__, show_link_error)


@invitee.on("GET HEAD", "/s/{token}", answer=OfferAnswer)
def get_link_page(call: Call) -> Reply:
    """Show what a link offers. Nothing that counts is changed (P5)."""
    opened = open_link(call.world, call.path("token"))
    page = call.wants_html()
    if page and call.hint("zones") == "1":  # reached from the page itself, which was counted
        return _offer_reply(call, opened, 200)
    noting = note_open(call.world, opened.link, call.visitor(), call.correlation_id)
    try:
        return _offer_reply(call, opened, 200) if page else json_reply(200, offer_answer(opened))
    finally:
        noting.join()


@invitee.on("GET HEAD", "/s/{token}/slots", query=("from", "to", "timeZone"), answer=SlotsAnswer)
def get_slots(call: Call) -> Reply:
    """List the slots on offer between two instants or dates; by default the next 30 days.

    Dates are in `timeZone`, by default the schedule's zone.
    At most 2,000: `to` says how far the response reaches; send it as the next `from`.
    """
    query = call.query()
    zone = asked_zone(query)
    opened = open_link(call.world, call.path("token"))
    start, end = asked_range(query, zone or opened.offer.schedule.time_zone)
    start = start or opened.now
    end = end or start + DEFAULT_RANGE
    return json_reply(
        200, slots_answer(slots_of(call.world, opened, start, end, most=MAX_SLOTS + 1), start, end)
    )


@invitee.on(
    "POST",
    "/s/{token}/redeem",
    body=RedeemBody,
    answer=(BookingAnswer, BookedAnswer),
    status=201,
    keyed=True,
    media=(JSON, FORM),
)
def post_redeem(call: Call) -> Reply:
    """Book a slot: 201 with the booking, or 303 to its page for a form. The only thing that spends a link."""
    if call.media_type == FORM:
        return _redeem_form(call)
    done = _redeem(call, call.decode(RedeemBody), call.idempotency_key)
    return _redeemed_json(call, done)


def _redeemed_json(call: Call, done: Redeemed) -> Reply:
    document = redeemed_answer(done, call.world.keyring(), base_url(call))
    headers = {"Idempotent-Replayed": "true"} if done.replayed else {}
    if not done.only_confirmed:
        headers["Location"] = _own_page(call, done.booking)
    return json_reply(201, document, headers)


def _redeem(call: Call, body: RedeemBody, key: str | None) -> Redeemed:
    request = RedeemRequest(
        start=instant(body.start, "/start"),
        time_zone=body.time_zone,
        invitee=body.invitee,
        answers=body.answers,
        location_index=body.location_index,
        idempotency_key=key,
        body_hash=hash_body(body),
        language=call.say.language,
    )
    return redeem(call.world, call.path("token"), request, call.cause())


def _redeem_form(call: Call) -> Reply:
    fields = call.form()
    try:
        done = _redeem(call, _form_body(fields), call.form_key(fields))
    except RECOVERABLE_ERRORS as error:
        if not call.wants_html():
            raise
        return _mend_reply(call, fields, error)
    if not done.only_confirmed:
        return Reply(303, headers={"Location": in_frame(call, _own_page(call, done.booking) + "?booked=1")})
    if not call.wants_html():
        return _redeemed_json(call, done)
    booked = pages.BookedPage(
        root=call.root, title=done.booking.title, start=done.booking.start, zone=done.booking.time_zone
    )
    person = done.booking.invitee
    emailed = can_email(call.world, person.email if person else None)
    reply = page_reply(call, 200, pages.booked_page(booked, call.say, emailed=emailed))
    return Reply(reply.status, reply.body, {**reply.headers, "Idempotent-Replayed": "true"})


def _mend_reply(call: Call, fields: dict[str, str], error: AdmitOneError) -> Reply:
    """Return the booking page with the typed values and the errors; its key stays unless it was used to book."""
    key = fields.pop(KEY_FIELD, "")
    if isinstance(error, errors.IdempotencyKeyReusedError) or not is_idempotency_key(key):
        key = ""
    try:
        opened = open_link(call.world, call.path("token"))
    except errors.DeadLinkError:
        if not isinstance(error, errors.IdempotencyKeyReusedError):
            raise
        # The form was sent again with other details after its booking used up the link: the booking is unchanged.
        emailed = can_email(call.world, fields.get("invitee.email"))
        page = pages.booked_page(None, call.say, emailed=emailed, root=call.root)
        return page_reply(call, STATUSES[type(error)], page)
    return _offer_reply(call, opened, STATUSES[type(error)], fields=fields, error=error, key=key)


def _form_body(fields: dict[str, str]) -> RedeemBody:
    """Read a posted form as the JSON body it stands for. Raises `InvalidRequestError`, `InvalidValueError`."""
    known = {"start", "timeZone", "invitee.name", "invitee.email", "location", KEY_FIELD}
    require_known(fields, known, prefix="answers.")
    if not fields.get("start"):
        raise errors.InvalidValueError([FieldFault("/start", "Choose a time.")])
    try:
        return RedeemBody(
            start=msgspec.convert(fields["start"], type=Instant),
            time_zone=fields.get("timeZone", ""),
            invitee=_person(fields),
            answers=_answers(fields),
            location_index=int(fields["location"]) if fields.get("location") else None,
        )
    except ValueError as error:  # msgspec's ValidationError is one
        raise InvalidRequestError([FieldFault("", "a field can't be read")]) from error


def _person(fields: dict[str, str]) -> Invitee:
    return Invitee(fields.get("invitee.name", ""), fields.get("invitee.email", ""))


def _answers(fields: dict[str, str]) -> dict[str, str]:
    given = {
        name.removeprefix("answers."): text for name, text in fields.items() if name.startswith("answers.")
    }
    return {name: text for name, text in given.items() if text}


def _offer_reply(
    call: Call,
    opened: OpenLink,
    status: int,
    *,
    fields: dict[str, str] | None = None,
    error: AdmitOneError | None = None,
    key: str = "",
) -> Reply:
    """Return the booking page; after a failed booking, with the typed values and the errors.

    `key` is the form's request key, by default a fresh one: a form books at most once (P4).
    """
    fields = dict(fields or {})
    offer, link = opened.offer, opened.link
    shown = shown_dates(
        call,
        lambda start, end: slots_of(call.world, opened, start, end),
        now=opened.now,
        window_days=offer.booking_window_days,
        zone=offer.schedule.time_zone,
        fields=fields,
        path=f"{call.root}s/{call.path('token')}",
        query={"embed": "1"} if embedded(call) else None,
    )
    recipient = link.settings.recipient
    values = {"timeZone": shown.zone, **fields}
    expected = expected_address(recipient)
    if recipient is not None and not fields:
        values |= {"invitee.name": recipient.name, "invitee.email": "" if expected else recipient.email}
    page = pages.OfferPage(
        root=call.root,
        action=in_frame(call, f"{call.root}s/{call.path('token')}/redeem"),
        request_key=key or call.world.random_bytes(_KEY_BYTES).hex(),
        here=shown.here,
        title=offer.title,
        description=offer.description,
        duration_minutes=offer.duration_minutes,
        locations=offer.locations,
        host_name=opened.host.public_name,
        zone=shown.zone,
        unknown_zone=shown.unknown_zone,
        zones=shown.zones,
        zones_page=shown.zones_page,
        days=shown.days,
        known=shown.known,
        earlier=shown.earlier,
        later=shown.later,
        expires_at=link.settings.expires_at,
        uses_left=link.remaining_uses,
        questions=offer.questions,
        expected_email=expected,
        emails=call.world.mailer is not None,
        values=values,
        errors=_field_errors(error, fields, opened, call.say),
        problem=error.code if error else None,
        notice=notice(call, error, _NOTICES),
    )
    return page_reply(call, status, pages.offer_page(page, call.say))


def _field_errors(
    error: AdmitOneError | None, fields: dict[str, str], opened: OpenLink, say: Words
) -> dict[str, str]:
    """Return all that is wrong with what was typed, by field: a person should not hear of it piece by piece."""
    if isinstance(error, errors.RecipientMismatchError):
        expected = expected_address(opened.link.settings.recipient) or ""
        return {"invitee.email": say("pages.fault.recipient", expected=expected)}
    found = field_errors(error, fields, say, opened.offer.questions)
    if isinstance(error, errors.InvalidValueError):
        rest = errors.InvalidValueError(_faults(fields, opened.offer))
        found |= field_errors(rest, fields, say, opened.offer.questions)
        order = ["start", "location", "invitee.name", "invitee.email"]
        order += [f"answers.{question.id}" for question in opened.offer.questions]
        return {
            name: found[name] for name in sorted(found, key=lambda n: order.index(n) if n in order else 99)
        }
    return found


def _faults(fields: dict[str, str], offer: EventSettings) -> Sequence[FieldFault]:
    """Return what the rules say of a form's person, answers and time, whichever of them was looked at first."""
    rules = Rules()
    rules.at("start").require(bool(fields.get("start")), "is needed")
    check_invitee(_person(fields), fields.get("timeZone", ""), rules)
    check_answers(_answers(fields), offer.questions, rules.at("answers"))
    try:
        rules.enforce()
    except errors.InvalidValueError as error:
        return error.faults
    return ()


def _own_page(call: Call, booking: Booking) -> str:
    ring = call.world.keyring()
    return booking_url(booking, ring, call.root.rstrip("/")) or ""
