"""The progress of a restore, which `make restore` saves in the stage's file to continue after an interruption."""

from datetime import datetime

import msgspec


class RestoreProgress(
    msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    """What a restore has begun. Each value is saved before the step that uses it."""

    to: datetime
    """The moment to restore."""
    gap: bool = False
    """Whether the restore continues without all events: `GAP=revoke`."""
    table: str | None = None
    """The table to restore to."""
    closed_at: datetime | None = None
    """When bookings closed: events of earlier changes are in the archive ten minutes later."""
    marker: datetime | None = None
    """When the marker was put on the bus as the last event to replay."""
    replay: str | None = None
    """The name of the current replay."""
    replay_started_at: datetime | None = None
    """When the first replay started."""
    until: datetime | None = None
    """The end of the replayed window."""
    replay_completed_at: datetime | None = None
    """When the replay was seen to be complete."""
    cursor: str | None = None
    """Where to continue to revoke links."""
