"""Requests and answers in JSON: camelCase, unknown fields refused, absent told apart from null."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from chalicelib.api.instants import Instant, instant
from chalicelib.domain.bookings import Booking, Invitee
from chalicelib.domain.clock import rfc3339
from chalicelib.domain.errors import FieldFault, InvalidValueError
from chalicelib.domain.event_types import (
    DEFAULT_WINDOW_DAYS,
    EventSettings,
    EventType,
    Location,
    Question,
)
from chalicelib.domain.hosts import Host, HostSettings, TimeOff
from chalicelib.domain.ids import BOOKING, LINK, id_bytes
from chalicelib.domain.links import Link, LinkSettings, Recipient
from chalicelib.domain.offers import NO_OVERRIDES, Overrides
from chalicelib.domain.schedules import Schedule
from chalicelib.domain.slots import Slot
from chalicelib.domain.tokens import Keyring, Purpose, make_token


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
    time_off: tuple[TimeOffBody, ...] = ()

    def settings(self) -> HostSettings:
        """Return it as settings."""
        return HostSettings(
            name=self.name, email=self.email, time_zone=self.time_zone, time_off=_time_off(self.time_off)
        )


class HostChanges(_Body, frozen=True):
    """Changes to a host; what is absent stays."""

    name: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET
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


class NothingBody(_Body, frozen=True):
    """A body that says nothing: `{}`."""


class AskBody(_Body, frozen=True):
    """What the holder of a dead link sends to ask for a new one."""

    email: str
    name: str = ""
    message: str = ""


class RescheduleBody(_Body, frozen=True):
    """Where a booking is to be moved."""

    start: Instant


def host_json(host: Host) -> dict[str, Any]:
    """Return a host as JSON."""
    return {
        "hostId": host.host_id,
        "name": host.settings.name,
        "email": host.settings.email,
        "timeZone": host.settings.time_zone,
        "timeOff": [{"start": rfc3339(o.start), "end": rfc3339(o.end)} for o in host.settings.time_off],
        "createdAt": rfc3339(host.created_at),
    }


def event_type_json(event_type: EventType) -> dict[str, Any]:
    """Return an event type as JSON."""
    settings = event_type.settings
    return {
        "eventTypeId": event_type.event_type_id,
        "hostId": event_type.host_id,
        "title": settings.title,
        "slug": settings.slug,
        "description": settings.description,
        "durationMinutes": settings.duration_minutes,
        "locations": settings.locations,
        "schedule": settings.schedule,
        "slotIntervalMinutes": settings.slot_interval_minutes,
        "bufferBeforeMinutes": settings.buffer_before_minutes,
        "bufferAfterMinutes": settings.buffer_after_minutes,
        "minimumNoticeMinutes": settings.minimum_notice_minutes,
        "bookingWindowDays": settings.booking_window_days,
        "questions": settings.questions,
        "createdAt": rfc3339(event_type.created_at),
    }


def link_json(link: Link, ring: Keyring, base_url: str, now: datetime) -> dict[str, Any]:
    """Return a link as JSON, every field always there; the URL is worked out anew, the table has no token."""
    settings = link.settings
    return {
        "linkId": link.link_id,
        "url": link_url(link, ring, base_url),
        "hostId": link.host_id,
        "eventTypeId": link.event_type_id,
        "status": link.status_at(now).value,
        "usageCount": link.usage_count,
        "maxUsageCount": settings.max_usage_count,
        "remainingUses": link.remaining_uses,
        "createdAt": rfc3339(link.created_at),
        "expiresAt": _optional(settings.expires_at),
        "notBefore": _optional(settings.not_before),
        "usedAt": _optional(link.used_at),
        "revokedAt": _optional(link.revoked_at),
        "label": settings.label,
        "recipient": settings.recipient,
        "overrides": settings.overrides,
        "metadata": settings.metadata,
        "externalId": settings.external_id,
        "restoreUseOnCancel": settings.restore_use_on_cancel,
    }


def booking_json(booking: Booking, ring: Keyring, base_url: str) -> dict[str, Any]:
    """Return a booking as JSON."""
    return {
        "bookingId": booking.booking_id,
        "linkId": booking.link_id,
        "hostId": booking.host_id,
        "eventTypeId": booking.event_type_id,
        "status": booking.status.value,
        "title": booking.title,
        "start": rfc3339(booking.start),
        "end": rfc3339(booking.end),
        "timeZone": booking.time_zone,
        "location": booking.location,
        "invitee": booking.invitee,
        "answers": booking.answers,
        "url": booking_url(booking, ring, base_url),
        "createdAt": rfc3339(booking.created_at),
        "cancelledAt": _optional(booking.cancelled_at),
    }


def link_url(link: Link, ring: Keyring, base_url: str) -> str | None:
    """Return the URL that opens a link, worked out anew; None when the key that signed it was retired."""
    return _url(ring, Purpose.LINK, LINK, link.link_id, link.key_id, f"{base_url}/s/")


def booking_url(booking: Booking, ring: Keyring, base_url: str) -> str | None:
    """Return the invitee's own page for a booking, under a base URL, absolute or relative."""
    return _url(ring, Purpose.BOOKING, BOOKING, booking.booking_id, booking.key_id, f"{base_url}/b/")


def slots_json(slots: Sequence[Slot], start: datetime, end: datetime) -> dict[str, Any]:
    """Return offered slots as JSON."""
    return {
        "slots": [{"start": rfc3339(slot.start), "end": rfc3339(slot.end)} for slot in slots],
        "from": rfc3339(start),
        "to": rfc3339(end),
    }


def _url(ring: Keyring, purpose: Purpose, kind: str, item_id: str, key_id: int, base: str) -> str | None:
    raw = id_bytes(kind, item_id)
    if raw is None or key_id not in ring.keys:
        return None  # signed by a key that was retired: no URL opens it any more
    return base + make_token(ring, purpose, raw, key_id)


def _optional(value: datetime | None) -> str | None:
    return None if value is None else rfc3339(value)


def _time_off(given: tuple[TimeOffBody, ...]) -> tuple[TimeOff, ...]:
    return tuple(
        TimeOff(instant(off.start, f"/timeOff/{place}/start"), instant(off.end, f"/timeOff/{place}/end"))
        for place, off in enumerate(given)
    )


def _given(body: msgspec.Struct) -> dict[str, Any]:
    """Return the fields that a body names, by attribute name."""
    fields = {name: getattr(body, name) for name in body.__struct_fields__}
    return {name: value for name, value in fields.items() if value is not UNSET}
