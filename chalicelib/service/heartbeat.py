"""Send the heartbeat, so that the outbox has a record to read every minute, even on an idle stage.

Lambda reports `IteratorAge` only for invocations. Without records to read, a stopped outbox and an idle one look the
same.
"""

from typing import Final

from chalicelib.domain.causes import Cause
from chalicelib.service.ports import World

_CAUSE: Final = Cause("system:heartbeat", "heartbeat")


def send_heartbeat(world: World) -> None:
    """Write the heartbeat's item. The outbox reads its record and publishes nothing."""
    world.store.heartbeat.beat(_CAUSE, now=world.now())
