"""The invitee's door: `/s/{token}` and `/b/{bookingToken}`, pages for browsers and JSON for programs."""

from datetime import date, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from chalicelib import bootstrap
from chalicelib.api.call import FORM, JSON, Call
from chalicelib.api.door import Door, Reply, json_reply
from chalicelib.api.instants import Instant, date_of, instant, when
from chalicelib.api.problems import STATUSES
from chalicelib.api.schemas import RedeemBody, booking_json, booking_url, slots_json
from chalicelib.api.team import base_url
from chalicelib.domain import errors
from chalicelib.domain.bookings import Booking, Invitee
from chalicelib.domain.clock import rfc3339
from chalicelib.domain.errors import AdmitOneError, FieldFault, InvalidRequestError, LinkNotOpenError
from chalicelib.domain.event_types import Location
from chalicelib.domain.redeeming import hash_body
from chalicelib.domain.slots import Slot
from chalicelib.domain.zones import is_zone, wall_to_utc, zone_names
from chalicelib.pages import invitee as pages
from chalicelib.service.find_booking import read_own_booking
from chalicelib.service.open_link import OpenLink, open_link, slots_of
from chalicelib.service.redeem import RedeemRequest, redeem

DAYS_A_PAGE: Final = 7
SEARCHED_DAYS: Final = 35  # how far a page looks for its days; beyond it there is a link to go on
DEFAULT_RANGE: Final = timedelta(days=30)

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",
    "X-Robots-Tag": "noindex, nofollow",
}
HTML: Final = "text/html; charset=utf-8"

_REASONS: Final[dict[type[AdmitOneError], pages.DeadReason]] = {
    errors.LinkUsedError: "used",
    errors.LinkExpiredError: "expired",
    errors.LinkRevokedError: "revoked",
    errors.LinkDeletedError: "deleted",
    errors.LinkNotOpenError: "not-open",
    errors.NotFoundError: "not-found",
    errors.ThrottledError: "too-many",
    errors.StoreUnavailableError: "unavailable",
    errors.ContendedError: "unavailable",
}
# What a person can mend by choosing or typing again: the page comes back with all that was typed.
_MENDABLE: Final = (
    errors.SlotTakenError,
    errors.SlotNotOfferedError,
    errors.RecipientMismatchError,
    errors.InvalidValueError,
    errors.InvalidRequestError,
    errors.IdempotencyKeyReusedError,
)
_NOTICES: Final[dict[type[AdmitOneError], str]] = {
    errors.SlotTakenError: "That time was just taken. Here are fresh times; what you typed is still here.",
    errors.SlotNotOfferedError: "That time is no longer on offer. Please choose another; what you typed is still here.",
}


def _show_error(call: Call, error: AdmitOneError) -> Reply | None:
    if not call.wants_html():
        return None
    status, reason = STATUSES[type(error)], _REASONS.get(type(error))
    if reason is None:
        return _page(status, pages.problem_page(pages.ProblemPage(root=call.root, status=status)))
    opens_at = error.opens_at if isinstance(error, LinkNotOpenError) else None
    return _page(status, pages.dead_page(pages.DeadPage(root=call.root, reason=reason, opens_at=opens_at)))


invitee = Door(__name__, headers=HEADERS, show_error=_show_error)


@invitee.on("GET HEAD", "/s/{token}")
def get_link_page(call: Call) -> Reply:
    """Show what a link offers. Nothing that counts is changed (P5)."""
    opened = open_link(bootstrap.world(), call.path("token"))
    if not call.wants_html():
        return json_reply(200, _offer_json(opened))
    return _offer_reply(call, opened, 200)


@invitee.on("GET HEAD", "/s/{token}/slots")
def get_slots(call: Call) -> Reply:
    """List the slots on offer between two instants or dates; by default the next 30 days."""
    query = call.query("from", "to")
    world = bootstrap.world()
    opened = open_link(world, call.path("token"))
    start = when(query["from"], "from") if "from" in query else opened.now
    end = when(query["to"], "to") if "to" in query else start + DEFAULT_RANGE
    return json_reply(200, slots_json(slots_of(world, opened, start, end), start, end))


