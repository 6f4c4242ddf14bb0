"""What one link offers: the event type's settings with the link's own overrides laid over them."""

import msgspec

from chalicelib.domain.event_types import (
    EventSettings,
    Location,
    Question,
    check_locations,
    check_questions,
    check_timing,
)
from chalicelib.domain.rules import Rules
from chalicelib.domain.schedules import Schedule, check_schedule


class Overrides(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, rename="camel"
):
    """A link's own values; None means the event type's. The event type itself is untouched."""

    title: str | None = None
    duration_minutes: int | None = None
    locations: tuple[Location, ...] | None = None
    schedule: Schedule | None = None
    questions: tuple[Question, ...] | None = None
    slot_interval_minutes: int | None = None
    buffer_before_minutes: int | None = None
    buffer_after_minutes: int | None = None
    minimum_notice_minutes: int | None = None


NO_OVERRIDES = Overrides()


def offer_of(settings: EventSettings, overrides: Overrides) -> EventSettings:
    """Return the settings that hold for a link: its overrides where it has them, else the event type's."""
    own = {
        name: value for name in overrides.__struct_fields__ if (value := getattr(overrides, name)) is not None
    }
    return msgspec.structs.replace(settings, **own) if own else settings


def check_overrides(overrides: Overrides, settings: EventSettings, rules: Rules) -> None:
    """Record every rule the overrides break by themselves, or together with the event type's settings."""
    offer = offer_of(settings, overrides)
    if overrides.title is not None:
        rules.at("title").text(overrides.title, shortest=1, longest=200)
    if overrides.schedule is not None:
        check_schedule(overrides.schedule, rules.at("schedule"))
    if overrides.locations is not None:
        check_locations(overrides.locations, rules.at("locations"))
    if overrides.questions is not None:
        check_questions(overrides.questions, rules.at("questions"))
    check_timing(offer, rules)
