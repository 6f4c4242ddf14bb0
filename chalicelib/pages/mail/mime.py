"""Write an email as bytes (RFC 5322): text, HTML, and an invitation for calendars if there is one (RFC 6047).

Every header is converted to ASCII before it is set: line breaks and control characters are removed, other letters
become encoded words (RFC 2047), domains become IDNA. Therefore typed text can't add a header.

`EmailMessage` with `headerregistry.Address` would be 60 lines shorter, but handles typed text incorrectly (Python
3.11): it decodes a typed encoded word, so that `=?utf-8?q?Bcc=3A_evil?=` becomes `Bcc: evil`; it loses spaces where it
folds a long header that is not ASCII; and it raises IndexError for a name of 200 letters without a space.
"""

import base64
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from chalicelib.domain.text import one_line

if TYPE_CHECKING:
    from email.charset import Charset
    from email.mime.base import MIMEBase

INVITE: Final = "invite.ics"
# An encoded word of this size has 64 characters, so it fits into a line of 76 with the longest header name.
_WORD_BYTES: Final = 39
_SPECIALS: Final = frozenset('()<>[]:;@\\,."')


class Mailbox(NamedTuple):
    """A name and an ASCII address; the name may be empty."""

    name: str
    address: str


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of an email. `calendar` is an iCalendar object: an invitation with `method`, or only a file."""

    subject: str
    text: str
    html: str
    calendar: str | None = None
    method: str | None = None


class Heading(msgspec.Struct, frozen=True, kw_only=True):
    """The sender, the recipient, the date, and the Message-ID without its angle brackets."""

    sender: Mailbox
    to: Mailbox
    reply_to: Mailbox | None
    date: datetime
    message_id: str
    language: str


def mail_bytes(mail: Mail, heading: Heading) -> bytes:
    """Return an email ready to send.

    The email contains an invitation twice, because Gmail, Outlook and Apple Mail expect different forms: as
    `text/calendar` with its method, an alternative of text and HTML, and as an attached file.
    """
    from email import policy
    from email.generator import BytesGenerator
    from email.mime.base import MIMEBase
    from email.mime.multipart import MIMEMultipart
    from email.mime.text import MIMEText
    from email.utils import format_datetime
    from io import BytesIO

    charset = _quoted_printable()
    alternative = MIMEMultipart("alternative", _boundary(heading, "alternative"))
    alternative.attach(MIMEText(mail.text, "plain", charset))  # type: ignore[arg-type] # accepts a Charset as well
    alternative.attach(MIMEText(mail.html, "html", charset))  # type: ignore[arg-type]
    whole: MIMEBase = alternative
    if mail.calendar is not None:
        whole = MIMEMultipart("mixed", _boundary(heading, "mixed"))
        whole.attach(alternative)
        if mail.method is not None:
            alternative.attach(_calendar_part("text/calendar", mail.calendar, mail.method))
        file = _calendar_part("application/ics", mail.calendar, mail.method)
        file.set_param("name", INVITE)
        file["Content-Disposition"] = f'attachment; filename="{INVITE}"'
        whole.attach(file)
    whole["From"] = _mailbox(heading.sender)
    whole["To"] = _mailbox(heading.to)
    if heading.reply_to is not None:
        whole["Reply-To"] = _mailbox(heading.reply_to)
    whole["Subject"] = _words(mail.subject)
    whole["Date"] = format_datetime(heading.date, usegmt=True)
    whole["Message-ID"] = f"<{heading.message_id}>"
    whole["Content-Language"] = heading.language
    whole["Auto-Submitted"] = "auto-generated"  # RFC 3834: stops automatic replies
    written = BytesIO()
    lines = policy.compat32.clone(linesep="\r\n", max_line_length=76)
    BytesGenerator(written, mangle_from_=False, policy=lines).flatten(whole)
    return written.getvalue()


def _calendar_part(kind: str, calendar: str, method: str | None) -> "MIMEBase":
    from email.encoders import encode_base64
    from email.mime.base import MIMEBase

    main, _, sub = kind.partition("/")
    part = MIMEBase(main, sub, charset="UTF-8")
    if method is not None:
        part.set_param("method", method)
    part.set_payload(calendar.encode())
    encode_base64(part)
    return part


def _quoted_printable() -> "Charset":
    from email.charset import QP, Charset

    charset = Charset("utf-8")
    charset.body_encoding = QP  # readable in a file, with short lines
    return charset


def _boundary(heading: Heading, part: str) -> str:
    """Return a boundary derived from the Message-ID, so that the same email always has the same bytes."""
    import hashlib

    digest = hashlib.sha256(f"{heading.message_id}\0{part}".encode()).hexdigest()[:24]
    return f"=_{part}_{digest}"


def _mailbox(mailbox: Mailbox) -> str:
    name = one_line(mailbox.name)
    if not name:
        return mailbox.address
    if _plain(name) and _SPECIALS & set(name):
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{_words(name)} <{mailbox.address}>"


def _words(text: str) -> str:
    """Return text for a header in one line: unchanged if that is safe, otherwise as encoded words."""
    text = one_line(text)
    if _plain(text):
        return text
    return " ".join(f"=?utf-8?b?{base64.b64encode(piece).decode()}?=" for piece in _pieces(text))


def _plain(text: str) -> bool:
    """Return whether a header may contain a text unchanged: ASCII without long words and without encoded words."""
    return text.isascii() and "=?" not in text and all(len(word) <= _WORD_BYTES for word in text.split())


def _pieces(text: str) -> Iterator[bytes]:
    """Split a text's UTF-8 between characters into pieces that fit into an encoded word."""
    piece = b""
    for character in text:
        encoded = character.encode("utf-8", "replace")
        if len(piece) + len(encoded) > _WORD_BYTES:
            yield piece
            piece = b""
        piece += encoded
    yield piece
