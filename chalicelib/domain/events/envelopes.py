"""An event as it leaves the product: the envelope that the bus, webhooks and mail carry (P6, P7)."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from chalicelib.domain.clock import rfc3339
from chalicelib.domain.events.events import Event

SOURCE: Final = "admit-one"
SCHEMA_VERSION: Final = "1"


class Envelope(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One event, whole. `time` is RFC 3339 UTC; the same change has the same `id`, however often it is published.

    A consumer orders by `sequence`, that of the booking where there is a `booking_id`, else of the link; delivery
    is not ordered. 0 is for an event that changed neither. It never contains a token or the invitee (P7).
    """

    id: Annotated[str, Meta(pattern="^evt_[a-z2-7]{26}$", description="The same for the same change.")]
    type: Annotated[str, Meta(description="What happened.")]
    schema_version: Annotated[
        str, Meta(description="Raised when a consumer has to look; a new member does not raise it.")
    ] = SCHEMA_VERSION
    time: Annotated[
        str,
        Meta(description="When it happened, UTC.", extra_json_schema={"format": "date-time"}),
    ]
    host_id: Annotated[str | None, Meta(description="Whose it is.")]
    link_id: Annotated[str | None, Meta(description="The link it is about, or came by. Not the token.")]
    booking_id: Annotated[str | None, Meta(description="The booking it is about, or null.")]
    event_type_id: Annotated[str | None, Meta(description="The event type of the link.")]
    external_id: Annotated[str | None, Meta(description="The host's own id for the link, or null.")]
    metadata: Annotated[dict[str, Any], Meta(description="The host's own JSON object of the link.")]
    sequence: Annotated[
        int,
        Meta(
            ge=0,
            description="Raised by every write to the booking, or else the link, that it is about; to order by.",
        ),
    ]
    actor: Annotated[str, Meta(description="Who did it: `key:<keyId>`, `invitee`, `system:<what>`.")]
    correlation_id: Annotated[str, Meta(description="Ties it to the request that caused it.")]
    data: Annotated[dict[str, Any], Meta(description="What belongs to this kind of event.")]


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
    """Return the envelope that a decoded JSON document holds. Raises ValueError for any other.

    Unknown members are dropped, and `type` may be one that is not known yet: newer producers may say more.
    """
    return msgspec.convert(document, Envelope)
