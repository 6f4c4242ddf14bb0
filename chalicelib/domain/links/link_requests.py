"""A link request: someone asks for a new link, on the page of a dead one."""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from chalicelib.domain.ids import LINK, is_id
from chalicelib.domain.links.link import LinkSettings, Recipient
from chalicelib.domain.mail.email_addresses import is_email, normalise_email
from chalicelib.domain.text import MAX_MESSAGE_LENGTH, MAX_NAME_LENGTH
from chalicelib.domain.validation import Rules

RECIPIENTS_SLOT: Final = 0
_MAX_ID_LENGTH: Final = 60


class MailTo(StrEnum):
    """Who gets the link that answers a request by email."""

    RECIPIENT = "recipient"
    REQUESTER = "requester"
    NOBODY = "nobody"


class LinkRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a new link, with the name, address and message of the person who asks.

    Once answered, it has the new link's id and the addressee of the email. `external_id`, `metadata` and `recipient`
    are the dead link's. `slot` is the request's place among the requests about the same link on the same UTC day; it is
    None in requests from older versions.
    """

    link_id: str
    host_id: str
    event_type_id: str
    requested_at: datetime
    name: str
    email: str
    message: str
    reason: str
    slot: int | None = None
    recipient: Recipient | None = None
    external_id: str | None = None
    metadata: dict[str, Any] = {}
    answered_at: datetime | None = None
    replacement_link_id: str | None = None
    mail_to: MailTo | None = None

    @property
    def request_id(self) -> str:
        """The request's public id: the dead link's id, the UTC date of the request, and the slot."""
        slot = "" if self.slot is None else f".{self.slot}"
        return f"{self.link_id}.{self.requested_at.date().isoformat()}{slot}"

    @property
    def from_recipient(self) -> bool | None:
        """True if the address is the recipient's; None if the dead link has no recipient address."""
        if self.recipient is None or not self.recipient.email:
            return None
        return normalise_email(self.email) == normalise_email(self.recipient.email)


def free_slot(request: LinkRequest, kept: Sequence[LinkRequest], most: int) -> int | None:
    """Return a free slot for a request among those stored for its link and day, or None to drop the request.

    A request is dropped if its address already has a slot, or if `most` other addresses have one. One slot is reserved
    for the recipient, so that strangers' requests can't displace the recipient's.
    """
    address = normalise_email(request.email)
    if any(normalise_email(other.email) == address for other in kept):
        return None
    if request.from_recipient:
        return RECIPIENTS_SLOT
    taken = {other.slot for other in kept}
    return next((slot for slot in range(1, most + 1) if slot not in taken), None)


def answered_settings(settings: LinkSettings, request: LinkRequest) -> LinkSettings:
    """Return the settings of the new link. If it goes to the person who asks, they become its recipient.

    A lock to the former recipient's address or domain becomes a lock to the new address.
    """
    if request.mail_to is not MailTo.REQUESTER:
        return settings
    locked = settings.recipient is not None and settings.recipient.enforce != "none"
    recipient = Recipient(name=request.name, email=request.email, enforce="email" if locked else "none")
    return msgspec.structs.replace(settings, recipient=recipient)


def read_request_id(request_id: str) -> tuple[str, date, int | None] | None:
    """Return the link id, the UTC date and the slot in a request's id, or None for an invalid id."""
    link_id, _, rest = request_id.partition(".")
    day, _, slot = rest.partition(".")
    if len(request_id) > _MAX_ID_LENGTH or not is_id(LINK, link_id):
        return None
    try:
        found = date.fromisoformat(day)
        number = int(slot) if slot else None
    except ValueError:
        return None
    # Reject other spellings: `20261121` is ISO 8601 too, and `+1` and `01` are numbers.
    if found.isoformat() != day or rest != day + ("" if number is None else f".{number}"):
        return None
    return link_id, found, number


def check_link_request(name: str, email: str, message: str, rules: Rules) -> None:
    """Record every fault in a link request's fields. Only the email is required."""
    rules.at("name").text(name, longest=MAX_NAME_LENGTH)
    rules.at("email").require(is_email(email), "is not an email address")
    rules.at("message").text(message, longest=MAX_MESSAGE_LENGTH, lines=True)
