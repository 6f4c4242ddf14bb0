"""Requests for a new link, and the team's answers to them."""

from chalicelib.domain.links.link_requests import MailTo
from chalicelib.wire.requests.body import Body
from chalicelib.wire.requests.links import SendBody


class AnswerBody(SendBody, frozen=True):
    """The answer to a request for a new link: who gets the link by email, with which message and language."""

    mail_to: MailTo | None = None


class AskBody(Body, frozen=True):
    """What the holder of a dead link sends to ask for a new one."""

    email: str
    name: str = ""
    message: str = ""
