"""The form that redeems a link: convert it to the equivalent JSON body, and find all its errors."""

from collections.abc import Sequence

import msgspec

from chalicelib.api.http.call import KEY_FIELD
from chalicelib.api.invitee.form import field_errors, require_known, require_start
from chalicelib.domain import errors
from chalicelib.domain.bookings.booking import Invitee, check_answers, check_invitee
from chalicelib.domain.errors import AdmitOneError, FieldFault, InvalidRequestError
from chalicelib.domain.event_types.event_type import EventSettings
from chalicelib.domain.links.link import expected_address
from chalicelib.domain.validation import Rules
from chalicelib.pages.languages import Words
from chalicelib.service.links.open import OpenLink
from chalicelib.wire.instants import Instant
from chalicelib.wire.requests.bookings import RedeemBody


def redeem_body(fields: dict[str, str]) -> RedeemBody:
    """Return a posted form as a JSON body. Raises `InvalidRequestError`, `InvalidValueError`."""
    known = {"start", "timeZone", "invitee.name", "invitee.email", "location", KEY_FIELD}
    require_known(fields, known, prefix="answers.")
    start = require_start(fields)
    try:
        return RedeemBody(
            start=msgspec.convert(start, type=Instant),
            time_zone=fields.get("timeZone", ""),
            invitee=_person(fields),
            answers=_answers(fields),
            location_index=int(fields["location"]) if fields.get("location") else None,
        )
    except ValueError as error:  # msgspec's ValidationError is a subclass
        raise InvalidRequestError([FieldFault("", "a field can't be read")]) from error


def redeem_errors(
    error: AdmitOneError | None, fields: dict[str, str], opened: OpenLink, say: Words
) -> dict[str, str]:
    """Return all errors of the form, by field, so that a person can correct them at once."""
    if isinstance(error, errors.RecipientMismatchError):
        expected = expected_address(opened.link.settings.recipient) or ""
        return {"invitee.email": say("pages.fault.recipient", expected=expected)}
    questions = opened.offer.questions
    found = field_errors(error, fields, say, questions)
    if not isinstance(error, errors.InvalidValueError):
        return found
    others = errors.InvalidValueError(_faults(fields, opened.offer))
    found |= field_errors(others, fields, say, questions)
    order = ["start", "location", "invitee.name", "invitee.email"]
    order += [f"answers.{question.id}" for question in questions]
    ranks = {name: rank for rank, name in enumerate(order)}
    return {name: found[name] for name in sorted(found, key=lambda name: ranks.get(name, len(order)))}


def _person(fields: dict[str, str]) -> Invitee:
    return Invitee(fields.get("invitee.name", ""), fields.get("invitee.email", ""))


def _answers(fields: dict[str, str]) -> dict[str, str]:
    given = {
        name.removeprefix("answers."): text for name, text in fields.items() if name.startswith("answers.")
    }
    return {name: text for name, text in given.items() if text}


def _faults(fields: dict[str, str], offer: EventSettings) -> Sequence[FieldFault]:
    """Return all faults in a form's person, answers and time."""
    rules = Rules()
    rules.at("start").require(bool(fields.get("start")), "is required")
    check_invitee(_person(fields), fields.get("timeZone", ""), rules)
    check_answers(_answers(fields), offer.questions, rules.at("answers"))
    try:
        rules.enforce()
    except errors.InvalidValueError as error:
        return error.faults
    return ()
