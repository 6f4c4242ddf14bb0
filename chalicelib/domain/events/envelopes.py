"""The envelope: an event as it is published to the bus, webhooks and email (P6, P7)."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from chalicelib.domain.clock import rfc3339
from chalicelib.domain.events.events import Event

SOURCE: Final = "admit-one"
SCHEMA_VERSION: Final = "1"


class Envelope(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One event as published. `time` is RFC 3339 UTC. The same change has the same `id`, even if published again.

    Delivery is not ordered, so consumers order by `sequence`: the booking's if there is a `booking_id`, otherwise the
    link's. It is 0 for an event that changed neither. An envelope never contains a token or the invitee (P7).
    """

    id: Annotated[
        str, Meta(pattern="^evt_[a-z2-7]{26}$", description="The event's id. Use it to drop duplicates.")
    ]
    type: Annotated[str, Meta(description="The type of event, e.g. `link.used`.")]
    schema_version: Annotated[
        str,
        Meta(
            description="The schema's version. It changes only with breaking changes, not with added members."
        ),
    ] = SCHEMA_VERSION
    time: Annotated[
        str,
        Meta(description="When it happened, UTC.", extra_json_schema={"format": "date-time"}),
    ]
    host_id: Annotated[str | None, Meta(description="The host that owns the link, import or webhook.")]
    link_id: Annotated[
        str | None, Meta(description="The link's public id, not its token; null if there is no link.")
    ]
    booking_id: Annotated[str | None, Meta(description="The booking's id, or null.")]
    event_type_id: Annotated[str | None, Meta(description="The id of the link's event type, or null.")]
    external_id: Annotated[str | None, Meta(description="Your own id for the link, or null.")]
    metadata: Annotated[dict[str, Any], Meta(description="Your own JSON object for the link.")]
    sequence: Annotated[
        int,
        Meta(
            ge=0,
            description="Orders events: every write to the booking (or the link) increases it. 0 if neither changed.",
        ),
    ]
    actor: Annotated[
        str, Meta(description="Who caused the event, e.g. `key:<keyId>`, `invitee` or `system:<what>`.")
    ]
    correlation_id: Annotated[str, Meta(description="The id of the request that caused the event.")]
    data: Annotated[dict[str, Any], Meta(description="Members of this type of event.")]


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
    """Return the envelope in a decoded JSON document. Raises ValueError if it is not an envelope.

    Unknown members are dropped and an unknown `type` is accepted, because a newer version may have published it.
    """
    return msgspec.convert(document, Envelope)
