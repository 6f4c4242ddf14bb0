"""Store the heartbeat: one item, written every minute. Its stream record shows that the outbox runs."""

from datetime import datetime

from chalicelib.domain.causes import Cause
from chalicelib.store.causes import audit_actions
from chalicelib.store.items import HeartbeatItem, heartbeat_key
from chalicelib.store.table import Table


class Heartbeat:
    """The write of the heartbeat."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def beat(self, cause: Cause, *, now: datetime) -> None:
        """Write the time into the heartbeat's item. Every write changes it, so every write reaches the stream."""
        self._table.update(
            heartbeat_key(), [HeartbeatItem.beat_at.set(now), *audit_actions(cause)], condition=None
        )
