"""Errors of the invitee's link as pages: what became of it, and a form to ask for a new one where that fits."""

from collections.abc import Mapping
from typing import Final

from chalicelib.api.call import Call
from chalicelib.api.door import Reply
from chalicelib.api.invitee_door import in_frame, page_reply
from chalicelib.api.problems import STATUSES
from chalicelib.domain import errors
from chalicelib.domain.errors import AdmitOneError, LinkNotOpenError
from chalicelib.pages import invitee as pages

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
_ASKABLE: Final = (errors.LinkUsedError, errors.LinkExpiredError, errors.LinkRevokedError)


def show_link_error(call: Call, error: AdmitOneError) -> Reply | None:
    """Return an error of the link's as a page, or None for a caller that wants JSON."""
    return _page(call, error, STATUSES[type(error)], {}, {}) if call.wants_html() else None


def ask_again(
    call: Call, dead: AdmitOneError, status: int, values: Mapping[str, str], faults: Mapping[str, str]
) -> Reply:
    """Return a dead link's page with what was typed and what was wrong with it."""
    return _page(call, dead, status, values, faults)


def _page(
    call: Call, error: AdmitOneError, status: int, values: Mapping[str, str], faults: Mapping[str, str]
) -> Reply:
    reason = _REASONS.get(type(error))
    if reason is None:
        view = pages.ProblemPage(root=call.root, status=status)
        return page_reply(call, status, pages.problem_page(view, call.say))
    form = None
    if isinstance(error, _ASKABLE):
        form = pages.AskForm(
            action=in_frame(call, f"{call.root}s/{call.path('token')}/request"),
            sent=call.hint("asked") == "1",
            values=values,
            errors=faults,
        )
    opens_at = error.opens_at if isinstance(error, LinkNotOpenError) else None
    dead = pages.DeadPage(root=call.root, reason=reason, opens_at=opens_at, ask=form)
    return page_reply(call, status, pages.dead_page(dead, call.say))
