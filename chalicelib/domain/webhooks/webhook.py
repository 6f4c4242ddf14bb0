"""A webhook: the URL for a host's events, the types of events, the signing secrets, and whether it is failing."""

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import rfc3339, to_millis
from chalicelib.domain.events.envelopes import Envelope
from chalicelib.domain.events.event_data import WebhookDisabled
from chalicelib.domain.events.events import EventKind
from chalicelib.domain.events.notices import Notice, notice
from chalicelib.domain.ids import WEBHOOK, id_bytes
from chalicelib.domain.text import MAX_NOTE_LENGTH, tidied
from chalicelib.domain.tokens import Keyring
from chalicelib.domain.validation import Rules
from chalicelib.domain.webhooks.ip_addresses import is_public, read_address

MAX_WEBHOOKS: Final = 20  # per host; every event is checked against each of them
MAX_FORMER_SECRETS: Final = 3  # in addition to the current secret, while they still sign
MAX_OVERLAP_HOURS: Final = 7 * 24
DEFAULT_OVERLAP_HOURS: Final = 24
MAX_LOGGED: Final = 50  # entries in a webhook's own history
FAILING_TIME: Final = timedelta(days=5)  # how long every attempt must fail before a webhook is disabled
MAX_URL_LENGTH: Final = 2000
TEST_EVENT: Final = "webhook.test"
# The types of events that a webhook can select.
KINDS: Final = (*(kind.value for kind in EventKind), *(kind.value for kind in Notice))

_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the prefix of secrets, not a secret
_SECRET_PURPOSE: Final = b"webhook\x00"


class Disabled(StrEnum):
    """The reason why a webhook is disabled."""

    HOST = "host"
    GONE = "gone"
    FAILING = "failing"


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a webhook. `events` None means all events, including types that later releases add."""

    url: str
    events: tuple[str, ...] | None = None
    description: str = ""
    enabled: bool = True

    def __post_init__(self) -> None:
        tidied(self, line=("description",))


class SecretVersion(msgspec.Struct, frozen=True):
    """A version and a key id from which a signing secret is derived. It is not the secret itself."""

    version: int
    key_id: int
    until: datetime | None = None


class WebhookEntry(msgspec.Struct, frozen=True):
    """One entry in the history of the webhook itself."""

    time: datetime
    what: str
    actor: str
    correlation_id: str


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook of one host. `failing_since` is when the current series of failures began.

    `former` are secrets that still sign beside the current one, each until its instant. While `notice_pending` is True,
    the notice that the webhook was disabled is not published yet. Its name in the table is `untold`, for compatibility.
    """

    webhook_id: str
    host_id: str
    settings: WebhookSettings
    secret: SecretVersion
    created_at: datetime
    former: tuple[SecretVersion, ...] = ()
    disabled: Disabled | None = None
    disabled_at: datetime | None = None
    failing_since: datetime | None = None
    log: tuple[WebhookEntry, ...] = ()
    notice_pending: bool = msgspec.field(default=False, name="untold")
    deleted_at: datetime | None = None
    sequence: int = 1

    def subscribes_to(self, envelope: Envelope) -> bool:
        """Return whether to deliver an event: the webhook is enabled, and the host and type match (P9)."""
        asked = self.settings.events is None or envelope.type in self.settings.events
        return (
            self.disabled is None and self.deleted_at is None and self.host_id == envelope.host_id and asked
        )


def check_webhook_settings(settings: WebhookSettings, rules: Rules, *, local: bool) -> None:
    """Record every fault in the settings. `local` allows the loopback address and plain HTTP to it."""
    _check_url(settings.url, rules.at("url"), local=local)
    rules.at("description").text(settings.description, longest=MAX_NOTE_LENGTH)
    if settings.events is not None:
        at = rules.at("events")
        if at.length(settings.events, least=1, most=len(KINDS)):
            at.unique(settings.events, "must not have the same event twice")
        for index, name in enumerate(settings.events[: len(KINDS)]):
            at.at(index).require(name in KINDS, f"must be one of {', '.join(KINDS)}")


def webhook_secret(ring: Keyring, webhook_id: str, version: SecretVersion) -> str:
    """Return a signing secret, `whsec_` and 256 bits. It is derived from the keyring and not stored (P7, ADR 0012).

    Raises KeyError if its key was retired.
    """
    raw = id_bytes(WEBHOOK, webhook_id)
    if raw is None:
        raise ValueError("not a webhook's id")
    message = _SECRET_PURPOSE + raw + version.version.to_bytes(4, "big")
    derived = hmac.new(ring.keys[version.key_id], message, hashlib.sha256).digest()
    return _SECRET_PREFIX + base64.b64encode(derived).decode()


def signing_secrets(ring: Keyring, webhook: Webhook, now: datetime) -> list[str]:
    """Return the secrets to sign with now, the current one first. Raises KeyError if its key was retired."""
    former = [v for v in webhook.former if v.until is not None and now < v.until and v.key_id in ring.keys]
    return [webhook_secret(ring, webhook.webhook_id, version) for version in (webhook.secret, *former)]


def rotated(webhook: Webhook, key_id: int, overlap: timedelta, cause: Cause, now: datetime) -> Webhook | None:
    """Return the webhook with a new secret. Previous secrets still sign for at most `overlap`.

    Return None if more than `MAX_FORMER_SECRETS` would have to sign, because one of them would end too early.
    """
    until = now + overlap
    before = [msgspec.structs.replace(webhook.secret, until=until)]
    before += [msgspec.structs.replace(v, until=min(v.until or until, until)) for v in webhook.former]
    former = tuple(version for version in before if version.until is not None and now < version.until)
    if len(former) > MAX_FORMER_SECRETS:
        return None
    fresh = SecretVersion(webhook.secret.version + 1, key_id)
    return noted(msgspec.structs.replace(webhook, secret=fresh, former=former), "secret-rotated", cause, now)


