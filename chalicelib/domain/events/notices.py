"""Notices: events that don't report a change of a link or booking.

They report a completed batch or import, a failed import, a rejected command or a disabled webhook.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import rfc3339
from chalicelib.domain.events.envelopes import Envelope
from chalicelib.domain.events.event_data import (
    BatchCompleted,
    CommandRejected,
    Data,
    ImportCompleted,
    ImportFailed,
    WebhookDisabled,
)
from chalicelib.domain.events.events import event_id_of


class Notice(StrEnum):
    """Every kind of notice."""

    BATCH_COMPLETED = "batch.completed"
    COMMAND_REJECTED = "command.rejected"
    IMPORT_COMPLETED = "import.completed"
    IMPORT_FAILED = "import.failed"
    WEBHOOK_DISABLED = "webhook.disabled"


NOTICES: Final[Mapping[Notice, type[Data]]] = {
    Notice.BATCH_COMPLETED: BatchCompleted,
    Notice.COMMAND_REJECTED: CommandRejected,
    Notice.IMPORT_COMPLETED: ImportCompleted,
    Notice.IMPORT_FAILED: ImportFailed,
    Notice.WEBHOOK_DISABLED: WebhookDisabled,
}
_KINDS: Final = {data: kind for kind, data in NOTICES.items()}


def notice(
    data: Data,
    cause: Cause,
    time: datetime,
    *,
    host_id: str | None,
    event_type_id: str | None = None,
) -> Envelope:
    """Return a notice. The same outcome of the same request always has the same id, however often it is published."""
    kind, said = _KINDS[type(data)], msgspec.to_builtins(data)
    return Envelope(
        id=event_id_of(kind, cause.correlation_id, host_id, said.get("batchId"), _code(said)),
        type=kind.value,
        time=rfc3339(time),
        host_id=host_id,
        link_id=None,
        booking_id=None,
        event_type_id=event_type_id,
        external_id=None,
        metadata={},
        sequence=0,
        actor=cause.actor,
        correlation_id=cause.correlation_id,
        data=said,
    )


def _code(data: Mapping[str, Any]) -> str | None:
    problem = data.get("problem")
    return problem.get("type") if isinstance(problem, Mapping) else None
