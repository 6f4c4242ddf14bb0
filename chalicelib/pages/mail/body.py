"""Build the body of an email: paragraphs, rows of facts and a button, as plain text and as equivalent HTML."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from chalicelib.domain.mail.mails import MailId
from chalicelib.pages.languages import Words
from chalicelib.pages.mail.mime import Heading, Mail, Mailbox, mail_bytes
from chalicelib.pages.mail.typed import quoted, typed_row
from chalicelib.pages.render import render


class MailRoute(NamedTuple):
    """The sender and the recipient of an email, both ASCII addresses, and the time at which it is written."""

    sender: str
    to: str
    now: datetime


class Row(NamedTuple):
    """A fact and its label. If `typed`, a person typed the value, so it must not look like another row."""

    label: str
    value: str
    href: str | None = None
    typed: bool = False


class Body(NamedTuple):
    """The parts of an email, from top to bottom. `quoted` is the host's own message."""

    before: Sequence[str]
    rows: Sequence[Row] = ()
    quoted: str = ""
    button: Row | None = None
    after: Sequence[str] = ()
    footer: str = ""


class Correspondents(NamedTuple):
    """The names of the sender and the recipient, and the mailbox that gets replies."""

    sender_name: str
    to_name: str
    reply_to: Mailbox | None


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar attached to an email: an invitation with a METHOD, or a file that the reader can open."""

    calendar: str
    method: str | None = None


def written(
    subject: str,
    body: Body,
    mail_id: MailId,
    route: MailRoute,
    say: Words,
    who: Correspondents,
    attached: Attached | None = None,
) -> bytes:
    """Return an email that is ready to send."""
    html = render(
        "mail/mail.html",
        language=say.language,
        subject=subject,
        before=body.before,
        rows=body.rows,
        quoted=body.quoted.splitlines(),
        button=body.button,
        after=body.after,
        footer=body.footer,
    )
    mail = Mail(
        subject=subject,
        text=_text(body, say),
        html=html,
        calendar=attached.calendar if attached else None,
        method=attached.method if attached else None,
    )
    heading = Heading(
        sender=Mailbox(who.sender_name, route.sender),
        to=Mailbox(who.to_name, route.to),
        reply_to=who.reply_to,
        date=route.now,
        message_id=f"{mail_id.event_id}.{mail_id.addressee}@{route.sender.rpartition('@')[2]}",
        language=say.language,
    )
    return mail_bytes(mail, heading)


def rows_text(rows: Sequence[Row], say: Words) -> str:
    """Return rows as plain text, one per line."""
    return "\n".join(
        typed_row(row.label, row.value, say)
        if row.typed
        else say("mails.row", label=row.label, value=row.value)
        for row in rows
    )


def _text(body: Body, say: Words) -> str:
    button = body.button
    paragraphs = [
        *body.before,
        quoted(body.quoted) if body.quoted else "",
        rows_text(body.rows, say),
        say("mails.row", label=button.label, value=button.href) if button else "",
        *body.after,
        "-- \n" + body.footer,
    ]
    return "\n\n".join(filter(None, paragraphs)) + "\n"
