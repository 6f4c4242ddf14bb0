"""Show the errors of an invitee's link as pages: the reason why it can't be used, and a form to ask for a new link."""

from collections.abc import Mapping
from typing import Final

from chalicelib.api.http.call import Call
from chalicelib.api.http.routing import Reply
from chalicelib.api.invitee.routing import in_frame, page_reply
from chalicelib.domain import errors
from chalicelib.domain.errors import AdmitOneError, LinkNotOpenError
from chalicelib.pages.invitee.dead_links import AskForm, DeadPage, DeadReason, dead_page
from chalicelib.pages.invitee.problem import ProblemPage, problem_page
from chalicelib.service.links.open import opening_zone
from chalicelib.wire.problems import STATUSES

_REASONS: Final[dict[type[AdmitOneError], DeadReason]] = {
    errors.LinkUsedError: "used",
    errors.LinkExpiredError: "expired",
    errors.LinkRevokedError: "revoked",
    errors.LinkDeletedError: "deleted",
    errors.LinkNotOpenError: "not-open",
    errors.NotFoundError: "not-found",
    errors.ThrottledError: "too-many",
    errors.StoreUnavailableError: "unavailable",
    errors.ContendedError: "unavailable",
}
_NOTHING: Final[Mapping[str, str]] = {}
_ASKABLE: Final = (errors.LinkUsedError, errors.LinkExpiredError, errors.LinkRevokedError)


def show_link_error(call: Call, error: AdmitOneError) -> Reply | None:
    """Return a link's error as a page, or None for a caller that wants JSON."""
    return _page(call, error, STATUSES[type(error)], _form(call, error)) if call.wants_html() else None


def request_form_with_errors(
    call: Call, dead: AdmitOneError, status: int, values: Mapping[str, str], faults: Mapping[str, str]
) -> Reply:
    """Return a dead link's page with the typed values and the errors."""
    return _page(call, dead, status, _form(call, dead, values, faults))


def request_sent_page(call: Call, dead: AdmitOneError) -> Reply:
    """Return a dead link's page that confirms that the request for a new link was sent.

    The response to the POST contains this page: if the page had a URL, anyone could open it without a request.
    """
    return _page(call, dead, 202, AskForm(action="", sent=True))


def _form(
    call: Call,
    error: AdmitOneError,
    values: Mapping[str, str] = _NOTHING,
    faults: Mapping[str, str] = _NOTHING,
) -> AskForm | None:
    """Return the form that asks for a new link, or None if there is no host to ask."""
    if not isinstance(error, _ASKABLE):
        return None
    action = in_frame(call, f"{call.root}s/{call.path('token')}/request")
    return AskForm(action=action, values=values, errors=faults)


def _page(call: Call, error: AdmitOneError, status: int, form: AskForm | None) -> Reply:
    reason = _REASONS.get(type(error))
    if reason is None:
        view = ProblemPage(root=call.root, status=status)
        return page_reply(call, status, problem_page(view, call.say))
    if not isinstance(error, LinkNotOpenError):
        dead = DeadPage(root=call.root, reason=reason, ask=form)
    else:
        zone = opening_zone(call.world, call.path("token"))
        dead = DeadPage(root=call.root, reason=reason, opens_at=error.opens_at, zone=zone)
    return page_reply(call, status, dead_page(dead, call.say))
