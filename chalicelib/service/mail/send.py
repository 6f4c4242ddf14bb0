"""Send an email once: the sender that claims it sends it and marks it sent; other senders skip it.

SES has no idempotency token. If the sender crashes after SES accepted the email and before it is marked sent, or if
SES's response is lost, the claim stays open until SES's feedback ends it (`note_feedback`). The email is sent a second
time only if that feedback comes after the claim has expired, or never: a lost email would be worse. To make this rare,
a sender starts no email that it may not have the time to finish, and it retries the mark.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

import msgspec

from chalicelib.domain.errors import TryLaterError
from chalicelib.domain.events.events import EventKind
from chalicelib.domain.mail.budgets import IN_DIGEST, budget_id, budgets_of
from chalicelib.domain.mail.email_addresses import masked_address
from chalicelib.domain.mail.mails import (
    Addressee,
    Claim,
    ClaimState,
    Fate,
    Letter,
    MailDeferredError,
    MailId,
    MailRefusedError,
    MailUnknownError,
    MailWaitsError,
    delivery_address,
    fate_event,
)
from chalicelib.service.contention import pause_before
from chalicelib.service.ports import Mailer, World

CLAIM: Final = timedelta(minutes=10)  # much longer than the function's timeout, and than SES's feedback takes
MARK_TIME: Final = timedelta(seconds=20)  # how long the mark is retried
MARK_TRIES: Final = 30
# The function's time that one email needs if its claim, SES's response and its mark are all slow.
NEEDED: Final = timedelta(seconds=50)
_HOLDER_BYTES: Final = 12


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An email before it is rendered. `to` is the address as it is stored."""

    mail_id: MailId
    link_id: str
    host_id: str
    event_type_id: str
    booking_id: str | None
    to: str
    external_id: str | None = None
    metadata: dict[str, object] = {}


Write = Callable[[str], bytes]
"""Render the email to an ASCII address."""


def send_once(world: World, mailer: Mailer, draft: Draft, write: Write) -> None:
    """Send an email unless it was sent. If SES will never accept it, record that in the link's history.

    `write` may raise `MailRefusedError` if the email must not be sent any more. Raises `MailDeferredError` (not sent,
    or another sender has the claim, or it waits), `MailUnknownError`, or what `write` raises: the caller must retry.
    """
    mails, holder, now = world.store.mails, world.random_bytes(_HOLDER_BYTES).hex(), world.now()
    claim = mails.claim(draft.mail_id, holder, now=now, until=now + CLAIM)
    if claim.state is not ClaimState.SENDING:
        _record_end(world, draft, claim)
        return
    if claim.holder != holder:
        raise MailDeferredError("claimed")
    try:
        letter = _letter(draft, write)
        _count(world, draft)
        state, detail = ClaimState.SENT, mailer.send(letter)
    except MailRefusedError as refusal:
        state, detail = ClaimState.REFUSED, refusal.reason
    except MailUnknownError:
        raise  # keep the claim: SES may have accepted the email
    except Exception:
        mails.release(draft.mail_id, holder, now=world.now())
        raise
    ended = _marked(world, draft.mail_id, state, detail)
    if ended is not None:
        _record_end(world, draft, ended)


def _count(world: World, draft: Draft) -> None:
    """Count an email against its budgets. Raises `MailRefusedError` if one is used up (P15).

    Each budget lists the emails it counted, so a retried email counts once. An email beyond a host's budget is first
    added to the digest and then marked as ended: after a crash in between it is added again, which changes nothing.
    """
    about, now, ring = draft.mail_id, world.now(), world.keyring()
    for budget in budgets_of(about.addressee, draft.to, draft.link_id, world.mail_limits):
        kept = budget_id(ring, budget, now.date())
        if world.store.mail_budgets.take(kept, about, budget.limit, now=now):
            continue
        if about.addressee is Addressee.HOST and draft.booking_id is not None:
            world.store.mail_digests.add(draft.host_id, draft.booking_id, about.event_id, now=now)
            raise MailRefusedError(IN_DIGEST)
        if about.addressee is Addressee.DIGEST:  # never dropped: it waits for a day with budget left
            raise MailWaitsError(budget.reason)
        raise MailRefusedError(budget.reason)


def _marked(world: World, mail_id: MailId, state: ClaimState, detail: str) -> Claim | None:
    """Mark how an email ended, and retry while the store does not answer: an unmarked email may be sent again."""
    give_up = world.now() + MARK_TIME
    for attempt in range(1, MARK_TRIES):
        try:
            return world.store.mails.end(mail_id, state, detail, now=world.now())
        except TryLaterError:
            if world.now() > give_up:
                raise
            world.sleep(pause_before(world, attempt))
    return world.store.mails.end(mail_id, state, detail, now=world.now())


def _letter(draft: Draft, write: Write) -> Letter:
    address = delivery_address(draft.to)
    return Letter(
        mail_id=draft.mail_id,
        link_id=draft.link_id,
        host_id=draft.host_id,
        event_type_id=draft.event_type_id,
        booking_id=draft.booking_id,
        to=address,
        content=write(address),
    )


def _record_end(world: World, draft: Draft, claim: Claim) -> None:
    """Record in the link's history how an email ended; repeating it changes nothing.

    A sent email about a booking has no entry; a sent link and a failed email have one. A digest is about several links,
    and each of its emails has an entry already.
    """
    if draft.mail_id.addressee is Addressee.DIGEST:
        return
    sent = claim.state is ClaimState.SENT
    if claim.ended_at is None or (sent and draft.mail_id.addressee is not Addressee.RECIPIENT):
        return
    fate = Fate(
        type=EventKind.MAIL_SENT if sent else EventKind.MAIL_FAILED,
        mail_id=draft.mail_id,
        link_id=draft.link_id,
        host_id=draft.host_id,
        event_type_id=draft.event_type_id,
        booking_id=draft.booking_id,
        to=masked_address(draft.to),
        time=claim.ended_at,
        reason="" if sent else claim.detail,
        external_id=draft.external_id,
        metadata=dict(draft.metadata),
    )
    world.store.history.enter(fate_event(fate))