@invitee.on("POST", "/s/{token}/redeem", media=(JSON, FORM))
def post_redeem(call: Call) -> Reply:
    """Book a slot: 201 with the booking, or 303 to its page for a form. The only thing that spends a link."""
    if call.media_type == FORM:
        return _redeem_form(call)
    booking, replayed = _redeem(call, call.decode(RedeemBody))
    document = booking_json(booking, bootstrap.world().keyring(), base_url(call))
    headers = {"Idempotent-Replayed": "true"} if replayed else {}
    return json_reply(201, document, {"Location": _own_page(call, booking), **headers})


@invitee.on("GET HEAD", "/b/{bookingToken}")
def get_booking_page(call: Call) -> Reply:
    """Show the invitee's own booking."""
    own = read_own_booking(bootstrap.world(), call.path("bookingToken"))
    booking = own.booking
    if not call.wants_html():
        return json_reply(200, booking_json(booking, bootstrap.world().keyring(), base_url(call)))
    page = pages.ConfirmationPage(
        root=call.root,
        title=booking.title,
        start=booking.start,
        end=booking.end,
        zone=booking.time_zone,
        host_zone=own.host.settings.time_zone if own.host else booking.time_zone,
        location=booking.location,
        host_first_name=own.host.first_name if own.host else "",
        invitee_name=booking.invitee.name if booking.invitee else "",
        invitee_email=booking.invitee.email if booking.invitee else "",
        status=booking.status.value,
        just_booked=call.hint("booked") == "1",
        link_used=own.link_used,
    )
    return _page(200, pages.confirmation_page(page))


def _redeem(call: Call, body: RedeemBody) -> tuple[Booking, bool]:
    request = RedeemRequest(
        start=instant(body.start, "/start"),
        time_zone=body.time_zone,
        invitee=body.invitee,
        answers=body.answers,
        location_index=body.location_index,
        idempotency_key=call.idempotency_key,
        body_hash=hash_body(body),
    )
    done = redeem(bootstrap.world(), call.path("token"), request, call.cause())
    return done.booking, done.replayed


def _redeem_form(call: Call) -> Reply:
    fields = call.form()
    try:
        booking, _ = _redeem(call, _form_body(fields))
    except _MENDABLE as error:
        if not call.wants_html():
            raise
        opened = open_link(bootstrap.world(), call.path("token"))
        return _offer_reply(call, opened, STATUSES[type(error)], fields=fields, error=error)
    return Reply(303, headers={"Location": _own_page(call, booking) + "?booked=1"})


def _form_body(fields: dict[str, str]) -> RedeemBody:
    """Read a posted form as the JSON body it stands for. Raises `InvalidRequestError`, `InvalidValueError`."""
    known = {"start", "timeZone", "invitee.name", "invitee.email", "location"}
    faults = [
        FieldFault(f"/{name}", "is not a field of this form")
        for name in fields
        if name not in known and not name.startswith("answers.")
    ]
    if faults:
        raise InvalidRequestError(faults)
    if not fields.get("start"):
        raise errors.InvalidValueError([FieldFault("/start", "Choose a time.")])
    answers = {
        name.removeprefix("answers."): text for name, text in fields.items() if name.startswith("answers.")
    }
    try:
        return RedeemBody(
            start=msgspec.convert(fields["start"], type=Instant),
            time_zone=fields.get("timeZone", ""),
            invitee=Invitee(fields.get("invitee.name", "").strip(), fields.get("invitee.email", "").strip()),
            answers={name: text for name, text in answers.items() if text},
            location_index=int(fields["location"]) if fields.get("location") else None,
        )
    except ValueError as error:  # msgspec's ValidationError is one
        raise InvalidRequestError([FieldFault("", "a field can't be read")]) from error


