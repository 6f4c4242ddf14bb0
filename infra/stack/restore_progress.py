"""The progress of a restore, which `make restore` saves in the stage's file to continue after an interruption."""

from datetime import datetime

import msgspec


class RestoreProgress(
    msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    """What a restore has begun. Each value is saved before the step that uses it."""

    to: datetime
    """The moment to restore."""
    account: str = ""
    """The account in which the restore was begun."""
    region: str = ""
    """Its region."""
    gap: bool = False
    """Whether the restore continues without all events: `GAP=revoke`."""
    table: str | None = None
    """The table to restore to."""
    closed_at: datetime | None = None
    """When bookings closed: events of earlier changes are in the archive ten minutes later."""
    marker: datetime | None = None
    """When the marker was put on the bus, after everything closed. Its id is this time."""
    since: datetime | None = None
    """The start of the replayed window."""
    everything: bool = False
    """Whether events may be missing, so that every active link is revoked."""
    replay: str | None = None
    """The name of the current replay; None if another one is needed."""
    replay_started_at: datetime | None = None
    """When the last replay started."""
    counted_before: int = 0
    """How many messages had been applied when the last replay started."""
    until: datetime | None = None
    """The end of the replayed window."""
    replay_completed_at: datetime | None = None
    """When the replay was seen to be complete."""
    applied: int = 0
    """How many messages of the last replay had been applied when the links began to be revoked."""
    cursor: str | None = None
    """Where to continue to revoke links."""
    checked: int = 0
    """How many links with applied events were checked."""
    opening: bool = False
    """Whether all links are checked. What is left is to list the revoked links and to open bookings."""
