"""Requests to create or change a webhook, rotate its secret, or replay deliveries."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from chalicelib.domain.webhooks.webhook import DEFAULT_OVERLAP_HOURS, WebhookSettings
from chalicelib.wire.instants import Instant
from chalicelib.wire.requests.body import Body, given_fields


class WebhookBody(Body, frozen=True):
    """A webhook to create. It gets all events if `events` is absent. A key without a host needs `hostId`."""

    url: str
    events: tuple[str, ...] | None = None
    description: str = ""
    enabled: bool = True
    host_id: str | None = None

    def settings(self) -> WebhookSettings:
        """Return the webhook's settings."""
        return WebhookSettings(
            url=self.url, events=self.events, description=self.description, enabled=self.enabled
        )


class WebhookChanges(Body, frozen=True):
    """Changes to a webhook. Absent fields keep their values; with null `events`, it gets all events."""

    url: str | UnsetType = UNSET
    events: tuple[str, ...] | None | UnsetType = UNSET
    description: str | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET

    def applied_to(self, settings: WebhookSettings) -> WebhookSettings:
        """Return the settings with these changes."""
        return msgspec.structs.replace(settings, **given_fields(self))


class RotateBody(Body, frozen=True):
    """A request to replace a webhook's signing secret."""

    overlap_hours: int = DEFAULT_OVERLAP_HOURS


class ReplayBody(Body, frozen=True):
    """A request to deliver again: one delivery, or those in a range of time."""

    delivery_id: str | None = None
    since: Instant | None = msgspec.field(default=None, name="from")
    until: Instant | None = msgspec.field(default=None, name="to")
    status: Literal["failed", "delivered"] = "failed"
    cursor: str | None = None
