"""`GET /s/{token}` and `/slots`: show a link's offer, as a page for browsers and JSON for programs."""

from collections.abc import Mapping
from typing import Final

from chalicelib.api.http.call import Call
from chalicelib.api.http.routing import Reply, json_reply
from chalicelib.api.invitee.dead_links import show_link_error
from chalicelib.api.invitee.form import notice
from chalicelib.api.invitee.picker import shown_dates
from chalicelib.api.invitee.redeem_form import redeem_errors
from chalicelib.api.invitee.routing import embedded, in_frame, invitee_router, page_reply
from chalicelib.domain import errors
from chalicelib.domain.errors import AdmitOneError
from chalicelib.domain.event_types.slots import MAX_SLOTS
from chalicelib.domain.links.link import expected_address
from chalicelib.pages.invitee.redeem import OfferPage, offer_page
from chalicelib.service.links.note_open import note_open
from chalicelib.service.links.open import OpenLink, open_link, slots_of
from chalicelib.wire.instants import DEFAULT_RANGE, requested_range, requested_zone
from chalicelib.wire.responses.offer import OfferAnswer, SlotsAnswer, offer_answer, slots_answer

_NOTICES: Final[Mapping[type[AdmitOneError], str]] = {
    errors.SlotTakenError: "pages.taken",
    errors.SlotNotOfferedError: "pages.not-offered",
}
_KEY_BYTES: Final = 16  # length of a form's request key: long enough that nobody can guess it

offers = invitee_router(__name__, show_link_error)


@offers.on("GET HEAD", "/s/{token}", answer=OfferAnswer)
def get_link_page(call: Call) -> Reply:
    """Show a link's offer. This changes only the count of opens, on which no decision depends (P5)."""
    opened = open_link(call.world, call.path("token"))
    page = call.wants_html()
    if page and call.hint("zones") == "1":  # opened from the booking page, which was counted already
        return offer_reply(call, opened, 200)
    noting = note_open(call.world, opened.link, call.visitor(), call.correlation_id)
    try:
        return offer_reply(call, opened, 200) if page else json_reply(200, offer_answer(opened))
    finally:
        noting.join()


@offers.on("GET HEAD", "/s/{token}/slots", query=("from", "to", "timeZone"), answer=SlotsAnswer)
def get_slots(call: Call) -> Reply:
    """List the slots on offer between two instants or dates; by default the next 30 days.

    Dates are in `timeZone`, by default the schedule's zone.
    A response lists at most 2,000 slots. Its `to` is the end of the range that it covers: the next request's `from`.
    """
    query = call.query()
    zone = requested_zone(query)
    opened = open_link(call.world, call.path("token"))
    start, end = requested_range(query, zone or opened.offer.schedule.time_zone)
    start = start or opened.now
    end = end or start + DEFAULT_RANGE
    slots = slots_of(call.world, opened, start, end, most=MAX_SLOTS + 1)
    return json_reply(200, slots_answer(slots, start, end))


def offer_reply(
    call: Call,
    opened: OpenLink,
    status: int,
    *,
    fields: dict[str, str] | None = None,
    error: AdmitOneError | None = None,
    key: str = "",
) -> Reply:
    """Return the booking page; after a failed redeem, with the typed values and the errors.

    `key` is the form's request key, by default a new one: a form books at most once (P4).
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
    page = OfferPage(
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
        expected_email=expected_address(link.settings.recipient),
        emails=call.world.mailer is not None,
        values={"timeZone": shown.zone, **(fields or _prefilled(opened))},
        errors=redeem_errors(error, fields, opened, call.say),
        problem=error.code if error else None,
        notice=notice(call, error, _NOTICES),
    )
    return page_reply(call, status, offer_page(page, call.say))


def _prefilled(opened: OpenLink) -> dict[str, str]:
    """Return the recipient's name and address to fill in. A link that requires an address doesn't reveal it."""
    recipient = opened.link.settings.recipient
    if recipient is None:
        return {}
    email = "" if expected_address(recipient) else recipient.email
    return {"invitee.name": recipient.name, "invitee.email": email}
