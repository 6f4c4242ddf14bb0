"""Why a write happens: who acts, and the id that ties the request to its events."""

from typing import Final

import msgspec

INVITEE: Final = "invitee"


class Cause(msgspec.Struct, frozen=True):
    """`actor` is `key:<keyId>`, `invitee` or `system:<what>`; `correlation_id` is the request's."""

    actor: str
    correlation_id: str