def _offer_reply(
    call: Call,
    opened: OpenLink,
    status: int,
    *,
    fields: dict[str, str] | None = None,
    error: AdmitOneError | None = None,
) -> Reply:
    """Return the booking page, after a failed booking with all that was typed and what was wrong."""
    fields = dict(fields or {})
    offer, link = opened.offer, opened.link
    wanted = fields.get("timeZone") or call.hint("timeZone") or ""
    zone = wanted if is_zone(wanted) else offer.schedule.time_zone
    today = opened.now.astimezone(ZoneInfo(zone)).date()
    first = max(date_of(call.hint("from") or "") or today, today)
    days, later = _days(opened, first, zone)
    earlier = max(today, first - timedelta(days=DAYS_A_PAGE)) if first > today else None
    here = f"{call.root}s/{call.path('token')}"
    recipient = link.settings.recipient
    values = {"timeZone": zone, **fields}
    if recipient is not None and not fields:
        values |= {"invitee.name": recipient.name, "invitee.email": recipient.email}

    def to(day: date | None) -> str | None:
        return f"{here}?timeZone={zone}&from={day.isoformat()}" if day else None

    page = pages.OfferPage(
        root=call.root,
        action=f"{here}/redeem",
        here=here if first == today else f"{here}?from={first.isoformat()}",
        title=offer.title,
        description=offer.description,
        duration_minutes=offer.duration_minutes,
        locations=offer.locations,
        host_first_name=opened.host.first_name,
        zone=zone,
        zones=sorted(zone_names()),
        days=days,
        earlier=to(earlier),
        later=to(later),
        expires_at=link.settings.expires_at,
        uses_left=link.remaining_uses,
        questions=offer.questions,
        values=values,
        errors=_field_errors(error),
        notice=_notice(error),
    )
    return _page(status, pages.offer_page(page))


def _days(opened: OpenLink, first: date, zone: str) -> tuple[list[pages.OfferedDay], date | None]:
    """Return up to seven days that have slots, from a date on, and the date on which the next page begins."""
    shown = ZoneInfo(zone)
    beyond = first + timedelta(days=SEARCHED_DAYS)
    start, end = wall_to_utc(first, time(0), shown), wall_to_utc(beyond, time(0), shown)
    slots: list[Slot] = list(slots_of(bootstrap.world(), opened, start, end))
    days = pages.offered_days([slot.start for slot in slots], zone)
    last_day = opened.now.astimezone(shown).date() + timedelta(days=opened.offer.booking_window_days)
    if len(days) > DAYS_A_PAGE:
        return list(days[:DAYS_A_PAGE]), days[DAYS_A_PAGE].date
    return list(days), beyond if beyond <= last_day else None


def _field_errors(error: AdmitOneError | None) -> dict[str, str]:
    """Return what is wrong by form field, from the JSON Pointers of an error."""
    if isinstance(error, errors.RecipientMismatchError):
        return {"invitee.email": "This link was made for another email address."}
    if not isinstance(error, errors.InvalidValueError | errors.InvalidRequestError):
        return {}
    names = {"/locationIndex": "location", "": "start"}
    return {
        names.get(fault.pointer) or fault.pointer.strip("/").replace("/", ".", 1): _sentence(fault.detail)
        for fault in error.faults
    }


def _notice(error: AdmitOneError | None) -> str | None:
    if error is None:
        return None
    return _NOTICES.get(type(error))


def _sentence(detail: str) -> str:
    text = detail[:1].upper() + detail[1:]
    return text if text.endswith(".") else text + "."


def _offer_json(opened: OpenLink) -> dict[str, Any]:
    offer, link = opened.offer, opened.link
    recipient, expires, opens = link.settings.recipient, link.settings.expires_at, link.settings.not_before
    return {
        "title": offer.title,
        "description": offer.description,
        "durationMinutes": offer.duration_minutes,
        "locations": [_before_booking(location) for location in offer.locations],
        "questions": offer.questions,
        "timeZone": offer.schedule.time_zone,
        "host": {"firstName": opened.host.first_name},
        "recipient": {"name": recipient.name, "email": recipient.email} if recipient else None,
        "expiresAt": rfc3339(expires) if expires else None,
        "notBefore": rfc3339(opens) if opens else None,
        "remainingUses": link.remaining_uses,
    }


def _before_booking(location: Location) -> dict[str, str]:
    """Return a location as a stranger may see it: how to join a call is told only once it is booked."""
    return {"kind": location.kind, "detail": location.detail if location.kind == "in_person" else ""}


def _own_page(call: Call, booking: Booking) -> str:
    ring = bootstrap.world().keyring()
    return booking_url(booking, ring, call.root.rstrip("/")) or ""


def _page(status: int, html: str) -> Reply:
    return Reply(status, html, {"Content-Type": HTML})
