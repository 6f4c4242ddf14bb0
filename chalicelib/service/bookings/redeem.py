"""Redeem a link: book a slot for a person, once; a retry of the same request returns the same booking."""

import contextlib
from datetime import datetime, timedelta
from typing import Final

import msgspec

from chalicelib.domain.bookings.booking import (
    Booking,
    Invitee,
    check_answers,
    check_invitee,
    choose_location,
    occupied_span,
)
from chalicelib.domain.bookings.receipt import (
    NormalBody,
    Receipt,
    keyed_hash,
    keyed_receipt_id,
    keyless_receipt_id,
)
from chalicelib.domain.bookings.redeem import (
    AlreadyBooked,
    Booked,
    CellsTaken,
    LinkRefused,
    RedeemAttempt,
    WrittenBefore,
)
from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import as_instant
from chalicelib.domain.errors import (
    AdmitOneError,
    DeadLinkError,
    IdempotencyKeyReusedError,
    LinkDeletedError,
    LinkNotOpenError,
    LinkUsedError,
    RecipientMismatchError,
    SlotNotOfferedError,
    SlotTakenError,
    TryLaterError,
)
from chalicelib.domain.event_types.slots import is_offered
from chalicelib.domain.ids import BOOKING, ID_BYTES, LINK, make_id
from chalicelib.domain.links.link import Link, check_recipient_matches
from chalicelib.domain.links.succession import fresh_link
from chalicelib.domain.team.api_keys import Caller
from chalicelib.domain.tokens import Purpose, open_token
from chalicelib.domain.validation import Rules
from chalicelib.service.contention import Outcomes, retry_until_result
from chalicelib.service.links.open import offer_and_host
from chalicelib.service.links.read import read_link
from chalicelib.service.ports import World

_DENIALS: Final = (
    DeadLinkError,
    LinkNotOpenError,
    RecipientMismatchError,
    SlotNotOfferedError,
    SlotTakenError,
)


class RedeemRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An invitee's request: the slot, the person and the answers. `body_hash` identifies the body.

    `language` is their browser's preferred language; it is not part of the body. If the request was `queued`, its
    receipt is kept as long as a queue may redeliver it.
    """

    start: datetime
    time_zone: str
    invitee: Invitee
    answers: dict[str, str]
    location_index: int | None
    idempotency_key: str | None
    body_hash: str
    language: str = "en"
    queued: bool = False


class Redeemed(msgspec.Struct, frozen=True):
    """The booking in its current state; `replayed` if an earlier equal request created it.

    With `only_confirmed` the response contains only that it is booked, and when (P4): a retry without a key shows that
    the caller knows the body, not that they sent it first.
    """

    booking: Booking
    replayed: bool
    only_confirmed: bool = False


class _IdentifiedRequest(msgspec.Struct, frozen=True):
    """A request for a link, the id of its receipt, and the body hash in the receipt.

    `booking_id` is the id of the booking that this call creates. All its attempts use the same id, so that it creates
    one booking even if a reply is lost and the receipt is gone (P4). `outcomes` says whether it may exist already.
    """

    link_id: str
    request: RedeemRequest
    receipt_id: str
    body_hash: str
    booking_id: str
    outcomes: Outcomes


def redeem(world: World, token: str, request: RedeemRequest, cause: Cause) -> Redeemed:
    """Book a slot with a link, once.

    Without contention it takes three round trips: the link with the request's receipt, the event type with its host,
    the transaction. No index is read.

    Raises `NotFoundError` (not a genuine token; nothing was read), `InvalidValueError`, a `DeadLinkError`,
    `LinkNotOpenError`, `RecipientMismatchError`, `SlotNotOfferedError`, `SlotTakenError`,
    `IdempotencyKeyReusedError`, and `TryLaterError` if the outcome could not be decided.
    """
    claim = open_token(world.keyring(), Purpose.LINK, token)
    return _redeem(world, claim.item_id, claim.key_id, request, cause)


def redeem_for_host(
    world: World, caller: Caller, link_id: str, request: RedeemRequest, cause: Cause
) -> Redeemed:
    """Book a slot with one of the caller's links, given by its id. Raises the errors of `redeem`.

    An unknown link, a deleted one and another host's raise the same `NotFoundError` (P9).
    """
    link = read_link(world, caller, link_id)
    return _redeem(world, link_id, link.key_id, request, cause)


def _redeem(world: World, link_id: str, key_id: int, request: RedeemRequest, cause: Cause) -> Redeemed:
    world.require_open()
    rules = Rules()
    check_invitee(request.invitee, request.time_zone, rules)
    rules.enforce()
    request = msgspec.structs.replace(request, start=as_instant(request.start))
    identified = _identify(world, link_id, key_id, request)
    seen: list[Link] = []

    def attempt() -> Redeemed | None:
        link, receipt = world.store.redeems.read_link_and_receipt(link_id, identified.receipt_id)
        if receipt is not None and _is_in_force(receipt, identified, world.now()):
            return _replay(world, receipt, identified)
        try:
            if link is None:
                raise LinkDeletedError
            seen.append(link)
            return _book(world, link, identified, cause)
        except (TryLaterError, IdempotencyKeyReusedError):
            raise
        except AdmitOneError as refusal:
            if (own := _own_booking(world, identified)) is not None:
                return Redeemed(own, replayed=False)
            receipt = _receipt_after_all(world, link, identified, refusal)
            return None if receipt is None else _replay(world, receipt, identified)

    try:
        return retry_until_result(world, attempt)
    except _DENIALS as refusal:
        if seen:
            _note_denial(world, seen[-1], refusal, cause)
        raise


def _identify(world: World, link_id: str, key_id: int, request: RedeemRequest) -> _IdentifiedRequest:
    """Return a request with the id and the body hash of its receipt, and the id of its booking.

    The receipt's id and the body hash use the link's signing key, which stays in the keyring as long as the link is
    valid. So a rotation between two attempts does not change them, and nobody can test addresses against a dump of the
    table.
    """
    ring = world.keyring()
    secret = ring.keys.get(key_id, ring.keys[ring.current])
    body_hash = keyed_hash(secret, link_id, request.body_hash)
    booking_id = make_id(BOOKING, world.random_bytes(ID_BYTES))
    if request.idempotency_key is not None:
        receipt_id = keyed_receipt_id(request.idempotency_key)
        return _IdentifiedRequest(link_id, request, receipt_id, body_hash, booking_id, Outcomes())
    body = NormalBody(
        start=request.start,
        time_zone=request.time_zone,
        invitee=request.invitee,
        answers=request.answers,
        location_index=request.location_index,
    )
    receipt_id = keyless_receipt_id(secret, link_id, body)
    return _IdentifiedRequest(link_id, request, receipt_id, body_hash, booking_id, Outcomes())


def _is_in_force(receipt: Receipt, identified: _IdentifiedRequest, now: datetime) -> bool:
    """Return whether a receipt is in force: until it ends, and always if this call wrote its booking (P4)."""
    return receipt.ends_at > now or receipt.booking_id == identified.booking_id


def _own_booking(world: World, identified: _IdentifiedRequest) -> Booking | None:
    """Return the booking that an earlier attempt of this call created, in its current state, or None (P4).

    The booking's id identifies the call, because only the call knows the id's random bits before the commit.
    """
    if not identified.outcomes.is_uncertain:
        return None
    booking = world.store.bookings.read(identified.booking_id)
    return booking if booking is not None and booking.link_id == identified.link_id else None


def _receipt_after_all(
    world: World, link: Link | None, identified: _IdentifiedRequest, refusal: AdmitOneError
) -> Receipt | None:
    """Return the receipt of a request about to be rejected, or None to start again. Raises `refusal` if it holds.

    P4: the same request may have been committed meanwhile (a double click). Link and receipt are not read at one point
    in time, so the receipt is read again. And a cancellation may have restored a link that was read as used, and
    deleted its receipt (P8), so the refusal of a dead link holds only if the link has not changed.
    """
    redeems, again = world.store.redeems, link
    if isinstance(refusal, DeadLinkError):
        again, receipt = redeems.read_link_and_receipt(identified.link_id, identified.receipt_id)
    else:
        receipt = redeems.read_receipt(identified.link_id, identified.receipt_id)
    if receipt is not None and not _is_in_force(receipt, identified, world.now()):
        receipt = None
    if receipt is None and again == link:
        raise refusal
    return receipt


def _note_denial(world: World, link: Link, refusal: AdmitOneError, cause: Cause) -> None:
    with contextlib.suppress(TryLaterError):  # a failed history entry must not hide the error
        world.store.history.deny(link, refusal.code, cause, now=world.now())


def _book(world: World, link: Link, identified: _IdentifiedRequest, cause: Cause) -> Redeemed | None:
    """Plan the booking and write it; return None if the link changed but can still be used: start again."""
    booking = _plan(world, link, identified)
    attempt = RedeemAttempt(
        link=link,
        successor=_successor(world, link, booking) if link.rolling else None,
        booking=booking,
        receipt_id=identified.receipt_id,
        body_hash=identified.body_hash,
        now=booking.created_at,
        queued=identified.request.queued,
    )
    with identified.outcomes.of_write():
        outcome = world.store.redeems.commit(attempt, cause)
    match outcome:
        case Booked():
            return Redeemed(booking, replayed=False)
        case WrittenBefore(written):
            return Redeemed(written, replayed=False)
        case AlreadyBooked(receipt):
            return _replay(world, receipt, identified)
        case CellsTaken():
            raise SlotTakenError
        case LinkRefused(found):
            refusal = LinkDeletedError() if found is None else found.refusal_at(booking.created_at)
            if refusal is not None:
                raise refusal
            return None


def _plan(world: World, link: Link, identified: _IdentifiedRequest) -> Booking:
    """Return the booking that this request would create now, or raise the error that prevents it."""
    request = identified.request
    link.require_bookable(world.now())
    check_recipient_matches(link.settings.recipient, request.invitee.email)
    offer, host = offer_and_host(world, link)
    rules = Rules()
    check_answers(request.answers, offer.questions, rules.at("answers"))
    location = choose_location(offer.locations, request.location_index, rules.at("locationIndex"))
    rules.enforce()
    key_id = world.keyring().current
    # P3: nothing waits between here and the write, so the write's condition uses this time.
    now = world.now()
    link.require_bookable(now)
    if not is_offered(offer, request.start, now=now, time_off=host.settings.time_off):
        raise SlotNotOfferedError
    occupied_from, occupied_to = occupied_span(offer, request.start)
    return Booking(
        booking_id=identified.booking_id,
        link_id=link.link_id,
        host_id=link.host_id,
        event_type_id=link.event_type_id,
        key_id=key_id,
        title=offer.title,
        start=request.start,
        end=request.start + timedelta(minutes=offer.duration_minutes),
        occupied_from=occupied_from,
        occupied_to=occupied_to,
        time_zone=request.time_zone,
        location=location,
        invitee=request.invitee,
        answers=request.answers,
        created_at=now,
        overrides=link.settings.overrides,
        external_id=link.settings.external_id,
        metadata=link.settings.metadata,
        language=request.language,
        keyless_receipt_id=None if request.idempotency_key is not None else identified.receipt_id,
    )


def _successor(world: World, link: Link, booking: Booking) -> Link:
    # The id is fresh randomness, so this link's token reveals nothing about the next one's.
    link_id = make_id(LINK, world.random_bytes(ID_BYTES))
    return fresh_link(link, link_id=link_id, key_id=booking.key_id, now=booking.created_at, rolling=True)


def _replay(world: World, receipt: Receipt, identified: _IdentifiedRequest) -> Redeemed | None:
    """Return this call's own booking if an earlier attempt made one, or else that of an earlier equal request.

    Return None for a keyless request whose booking was moved, cancelled or erased between the two reads: it is a new
    request.
    """
    keyless, own = identified.request.idempotency_key is None, receipt.booking_id == identified.booking_id
    # P4: if the host has moved or cancelled this call's booking, the receipt can be that of a later equal request.
    if not own and (mine := _own_booking(world, identified)) is not None:
        return Redeemed(mine, replayed=False)
    if not keyless and receipt.body_hash not in (identified.body_hash, identified.request.body_hash):
        raise IdempotencyKeyReusedError
    booking = world.store.bookings.read(receipt.booking_id)
    if booking is None:
        raise LinkUsedError  # the booking's retention ended before its receipt's
    if keyless and not own and booking.keyless_receipt_id != identified.receipt_id:
        return None
    return Redeemed(booking, replayed=not own, only_confirmed=keyless and not own)
