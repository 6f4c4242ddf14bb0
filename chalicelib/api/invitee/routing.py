"""The invitee's router: routes without an API key, their headers, and pages, which other sites can show in a frame."""

from typing import Final

from chalicelib.api.http.call import Call
from chalicelib.api.http.routing import Reply, Router, ShowError

HTML: Final = "text/html; charset=utf-8"
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors "
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY + "'none'",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept, Accept-Language",
    "X-Robots-Tag": "noindex, nofollow",
}


def invitee_router(import_name: str, show_error: ShowError) -> Router:
    """Return a router for paths with a token; `show_error` shows errors as pages."""
    return Router(import_name, headers=_HEADERS, headers_of=_framing, show_error=show_error)


def embedded(call: Call) -> bool:
    """Return whether another site shows the page in a frame: the URL has `?embed=1` and the settings allow a site."""
    return bool(_frame_ancestors(call))


def in_frame(call: Call, url: str) -> str:
    """Return a page's URL, with `embed=1` if the current page is in a frame: the frame may then show that page."""
    if not embedded(call):
        return url
    return f"{url}{'&' if '?' in url else '?'}embed=1"


def page_reply(call: Call, status: int, html: str) -> Reply:
    """Return a page, in the caller's language, as the response."""
    return Reply(status, html, {"Content-Type": HTML, "Content-Language": call.say.language})


def _framing(call: Call) -> dict[str, str]:
    ancestors = _frame_ancestors(call)
    return {"Content-Security-Policy": _POLICY + " ".join(ancestors)} if ancestors else {}


def _frame_ancestors(call: Call) -> tuple[str, ...]:
    """Return the sites that may show this page in a frame; none without `?embed=1`."""
    settings = call.settings_or_none if call.hint("embed") == "1" else None
    return settings.frame_ancestors if settings else ()
