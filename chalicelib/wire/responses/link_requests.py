"""Responses about requests for a new link, to the team and to the person who asks."""

from typing import Literal

from chalicelib.domain.clock import rfc3339
from chalicelib.domain.links.link_requests import LinkRequest, MailTo
from chalicelib.wire.responses.answer import Answer, Time, optional_time
from chalicelib.wire.responses.links import LinkAnswer


class AnsweredAnswer(LinkAnswer, frozen=True):
    """The new link, and the address that it is emailed to."""

    mailed_to: str | None


class RequestRecipient(Answer, frozen=True):
    """The recipient of the old link."""

    name: str
    email: str


class LinkRequestAnswer(Answer, frozen=True):
    """A request for a new link."""

    request_id: str
    link_id: str
    event_type_id: str
    requested_at: Time
    name: str
    email: str
    message: str
    reason: str
    recipient: RequestRecipient | None
    from_recipient: bool | None
    answered_at: Time | None
    replacement_link_id: str | None
    mail_to: MailTo | None


class LinkRequestsAnswer(Answer, frozen=True):
    """One page of requests for a new link, newest first."""

    requests: list[LinkRequestAnswer]
    next_cursor: str | None


class RequestedAnswer(Answer, frozen=True):
    """Confirms that a request for a new link was received."""

    status: Literal["requested"] = "requested"


def link_request_answer(request: LinkRequest) -> LinkRequestAnswer:
    """Return a request for a new link as a response."""
    recipient = request.recipient
    return LinkRequestAnswer(
        request_id=request.request_id,
        link_id=request.link_id,
        event_type_id=request.event_type_id,
        requested_at=rfc3339(request.requested_at),
        name=request.name,
        email=request.email,
        message=request.message,
        reason=request.reason,
        recipient=RequestRecipient(name=recipient.name, email=recipient.email) if recipient else None,
        from_recipient=request.from_recipient,
        answered_at=optional_time(request.answered_at),
        replacement_link_id=request.replacement_link_id,
        mail_to=request.mail_to,
    )
