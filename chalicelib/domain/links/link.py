"""A link: its settings, its status, and when nothing can be booked with it (P1, P3)."""

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
from chalicelib.domain.text import LONGEST_LABEL, LONGEST_NAME, tidied, tidy_name
from chalicelib.domain.validation import Rules

MAX_USES: Final = 1_000_000
MAX_DOCUMENT_BYTES: Final = 2048  # metadata, and overrides
MAX_DOCUMENT_DEPTH: Final = 32  # what can be read here must be readable everywhere, however deep the stack
MAX_LINKS_PER_CALL: Final = 1000
MAX_LINKS_PER_BATCH: Final = (
    10_000  # by queue, function or file: where nobody waits for an answer with all of them
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
    """Whom the link is for. `enforce` asks that the invitee's email, or its domain, be this one."""

    name: str = ""
    email: str = ""
    enforce: Enforce = "none"

    def __post_init__(self) -> None:
        tidied(self, email="email")
        msgspec.structs.force_setattr(self, "name", tidy_name(self.name))


class LinkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a host may set on a link. `max_usage_count` None means unlimited; instants are aware UTC."""

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

    Every write raises `sequence`; only a change of the settings raises `edition`, which a redeem is
    conditioned on, so that nobody books by settings that were changed meanwhile. A `rolling` link makes its
    successor when it is redeemed. `restored_uses` counts all uses that cancellations have given back.
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
    sequence: int = 1
    edition: int = 1

    def status_at(self, now: datetime) -> LinkStatus:
        """Return the status by the clock, because TTL and the expiry schedule may lag by days (P3)."""
        expires = self.settings.expires_at
        if self.stored_status is LinkStatus.ACTIVE and expires is not None and expires <= now:
            return LinkStatus.EXPIRED
        return self.stored_status

    def may_come_back(self, now: datetime) -> bool:
        """Return whether the link is used and a cancellation of its booking would make it active again."""
        expires = self.settings.expires_at
        return (
            self.stored_status is LinkStatus.USED
            and self.settings.restore_use_on_cancel
            and not self.rolling
            and (expires is None or now < expires)
        )

    @property
    def remaining_uses(self) -> int | None:
        """Bookings still to be had by count alone; None for unlimited."""
        most = self.settings.max_usage_count
        return None if most is None else max(0, most - self.usage_count)

    def refusal_at(self, now: datetime) -> AdmitOneError | None:
        """Return why nothing can be booked at `now`, or None: `not_before <= now < expires_at`, uses left."""
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
        """Raise why nothing can be booked at `now`, if so: a `DeadLinkError` or `LinkNotOpenError`."""
        refusal = self.refusal_at(now)
        if refusal is not None:
            raise refusal


class DueLink(msgspec.Struct, frozen=True):
    """A link that is due to be marked expired, as the due index has it."""

    link_id: str
    host_id: str
    event_type_id: str


def check_recipient_matches(recipient: Recipient | None, email: str) -> None:
    """Raise `RecipientMismatchError` unless the link's lock, if any, lets this address book."""
    if recipient is None or recipient.enforce == "none":
        return
    if recipient.enforce == "email":
        same = normalise_email(recipient.email) == normalise_email(email)
    else:
        same = email_domain(recipient.email) == email_domain(email)
    if not same:
        raise RecipientMismatchError


def folded_label(label: str) -> str:
    """Return a label as lists find it by prefix: case folded, at most 200 letters (a sort key has 1,024 bytes)."""
    return label.casefold()[:_INDEXED_LETTERS]


def expected_address(recipient: Recipient | None) -> str | None:
    """Return what a locked link says of the address it expects: `g…@example.com`, or `…@example.com`.

    Never the whole address: anyone that the link was forwarded to could type it in. None for a link without a lock.
    """
    if recipient is None or recipient.enforce == "none":
        return None
    local, _, domain = recipient.email.rpartition("@")
    return f"{local[:1] if recipient.enforce == 'email' else ''}…@{domain}"


def check_link_settings(settings: LinkSettings, rules: Rules, *, now: datetime | None = None) -> None:
    """Record every rule the settings break, but for the overrides, which need the event type.

    With `now`, an expiry that has passed is a fault: such a link could never be used.
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
        rules.at("label").text(settings.label, shortest=1, longest=LONGEST_LABEL)
    if settings.external_id is not None:
        form = "must be 1 to 200 printable ASCII characters"
        rules.at("externalId").form(settings.external_id, _EXTERNAL_ID, form)
    for name, document in (("metadata", settings.metadata), ("overrides", settings.overrides)):
        fits = document_size(document) <= MAX_DOCUMENT_BYTES
        rules.at(name).require(fits, f"must be at most {MAX_DOCUMENT_BYTES} bytes of JSON")
    shallow = document_depth(settings.metadata) <= MAX_DOCUMENT_DEPTH
    rules.at("metadata").require(shallow, f"must be nested at most {MAX_DOCUMENT_DEPTH} deep")


def check_rolling_settings(settings: LinkSettings, rules: Rules) -> None:
    """Record what a rolling link can't have: it is used once, and its successor is out by then."""
    rules.at("maxUsageCount").require(settings.max_usage_count == 1, "must be 1 for a rolling link")
    rules.at("restoreUseOnCancel").require(
        not settings.restore_use_on_cancel, "must be false for a rolling link"
    )


def document_size(document: object) -> int:
    """Return the bytes of a value as compact JSON, or more than any limit when it has no JSON form."""
    try:
        return len(msgspec.json.encode(document))
    except (UnicodeEncodeError, RecursionError):
        return 1 << 30


def document_depth(document: object) -> int:
    """Return how many objects and arrays of a JSON value lie within each other, without recursion."""
    depth, level = 0, [document]
    while level := [value for value in level if isinstance(value, dict | list)]:
        depth += 1
        level = [inner for value in level for inner in (value.values() if isinstance(value, dict) else value)]
    return depth


def _check_recipient(recipient: Recipient, rules: Rules) -> None:
    rules.at("name").text(recipient.name, longest=LONGEST_NAME)
    if recipient.email or recipient.enforce != "none":
        rules.at("email").require(is_email(recipient.email), "is not an email address")
