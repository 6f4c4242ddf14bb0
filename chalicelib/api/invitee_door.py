"""What the invitee's routes share: a door without a key, its headers, pages as answers, and form fields."""

from typing import Final

from chalicelib import bootstrap
from chalicelib.api.call import Call
from chalicelib.api.door import Door, Reply, ShowError
from chalicelib.domain import errors
from chalicelib.domain.errors import AdmitOneError, FieldFault, InvalidRequestError

HTML: Final = "text/html; charset=utf-8"
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors "
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY + "'none'",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",
    "X-Robots-Tag": "noindex, nofollow",
}
_NAMES: Final = {"/locationIndex": "location", "": "start"}
_LABELS: Final = {  # what the page calls a field, so that a summary of several faults tells which is which
    "/invitee/name": "Name",
    "/invitee/email": "Email",
    "/timeZone": "Time zone",
    "/name": "Name",
    "/email": "Email",
    "/message": "Message",
    "/locationIndex": "Where",
}


def invitee_door(import_name: str, show_error: ShowError) -> Door:
    """Return a door that a token opens; `show_error` shows errors as pages."""
    return Door(import_name, headers=_HEADERS, headers_of=_framing, show_error=show_error)


def embedded(call: Call) -> bool:
    """Tell whether the page is to be shown in a frame of another site: `?embed=1`, where the settings name any."""
    return call.hint("embed") == "1" and bool(bootstrap.settings().frame_ancestors)


def in_frame(call: Call, url: str) -> str:
    """Return the URL of a page to follow in the same frame: like this one, it may be shown there."""
    if not embedded(call):
        return url
    return f"{url}{'&' if '?' in url else '?'}embed=1"


def page_reply(status: int, html: str) -> Reply:
    """Return a page as the answer."""
    return Reply(status, html, {"Content-Type": HTML})


def require_known(fields: dict[str, str], known: set[str], prefix: str | None = None) -> None:
    """Raise `InvalidRequestError` for form fields that are not known and don't have the prefix."""
    faults = [
        FieldFault(f"/{name}", "is not a field of this form")
        for name in fields
        if name not in known and not (prefix and name.startswith(prefix))
    ]
    if faults:
        raise InvalidRequestError(faults)


def field_errors(error: AdmitOneError | None) -> dict[str, str]:
    """Return what is wrong by form field, from the JSON Pointers of an error."""
    if not isinstance(error, errors.InvalidValueError | errors.InvalidRequestError):
        return {}
    return {
        _NAMES.get(fault.pointer) or fault.pointer.strip("/").replace("/", ".", 1): _sentence(fault)
        for fault in error.faults
    }


def _sentence(fault: FieldFault) -> str:
    label = _LABELS.get(fault.pointer, "Your answer" if fault.pointer.startswith("/answers/") else "")
    text = f"{label} {fault.detail}" if label else fault.detail[:1].upper() + fault.detail[1:]
    return text if text.endswith(".") else text + "."


def _framing(call: Call) -> dict[str, str]:
    if not embedded(call):
        return {}
    return {"Content-Security-Policy": _POLICY + " ".join(bootstrap.settings().frame_ancestors)}
