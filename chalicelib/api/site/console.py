"""`/console`: the hosts' page. It contains no data; its script reads `/v1` with the host's API key."""

from typing import Final

from chalicelib.api.http.call import Call
from chalicelib.api.http.routing import Reply, Router
from chalicelib.pages.console import console_page

_HTML: Final = "text/html; charset=utf-8"
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}

console = Router(__name__, headers=_HEADERS)


@console.on("GET HEAD", "/console", answer="text/html")
def get_console(call: Call) -> Reply:
    """Return the console page, which prompts for an API key."""
    return Reply(200, console_page(call.root), {"Content-Type": _HTML})
