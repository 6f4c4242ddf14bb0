"""An event type: its title, duration, locations, schedule and questions."""

import re
from datetime import datetime
from typing import Final, Literal

import msgspec

from chalicelib.domain.event_types.schedules import GRID_MINUTES, Schedule, check_schedule
from chalicelib.domain.text import (
    MAX_DESCRIPTION_LENGTH,
    MAX_DETAIL_LENGTH,
    MAX_OPTION_LENGTH,
    MAX_QUESTION_LENGTH,
    MAX_TITLE_LENGTH,
    tidied,
)
from chalicelib.domain.validation import Rules

MAX_OCCUPIED_MINUTES: Final = 8 * 60  # duration and buffers; 96 cells fit into one DynamoDB condition
DEFAULT_WINDOW_DAYS: Final = 60

LocationKind = Literal["video", "phone", "in_person", "custom"]
QuestionKind = Literal["text", "choice"]

_SLUG: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
_QUESTION_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")


class Location(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Where the meeting takes place: a kind, and an address, phone number or meeting URL.

    With `show_before_booking`, the holder of the link sees the detail before booking.
    """

    kind: LocationKind
    detail: str = ""
    show_before_booking: bool | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        tidied(self, line=("detail",))

    @property
    def before_booking(self) -> "Location":
        """The location as shown before booking: with its detail, such as how to join, only if the host allows it.

        This does not depend on the text, because a meeting id with a passcode looks like any other text.
        """
        return self.booked if self.show_before_booking is True else self.without_detail

    @property
    def booked(self) -> "Location":
        """The location as stored in a booking."""
        return Location(self.kind, self.detail)

    @property
    def without_detail(self) -> "Location":
        """The location with its kind only."""
        return Location(self.kind)


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question to the invitee. Only a question of kind `choice` has `options`."""

    id: str
    label: str
    kind: QuestionKind = "text"
    required: bool = False
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        tidied(self, line=("label", "options"))


class EventSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of an event type. Minutes are multiples of 5.

    If `slot_interval_minutes` is None, the interval is the duration.
    """

    title: str
    duration_minutes: int
    schedule: Schedule
    slug: str = ""
    description: str = ""
    locations: tuple[Location, ...] = ()
    slot_interval_minutes: int | None = None
    buffer_before_minutes: int = 0
    buffer_after_minutes: int = 0
    minimum_notice_minutes: int = 0
    booking_window_days: int = DEFAULT_WINDOW_DAYS
    questions: tuple[Question, ...] = ()

    def __post_init__(self) -> None:
        tidied(self, line=("title",), lines=("description",))


class EventType(msgspec.Struct, frozen=True, kw_only=True):
    """A host's event type. If `archived_at` is set, it was deleted and nobody can book with its links."""

    event_type_id: str
    host_id: str
    settings: EventSettings
    created_at: datetime
    sequence: int = 1
    archived_at: datetime | None = None

    @property
    def archived(self) -> bool:
        """True if this event type was deleted."""
        return self.archived_at is not None


def slug_of(title: str) -> str:
    """Return a slug of a title's ASCII letters and digits, or `event` if it has none."""
    return "-".join(re.findall(r"[a-z0-9]+", title.lower()))[:60].strip("-") or "event"


def check_event_settings(settings: EventSettings, rules: Rules) -> None:
    """Record every fault in the settings."""
    rules.at("title").text(settings.title, shortest=1, longest=MAX_TITLE_LENGTH)
    rules.at("slug").form(
        settings.slug, _SLUG, "must be 1 to 60 lowercase letters, digits and single hyphens", longest=60
    )
    rules.at("description").text(settings.description, longest=MAX_DESCRIPTION_LENGTH, lines=True)
    check_timing(settings, rules)
    check_schedule(settings.schedule, rules.at("schedule"))
    check_locations(settings.locations, rules.at("locations"))
    check_questions(settings.questions, rules.at("questions"))
    rules.at("bookingWindowDays").number(settings.booking_window_days, least=1, most=730)


def check_timing(settings: EventSettings, rules: Rules) -> None:
    """Record durations and buffers that are out of range, not multiples of 5, or together longer than 8 hours."""
    before, after, length = (
        settings.buffer_before_minutes,
        settings.buffer_after_minutes,
        settings.duration_minutes,
    )
    most = MAX_OCCUPIED_MINUTES
    rules.at("durationMinutes").number(length, least=GRID_MINUTES, most=most, multiple_of=GRID_MINUTES)
    rules.at("bufferBeforeMinutes").number(before, least=0, most=most, multiple_of=GRID_MINUTES)
    rules.at("bufferAfterMinutes").number(after, least=0, most=most, multiple_of=GRID_MINUTES)
    rules.at("durationMinutes").require(
        before + length + after <= most or max(before, length, after) > most,
        f"the duration and buffers together must be at most {most} minutes",
    )
    rules.at("minimumNoticeMinutes").number(
        settings.minimum_notice_minutes, least=0, most=365 * 24 * 60, multiple_of=GRID_MINUTES
    )
    if settings.slot_interval_minutes is not None:
        rules.at("slotIntervalMinutes").number(
            settings.slot_interval_minutes, least=GRID_MINUTES, most=1440, multiple_of=GRID_MINUTES
        )


def check_locations(locations: tuple[Location, ...], rules: Rules) -> None:
    """Record too many locations, and details that are too long or not a single line."""
    if rules.length(locations, most=10):
        for index, location in enumerate(locations):
            rules.at(index, "detail").text(location.detail, longest=MAX_DETAIL_LENGTH)


def check_questions(questions: tuple[Question, ...], rules: Rules) -> None:
    """Record every fault in the questions, such as duplicate ids, empty labels and a choice without options."""
    if not rules.length(questions, most=20):
        return
    rules.unique((q.id for q in questions), "must not have the same id twice")
    for index, question in enumerate(questions):
        here = rules.at(index)
        here.at("id").form(question.id, _QUESTION_ID, "must be 1 to 40 letters, digits, _ or -")
        here.at("label").text(question.label, shortest=1, longest=MAX_QUESTION_LENGTH)
        options = here.at("options")
        if question.kind == "choice":
            if options.length(question.options, least=1, most=50):
                options.unique(question.options, "must not have the same option twice")
                for place, option in enumerate(question.options):
                    options.at(place).text(option, shortest=1, longest=MAX_OPTION_LENGTH)
        else:
            options.require(not question.options, "must be empty unless kind is choice")
