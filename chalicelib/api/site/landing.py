"""`/`: the landing page for visitors without a link; it explains how to book."""

from chalicelib.api.http.call import Call
from chalicelib.api.http.routing import Reply
from chalicelib.api.invitee.routing import invitee_router, page_reply
from chalicelib.domain.errors import AdmitOneError, NotFoundError
from chalicelib.pages.landing import landing_page


def _as_json(_call: Call, _error: AdmitOneError) -> Reply | None:
    return None


landing = invitee_router(__name__, _as_json)


@landing.on("GET HEAD", "/", answer="text/html")
def get_landing_page(call: Call) -> Reply:
    """Return the landing page. A client that does not accept HTML gets 404."""
    if not call.wants_html():
        raise NotFoundError
    return page_reply(call, 200, landing_page(call.root, call.say))
