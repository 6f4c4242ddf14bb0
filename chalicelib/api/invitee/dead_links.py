"""Errors of the invitee's link as pages: what became of it, and a form to ask for a new one where that fits."""

from collections.abc import Mapping
from typing import Final

from chalicelib.api.http.call import Call
from chalicelib.api.http.routing import Reply
from chalicelib.api.invitee.routing import in_frame, page_reply
from chalicelib.domain import errors
from chalicelib.domain.errors import AdmitOneError, LinkNotOpenError
from chalicelib.pages.invitee import offer as pages
from chalicelib.service.links.open import opening_zone
from chalicelib.wire.problems import STATUSES

_REASONS: Final[dict[type[AdmitOneError], pages.DeadReason]] = {
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
    """Return an error of the link's as a page, or None for a caller that wants JSON."""
    return _page(call, error, STATUSES[type(error)], _form(call, error)) if call.wants_html() else None


def ask_again(
    call: Call, dead: AdmitOneError, status: int, values: Mapping[str, str], faults: Mapping[str, str]
) -> Reply:
    """Return a dead link's page with what was typed and what was wrong with it."""
    return _page(call, dead, status, _form(call, dead, values, faults))


def asked(call: Call, dead: AdmitOneError) -> Reply:
    """Return a dead link's page that says its holder's request is on its way.

    It is the answer to the request itself: a page that said so by its URL could be sent to anyone.
    """
    return _page(call, dead, 202, pages.AskForm(action="", sent=True))


def _form(
    call: Call,
    error: AdmitOneError,
    values: Mapping[str, str] = _NOTHING,
    faults: Mapping[str, str] = _NOTHING,
) -> pages.AskForm | None:
    """Return the form that asks for a new link, where there is somebody to ask."""
    if not isinstance(error, _ASKABLE):
        return None
    action = in_frame(call, f"{call.root}s/{call.path('token')}/request")
    return pages.AskForm(action=action, values=values, errors=faults)


def _page(call: Call, error: AdmitOneError, status: int, form: pages.AskForm | None) -> Reply:
    reason = _REASONS.get(type(error))
    if reason is None:
        view = pages.ProblemPage(root=call.root, status=status)
        return page_reply(call, status, pages.problem_page(view, call.say))
    if not isinstance(error, LinkNotOpenError):
        dead = pages.DeadPage(root=call.root, reason=reason, ask=form)
    else:
        zone = opening_zone(call.world, call.path("token"))
        dead = pages.DeadPage(root=call.root, reason=reason, opens_at=error.opens_at, zone=zone)
    return page_reply(call, status, pages.dead_page(dead, call.say))
