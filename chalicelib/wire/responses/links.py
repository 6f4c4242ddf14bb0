"""Responses about one link or many."""

from datetime import datetime
from typing import Any, Literal

from chalicelib.domain.clock import rfc3339
from chalicelib.domain.event_types.offers import Overrides
from chalicelib.domain.links.link import Link, LinkStatus, Recipient
from chalicelib.domain.tokens import Keyring
from chalicelib.domain.urls import link_url
from chalicelib.wire.responses.answer import Answer, Time, optional_time
from chalicelib.wire.responses.warnings import SettingsWarningAnswer


class LinkAnswer(Answer, frozen=True):
    """A link."""

    link_id: str
    url: str | None
    host_id: str
    event_type_id: str
    status: LinkStatus
    usage_count: int
    max_usage_count: int | None
    remaining_uses: int | None
    created_at: Time
    expires_at: Time | None
    not_before: Time | None
    used_at: Time | None
    revoked_at: Time | None
    label: str | None
    recipient: Recipient | None
    overrides: Overrides
    metadata: dict[str, Any]
    external_id: str | None
    restore_use_on_cancel: bool


class SavedLinkAnswer(LinkAnswer, frozen=True):
    """A link that was just created or changed."""

    warnings: list[SettingsWarningAnswer]


class LinksAnswer(Answer, frozen=True):
    """The links that were created, in the order requested."""

    batch_id: str
    links: list[LinkAnswer]
    warnings: list[SettingsWarningAnswer]


class LinkPageAnswer(Answer, frozen=True):
    """One page of links, newest first."""

    links: list[LinkAnswer]
    next_cursor: str | None


class BulkRow(Answer, frozen=True, omit_defaults=True):
    """The result for one link: its `status`, or a `problem`."""

    link_id: str
    status: str | None = None
    problem: dict[str, Any] | None = None


class BulkAnswer(Answer, frozen=True):
    """The result for each link, in the order requested."""

    results: list[BulkRow]


class SendAnswer(Answer, frozen=True):
    """Confirms that a link will be emailed to its recipient."""

    status: Literal["queued"]
    link_id: str
    to: str
    language: str
    requested_at: Time


def link_answer(link: Link, ring: Keyring, base_url: str, now: datetime) -> LinkAnswer:
    """Return a link as a response. The URL is computed, because the table contains no token (P7)."""
    settings = link.settings
    return LinkAnswer(
        link_id=link.link_id,
        url=link_url(link, ring, base_url),
        host_id=link.host_id,
        event_type_id=link.event_type_id,
        status=link.status_at(now),
        usage_count=link.usage_count,
        max_usage_count=settings.max_usage_count,
        remaining_uses=link.remaining_uses,
        created_at=rfc3339(link.created_at),
        expires_at=optional_time(settings.expires_at),
        not_before=optional_time(settings.not_before),
        used_at=optional_time(link.used_at),
        revoked_at=optional_time(link.revoked_at),
        label=settings.label,
        recipient=settings.recipient,
        overrides=settings.overrides,
        metadata=settings.metadata,
        external_id=settings.external_id,
        restore_use_on_cancel=settings.restore_use_on_cancel,
    )
