"""Change a link if it still has the version that was read. Once it has ended, only label and metadata can change."""

from collections.abc import Callable

import msgspec

from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import ConflictError, NotFoundError
from chalicelib.domain.event_types.offers import check_overrides
from chalicelib.domain.links.link import (
    Link,
    LinkSettings,
    LinkStatus,
    check_link_settings,
    check_rolling_settings,
)
from chalicelib.domain.team.api_keys import Caller
from chalicelib.domain.validation import Rules
from chalicelib.service.contention import retry_until_result
from chalicelib.service.links.read import read_link
from chalicelib.service.ports import World


def change_link(
    world: World, caller: Caller, link_id: str, edit: Callable[[LinkSettings], LinkSettings], cause: Cause
) -> Link:
    """Change a link's settings and return it.

    Raises `NotFoundError`; `ConflictError` for a used, expired or revoked link, unless only label and metadata change;
    `InvalidValueError`, also for a `maxUsageCount` below `usageCount`.
    """
    world.require_open()

    def attempt() -> Link | None:
        link = read_link(world, caller, link_id)
        changed = _changed(world, link, edit(link.settings))
        if changed.settings == link.settings:
            return link
        return changed if world.store.links.change(changed, cause, seen=link.sequence) else None

    return retry_until_result(world, attempt)


def _changed(world: World, link: Link, settings: LinkSettings) -> Link:
    before = link.settings
    new_overrides = settings.overrides != before.overrides
    event_type = world.store.event_types.read(link.event_type_id) if new_overrides else None
    now = world.now()  # P3: after the last read
    status = link.status_at(now)
    only_words = msgspec.structs.replace(before, label=settings.label, metadata=settings.metadata) == settings
    if status is not LinkStatus.ACTIVE and not only_words:
        raise ConflictError(f"This link is {status}: only its label and metadata can be changed.")
    rules = Rules()
    check_link_settings(settings, rules, now=now if settings.expires_at != before.expires_at else None)
    if link.rolling:
        check_rolling_settings(settings, rules)
    most = settings.max_usage_count
    if most is not None and most != before.max_usage_count:
        rules.at("maxUsageCount").require(most >= link.usage_count, "must not be below usageCount")
    if new_overrides:
        if event_type is None:
            raise NotFoundError
        check_overrides(
            settings.overrides, event_type.settings, rules.at("overrides"), before=before.overrides
        )
    rules.enforce()
    spent = status is LinkStatus.ACTIVE and most is not None and most <= link.usage_count
    return msgspec.structs.replace(
        link,
        settings=settings,
        stored_status=LinkStatus.USED if spent else link.stored_status,
        used_at=now if spent else link.used_at,
        sequence=link.sequence + 1,
        edition=link.edition + 1,
    )
