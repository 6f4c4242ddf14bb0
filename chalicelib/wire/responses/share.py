"""Responses with a link in the forms in which a host can share it."""

from chalicelib.wire.responses.answer import Answer


class MailAnswer(Answer, frozen=True):
    """An email text that the host can send."""

    subject: str
    text: str


class ShareAnswer(Answer, frozen=True):
    """A link in every form in which a host can share it."""

    url: str
    embed_html: str | None
    qr_svg: str
    mail: MailAnswer
