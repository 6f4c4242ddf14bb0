"""Requests to generate, change, revoke, delete or send links."""

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from chalicelib.domain.errors import FieldFault, InvalidValueError
from chalicelib.domain.event_types.event_type import Location, Question
from chalicelib.domain.event_types.offers import NO_OVERRIDES, Overrides
from chalicelib.domain.event_types.schedules import Schedule
from chalicelib.domain.links.link import LinkSettings, Recipient
from chalicelib.wire.instants import Instant, instant
from chalicelib.wire.requests.body import Body, given_fields


class OverridesChanges(Body, frozen=True):
    """A link's own values. The event type's value applies if a value is null, or absent in a new link."""

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
        return msgspec.structs.replace(overrides, **given_fields(self))


class LinkChanges(Body, frozen=True):
    """A link's settings. An absent field keeps its value, or has its default in a new link; null clears it."""

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
        """Return the settings with these changes; `pointer` is the body's place in the request."""
        changes = {
            name: value for name, value in given_fields(self).items() if name in settings.__struct_fields__
        }
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
    """Links to create: `count` identical ones, or one for each of `items`, whose fields override those beside them."""

    event_type_id: str
    count: int | UnsetType = UNSET
    items: tuple[LinkChanges, ...] | UnsetType = UNSET

    def links(self, most: int) -> list[LinkSettings]:
        """Return the settings of each link. Raises `InvalidValueError` unless there are 1 to `most`."""
        if self.items is not UNSET and self.count is not UNSET:
            raise InvalidValueError([FieldFault("/count", "can't be sent with items; send one of the two")])
        common = self.applied_to(LinkSettings())
        if self.items is not UNSET:
            if not 1 <= len(self.items) <= most:
                raise InvalidValueError([FieldFault("/items", f"must have 1 to {most} entries")])
            return [item.applied_to(common, f"/items/{index}") for index, item in enumerate(self.items)]
        count = 1 if self.count is UNSET else self.count
        if not 1 <= count <= most:
            raise InvalidValueError([FieldFault("/count", f"must be 1 to {most}")])
        return [common] * count


class LinkIdsBody(Body, frozen=True):
    """Links to revoke or delete."""

    link_ids: tuple[str, ...]


class SendBody(Body, frozen=True):
    """How to email a link to its recipient: the host's message, and the email's language."""

    message: str = ""
    language: Literal["en", "de", "fr", "es", "ja"] = "en"
