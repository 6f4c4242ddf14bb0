"""Requests and answers in JSON: camelCase, unknown fields refused, absent told apart from null."""

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from chalicelib.domain.bookings.booking import Invitee
from chalicelib.domain.errors import FieldFault, InvalidValueError
from chalicelib.domain.event_types.event_type import (
    DEFAULT_WINDOW_DAYS,
    EventSettings,
    Location,
    Question,
)
from chalicelib.domain.event_types.offers import NO_OVERRIDES, Overrides
from chalicelib.domain.event_types.schedules import Schedule
from chalicelib.domain.links.link import LinkSettings, Recipient
from chalicelib.domain.links.link_requests import MailTo
from chalicelib.domain.team.hosts import HostSettings, TimeOff
from chalicelib.domain.text import tidy_lines
from chalicelib.domain.webhooks.webhook import DEFAULT_OVERLAP_HOURS, WebhookSettings
from chalicelib.wire.instants import Instant, instant


class _Body(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True, frozen=True):
    """A request body."""


class TimeOffBody(_Body, frozen=True):
    """A stretch in which a host offers nothing."""

    start: Instant
    end: Instant


class HostBody(_Body, frozen=True):
    """A host to make."""

    name: str
    email: str
    time_zone: str
    public_name: str | None = None
    time_off: tuple[TimeOffBody, ...] = ()

    def settings(self) -> HostSettings:
        """Return it as settings."""
        return HostSettings(
            name=self.name,
            email=self.email,
            time_zone=self.time_zone,
            public_name=self.public_name,
            time_off=_time_off(self.time_off),
        )


class HostChanges(_Body, frozen=True):
    """Changes to a host; absent fields stay. With a null public name, invitees see the name."""

    name: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET
    public_name: str | None | UnsetType = UNSET
    time_off: tuple[TimeOffBody, ...] | UnsetType = UNSET

    def applied_to(self, settings: HostSettings) -> HostSettings:
        """Return the settings with these changes."""
        changes = _given(self)
        if self.time_off is not UNSET:
            changes["time_off"] = _time_off(self.time_off)
        return msgspec.structs.replace(settings, **changes)


class EventTypeBody(_Body, frozen=True):
    """An event type to make. An admin names its host."""

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
        """Return it as settings."""
        fields = msgspec.structs.asdict(self)
        del fields["host_id"]
        return EventSettings(**fields)


class EventTypeChanges(_Body, frozen=True):
    """Changes to an event type; what is absent stays. A null slot interval follows the duration."""

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
        return msgspec.structs.replace(settings, **_given(self))


class OverridesChanges(_Body, frozen=True):
    """A link's own values; null, or what is absent in a new link, is the event type's."""

    title: str | None | UnsetType = UNSET
    duration_minutes: int | None | UnsetType = UNSET
    locations: tuple[Location, ...] | None | UnsetType = UNSET
    schedule: Schedule | None | UnsetType = UNSET
    questions: tuple[Question, ...] | None | UnsetType = UNSET
    slot_interval_minutes: int | None | UnsetType = UNSET
    buffer_before_minutes: int | None | UnsetType = UNSET
    buffer_after_minutes: int | None | UnsetType = UNSET
    minimum_notice_minutes: int | None | UnsetType = UNSET

    def applied_to(self, overrides: Overrides) -> Overrides:
        """Return the overrides with these changes."""
        return msgspec.structs.replace(overrides, **_given(self))


class LinkChanges(_Body, frozen=True):
    """A link's settings; what is absent stays (or has its default), null clears."""

    max_usage_count: int | None | UnsetType = UNSET
    expires_at: Instant | None | UnsetType = UNSET
    not_before: Instant | None | UnsetType = UNSET
    recipient: Recipient | None | UnsetType = UNSET
    overrides: OverridesChanges | None | UnsetType = UNSET
    label: str | None | UnsetType = UNSET
    metadata: dict[str, Any] | None | UnsetType = UNSET
    external_id: str | None | UnsetType = UNSET
    restore_use_on_cancel: bool | UnsetType = UNSET

    def applied_to(self, settings: LinkSettings, pointer: str = "") -> LinkSettings:
        """Return the settings with these changes; `pointer` is where this body stands in the request."""
        changes = {name: value for name, value in _given(self).items() if name in settings.__struct_fields__}
        for name, field in (("expires_at", "expiresAt"), ("not_before", "notBefore")):
            if isinstance(changes.get(name), datetime):
                changes[name] = instant(changes[name], f"{pointer}/{field}")
        if isinstance(self.overrides, OverridesChanges):
            changes["overrides"] = self.overrides.applied_to(settings.overrides)
        elif self.overrides is None:
            changes["overrides"] = NO_OVERRIDES
        if self.metadata is None:
            changes["metadata"] = {}
        return msgspec.structs.replace(settings, **changes)


