"""Emails in the table: claims, so that each is sent once, and requests to email a link."""

from datetime import datetime

from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import to_millis
from chalicelib.domain.errors import ContendedError
from chalicelib.domain.mail.mails import MAILER, Claim, ClaimState, LinkMail, MailId, request_event
from chalicelib.store.causes import audit_actions, audit_attributes
from chalicelib.store.conditions import ABSENT, EXISTS, absent_or_over
from chalicelib.store.events.history import History
from chalicelib.store.faults import ConditionRefused
from chalicelib.store.items import LinkMailItem, MailItem, link_mail_key, mail_key, purge_seconds
from chalicelib.store.retention import Retention
from chalicelib.store.table import Table
from chalicelib.store.transactions import Transaction

_SENDING = ClaimState.SENDING.value


class Mails:
    """Reads and writes of emails."""

    def __init__(self, table: Table, history: History, retention: Retention) -> None:
        self._table = table
        self._history = history
        self._retention = retention

    def claim(self, mail_id: MailId, holder: str, *, now: datetime, until: datetime) -> Claim:
        """Claim an email until an instant, and return its current claim.

        The claim is granted if there was none or the last one has ended; then it has this `holder`. `holder` is random
        for each call, so that the caller recognizes its claim if the reply was lost.
        """
        at = mail_key(mail_id)
        state, free_at = Path("state"), Path("claimedUntil")
        actions = [
            state.set(_SENDING),
            Path("holder").set(holder),
            free_at.set(to_millis(until)),
            Path("attempts").add(1),
            Path("purgeAt").set(purge_seconds(now, self._retention.queued)),
            *_audit_actions(mail_id),
        ]
        claim_has_ended = (state == _SENDING) & (free_at <= to_millis(now))
        try:
            return _claim_of(
                MailItem.from_raw_data(self._table.update(at, actions, ABSENT | claim_has_ended))
            )
        except ConditionRefused:
            item = self._table.get(MailItem, at)
        if item is None:  # TTL deleted it between write and read: it was sent long ago
            return Claim(state=ClaimState.SENT, holder="", ended_at=now)
        return _claim_of(item)

    def release(self, mail_id: MailId, holder: str, *, now: datetime) -> None:
        """Release an email that was certainly not sent, so that the next attempt need not wait."""
        is_mine = (Path("holder") == holder) & (Path("state") == _SENDING)
        actions = [Path("claimedUntil").set(to_millis(now)), *_audit_actions(mail_id)]
        self._table.change(mail_key(mail_id), actions, is_mine)

    def end(self, mail_id: MailId, state: ClaimState, detail: str, *, now: datetime) -> Claim | None:
        """Record how an email ended: `sent` with SES's id, or `refused` with the reason. A later call changes nothing.

        Returns the claim after that, or None if the email was never claimed.
        """
        at = mail_key(mail_id)
        actions = [
            Path("state").set(state.value),
            Path("endedAt").set(to_millis(now)),
            Path("detail").set(detail),
            *_audit_actions(mail_id),
        ]
        try:
            return _claim_of(
                MailItem.from_raw_data(self._table.update(at, actions, EXISTS & (Path("state") == _SENDING)))
            )
        except ConditionRefused:
            item = self._table.get(MailItem, at)
        return _claim_of(item) if item else None

    def sent(self, mail_id: MailId) -> bool:
        """Return whether an email is known to have been sent."""
        item = self._table.get(MailItem, mail_key(mail_id))
        return item is not None and item.state == ClaimState.SENT.value

    def store_request(self, request: LinkMail, cause: Cause) -> LinkMail:
        """Store a request to email a link, in one transaction with its history entry, which the stream publishes.

        Returns the request now stored under this id: an earlier one if it is still in force.
        """
        pk, sk = link_mail_key(request.link_id, request.send_id)
        item = LinkMailItem(
            pk,
            sk,
            host_id=request.host_id,
            event_type_id=request.event_type_id,
            email=request.to,
            language=request.language,
            message=request.message or None,
            body_hash=request.body_hash,
            requested_at=request.requested_at,
            external_id=request.external_id,
            metadata=request.metadata or None,
            **audit_attributes(cause),
            purge_at=purge_seconds(request.requested_at, self._retention.queued),
        )
        transaction = Transaction(self._table)
        transaction.put(item, absent_or_over(request.requested_at), name="request")
        self._history.enter_within(transaction, request_event(request, cause))
        if transaction.committed():
            return request
        kept = self.read_request(request.link_id, request.send_id, now=request.requested_at)
        if kept is None:  # TTL deleted it between write and read: a retry stores it
            raise ContendedError
        return kept

    def read_request(self, link_id: str, send_id: str, *, now: datetime) -> LinkMail | None:
        """Return a request to email a link if it is still in force, otherwise None."""
        item = self._table.get(LinkMailItem, link_mail_key(link_id, send_id))
        return link_mail_of(item) if item and item.is_in_force(now) else None


def _audit_actions(mail_id: MailId) -> list[Action]:
    return audit_actions(Cause(MAILER, mail_id.event_id))


def link_mail_of(item: LinkMailItem) -> LinkMail:
    """Return the request to email a link that an item holds."""
    return LinkMail(
        send_id=item.sk.removeprefix("SEND#"),
        link_id=item.pk.removeprefix("LINK#"),
        host_id=item.host_id,
        event_type_id=item.event_type_id,
        to=item.email,
        language=item.language,
        message=item.message or "",
        body_hash=item.body_hash,
        requested_at=item.requested_at,
        external_id=item.external_id,
        metadata=item.metadata or {},
    )


def _claim_of(item: MailItem) -> Claim:
    return Claim(
        state=ClaimState(item.state), holder=item.holder, ended_at=item.ended_at, detail=item.detail or ""
    )
