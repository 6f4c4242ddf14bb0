"""Requests to create or change an event type."""

import msgspec
from msgspec import UNSET, UnsetType

from chalicelib.domain.event_types.event_type import DEFAULT_WINDOW_DAYS, EventSettings, Location, Question
from chalicelib.domain.event_types.schedules import Schedule
from chalicelib.wire.requests.body import Body, given_fields


class EventTypeBody(Body, frozen=True):
    """An event type to create. `hostId` is required only if the API key has no host."""

    title: str
    duration_minutes: int
    schedule: Schedule
    host_id: str | None = None
    slug: str = ""
    description: str = ""
    locations: tuple[Location, ...] = ()
    slot_interval_minutes: int | None = None
    buffer_before_minutes: int = 0
    buffer_after_minutes: int = 0
    minimum_notice_minutes: int = 0
    booking_window_days: int = DEFAULT_WINDOW_DAYS
    questions: tuple[Question, ...] = ()

    def settings(self) -> EventSettings:
        """Return the event type's settings."""
        fields = msgspec.structs.asdict(self)
        del fields["host_id"]
        return EventSettings(**fields)


class EventTypeChanges(Body, frozen=True):
    """Changes to an event type. Absent fields keep their values; a null slot interval equals the duration."""

    title: str | UnsetType = UNSET
    duration_minutes: int | UnsetType = UNSET
    schedule: Schedule | UnsetType = UNSET
    slug: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    locations: tuple[Location, ...] | UnsetType = UNSET
    slot_interval_minutes: int | None | UnsetType = UNSET
    buffer_before_minutes: int | UnsetType = UNSET
    buffer_after_minutes: int | UnsetType = UNSET
    minimum_notice_minutes: int | UnsetType = UNSET
    booking_window_days: int | UnsetType = UNSET
    questions: tuple[Question, ...] | UnsetType = UNSET

    def applied_to(self, settings: EventSettings) -> EventSettings:
        """Return the settings with these changes."""
        return msgspec.structs.replace(settings, **given_fields(self))
