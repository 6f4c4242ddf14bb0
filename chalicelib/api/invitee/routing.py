"""What the invitee's routes share: a router without an API key, its headers, pages as answers, and form fields."""

from collections.abc import Mapping, Sequence
from typing import Final

from chalicelib.api.http.call import Call
from chalicelib.api.http.routing import Reply, Router, ShowError
from chalicelib.domain import errors
from chalicelib.domain.errors import AdmitOneError, FieldFault, InvalidRequestError
from chalicelib.domain.event_types.event_type import Question
from chalicelib.domain.text import is_visible
from chalicelib.pages.languages import Words

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
_NAMES: Final = {"/locationIndex": "location", "": "form"}


def invitee_router(import_name: str, show_error: ShowError) -> Router:
    """Return a router for paths with a token; `show_error` shows errors as pages."""
    return Router(import_name, headers=_HEADERS, headers_of=_framing, show_error=show_error)


def embedded(call: Call) -> bool:
    """Return whether the page is shown in a frame of another site: `?embed=1`, if the settings name any site."""
    return bool(_frame_ancestors(call))


def in_frame(call: Call, url: str) -> str:
    """Return the URL of a page to follow in the same frame: like this one, it may be shown there."""
    if not embedded(call):
        return url
    return f"{url}{'&' if '?' in url else '?'}embed=1"


def page_reply(call: Call, status: int, html: str) -> Reply:
    """Return a page, in the caller's language, as the answer."""
    return Reply(status, html, {"Content-Type": HTML, "Content-Language": call.say.language})


def require_known(fields: dict[str, str], known: set[str], prefix: str | None = None) -> None:
    """Raise `InvalidRequestError` for form fields that are not known and don't have the prefix."""
    faults = [
        FieldFault(f"/{name}", "is not a field of this form")
        for name in fields
        if name not in known and not (prefix and name.startswith(prefix))
    ]
    if faults:
        raise InvalidRequestError(faults)


def notice(call: Call, error: AdmitOneError | None, keys: Mapping[type[AdmitOneError], str]) -> str | None:
    """Return what a page says of an error above all else, by the phrases' keys; None where they have none for it."""
    key = keys.get(type(error)) if error else None
    return call.say(key) if key else None


def field_errors(
    error: AdmitOneError | None, fields: Mapping[str, str], say: Words, questions: Sequence[Question] = ()
) -> dict[str, str]:
    """Return what is wrong by form field, each as a sentence, from an error's JSON Pointers and what was typed.

    The sentences are not the error's own: those are for programs, and English.
    """
    if isinstance(error, errors.IdempotencyKeyReusedError):
        return {"form": say("pages.fault.key-reused")}
    if not isinstance(error, errors.InvalidValueError | errors.InvalidRequestError):
        return {}
    asked = {question.id: question for question in questions}
    found: dict[str, str] = {}
    for fault in error.faults:
        name = _NAMES.get(fault.pointer) or fault.pointer.strip("/").replace("/", ".", 1)
        found[name] = _sentence(name, fields.get(name, ""), say, asked)
    return found


def _sentence(name: str, typed: str, say: Words, asked: Mapping[str, Question]) -> str:
    """Return what to do about a field. What a fault is follows from the field and from what stands in it."""
    match name:
        case "start":
            return say("pages.fault.start")
        case "location":
            return say("pages.fault.location")
        case "timeZone":
            return say("pages.fault.zone")
        case "invitee.name" | "name":
            return say("pages.fault.name" if is_visible(typed) else "pages.fault.name-missing")
        case "invitee.email" | "email":
            return say("pages.fault.email" if is_visible(typed) else "pages.fault.email-missing")
        case "message":
            return say("pages.fault.message")
    if not name.startswith("answers."):
        return say("pages.fault.other")
    question = asked.get(name.removeprefix("answers."))
    if question is None:
        return say("pages.fault.not-asked")
    if not is_visible(typed):
        return say("pages.fault.answer-missing", question=question.label)
    kind = "choice" if question.kind == "choice" else "long"
    return say(f"pages.fault.answer-{kind}", question=question.label)


def _framing(call: Call) -> dict[str, str]:
    ancestors = _frame_ancestors(call)
    return {"Content-Security-Policy": _POLICY + " ".join(ancestors)} if ancestors else {}


def _frame_ancestors(call: Call) -> tuple[str, ...]:
    """Return the sites that may show this page in a frame; none unless the URL asks for that."""
    settings = call.settings_or_none if call.hint("embed") == "1" else None
    return settings.frame_ancestors if settings else ()
