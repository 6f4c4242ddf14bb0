"""Create, read, list, change and delete webhooks, and rotate their secrets. A host key reaches only its host's (P9)."""

from collections.abc import Callable
from datetime import timedelta

import msgspec

from chalicelib.domain.bookings.receipt import hash_body
from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import to_millis
from chalicelib.domain.errors import ConflictError, FieldFault, InvalidValueError, NotFoundError
from chalicelib.domain.ids import WEBHOOK, is_id
from chalicelib.domain.listings import Entry, read_cursor
from chalicelib.domain.team.api_keys import Caller
from chalicelib.domain.validation import Rules
from chalicelib.domain.webhooks.webhook import (
    MAX_FORMER_SECRETS,
    MAX_OVERLAP_HOURS,
    MAX_WEBHOOKS,
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
from chalicelib.service.contention import retry_until_result
from chalicelib.service.create_once import identity
from chalicelib.service.paging import Page, page_of
from chalicelib.service.ports import World
from chalicelib.service.team.owner import owner_of


class NewSecret(msgspec.Struct, frozen=True):
    """A webhook with its secret, which is shown only once; each signature derives it again."""

    webhook: Webhook
    secret: str


def create_webhook(
    world: World,
    caller: Caller,
    host_id: str | None,
    settings: WebhookSettings,
    cause: Cause,
    *,
    idempotency_key: str | None = None,
) -> NewSecret:
    """Create a webhook; with an idempotency key, a retry returns its current state and secret.

    Raises `NotFoundError` if there is no such host, or if a retry finds the webhook deleted; `InvalidValueError`;
    `IdempotencyKeyReusedError`; `ConflictError` if the host has `MAX_WEBHOOKS` already.
    """
    owner = owner_of(world, caller, host_id)
    _check(world, settings)
    if world.store.hosts.read(owner) is None:
        raise NotFoundError
    own = identity(world, owner, WEBHOOK, idempotency_key, hash_body(settings), cause)
    ring = world.keyring()
    fresh = Webhook(
        webhook_id=own.id,
        host_id=owner,
        settings=settings,
        secret=SecretVersion(1, ring.current),
        created_at=own.created_at,
        disabled=None if settings.enabled else Disabled.HOST,
        disabled_at=None if settings.enabled else own.created_at,
        sequence=0,
    )
    webhook = noted(fresh, "created", cause, own.created_at)

    def attempt() -> Webhook:
        if own.repeated and (made := world.store.webhooks.read(own.id)):
            return made
        # False may mean that it exists: an earlier attempt's reply was lost, or a concurrent request was first.
        if world.store.webhooks.create(webhook, cause):
            return webhook
        if found := world.store.webhooks.read(own.id):
            return found
        if own.repeated and len(world.store.webhooks.of_host(owner)) < MAX_WEBHOOKS:
            raise NotFoundError("The webhook that this request created has been deleted.")
        raise ConflictError(f"A host has at most {MAX_WEBHOOKS} webhooks.")

    made = retry_until_result(world, attempt)
    try:
        return NewSecret(made, webhook_secret(ring, made.webhook_id, made.secret))
    except KeyError:
        raise ConflictError(
            "The signing key of this webhook's secret was retired. Rotate the secret."
        ) from None


def read_webhook(world: World, caller: Caller, webhook_id: str) -> Webhook:
    """Return a webhook. Raises `NotFoundError` if it is unknown, deleted, or another host's (P9)."""
    found = world.store.webhooks.read(webhook_id) if is_id(WEBHOOK, webhook_id) else None
    return caller.require_visible(found)


def list_webhooks(
    world: World, caller: Caller, host_id: str | None, cursor: str | None, limit: int
) -> Page[Webhook]:
    """Return a page of a host's webhooks, newest first. Raises `NotFoundError`, `InvalidValueError`."""
    owner = owner_of(world, caller, host_id)
    _, before = read_cursor(cursor, "w")
    found = [(_entry(webhook), webhook) for webhook in world.store.webhooks.of_host(owner)]
    rest = [(entry, webhook) for entry, webhook in found if before is None or entry.sort < before]
    return page_of(rest[: limit + 1], limit, "w")


def change_webhook(
    world: World,
    caller: Caller,
    webhook_id: str,
    edit: Callable[[WebhookSettings], WebhookSettings],
    cause: Cause,
) -> Webhook:
    """Change a webhook; waiting deliveries go to its new URL. Raises `NotFoundError`, `InvalidValueError`."""

    def attempt() -> Webhook | None:
        webhook = read_webhook(world, caller, webhook_id)
        settings = edit(webhook.settings)
        if settings == webhook.settings:
            return webhook
        _check(world, settings)
        fresh = changed(webhook, settings, cause, world.now())
        return fresh if world.store.webhooks.change(fresh, cause, seen=webhook.sequence) else None

    return retry_until_result(world, attempt)


def rotate_secret(
    world: World, caller: Caller, webhook_id: str, overlap_hours: int, cause: Cause
) -> NewSecret:
    """Give a webhook a fresh secret; the former secret also signs for `overlap_hours` (0 to 168).

    Raises `NotFoundError`, `InvalidValueError`; `ConflictError` while too many former secrets still sign.
    """
    if not 0 <= overlap_hours <= MAX_OVERLAP_HOURS:
        raise InvalidValueError([FieldFault("/overlapHours", f"must be 0 to {MAX_OVERLAP_HOURS}")])

    def attempt() -> NewSecret | None:
        webhook, ring = read_webhook(world, caller, webhook_id), world.keyring()
        fresh = rotated(webhook, ring.current, timedelta(hours=overlap_hours), cause, world.now())
        if fresh is None:
            raise ConflictError(
                f"{MAX_FORMER_SECRETS} former secrets still sign; wait for one to end, or rotate with no overlap."
            )
        if not world.store.webhooks.change(fresh, cause, seen=webhook.sequence):
            return None
        return NewSecret(fresh, webhook_secret(ring, webhook_id, fresh.secret))

    return retry_until_result(world, attempt)


def delete_webhook(world: World, caller: Caller, webhook_id: str, cause: Cause) -> None:
    """Delete a webhook; its waiting deliveries are not sent. Raises `NotFoundError`."""
    tried = False

    def attempt() -> bool | None:
        nonlocal tried
        try:
            webhook = read_webhook(world, caller, webhook_id)
        except NotFoundError:
            if tried:  # the write succeeded and its reply was lost
                return True
            raise
        tried = True
        now = world.now()
        gone = msgspec.structs.replace(noted(webhook, "deleted", cause, now), deleted_at=now)
        return world.store.webhooks.delete(gone, cause, seen=webhook.sequence) or None

    retry_until_result(world, attempt)


def _check(world: World, settings: WebhookSettings) -> None:
    rules = Rules()
    check_webhook_settings(settings, rules, local=world.local)
    rules.enforce()


def _entry(webhook: Webhook) -> Entry:
    return Entry(webhook.webhook_id, f"{to_millis(webhook.created_at):014d}#{webhook.webhook_id}")
