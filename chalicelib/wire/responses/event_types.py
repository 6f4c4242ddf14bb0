"""Responses about event types."""

from collections.abc import Sequence

import msgspec

from chalicelib.domain.clock import rfc3339
from chalicelib.domain.event_types.contradictions import SettingsWarning
from chalicelib.domain.event_types.event_type import EventType, Location, Question
from chalicelib.domain.event_types.schedules import Schedule
from chalicelib.wire.responses.answer import Answer, Time, optional_time
from chalicelib.wire.responses.warnings import SettingsWarningAnswer, warnings_answer


class EventTypeAnswer(Answer, frozen=True):
    """An event type."""

    event_type_id: str
    host_id: str
    title: str
    slug: str
    description: str
    duration_minutes: int
    locations: tuple[Location, ...]
    schedule: Schedule
    slot_interval_minutes: int | None
    buffer_before_minutes: int
    buffer_after_minutes: int
    minimum_notice_minutes: int
    booking_window_days: int
    questions: tuple[Question, ...]
    created_at: Time
    archived_at: Time | None


class EventTypesAnswer(Answer, frozen=True):
    """One page of event types, newest first."""

    event_types: list[EventTypeAnswer]
    next_cursor: str | None


class SavedEventTypeAnswer(EventTypeAnswer, frozen=True):
    """An event type that was just created or changed."""

    warnings: list[SettingsWarningAnswer]


def event_type_answer(event_type: EventType) -> EventTypeAnswer:
    """Return an event type as a response."""
    return EventTypeAnswer(
        event_type_id=event_type.event_type_id,
        host_id=event_type.host_id,
        created_at=rfc3339(event_type.created_at),
        archived_at=optional_time(event_type.archived_at),
        **msgspec.structs.asdict(event_type.settings),
    )


def saved_event_type_answer(
    event_type: EventType, warnings: Sequence[SettingsWarning]
) -> SavedEventTypeAnswer:
    """Return an event type that was just created or changed as a response."""
    answer = msgspec.structs.asdict(event_type_answer(event_type))
    return SavedEventTypeAnswer(**answer, warnings=warnings_answer(warnings))
