"""Write a link for sharing: as the text of an email, an HTML snippet, or a QR code."""

import io
from datetime import datetime
from html import escape
from typing import Final

import msgspec

from chalicelib.domain.links.link import Recipient
from chalicelib.domain.mail.email_addresses import email_domain
from chalicelib.domain.text import name_for_mail, one_line
from chalicelib.pages import times
from chalicelib.pages.languages import words

_HEIGHT: Final = 760  # pixels: a day's times and the form fit on most screens without a second scroll bar
_MODULE: Final = 8  # pixels: the side of one square


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """The facts in an email about a link. Instants are shown in `zone`; `uses_left` None means unlimited."""

    url: str
    title: str
    duration_minutes: int
    host_name: str
    zone: str
    recipient: Recipient | None
    uses_left: int | None
    expires_at: datetime | None
    not_before: datetime | None


class Mail(msgspec.Struct, frozen=True):
    """An email in plain text; lines end in LF."""

    subject: str
    text: str


def invitation_mail(view: Invitation) -> Mail:
    """Return a short email with the link, for the host to send."""
    title = one_line(view.title)
    name = name_for_mail(view.recipient.name) if view.recipient else ""
    paragraphs = [
        f"Hello {name}," if name else "Hello,",
        f"Please pick a time for {title} ({times.duration_words(view.duration_minutes, words('en'))}):",
        view.url,
        " ".join(_terms(view)),
    ]
    if view.host_name:
        paragraphs.append(f"Best wishes,\n{one_line(view.host_name)}")
    return Mail(f"Pick a time: {title}", "\n\n".join(filter(None, paragraphs)) + "\n")


def embed_snippet(url: str, title: str) -> str:
    """Return the HTML that embeds a link's page in another page."""
    return (
        f'<iframe src="{escape(url)}?embed=1" title="{escape("Book: " + one_line(title))}" '
        f'width="100%" height="{_HEIGHT}" style="border:0" loading="lazy" referrerpolicy="no-referrer"></iframe>'
    )


def qr_svg(url: str, title: str) -> str:
    """Return a QR code as an SVG document: dark on white with its own margin, so it works on any background."""
    import segno  # imported here: only these routes need it

    drawn = io.BytesIO()
    code = segno.make_qr(url, error="m")
    code.save(
        drawn, kind="svg", xmldecl=False, svgclass=None, lineclass=None, scale=_MODULE, light="#fff", nl=False
    )
    size = code.symbol_size(_MODULE)[0]
    label = escape("QR code: " + one_line(title))
    # segno writes a size and no viewBox, and without a viewBox the code can't be scaled.
    head = f'<svg viewBox="0 0 {size} {size}" role="img" aria-label="{label}" '
    return head + drawn.getvalue().decode().removeprefix("<svg ")


def _terms(view: Invitation) -> list[str]:
    """Return sentences about the link's limits and the address that it requires."""
    if view.uses_left is None:
        use = "This private link is good"
    elif view.uses_left == 1:
        use = "This private link is good for one booking"
    else:
        use = f"This private link is good for {view.uses_left} bookings"
    opens = f" from {times.moment_words(view.not_before, view.zone, words('en'))}" if view.not_before else ""
    until = f" until {times.moment_words(view.expires_at, view.zone, words('en'))}" if view.expires_at else ""
    sentences = [f"{use}{opens}{until}."] if opens or until or view.uses_left is not None else []
    match view.recipient.enforce if view.recipient else "none":
        case "email":
            sentences.append("Please book with the email address that this was sent to.")
        case "domain":
            domain = email_domain(view.recipient.email) if view.recipient else ""
            sentences.append(f"Please book with your address at {domain}.")
    return sentences
