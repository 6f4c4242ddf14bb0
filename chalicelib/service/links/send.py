"""Email a link to its recipient: store the request; the table's stream triggers the email."""

import hashlib
from typing import Final

from chalicelib.domain.bookings.receipt import hash_body
from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import (
    ConflictError,
    FieldFault,
    IdempotencyKeyReusedError,
    InvalidValueError,
    MailNotConfiguredError,
)
from chalicelib.domain.links.link import Link
from chalicelib.domain.mail.mails import LinkMail, check_message
from chalicelib.domain.team.api_keys import Caller
from chalicelib.domain.text import tidy_lines
from chalicelib.domain.urls import link_url
from chalicelib.domain.validation import Rules
from chalicelib.service.links.read import read_link
from chalicelib.service.links.share import share_link
from chalicelib.service.ports import World

_ID_BYTES: Final = 16


def send_link(
    world: World,
    caller: Caller,
    link_id: str,
    message: str,
    language: str,
    idempotency_key: str | None,
    cause: Cause,
) -> LinkMail:
    """Store a request to email a link, in one transaction with its history entry, and return it.

    With an idempotency key, the same request returns what the first one stored, and one email is sent.
    Raises `NotFoundError`; `MailNotConfiguredError`; `ConflictError` for a link that nobody can book with;
    `InvalidValueError` if it has no recipient with an address; `IdempotencyKeyReusedError`.
    """
    link = read_link(world, caller, link_id)
    if world.mailer is None:
        raise MailNotConfiguredError
    body_hash = hash_body([message, language])
    send_id = send_id_of(idempotency_key) if idempotency_key else world.random_bytes(_ID_BYTES).hex()
    kept = world.store.mails.read_request(link_id, send_id, now=world.now()) if idempotency_key else None
    if kept is None:
        request = _mail_request(world, caller, link, send_id, message, language, body_hash)
        kept = world.store.mails.store_request(request, cause)
    if kept.body_hash != body_hash:
        raise IdempotencyKeyReusedError
    return kept


def _mail_request(
    world: World, caller: Caller, link: Link, send_id: str, message: str, language: str, body_hash: str
) -> LinkMail:
    message = tidy_lines(message).strip()
    rules = Rules()
    check_message(message, rules)
    rules.enforce()
    link = share_link(world, caller, link.link_id).link
    if link_url(link, world.keyring(), "") is None:
        raise ConflictError(
            "The key that signed this link was retired, so no URL opens it. Replace the link."
        )
    recipient = link.settings.recipient
    if recipient is None or not recipient.email:
        raise InvalidValueError([FieldFault("", "the link has no recipient with an email address")])
    return LinkMail(
        send_id=send_id,
        link_id=link.link_id,
        host_id=link.host_id,
        event_type_id=link.event_type_id,
        to=recipient.email,
        language=language,
        message=message,
        body_hash=body_hash,
        requested_at=world.now(),
        external_id=link.settings.external_id,
        metadata=link.settings.metadata,
    )


def send_id_of(idempotency_key: str) -> str:
    """Return the id under which a request with an idempotency key is stored."""
    return hashlib.sha256(b"send\x00" + idempotency_key.encode()).hexdigest()[:32]
