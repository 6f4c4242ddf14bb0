"""Make, read, list, change, rotate and delete webhooks, each host its own (P9)."""

from collections.abc import Callable
from datetime import timedelta

import msgspec

from chalicelib.domain.api_keys import Caller
from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import to_millis
from chalicelib.domain.errors import ConflictError, FieldFault, InvalidValueError, NotFoundError
from chalicelib.domain.ids import ID_BYTES, WEBHOOK, is_id, make_id
from chalicelib.domain.listings import read_cursor, write_cursor
from chalicelib.domain.rules import Rules
from chalicelib.domain.webhooks import (
    MOST_FORMER_SECRETS,
    MOST_OVERLAP_HOURS,
    MOST_WEBHOOKS,
    Disabled,
    SecretVersion,
    Webhook,
    WebhookSettings,
    changed,
    check_webhook_settings,
    noted,
    rotated,
    webhook_secret,
)
from chalicelib.service.contention import until_decided
from chalicelib.service.owner import owner_of
from chalicelib.service.paging import Page
from chalicelib.service.ports import World


class NewSecret(msgspec.Struct, frozen=True):
    """A webhook whose secret is shown this once; it is derived anew whenever something is signed."""

    webhook: Webhook
    secret: str


def create_webhook(
    world: World, caller: Caller, host_id: str | None, settings: WebhookSettings, cause: Cause
) -> NewSecret:
    """Make a webhook. Raises `NotFoundError` (the host), `InvalidValueError`, `ConflictError`: it has enough."""
    owner = owner_of(world, caller, host_id)
    _check(world, settings)
    if world.store.hosts.read(owner) is None:
        raise NotFoundError
    ring, now = world.keyring(), world.now()
    fresh = Webhook(
        webhook_id=make_id(WEBHOOK, world.random_bytes(ID_BYTES)),
        host_id=owner,
        settings=settings,
        secret=SecretVersion(1, ring.current),
        created_at=now,
        disabled=None if settings.enabled else Disabled.HOST,
        disabled_at=None if settings.enabled else now,
        sequence=0,
    )
    webhook = noted(fresh, "created", cause, now)

    def attempt() -> Webhook:
        # Refused, it may be there all the same: an earlier try's reply was lost.
        if world.store.webhooks.create(webhook, cause) or world.store.webhooks.read(webhook.webhook_id):
            return webhook
        raise ConflictError(f"A host has at most {MOST_WEBHOOKS} webhooks.")

    made = until_decided(world, attempt)
    return NewSecret(made, webhook_secret(ring, made.webhook_id, made.secret))


def read_webhook(world: World, caller: Caller, webhook_id: str) -> Webhook:
    """Return a webhook. Raises `NotFoundError`: unknown, deleted, or another's (P9)."""
    webhook = world.store.webhooks.read(webhook_id) if is_id(WEBHOOK, webhook_id) else None
    if webhook is None or not caller.may_see(webhook.host_id):
        raise NotFoundError
    return webhook


def list_webhooks(
    world: World, caller: Caller, host_id: str | None, cursor: str | None, limit: int
) -> Page[Webhook]:
    """Return a page of a host's webhooks, newest first. Raises `NotFoundError`, `InvalidValueError`."""
    owner = owner_of(world, caller, host_id)
    _, before = read_cursor(cursor, "w")
    places = [(_place(webhook), webhook) for webhook in world.store.webhooks.of_host(owner)]
    rest = [(place, webhook) for place, webhook in places if before is None or place < before]
    more = write_cursor("w", rest[limit - 1][0]) if len(rest) > limit else None
    return Page([webhook for _, webhook in rest[:limit]], more)


def change_webhook(
    world: World,
    caller: Caller,
    webhook_id: str,
    edit: Callable[[WebhookSettings], WebhookSettings],
    cause: Cause,
) -> Webhook:
    """Change a webhook; deliveries that wait go where it then points. Raises `NotFoundError`, `InvalidValueError`."""

    def attempt() -> Webhook | None:
        webhook = read_webhook(world, caller, webhook_id)
        settings = edit(webhook.settings)
        if settings == webhook.settings:
            return webhook
        _check(world, settings)
        fresh = changed(webhook, settings, cause, world.now())
        return fresh if world.store.webhooks.change(fresh, cause, seen=webhook.sequence) else None

    return until_decided(world, attempt)


def rotate_secret(
    world: World, caller: Caller, webhook_id: str, overlap_hours: int, cause: Cause
) -> NewSecret:
    """Give a webhook a fresh secret; the one before signs on beside it for `overlap_hours` (0 to 168).

    Raises `NotFoundError`, `InvalidValueError`; `ConflictError` while too many former ones still sign.
    """
    if not 0 <= overlap_hours <= MOST_OVERLAP_HOURS:
        raise InvalidValueError([FieldFault("/overlapHours", f"must be 0 to {MOST_OVERLAP_HOURS}")])

    def attempt() -> NewSecret | None:
        webhook, ring = read_webhook(world, caller, webhook_id), world.keyring()
        fresh = rotated(webhook, ring.current, timedelta(hours=overlap_hours), cause, world.now())
        if fresh is None:
            raise ConflictError(
                f"{MOST_FORMER_SECRETS} former secrets still sign; wait for one to end, or rotate with no overlap."
            )
        if not world.store.webhooks.change(fresh, cause, seen=webhook.sequence):
            return None
        return NewSecret(fresh, webhook_secret(ring, webhook_id, fresh.secret))

    return until_decided(world, attempt)


def delete_webhook(world: World, caller: Caller, webhook_id: str, cause: Cause) -> None:
    """Delete a webhook; what waits for it is not sent. Raises `NotFoundError`."""
    tried = False

    def attempt() -> bool | None:
        nonlocal tried
        try:
            webhook = read_webhook(world, caller, webhook_id)
        except NotFoundError:
            if tried:  # the write came through and its reply was lost
                return True
            raise
        tried = True
        now = world.now()
        gone = msgspec.structs.replace(noted(webhook, "deleted", cause, now), deleted_at=now)
        return world.store.webhooks.delete(gone, cause, seen=webhook.sequence) or None

    until_decided(world, attempt)


def _check(world: World, settings: WebhookSettings) -> None:
    rules = Rules()
    check_webhook_settings(settings, rules, local=world.local)
    rules.enforce()


def _place(webhook: Webhook) -> str:
    return f"{to_millis(webhook.created_at):014d}#{webhook.webhook_id}"
