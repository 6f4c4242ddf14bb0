"""`/v1/links/{linkId}/share` and `/qr.svg`: what a host needs to share a link.

That is its URL, a snippet that embeds its page, a QR code and the text of an email.
"""

from typing import Final

from chalicelib.api.http.call import Call
from chalicelib.api.http.routing import Reply, json_reply
from chalicelib.api.team.routing import team_router
from chalicelib.domain.errors import ConflictError
from chalicelib.domain.urls import link_url
from chalicelib.pages.share import Invitation, embed_snippet, invitation_mail, qr_svg
from chalicelib.service.links.share import Shareable, share_link
from chalicelib.wire.responses.share import MailAnswer, ShareAnswer

_SVG: Final = {
    "Content-Type": "image/svg+xml; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}

share = team_router(__name__)


@share.on("GET", "/v1/links/{linkId}/share", answer=ShareAnswer)
def get_share(call: Call) -> Reply:
    """Return an active link's URL, embed snippet, QR code and email text.

    The snippet is null if `FRAME_ANCESTORS` allows no site to embed the booking page.
    """
    found, url = _shareable(call)
    link, offer = found.link, found.offer
    mail = invitation_mail(
        Invitation(
            url=url,
            title=offer.title,
            duration_minutes=offer.duration_minutes,
            host_name=found.host.public_name,
            zone=offer.schedule.time_zone,
            recipient=link.settings.recipient,
            uses_left=link.remaining_uses,
            expires_at=link.settings.expires_at,
            not_before=link.settings.not_before,
        )
    )
    may_embed = bool(call.settings.frame_ancestors)
    return json_reply(
        200,
        ShareAnswer(
            url=url,
            embed_html=embed_snippet(url, offer.title) if may_embed else None,
            qr_svg=qr_svg(url, offer.title),
            mail=MailAnswer(subject=mail.subject, text=mail.text),
        ),
    )


@share.on("GET", "/v1/links/{linkId}/qr.svg", answer="image/svg+xml")
def get_qr(call: Call) -> Reply:
    """Return an active link's QR code."""
    found, url = _shareable(call)
    return Reply(200, qr_svg(url, found.offer.title), _SVG)


def _shareable(call: Call) -> tuple[Shareable, str]:
    """Return a link and its absolute URL. Raises `ConflictError` if no URL opens the link or the site's URL is unknown.

    Raises the errors of `share_link` as well.
    """
    base = call.base_url
    found = share_link(call.world, call.caller, call.path("linkId"))
    url = link_url(found.link, call.world.keyring(), base)
    if url is None:
        raise ConflictError(
            "The key that signed this link was retired, so no URL opens it. Replace the link."
        )
    if not base:
        raise ConflictError("The site's URL is unknown. Set BASE_URL.")
    return found, url
