"""The requests that `make restore` sends to the function `restore` to finish a restore, and the replies.

Every request returns before the function's timeout and can be repeated: if it fails or its reply is lost, send the same
one again. What it did is kept.
`cursor` is opaque: send the reply's cursor in the next request, until a reply has none.

`run` is the name of the restored table. The function refuses a request for another table than its own.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

MARKER_SOURCE: Final = "admit-one.restore"  # not "admit-one", so that no other rule matches the marker
MARKER_TYPE: Final = "restore.marker"

SHARDS: Final = (
    "0123456789abcdef"  # the first digit of an id's hash: a restore's records are spread over partitions
)


class RevokeReason(StrEnum):
    """Why a restore revoked a link."""

    GAP = "gap"  # one of its events is not in the archive
    INCOMPLETE = "incomplete"  # one of its events does not contain everything that changed
    EVERYTHING = "everything"  # the archive is not complete, so every link that can be used is revoked


class _Step(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="step"
):
    run: str
    cursor: str | None = None


class RevokeStep(_Step, frozen=True, kw_only=True, tag="revoke"):
    """Revoke links with a missing or incomplete event.

    With `everything`, also all others that are active, or that are used and a cancellation would make active again.
    """

    everything: bool


class CountStep(_Step, frozen=True, kw_only=True, tag="count"):
    """Count the messages that were applied, and look for a marker if an id is given."""

    marker: str | None = None


class ListStep(_Step, frozen=True, kw_only=True, tag="list"):
    """List the links that the restore has revoked."""


Step = RevokeStep | CountStep | ListStep


class RevokeReply(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How many links with applied events this request checked, and how many links it revoked.

    A request that was repeated after a lost reply does not count what the first one revoked; `ListStep` is exact.
    """

    checked: int
    revoked: int
    cursor: str | None


class CountReply(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How many different SQS messages were applied: add up the numbers of all replies.

    `marker_found` is False if no id was given.
    """

    messages: int
    marker_found: bool
    cursor: str | None


class RevokedLink(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A link that the restore revoked, and when (UTC)."""

    link_id: str
    host_id: str
    event_type_id: str
    reason: RevokeReason
    at: datetime


class ListReply(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Up to 2,000 revoked links, which fit into the 6 MB of a Lambda response. May be empty although more follow."""

    revoked: list[RevokedLink]
    cursor: str | None


class Marker(msgspec.Struct, frozen=True, kw_only=True):
    """The detail of the event that `make restore` publishes after everything is closed.

    No change of a link or booking follows it. Once the function has recorded it, the archive, the replay, the rule, the
    queue and the function have handled its minute.
    """

    run: str
    id: str
