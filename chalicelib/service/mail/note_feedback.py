"""Handle SES's feedback: end a claim that a crash left open, and record failures in the link's history."""

import logging
from typing import Final

from chalicelib.domain.events.events import EventKind
from chalicelib.domain.mail.email_addresses import masked_address
from chalicelib.domain.mail.feedback import Feedback, FeedbackKind
from chalicelib.domain.mail.mails import Addressee, ClaimState, Fate, fate_event
from chalicelib.logs import fields
from chalicelib.service.ports import World

_EVENT_KINDS: Final = {
    FeedbackKind.REJECT: EventKind.MAIL_FAILED,
    FeedbackKind.BOUNCE: EventKind.MAIL_BOUNCED,
    FeedbackKind.COMPLAINT: EventKind.MAIL_COMPLAINED,
}


log = logging.getLogger(__name__)


def note_feedback(world: World, feedback: Feedback) -> None:
    """Record one piece of feedback, even for a deleted link, whose history remains; repeating it changes nothing."""
    # Any feedback means that SES accepted the email, so it must not be sent again.
    world.store.mails.end(feedback.mail_id, ClaimState.SENT, feedback.message_id, now=world.now())
    kind = _EVENT_KINDS.get(feedback.kind)
    if kind is None:
        return
    if feedback.mail_id.addressee is Addressee.DIGEST:
        # A digest is not about a single link, so there is no history to write to.
        log.warning(
            "digest for host %s was not delivered: %s; check the host's email address",
            feedback.host_id,
            kind.value,
            extra=fields("digest-failed", hostId=feedback.host_id, kind=kind.value),
        )
        return
    link = world.store.links.read(feedback.link_id)
    fate = Fate(
        type=kind,
        mail_id=feedback.mail_id,
        link_id=feedback.link_id,
        host_id=feedback.host_id,
        event_type_id=feedback.event_type_id,
        booking_id=feedback.booking_id,
        to=", ".join(masked_address(address) for address in feedback.to),
        time=feedback.time,
        reason=feedback.reason,
        identity=feedback.identity,
        external_id=link.settings.external_id if link else None,
        metadata=link.settings.metadata if link else {},
    )
    world.store.history.enter(fate_event(fate))
