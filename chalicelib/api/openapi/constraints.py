"""Read the limits of each request field from the rules that enforce them.

The domain's `check_…` functions run on complete examples, with rules that record the requirements of each field instead
of checking them. Each limit is therefore written once, and a changed rule changes the API description (ADR 0022).
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

import msgspec

from chalicelib.api.openapi.examples import COMPLETE
from chalicelib.domain.bookings.booking import check_answers, check_invitee
from chalicelib.domain.event_types.event_type import check_event_settings
from chalicelib.domain.event_types.offers import NO_OVERRIDES, check_overrides
from chalicelib.domain.ids import BOOKING, DELIVERY, EVENT_TYPE, HOST, LINK, WEBHOOK, id_pattern
from chalicelib.domain.links.link import MAX_LINKS_PER_CALL, MAX_USES, LinkSettings, check_link_settings
from chalicelib.domain.links.link_requests import check_link_request
from chalicelib.domain.mail.email_addresses import MAX_EMAIL_LENGTH
from chalicelib.domain.mail.mails import check_message
from chalicelib.domain.team.hosts import check_host_settings
from chalicelib.domain.validation import Rules
from chalicelib.domain.webhooks.webhook import (
    KINDS,
    MAX_OVERLAP_HOURS,
    MAX_URL_LENGTH,
    check_webhook_settings,
)
from chalicelib.wire.requests.bookings import RedeemBody
from chalicelib.wire.requests.event_types import EventTypeBody
from chalicelib.wire.requests.hosts import HostBody
from chalicelib.wire.requests.link_requests import AskBody
from chalicelib.wire.requests.links import LinkChanges, OverridesChanges, SendBody
from chalicelib.wire.requests.webhooks import WebhookBody

Constraints = dict[str, dict[str, Any]]
"""JSON Schema keywords by JSON Pointer into a request."""

IDS: Final[Mapping[str, str]] = {
    name: id_pattern(kind)
    for name, kind in (
        ("hostId", HOST),
        ("eventTypeId", EVENT_TYPE),
        ("linkId", LINK),
        ("bookingId", BOOKING),
        ("webhookId", WEBHOOK),
        ("deliveryId", DELIVERY),
    )
}
_EMAIL: Final = {"format": "email", "maxLength": MAX_EMAIL_LENGTH}


class _RecordingRules(Rules):
    """Rules that record each requirement under its field's pointer, and report no faults."""

    def __init__(self, pointer: str = "", recorded: Constraints | None = None) -> None:
        super().__init__(pointer)
        self.recorded: Constraints = {} if recorded is None else recorded

    def at(self, *parts: str | int) -> "_RecordingRules":
        return _RecordingRules(self._pointer + "".join(f"/{part}" for part in parts), self.recorded)

    def fault(self, detail: str) -> None:
        pass

    def require(self, holds: bool, detail: str) -> bool:  # noqa: ARG002, FBT001 - the base class's signature
        return True

    def text(self, value: str, *, longest: int, shortest: int = 0, **kwargs: Any) -> None:
        super().text(value, longest=longest, shortest=shortest, **kwargs)
        self._record(maxLength=longest, **({"minLength": shortest} if shortest else {}))

    def number(self, value: int, *, least: int, most: int, multiple_of: int = 1) -> None:  # noqa: ARG002
        self._record(minimum=least, maximum=most, **({"multipleOf": multiple_of} if multiple_of > 1 else {}))

    def length(self, values: Collection[object], *, most: int, least: int = 0) -> bool:  # noqa: ARG002
        self._record(maxItems=most, **({"minItems": least} if least else {}))
        return True

    def unique(self, values: Iterable[object], detail: str) -> None:  # noqa: ARG002
        self._record(uniqueItems=True)

    def form(self, value: str, pattern: re.Pattern[str], detail: str, *, longest: int | None = None) -> bool:  # noqa: ARG002
        self._record(pattern=schema_pattern(pattern), **({"maxLength": longest} if longest else {}))
        return True

    def _record(self, **keywords: Any) -> None:
        self.recorded.setdefault(self._pointer, {}).update(keywords)


def schema_pattern(pattern: re.Pattern[str]) -> str:
    """Return a Python pattern for `match` as a JSON Schema pattern: ECMA 262, anchored at both ends."""
    return f"^(?:{pattern.pattern.replace(chr(92) + 'Z', '')})$"


