"""The link that follows another one: a replacement, or a rolling link's successor."""

from datetime import datetime

import msgspec

from chalicelib.domain.links.link import Link, LinkSettings


def fresh_link(old: Link, *, link_id: str, key_id: int, now: datetime, rolling: bool) -> Link:
    """Return a new, unused link with an old link's settings. An expiry that has passed is extended."""
    settings = renewed_settings(old.settings, old.created_at, now)
    if old.restore_passed_on:
        settings = msgspec.structs.replace(settings, restore_use_on_cancel=True)
    return Link(
        link_id=link_id,
        host_id=old.host_id,
        event_type_id=old.event_type_id,
        key_id=key_id,
        settings=settings,
        created_at=now,
        rolling=rolling,
    )


def renewed_settings(settings: LinkSettings, since: datetime, now: datetime) -> LinkSettings:
    """Return a link's settings for a new one; an expiry that has passed is extended by its original duration."""
    expires = settings.expires_at
    if expires is None or expires > now:
        return settings
    return msgspec.structs.replace(settings, expires_at=now + (expires - since))
