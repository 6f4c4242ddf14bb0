"""A link: its settings, its status, and whether it can be used at an instant (P1, P3)."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal

import msgspec

from chalicelib.domain.errors import (
    AdmitOneError,
    LinkExpiredError,
    LinkNotOpenError,
    LinkRevokedError,
    LinkUsedError,
    RecipientMismatchError,
)
from chalicelib.domain.event_types.offers import NO_OVERRIDES, Overrides
from chalicelib.domain.mail.email_addresses import email_domain, is_email, normalise_email
from chalicelib.domain.text import MAX_LABEL_LENGTH, MAX_NAME_LENGTH, tidied, tidy_name
from chalicelib.domain.validation import Rules

MAX_USES: Final = 1_000_000
MAX_DOCUMENT_BYTES: Final = 2048  # limit of the metadata, and of the overrides
MAX_DOCUMENT_DEPTH: Final = 32  # so that decoding never exceeds the recursion limit
MAX_LINKS_PER_CALL: Final = 1000
MAX_LINKS_PER_BATCH: Final = (
    10_000  # for commands, direct functions and files: no response contains all links
)

_INDEXED_LETTERS: Final = 200
_EXTERNAL_ID: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,198}[\x21-\x7e])?\Z")

Enforce = Literal["none", "email", "domain"]


class LinkStatus(StrEnum):
    """A link's status."""

    ACTIVE = "active"
    USED = "used"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Recipient(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The person the link is for. `enforce` requires that the invitee's email, or its domain, is the recipient's."""

    name: str = ""
    email: str = ""
    enforce: Enforce = "none"

    def __post_init__(self) -> None:
        tidied(self, email="email")
        msgspec.structs.force_setattr(self, "name", tidy_name(self.name))


class LinkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a link. `max_usage_count` None means unlimited; instants are aware UTC."""

    max_usage_count: int | None = 1
    expires_at: datetime | None = None
    not_before: datetime | None = None
    recipient: Recipient | None = None
    overrides: Overrides = NO_OVERRIDES
    label: str | None = None
    metadata: dict[str, Any] = {}
    external_id: str | None = None
    restore_use_on_cancel: bool = False

    def __post_init__(self) -> None:
        tidied(self, line=("label",))


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A link as stored. `stored_status` may lag behind the clock; `status_at` does not.

    Every write increases `sequence`; only a change of the settings increases `edition`. A redeem requires the `edition`
    that it has read, so that nobody books with settings that changed meanwhile. A `rolling` link creates its successor
    when it is redeemed. `restored_uses` counts the uses that cancellations have restored. `restore_passed_on`: a
    replacement took over `restore_use_on_cancel`, which is false here since; another replacement gets it too.
    """

    link_id: str
    host_id: str
    event_type_id: str
    key_id: int
    settings: LinkSettings
    created_at: datetime
    stored_status: LinkStatus = LinkStatus.ACTIVE
    usage_count: int = 0
    used_at: datetime | None = None
    revoked_at: datetime | None = None
    rolling: bool = False
    restored_uses: int = 0
    restore_passed_on: bool = False
    sequence: int = 1
    edition: int = 1

    def status_at(self, now: datetime) -> LinkStatus:
        """Return the status at `now`. It does not rely on TTL or the expiry schedule, which may lag by days (P3)."""
        expires = self.settings.expires_at
        if self.stored_status is LinkStatus.ACTIVE and expires is not None and expires <= now:
            return LinkStatus.EXPIRED
        return self.stored_status

    def is_restorable(self, now: datetime) -> bool:
        """Return whether the link is used, and cancelling a booking would make it active again."""
        expires = self.settings.expires_at
        return (
            self.stored_status is LinkStatus.USED
            and self.settings.restore_use_on_cancel
            and not self.rolling
            and (expires is None or now < expires)
        )

    @property
    def remaining_uses(self) -> int | None:
        """The number of uses left, regardless of the status; None for unlimited."""
        most = self.settings.max_usage_count
        return None if most is None else max(0, most - self.usage_count)

    def refusal_at(self, now: datetime) -> AdmitOneError | None:
        """Return why nobody can book at `now`, or None if `not_before <= now < expires_at` and uses are left."""
        match self.status_at(now):
            case LinkStatus.USED:
                return LinkUsedError()
            case LinkStatus.EXPIRED:
                return LinkExpiredError()
            case LinkStatus.REVOKED:
                return LinkRevokedError()
        not_before = self.settings.not_before
        if not_before is not None and now < not_before:
            return LinkNotOpenError(not_before)
        return None

    def require_bookable(self, now: datetime) -> None:
        """Raise a `DeadLinkError` or `LinkNotOpenError` if nobody can book at `now`."""
        refusal = self.refusal_at(now)
        if refusal is not None:
            raise refusal


class DueLink(msgspec.Struct, frozen=True):
    """A link in the due index, to be marked as expired."""

    link_id: str
    host_id: str
    event_type_id: str


def check_recipient_matches(recipient: Recipient | None, email: str) -> None:
    """Raise `RecipientMismatchError` if the link is locked to another address or domain."""
    if recipient is None or recipient.enforce == "none":
        return
    if recipient.enforce == "email":
        same = normalise_email(recipient.email) == normalise_email(email)
    else:
        same = email_domain(recipient.email) == email_domain(email)
    if not same:
        raise RecipientMismatchError


def folded_label(label: str) -> str:
    """Return a label in the form for prefix search: case folded, at most 200 letters (a sort key has 1,024 bytes)."""
    return label.casefold()[:_INDEXED_LETTERS]


def expected_address(recipient: Recipient | None) -> str | None:
    """Return a hint of the address that a link is locked to, `g…@example.com` or `…@example.com`; None without a lock.

    It is not the whole address, because anyone who gets the link forwarded could enter that.
    """
    if recipient is None or recipient.enforce == "none":
        return None
    local, _, domain = recipient.email.rpartition("@")
    return f"{local[:1] if recipient.enforce == 'email' else ''}…@{domain}"


def check_link_settings(settings: LinkSettings, rules: Rules, *, now: datetime | None = None) -> None:
    """Record every fault in the settings, except in the overrides, which can be checked only with the event type.

    With `now`, an expiry in the past is a fault, because the link could never be used.
    """
    if settings.max_usage_count is not None:
        rules.at("maxUsageCount").number(settings.max_usage_count, least=1, most=MAX_USES)
    if settings.expires_at is not None:
        expires = rules.at("expiresAt")
        if now is not None:
            expires.require(settings.expires_at > now, "must be in the future")
        if settings.not_before is not None:
            expires.require(settings.expires_at > settings.not_before, "must be after notBefore")
    if settings.recipient is not None:
        _check_recipient(settings.recipient, rules.at("recipient"))
    if settings.label is not None:
        rules.at("label").text(settings.label, shortest=1, longest=MAX_LABEL_LENGTH)
    if settings.external_id is not None:
        form = "must be 1 to 200 printable ASCII characters"
        rules.at("externalId").form(settings.external_id, _EXTERNAL_ID, form)
    for name, document in (("metadata", settings.metadata), ("overrides", settings.overrides)):
        fits = document_size(document) <= MAX_DOCUMENT_BYTES
        rules.at(name).require(fits, f"must be at most {MAX_DOCUMENT_BYTES} bytes of JSON")
    shallow = document_depth(settings.metadata) <= MAX_DOCUMENT_DEPTH
    rules.at("metadata").require(shallow, f"must be nested at most {MAX_DOCUMENT_DEPTH} deep")


def check_rolling_settings(settings: LinkSettings, rules: Rules) -> None:
    """Record settings that a rolling link can't have. It is used once, and then has a successor."""
    rules.at("maxUsageCount").require(settings.max_usage_count == 1, "must be 1 for a rolling link")
    rules.at("restoreUseOnCancel").require(
        not settings.restore_use_on_cancel, "must be false for a rolling link"
    )


def document_size(document: object) -> int:
    """Return the size of a value as compact JSON in bytes, or more than any limit if it has no JSON form."""
    try:
        return len(msgspec.json.encode(document))
    except (UnicodeEncodeError, RecursionError):
        return 1 << 30


def document_depth(document: object) -> int:
    """Return how deep the objects and arrays of a JSON value are nested, without recursion."""
    depth, level = 0, [document]
    while level := [value for value in level if isinstance(value, dict | list)]:
        depth += 1
        level = [inner for value in level for inner in (value.values() if isinstance(value, dict) else value)]
    return depth


def _check_recipient(recipient: Recipient, rules: Rules) -> None:
    rules.at("name").text(recipient.name, longest=MAX_NAME_LENGTH)
    if recipient.email or recipient.enforce != "none":
        rules.at("email").require(is_email(recipient.email), "is not an email address")
