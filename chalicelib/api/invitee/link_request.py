"""`POST /s/{token}/request`: ask the host of a dead link for a new one."""

from chalicelib.api.http.call import FORM, JSON, Call
from chalicelib.api.http.routing import Reply, json_reply
from chalicelib.api.invitee.dead_links import request_form_with_errors, request_sent_page, show_link_error
from chalicelib.api.invitee.form import field_errors, require_known
from chalicelib.api.invitee.routing import in_frame, invitee_router
from chalicelib.domain.errors import (
    AdmitOneError,
    ConflictError,
    DeadLinkError,
    InvalidRequestError,
    InvalidValueError,
    LinkRevokedError,
)
from chalicelib.service.links.open import open_link
from chalicelib.service.links.request_link import request_link
from chalicelib.wire.problems import STATUSES
from chalicelib.wire.requests.link_requests import AskBody
from chalicelib.wire.responses.link_requests import RequestedAnswer

link_request = invitee_router(__name__, show_link_error)


@link_request.on(
    "POST", "/s/{token}/request", body=AskBody, answer=RequestedAnswer, status=202, media=(JSON, FORM)
)
def post_request(call: Call) -> Reply:
    """Request a new link. Returns 202: an HTML page for a form, otherwise JSON.

    A request beyond the daily limits is dropped and gets the same response.
    """
    if call.media_type == FORM:
        return _ask_by_form(call)
    _ask(call, call.decode(AskBody))
    return json_reply(202, RequestedAnswer())


def _ask(call: Call, body: AskBody) -> None:
    request_link(call.world, call.path("token"), body.name, body.email, body.message, call.cause())


def _ask_by_form(call: Call) -> Reply:
    fields = call.form()
    try:
        require_known(fields, {"name", "email", "message"})
        _ask(
            call,
            AskBody(
                name=fields.get("name", ""), email=fields.get("email", ""), message=fields.get("message", "")
            ),
        )
    except ConflictError:
        if not call.wants_html():
            raise
        # The link is active after all, so show its booking page.
        return Reply(303, headers={"Location": in_frame(call, f"{call.root}s/{call.path('token')}")})
    except (InvalidValueError, InvalidRequestError) as error:
        if not call.wants_html():
            raise
        faults = field_errors(error, fields, call.say)
        dead = _reason_link_is_dead(call, error)
        return request_form_with_errors(call, dead, STATUSES[type(error)], fields, faults)
    return request_sent_page(call, _reason_link_is_dead(call, LinkRevokedError()))


def _reason_link_is_dead(call: Call, default: AdmitOneError) -> AdmitOneError:
    """Return the error that explains why the link can't be used, or `default` if it can."""
    try:
        open_link(call.world, call.path("token"))
    except DeadLinkError as dead:
        return dead
    return default
