"""The offer of a link: the event type's settings with the link's overrides applied."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from chalicelib.domain.event_types.event_type import (
    MAX_OCCUPIED_MINUTES,
    EventSettings,
    Location,
    Question,
    check_locations,
    check_questions,
    check_timing,
)
from chalicelib.domain.event_types.schedules import Schedule, check_schedule
from chalicelib.domain.text import MAX_TITLE_LENGTH, tidied
from chalicelib.domain.validation import Rules


class Overrides(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, rename="camel"
):
    """A link's own values. For each absent value, the event type's value applies."""

    title: str | None = None
    duration_minutes: int | None = None
    locations: tuple[Location, ...] | None = None
    schedule: Schedule | None = None
    questions: tuple[Question, ...] | None = None
    slot_interval_minutes: int | None = None
    buffer_before_minutes: int | None = None
    buffer_after_minutes: int | None = None
    minimum_notice_minutes: int | None = None

    def __post_init__(self) -> None:
        tidied(self, line=("title",))


NO_OVERRIDES = Overrides()
_TIMING: Final = (
    "duration_minutes",
    "slot_interval_minutes",
    "buffer_before_minutes",
    "buffer_after_minutes",
    "minimum_notice_minutes",
)


def offer_of(settings: EventSettings, overrides: Overrides) -> EventSettings:
    """Return the settings that apply to a link: the event type's, replaced by the link's overrides.

    A host can lengthen an event type's buffers after a link got its own duration. If the sum exceeds 8 hours
    (ADR 0002), the buffers are shortened, first the one after the slot, so that editing an event type never disables
    a link.
    """
    own = _given(overrides, overrides.__struct_fields__)
    return within_eight_hours(msgspec.structs.replace(settings, **own)) if own else settings


def within_eight_hours(settings: EventSettings) -> EventSettings:
    """Return settings whose duration and buffers fit into 8 hours, with shorter buffers if necessary."""
    room = MAX_OCCUPIED_MINUTES - settings.duration_minutes
    before = max(0, min(settings.buffer_before_minutes, room))
    after = max(0, min(settings.buffer_after_minutes, room - before))
    return msgspec.structs.replace(settings, buffer_before_minutes=before, buffer_after_minutes=after)


def check_overrides(
    overrides: Overrides, settings: EventSettings, rules: Rules, *, before: Overrides = NO_OVERRIDES
) -> None:
    """Record every fault in the overrides, alone or in combination with the event type's settings.

    Timing that is the same as in `before` is not checked again, so that other settings can still be changed.
    """
    if overrides.title is not None:
        rules.at("title").text(overrides.title, shortest=1, longest=MAX_TITLE_LENGTH)
    if overrides.schedule is not None:
        check_schedule(overrides.schedule, rules.at("schedule"))
    if overrides.locations is not None:
        check_locations(overrides.locations, rules.at("locations"))
    if overrides.questions is not None:
        check_questions(overrides.questions, rules.at("questions"))
    if any(getattr(overrides, name) != getattr(before, name) for name in _TIMING):
        check_timing(msgspec.structs.replace(settings, **_given(overrides, _TIMING)), rules)


def _given(overrides: Overrides, names: Iterable[str]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(overrides, name)) is not None}
