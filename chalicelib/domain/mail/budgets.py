"""Limit the emails to one address for one purpose on one UTC day (P15)."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Final

import msgspec

from chalicelib.domain.mail.email_addresses import normalise_email
from chalicelib.domain.mail.mails import Addressee, MailId
from chalicelib.domain.tokens import Keyring

IN_DIGEST: Final = "in-digest"
_SHORT_ID_LENGTH: Final = 8  # characters of a counted email's id: 48 bits


class MailPurpose(StrEnum):
    """The purpose of a budget. Each purpose has separate budgets."""

    BOOKING_TO_INVITEE = "booking-to-invitee"
    BOOKING_TO_HOST = "booking-to-host"
    LINK_TO_RECIPIENT = "link-to-recipient"
    DIGEST_TO_HOST = "digest-to-host"
    BOOKINGS_OF_LINK = "bookings-of-link"


class MailLimits(msgspec.Struct, frozen=True):
    """Limits of emails per UTC day: to one invitee's, host's or recipient's address, and to all invitees of one link.

    `digest` is per address, which several hosts may share. `wait_seconds` is how long to wait for further changes of
    the same booking before emailing about a move or cancellation.
    """

    invitee: int = 20
    host: int = 50
    recipient: int = 20
    link: int = 100
    digest: int = 10
    wait_seconds: int = 60


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A budget that an email counts against. `subject` is a normalized address or a link's id."""

    purpose: MailPurpose
    subject: str
    limit: int
    reason: str = "address-budget-used"


def budgets_of(addressee: Addressee, to: str, link_id: str, limits: MailLimits) -> Iterator[Budget]:
    """Yield the budgets that an email counts against, in this order.

    The link's budget is first, so that a flood of bookings with one link does not use up the budgets of addresses.
    Addresses that differ only by case, or by the spelling of their domain, share a budget. Addresses that differ after
    a `+` do not, because only the mailbox's server knows whether they belong to the same person.
    """
    if addressee is Addressee.INVITEE:
        yield Budget(
            purpose=MailPurpose.BOOKINGS_OF_LINK,
            subject=link_id,
            limit=limits.link,
            reason="link-budget-used",
        )
    purpose, limit = {
        Addressee.INVITEE: (MailPurpose.BOOKING_TO_INVITEE, limits.invitee),
        Addressee.HOST: (MailPurpose.BOOKING_TO_HOST, limits.host),
        Addressee.RECIPIENT: (MailPurpose.LINK_TO_RECIPIENT, limits.recipient),
        Addressee.DIGEST: (MailPurpose.DIGEST_TO_HOST, limits.digest),
    }[addressee]
    yield Budget(purpose=purpose, subject=normalise_email(to), limit=limit)


def budget_id(ring: Keyring, budget: Budget, day: date) -> str:
    """Return the id of a budget's item: a keyed hash, so that the table contains no address (P7)."""
    message = f"mail-budget\x00{budget.purpose}\x00{budget.subject}\x00{day.isoformat()}"
    digest = hmac.new(ring.keys[ring.current], message.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:18]).decode()


def counted_as(mail_id: MailId) -> str:
    """Return the short id under which a budget lists an email, so that it is counted once."""
    digest = hashlib.sha256(f"{mail_id.event_id}\x00{mail_id.addressee}".encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()[:_SHORT_ID_LENGTH]
