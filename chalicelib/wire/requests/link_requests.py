"""Requests to ask for a new link, and to answer such a request."""

from chalicelib.domain.links.link_requests import MailTo
from chalicelib.wire.requests.body import Body
from chalicelib.wire.requests.links import SendBody


class AnswerBody(SendBody, frozen=True):
    """The answer to a request for a new link: who gets the link by email, with which message and language."""

    mail_to: MailTo | None = None


class AskBody(Body, frozen=True):
    """A request for a new link, from the page of a dead one."""

    email: str
    name: str = ""
    message: str = ""
