"""Responses about a link's history."""

from typing import Any

from chalicelib.domain.clock import rfc3339
from chalicelib.domain.events.events import Event
from chalicelib.domain.links.visits import Opens
from chalicelib.wire.responses.answer import Answer, Time, optional_time


class EventAnswer(Answer, frozen=True):
    """One entry of a link's history."""

    event_id: str
    type: str
    time: Time
    booking_id: str | None
    external_id: str | None
    metadata: dict[str, Any]
    sequence: int
    actor: str
    correlation_id: str
    data: dict[str, Any]


class OpensAnswer(Answer, frozen=True):
    """How many times a link was opened."""

    first_opened_at: Time | None
    persons: int
    machines: int


class HistoryAnswer(Answer, frozen=True):
    """One page of a link's history, newest first."""

    history: list[EventAnswer]
    opens: OpensAnswer
    next_cursor: str | None


def event_answer(event: Event) -> EventAnswer:
    """Return an event as an entry of a history."""
    return EventAnswer(
        event_id=event.event_id,
        type=event.type.value,
        time=rfc3339(event.time),
        booking_id=event.booking_id,
        external_id=event.external_id,
        metadata=event.metadata,
        sequence=event.sequence,
        actor=event.cause.actor,
        correlation_id=event.cause.correlation_id,
        data=event.data,
    )


def opens_answer(opens: Opens) -> OpensAnswer:
    """Return open counts as a response."""
    return OpensAnswer(
        first_opened_at=optional_time(opens.first_opened_at), persons=opens.persons, machines=opens.machines
    )
