"""Check the fields of the invitee's forms and return error messages in the reader's language."""

from collections.abc import Mapping, Sequence
from typing import Final

from chalicelib.api.http.call import Call
from chalicelib.domain import errors
from chalicelib.domain.errors import AdmitOneError, FieldFault, InvalidRequestError, InvalidValueError
from chalicelib.domain.event_types.event_type import Question
from chalicelib.domain.text import is_visible
from chalicelib.pages.languages import Words

# A person can correct these errors in the form, so the response is the same page with the typed values.
RECOVERABLE_ERRORS: Final = (
    errors.SlotTakenError,
    errors.SlotNotOfferedError,
    errors.RecipientMismatchError,
    errors.InvalidValueError,
    errors.InvalidRequestError,
    errors.IdempotencyKeyReusedError,
)
_NAMES: Final = {"/locationIndex": "location", "": "form"}


def require_known(fields: dict[str, str], known: set[str], prefix: str | None = None) -> None:
    """Raise `InvalidRequestError` if a form field is neither in `known` nor starts with `prefix`."""
    faults = [
        FieldFault(f"/{name}", "is not a field of this form")
        for name in fields
        if name not in known and not (prefix and name.startswith(prefix))
    ]
    if faults:
        raise InvalidRequestError(faults)


def require_start(fields: Mapping[str, str]) -> str:
    """Return the posted start time, not yet parsed. Raises `InvalidValueError` if no time was chosen."""
    start = fields.get("start")
    if not start:
        raise InvalidValueError([FieldFault("/start", "Choose a time.")])
    return start


def notice(call: Call, error: AdmitOneError | None, keys: Mapping[type[AdmitOneError], str]) -> str | None:
    """Return the notice that the page shows at the top for an error, or None if `keys` has no entry for it."""
    key = keys.get(type(error)) if error else None
    return call.say(key) if key else None


def field_errors(
    error: AdmitOneError | None, fields: Mapping[str, str], say: Words, questions: Sequence[Question] = ()
) -> dict[str, str]:
    """Return an error message for each invalid form field, keyed by field name.

    The details of the error's faults are in English and meant for API clients, so they are not shown.
    """
    if isinstance(error, errors.IdempotencyKeyReusedError):
        return {"form": say("pages.fault.key-reused")}
    if not isinstance(error, errors.InvalidValueError | errors.InvalidRequestError):
        return {}
    asked = {question.id: question for question in questions}
    found: dict[str, str] = {}
    for fault in error.faults:
        name = _NAMES.get(fault.pointer) or fault.pointer.strip("/").replace("/", ".", 1)
        found[name] = _message(name, fields.get(name, ""), say, asked)
    return found


def _message(name: str, typed: str, say: Words, asked: Mapping[str, Question]) -> str:
    """Return the message that asks the reader to correct a field, chosen by the field's name and typed value."""
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
