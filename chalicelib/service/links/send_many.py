"""Email the links of one generate request to their recipients: once, however often it is repeated (P4)."""

import logging
from collections.abc import Sequence

import msgspec

from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import ConflictError, InvalidValueError, MailNotConfiguredError, NotFoundError
from chalicelib.domain.links.link import MAX_LINKS_PER_CALL
from chalicelib.domain.mail.mails import check_message
from chalicelib.domain.team.api_keys import Caller
from chalicelib.domain.validation import Rules
from chalicelib.logs import fields
from chalicelib.service.links.generate import GenerateRequest, Progress
from chalicelib.service.links.send import send_link
from chalicelib.service.ports import World

log = logging.getLogger(__name__)


class Wording(msgspec.Struct, frozen=True, kw_only=True):
    """The host's message in the emails, and their language."""

    message: str
    language: str


def require_sendable(world: World, request: GenerateRequest, wording: Wording) -> None:
    """Check a generate request whose links will be emailed, before anything is created.

    It may have up to 1,000 links, each with a recipient who has an address. Raises `MailNotConfiguredError`,
    `InvalidValueError`.
    """
    if world.mailer is None:
        raise MailNotConfiguredError
    rules = Rules()
    where = rules.at("items" if request.from_items else "count")
    if where.length(request.links, least=1, most=MAX_LINKS_PER_CALL):
        # Links created with `count` share one settings object, which is checked once.
        for index, settings in enumerate(request.links if request.from_items else request.links[:1]):
            if settings.recipient is None or not settings.recipient.email:
                here = where.at(index) if request.from_items else rules
                here.at("recipient").fault("must have an email address, which the link is sent to")
    check_message(wording.message, rules.at("send"))
    rules.enforce()


def send_links(
    world: World,
    caller: Caller,
    link_ids: Sequence[str],
    wording: Wording,
    key: str,
    cause: Cause,
    progress: Progress,
) -> None:
    """Store a request to email each link of a generate request; a retry with the same key stores no other.

    A retry skips a link that nobody can book with any more or that has lost its recipient since it was created; its
    history says why. Raises `TryLaterError`: the caller must retry.
    """
    # Not the request's key itself, because over HTTP a host may use that key for another email.
    send_key = f"generate\x00{key}"
    for done, link_id in enumerate(link_ids):
        progress(done, len(link_ids))
        try:
            send_link(world, caller, link_id, wording.message, wording.language, send_key, cause)
        except (NotFoundError, ConflictError, InvalidValueError) as error:
            skipped = fields("link-skipped", linkId=link_id, problem=error.code)
            log.warning("link %s skipped, not emailed: %s", link_id, error.code, extra=skipped)