def request_constraints() -> dict[str, Constraints]:
    """Return the constraints on the fields of each request struct."""
    event_type = msgspec.convert(COMPLETE["EventTypeBody"], EventTypeBody)
    of_event_type = _recorded(lambda rules: check_event_settings(event_type.settings(), rules))
    _allow_no_options(of_event_type)
    slug = of_event_type["/slug"]
    slug["pattern"] = f"^$|{slug['pattern']}"  # an empty slug is derived from the title
    overrides = msgspec.convert(COMPLETE["OverridesChanges"], OverridesChanges).applied_to(NO_OVERRIDES)
    of_overrides = _recorded(lambda rules: check_overrides(overrides, event_type.settings(), rules))
    _allow_no_options(of_overrides)
    of_link = _of_link() | {f"/overrides{pointer}": keywords for pointer, keywords in of_overrides.items()}
    of_host, of_webhook = _of_host(), _of_webhook()
    return {
        "HostBody": of_host,
        "HostChanges": of_host,
        "EventTypeBody": of_event_type,
        "EventTypeChanges": of_event_type,
        "LinkChanges": of_link,
        "LinksBody": of_link
        | {
            "/count": {"minimum": 1, "maximum": MAX_LINKS_PER_CALL},
            "/items": {"minItems": 1, "maxItems": MAX_LINKS_PER_CALL},
        },
        "LinkIdsBody": {
            "/linkIds": {"minItems": 1, "maxItems": MAX_LINKS_PER_CALL},
        },
        "RedeemBody": _of_redeem(event_type),
        "AskBody": _of_request(),
        "SendBody": _of_message(),
        "AnswerBody": _of_message(),
        "WebhookBody": of_webhook,
        "WebhookChanges": of_webhook,
        "RotateBody": {"/overlapHours": {"minimum": 0, "maximum": MAX_OVERLAP_HOURS}},
        "PrivateLinkBody": {"/maxUsageCount": {"minimum": -1, "maximum": MAX_USES}},
    }


def _allow_no_options(constraints: Constraints) -> None:
    """Drop the minimum number of options, which only a choice has: other kinds of question have no options."""
    for pointer, keywords in constraints.items():
        if pointer.endswith("/options"):
            keywords.pop("minItems", None)


def _of_host() -> Constraints:
    host = msgspec.convert(COMPLETE["HostBody"], HostBody)
    return _recorded(lambda rules: check_host_settings(host.settings(), rules)) | {"/email": _EMAIL}


def _of_link() -> Constraints:
    changes = msgspec.convert(COMPLETE["LinkChanges"], LinkChanges)
    settings = changes.applied_to(LinkSettings())
    # A recipient may have no address, so the format can't be `email`.
    address = {"/recipient/email": {"maxLength": MAX_EMAIL_LENGTH}}
    return _recorded(lambda rules: check_link_settings(settings, rules)) | address


def _of_redeem(event_type: EventTypeBody) -> Constraints:
    body = msgspec.convert(COMPLETE["RedeemBody"], RedeemBody)

    def check(rules: Rules) -> None:
        check_invitee(body.invitee, body.time_zone, rules)
        check_answers(body.answers, event_type.questions, rules.at("answers"))

    return _recorded(check) | {"/invitee/email": _EMAIL, "/locationIndex": {"minimum": 0}}


def _of_request() -> Constraints:
    body = msgspec.convert(COMPLETE["AskBody"], AskBody)
    found = _recorded(lambda rules: check_link_request(body.name, body.email, body.message, rules))
    return found | {"/email": _EMAIL}


def _of_message() -> Constraints:
    body = msgspec.convert(COMPLETE["SendBody"], SendBody)
    return _recorded(lambda rules: check_message(body.message, rules))


def _of_webhook() -> Constraints:
    body = msgspec.convert(COMPLETE["WebhookBody"], WebhookBody)
    found = _recorded(lambda rules: check_webhook_settings(body.settings(), rules, local=False))
    return found | {
        "/url": {"format": "uri", "maxLength": MAX_URL_LENGTH},
        "/events/0": {"enum": list(KINDS)},
    }


def _recorded(check: Callable[[Rules], None]) -> Constraints:
    rules = _RecordingRules()
    check(rules)
    return rules.recorded
