"""A request for a new link, from someone who holds a dead one."""

from datetime import datetime
from typing import Any

import msgspec

from chalicelib.domain.emails import is_email
from chalicelib.domain.rules import Rules


class LinkRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks and why; at most one a dead link and UTC day is kept. The last two are the link's."""

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


def check_link_request(name: str, email: str, message: str, rules: Rules) -> None:
    """Record what is wrong with what was typed; only the email is needed, to answer to."""
    rules.at("name").text(name, longest=200)
    rules.at("email").require(is_email(email), "is not an email address")
    rules.at("message").text(message, longest=1000, lines=True)
