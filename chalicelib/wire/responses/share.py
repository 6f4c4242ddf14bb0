"""Responses with a link ready to be passed on."""

from chalicelib.wire.responses.answer import Answer


class MailAnswer(Answer, frozen=True):
    """A mail ready to send."""

    subject: str
    text: str


class ShareAnswer(Answer, frozen=True):
    """A link in every form it can be passed on."""

    url: str
    embed_html: str | None
    qr_svg: str
    mail: MailAnswer
