"""A request for a new link, from someone who holds a dead one."""

from datetime import date, datetime
from typing import Any, Final

import msgspec

from chalicelib.domain.emails import is_email
from chalicelib.domain.ids import LINK, is_id
from chalicelib.domain.rules import Rules

_LONGEST_ID: Final = 60


class LinkRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks and why; at most one a dead link and UTC day is kept. Answered, it names the link that was made.

    `external_id` and `metadata` are the dead link's.
    """

    link_id: str
    host_id: str
    event_type_id: str
    requested_at: datetime
    name: str
    email: str
    message: str
    reason: str
    external_id: str | None = None
    metadata: dict[str, Any] = {}
    answered_at: datetime | None = None
    replacement_link_id: str | None = None

    @property
    def request_id(self) -> str:
        """The request's public id: the dead link's, and the UTC date on which it was asked about."""
        return f"{self.link_id}.{self.requested_at.date().isoformat()}"


def read_request_id(request_id: str) -> tuple[str, date] | None:
    """Return the dead link and the UTC date that a request's id names, or None for what is no such id."""
    link_id, _, day = request_id.partition(".")
    if len(request_id) > _LONGEST_ID or not is_id(LINK, link_id):
        return None
    try:
        found = date.fromisoformat(day)
    except ValueError:
        return None
    return (link_id, found) if found.isoformat() == day else None  # `20261121` is ISO 8601 too


def check_link_request(name: str, email: str, message: str, rules: Rules) -> None:
    """Record what is wrong with what was typed; only the email is needed, to answer to."""
    rules.at("name").text(name, longest=200)
    rules.at("email").require(is_email(email), "is not an email address")
    rules.at("message").text(message, longest=1000, lines=True)
