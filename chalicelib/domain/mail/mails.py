"""Emails: who gets one about an event, the id by which it is sent once, and the outcomes of sending."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import rfc3339
from chalicelib.domain.errors import Fault
from chalicelib.domain.events.events import Event, EventKind, data_of, event_id_of
from chalicelib.domain.mail.email_addresses import ascii_address, masked_address
from chalicelib.domain.text import MAX_MESSAGE_LENGTH
from chalicelib.domain.validation import Rules

MAILER: Final = "system:mail"


class Addressee(StrEnum):
    """Who an email is for."""

    INVITEE = "invitee"
    HOST = "host"
    RECIPIENT = "recipient"
    DIGEST = "digest"  # a host; the email has the updates beyond the daily budget


class MailId(msgspec.Struct, frozen=True):
    """The id of an email. There is one email per event and addressee."""

    event_id: str
    addressee: Addressee


class ClaimState(StrEnum):
    """The state of an email: being sent, accepted by SES, or rejected permanently."""

    SENDING = "sending"
    SENT = "sent"
    REFUSED = "refused"


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """The state of an email. `holder` is the last sender; `detail` is SES's message id or the rejection's reason."""

    state: ClaimState
    holder: str
    ended_at: datetime | None = None
    detail: str = ""


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A complete email. `to` is an ASCII address, `content` is RFC 5322. The ids are sent as SES tags."""

    mail_id: MailId
    link_id: str
    host_id: str
    event_type_id: str
    booking_id: str | None
    to: str
    content: bytes


class LinkMail(msgspec.Struct, frozen=True, kw_only=True):
    """A host's request to email a link to its recipient. `to` is the address at the time of the request."""

    send_id: str
    link_id: str
    host_id: str
    event_type_id: str
    to: str
    language: str
    message: str
    body_hash: str
    requested_at: datetime
    external_id: str | None = None
    metadata: dict[str, Any] = {}


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of an email, for its link's history. `to` is masked; `reason` has no personal data.

    `identity` distinguishes outcomes of the same type, e.g. SES's ids of two bounces.
    """

    type: EventKind
    mail_id: MailId
    link_id: str
    host_id: str
    event_type_id: str
    booking_id: str | None
    to: str
    time: datetime
    reason: str = ""
    identity: str = ""
    external_id: str | None = None
    metadata: dict[str, Any] = {}


class MailRefusedError(Exception):
    """SES will never accept this email; `reason` is a code. Nothing was sent."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class _UnsentError(Exception):
    """An email that has to be retried; `code` says why, without the email or its address (P7)."""

    def __init__(self, code: str) -> None:
        self.fault = Fault(code)
        super().__init__(code)


class MailDeferredError(_UnsentError):
    """SES did not accept the email now; nothing was sent, and a retry may succeed."""


class MailWaitsError(MailDeferredError):
    """An email waits for a day with budget left, by design; nothing was sent."""


class MailUnknownError(_UnsentError):
    """SES did not respond, so the email may have been sent."""


def delivery_address(email: str) -> str:
    """Return an address in the form that SES accepts, with its domain in ASCII. Raises `MailRefusedError`.

    SES does not support SMTPUTF8, so it can't send to an address with non-ASCII letters before the `@`.
    """
    try:
        address = ascii_address(email)
    except ValueError:
        raise MailRefusedError("bad-address") from None
    if not address.isascii():
        raise MailRefusedError("address-not-ascii")
    return address


def request_event(request: LinkMail, cause: Cause) -> Event:
    """Return the history entry for a request to email a link."""
    return Event(
        event_id=event_id_of(
            EventKind.MAIL_REQUESTED, request.link_id, request.send_id, rfc3339(request.requested_at)
        ),
        type=EventKind.MAIL_REQUESTED,
        time=request.requested_at,
        link_id=request.link_id,
        host_id=request.host_id,
        event_type_id=request.event_type_id,
        sequence=0,
        cause=cause,
        data=data_of(
            EventKind.MAIL_REQUESTED,
            send_id=request.send_id,
            to=masked_address(request.to),
            language=request.language,
        ),
        external_id=request.external_id,
        metadata=request.metadata,
    )


def fate_event(fate: Fate) -> Event:
    """Return the history entry for the outcome of an email."""
    about = fate.mail_id
    why = {} if fate.type is EventKind.MAIL_SENT else {"reason": fate.reason or None}
    return Event(
        event_id=event_id_of(fate.type, about.event_id, about.addressee, fate.identity),
        type=fate.type,
        time=fate.time,
        link_id=fate.link_id,
        host_id=fate.host_id,
        event_type_id=fate.event_type_id,
        booking_id=fate.booking_id,
        sequence=0,
        cause=Cause(MAILER, about.event_id),
        data=data_of(fate.type, about=about.event_id, addressee=about.addressee.value, to=fate.to, **why),
        external_id=fate.external_id,
        metadata=fate.metadata,
    )


def check_message(message: str, rules: Rules) -> None:
    """Record every fault in a host's message."""
    rules.at("message").text(message, longest=MAX_MESSAGE_LENGTH, lines=True)
