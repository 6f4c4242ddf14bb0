"""The cause of a write: who makes it, and the correlation id of the request."""

from typing import Final

import msgspec

INVITEE: Final = "invitee"


class Cause(msgspec.Struct, frozen=True):
    """Who makes a write (`key:<keyId>`, `invitee`, `system:<what>` …), and the correlation id of the request."""

    actor: str
    correlation_id: str
