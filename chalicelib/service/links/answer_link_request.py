"""Answer a request for a new link: create one link and mark the request in one transaction, then email the link."""

import msgspec

from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import (
    ConflictError,
    FieldFault,
    IdempotencyKeyReusedError,
    InvalidValueError,
    MailNotConfiguredError,
    NotFoundError,
)
from chalicelib.domain.ids import ID_BYTES, LINK, make_id
from chalicelib.domain.links.link import Link
from chalicelib.domain.links.link_requests import LinkRequest, MailTo
from chalicelib.domain.mail.mails import LinkMail, check_message
from chalicelib.domain.team.api_keys import Caller
from chalicelib.domain.validation import Rules
from chalicelib.service.contention import Outcomes, retry_until_result
from chalicelib.service.links.replace import write_replacement
from chalicelib.service.links.send import send_id_of, send_link
from chalicelib.service.links.send_many import Wording
from chalicelib.service.ports import World

_SEND_KEY = "answer\x00{}"  # `{}` is the request's id; the host's own keys can't collide


class Answered(msgspec.Struct, frozen=True):
    """The new link in its current state, and the address it is emailed to."""

    link: Link
    mailed_to: str | None


def answer_link_request(
    world: World, caller: Caller, request_id: str, mail_to: MailTo | None, wording: Wording, cause: Cause
) -> Answered:
    """Create a link with the settings of the old link that a request is about, and return it.

    The request is marked answered in the transaction that creates the link, so concurrent and repeated answers create
    one link (P4) and all return its current state. One email is sent; the first answer decides to whom. Without
    `mail_to` it goes to the old link's recipient, if there is one and email is set up, never to the person who asks.
    Raises `NotFoundError`: no such request, another host's (P9), or one of the links was deleted; `ConflictError` if
    the event type was deleted, so nobody could book; `InvalidValueError`, `MailNotConfiguredError`.
    """
    rules = Rules()
    check_message(wording.message, rules)
    rules.enforce()
    fresh_id = make_id(LINK, world.random_bytes(ID_BYTES))

    def attempt() -> tuple[Link, MailTo] | None:
        request = _request(world, caller, request_id)
        if request.replacement_link_id is not None:
            made = world.store.links.read(request.replacement_link_id)
            if made is None:
                raise NotFoundError("The link that answered this request has been deleted.")
            return made, request.mail_to or MailTo.NOBODY
        old = world.store.links.read(request.link_id)
        if old is None:
            raise NotFoundError("The link that this request is about was deleted.")
        event_type = world.store.event_types.read(old.event_type_id)
        if event_type is None or event_type.archived:
            raise ConflictError("This link's event type was deleted.")
        chosen = _chosen(world, old, mail_to)
        answers = msgspec.structs.replace(request, mail_to=chosen)
        written = write_replacement(world, old, fresh_id, cause, Outcomes(), answers=answers)
        return (written, chosen) if written else None

    link, chosen = retry_until_result(world, attempt)
    if chosen is MailTo.NOBODY:
        return Answered(link, None)
    return Answered(link, _mailed(world, caller, link, request_id, wording, cause))


def _request(world: World, caller: Caller, request_id: str) -> LinkRequest:
    found = world.store.history.read_requests([request_id])
    return caller.require_visible(found[0] if found else None)


def _chosen(world: World, old: Link, mail_to: MailTo | None) -> MailTo:
    """Return who gets the email. Raises an error for an impossible choice, before anything is created."""
    recipient = old.settings.recipient
    known = recipient is not None and bool(recipient.email)
    if mail_to is None:
        return MailTo.RECIPIENT if known and world.mailer is not None else MailTo.NOBODY
    if mail_to is not MailTo.NOBODY and world.mailer is None:
        raise MailNotConfiguredError
    if mail_to is MailTo.RECIPIENT and not known:
        raise InvalidValueError([FieldFault("/mailTo", "the link has no recipient with an email address")])
    return mail_to


def _mailed(
    world: World, caller: Caller, link: Link, request_id: str, wording: Wording, cause: Cause
) -> str | None:
    """Queue the email to the recipient, once per request (P4); return the address, or None if it can't be sent."""
    key = _SEND_KEY.format(request_id)
    request = _mail_request(world, link, key)
    if request is None:
        try:
            request = send_link(world, caller, link.link_id, wording.message, wording.language, key, cause)
        except IdempotencyKeyReusedError:  # an answer with another message was first
            request = _mail_request(world, link, key)
        except (ConflictError, InvalidValueError, MailNotConfiguredError, NotFoundError):
            return None  # used, revoked or deleted since: nobody can book with it
    return None if request is None else request.to


def _mail_request(world: World, link: Link, key: str) -> LinkMail | None:
    return world.store.mails.read_request(link.link_id, send_id_of(key), now=world.now())
