"""An event as it leaves the product: the envelope that the bus, webhooks and mail carry (P6, P7)."""

from typing import Any, Final

import msgspec

from chalicelib.domain.clock import rfc3339
from chalicelib.domain.events import Event

SOURCE: Final = "admit-one"
SCHEMA_VERSION: Final = "1"


class Envelope(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One event, whole. `time` is RFC 3339 UTC; the same change has the same `id`, however often it is told.

    A consumer orders by `sequence`, that of the booking where there is a `booking_id`, else of the link; delivery
    is not ordered. 0 tells of something that changed neither. There is no token in it, ever (P7), nor the invitee.
    """

    id: str
    type: str
    schema_version: str = SCHEMA_VERSION
    time: str
    host_id: str | None
    link_id: str | None
    booking_id: str | None
    event_type_id: str | None
    external_id: str | None
    metadata: dict[str, Any]
    sequence: int
    actor: str
    correlation_id: str
    data: dict[str, Any]


def envelope_of(event: Event) -> Envelope:
    """Return the envelope of an event."""
    return Envelope(
        id=event.event_id,
        type=event.type.value,
        time=rfc3339(event.time),
        host_id=event.host_id,
        link_id=event.link_id,
        booking_id=event.booking_id,
        event_type_id=event.event_type_id,
        external_id=event.external_id,
        metadata=event.metadata,
        sequence=event.sequence,
        actor=event.cause.actor,
        correlation_id=event.cause.correlation_id,
        data=event.data,
    )


def write_envelope(envelope: Envelope) -> str:
    """Return an envelope as JSON."""
    return msgspec.json.encode(envelope).decode()


def read_envelope(document: object) -> Envelope:
    """Return the envelope that a decoded JSON document holds. Raises ValueError for one that is not.

    Unknown members are dropped, and `type` may be one that is not known yet: newer producers may say more.
    """
    return msgspec.convert(document, Envelope)