class LinksBody(LinkChanges, frozen=True, kw_only=True):
    """Links to make: `count` alike, or one for each of `items`, which stand over the fields beside them."""

    event_type_id: str
    count: int | UnsetType = UNSET
    items: tuple[LinkChanges, ...] | UnsetType = UNSET

    def links(self, most: int) -> list[LinkSettings]:
        """Return the settings of every link. Raises `InvalidValueError` for a count out of range."""
        if self.items is not UNSET and self.count is not UNSET:
            raise InvalidValueError([FieldFault("/count", "count and items can't be given together")])
        common = self.applied_to(LinkSettings())
        if self.items is not UNSET:
            if not 1 <= len(self.items) <= most:
                raise InvalidValueError([FieldFault("/items", f"must have 1 to {most} entries")])
            return [item.applied_to(common, f"/items/{index}") for index, item in enumerate(self.items)]
        count = 1 if self.count is UNSET else self.count
        if not 1 <= count <= most:
            raise InvalidValueError([FieldFault("/count", f"must be 1 to {most}")])
        return [common] * count


class LinkIdsBody(_Body, frozen=True):
    """Links to revoke or delete."""

    link_ids: tuple[str, ...]


class RedeemBody(_Body, frozen=True):
    """What an invitee sends. `locationIndex` chooses among several locations; the first is the default."""

    start: Instant
    time_zone: str
    invitee: Invitee
    answers: dict[str, str] = {}
    location_index: int | None = None

    def __post_init__(self) -> None:
        kept = {name: tidy_lines(answer) for name, answer in self.answers.items()}
        msgspec.structs.force_setattr(self, "answers", kept)


class NothingBody(_Body, frozen=True):
    """A body that says nothing: `{}`."""


class SendBody(_Body, frozen=True):
    """How a link is mailed to its recipient: a word of the host's, and the mail's language."""

    message: str = ""
    language: Literal["en", "de", "fr", "es", "ja"] = "en"


class AnswerBody(SendBody, frozen=True):
    """The answer to a request for a new link: who gets the link by email, with which message and language."""

    mail_to: MailTo | None = None


class AskBody(_Body, frozen=True):
    """What the holder of a dead link sends to ask for a new one."""

    email: str
    name: str = ""
    message: str = ""


class RescheduleBody(_Body, frozen=True):
    """Where a booking is to be moved."""

    start: Instant


class WebhookBody(_Body, frozen=True):
    """A webhook to make. An admin names its host. Without `events` it gets all."""

    url: str
    events: tuple[str, ...] | None = None
    description: str = ""
    enabled: bool = True
    host_id: str | None = None

    def settings(self) -> WebhookSettings:
        """Return it as settings."""
        return WebhookSettings(
            url=self.url, events=self.events, description=self.description, enabled=self.enabled
        )


class WebhookChanges(_Body, frozen=True):
    """Changes to a webhook; what is absent stays. Null events: all of them."""

    url: str | UnsetType = UNSET
    events: tuple[str, ...] | None | UnsetType = UNSET
    description: str | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET

    def applied_to(self, settings: WebhookSettings) -> WebhookSettings:
        """Return the settings with these changes."""
        return msgspec.structs.replace(settings, **_given(self))


class RotateBody(_Body, frozen=True):
    """How a webhook's secret is replaced."""

    overlap_hours: int = DEFAULT_OVERLAP_HOURS


class ReplayBody(_Body, frozen=True):
    """What is to be delivered again: one delivery, or those of a range."""

    delivery_id: str | None = None
    since: Instant | None = msgspec.field(default=None, name="from")
    until: Instant | None = msgspec.field(default=None, name="to")
    status: Literal["failed", "delivered"] = "failed"
    cursor: str | None = None


def _time_off(given: tuple[TimeOffBody, ...]) -> tuple[TimeOff, ...]:
    return tuple(
        TimeOff(instant(off.start, f"/timeOff/{place}/start"), instant(off.end, f"/timeOff/{place}/end"))
        for place, off in enumerate(given)
    )


def _given(body: msgspec.Struct) -> dict[str, Any]:
    """Return the fields that a body names, by attribute name."""
    fields = {name: getattr(body, name) for name in body.__struct_fields__}
    return {name: value for name, value in fields.items() if value is not UNSET}