def changed(webhook: Webhook, settings: WebhookSettings, cause: Cause, now: datetime) -> Webhook:
    """Return the webhook with other settings. If it is enabled again or gets another URL, its failures are cleared."""
    fresh = msgspec.structs.replace(webhook, settings=settings)
    if settings.url != webhook.settings.url:
        fresh = msgspec.structs.replace(fresh, failing_since=None)
    if settings.enabled and webhook.disabled is not None:
        fresh = msgspec.structs.replace(
            fresh, disabled=None, disabled_at=None, failing_since=None, notice_pending=False
        )
        return noted(fresh, "enabled", cause, now)
    if not settings.enabled and webhook.disabled is None:
        return stopped(fresh, Disabled.HOST, cause, now)
    return noted(fresh, "changed", cause, now)


def stopped(webhook: Webhook, why: Disabled, cause: Cause, now: datetime) -> Webhook:
    """Return the webhook as disabled, with the reason in its history."""
    settings = msgspec.structs.replace(webhook.settings, enabled=False)
    off = msgspec.structs.replace(
        webhook,
        settings=settings,
        disabled=why,
        disabled_at=now,
        notice_pending=why is not Disabled.HOST,
    )
    return noted(off, f"disabled: {why.value}", cause, now)


def noted(webhook: Webhook, what: str, cause: Cause, now: datetime) -> Webhook:
    """Return the next version of a webhook, with a new entry in its history."""
    entry = WebhookEntry(now, what, cause.actor, cause.correlation_id)
    log = (entry, *webhook.log)[:MAX_LOGGED]
    return msgspec.structs.replace(webhook, log=log, sequence=webhook.sequence + 1)


def notice_of(webhook: Webhook) -> Envelope:
    """Return the notice that a webhook was disabled. The notice is the same every time."""
    if webhook.disabled_at is None or webhook.disabled is None or webhook.disabled is Disabled.HOST:
        raise ValueError("the webhook was not disabled by failures")
    since = webhook.failing_since
    said = WebhookDisabled(
        webhook_id=webhook.webhook_id,
        reason="gone" if webhook.disabled is Disabled.GONE else "failing",
        failing_since=rfc3339(since) if since else None,
    )
    cause = Cause("system:webhooks", f"{webhook.webhook_id}.{to_millis(webhook.disabled_at)}")
    return notice(said, cause, webhook.disabled_at, host_id=webhook.host_id)


def after_notice(webhook: Webhook, as_of: Webhook) -> Webhook | None:
    """Return the webhook after publication of its notice; None if the webhook has changed since."""
    if not webhook.notice_pending or webhook.disabled_at != as_of.disabled_at:
        return None
    return msgspec.structs.replace(webhook, notice_pending=False, sequence=webhook.sequence + 1)


def after_success(webhook: Webhook) -> Webhook | None:
    """Return the webhook after a successful delivery, or None if it does not change."""
    if webhook.failing_since is None:
        return None
    return msgspec.structs.replace(webhook, failing_since=None, sequence=webhook.sequence + 1)


def after_failure(webhook: Webhook, *, gone: bool, cause: Cause, now: datetime) -> Webhook | None:
    """Return the webhook after a failed attempt, or None if it does not change.

    A response of 410 Gone disables the webhook at once (Standard Webhooks). Otherwise `FAILING_TIME` without a
    success disables it.
    """
    if webhook.disabled is not None:
        return None
    if gone:
        return stopped(webhook, Disabled.GONE, cause, now)
    if webhook.failing_since is None:
        return msgspec.structs.replace(webhook, failing_since=now, sequence=webhook.sequence + 1)
    if now - webhook.failing_since >= FAILING_TIME:
        return stopped(webhook, Disabled.FAILING, cause, now)
    return None


def _check_url(url: str, rules: Rules, *, local: bool) -> None:
    rules.require(len(url) <= MAX_URL_LENGTH, f"must have at most {MAX_URL_LENGTH} characters")
    if not rules.require(
        bool(url) and all("!" <= ch <= "~" for ch in url), "must be printable ASCII, without spaces"
    ):
        return
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        rules.fault("is not a valid URL")
        return
    host = parts.hostname or ""
    loopback = local and is_loopback_name(host)
    allowed = ("https", "http") if loopback else ("https",)
    rules.require(parts.scheme in allowed, "must begin with https://")
    rules.require(parts.username is None and parts.password is None, "must not have a user name or password")
    rules.require(not parts.fragment and "\\" not in url, "must not have a fragment or a backslash")
    rules.require(
        loopback or port in (None, 443) or (port or 0) >= 1024, "must use port 443, or 1024 and above"
    )
    rules.require(loopback or _may_be_public(host, parts), "must have a public host name or address")


def is_loopback_name(host: str) -> bool:
    """Return whether a host name is `localhost` or a loopback address. It is not resolved."""
    address = read_address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _may_be_public(host: str, parts: SplitResult) -> bool:
    """Return whether a host may be public. The addresses that it resolves to are checked before each attempt."""
    address = read_address(host)
    if address is not None:
        return is_public(address)
    labels = host.removesuffix(".").split(".")
    # Some resolvers read a name that ends in a number as an address: 127.1, 0x7f000001, 2130706433.
    return (
        "[" not in parts.netloc
        and len(labels) > 1
        and len(host) <= 253
        and all(
            0 < len(label) <= 63 and label.replace("-", "").replace("_", "").isalnum() for label in labels
        )
        and not labels[-1][0].isdigit()
        and labels[-1].lower() not in {"localhost", "local", "internal", "localdomain"}
    )
