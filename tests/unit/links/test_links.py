"""Links: their status at exact instants, the recipient lock, and the rules for settings (P1, P3)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from chalicelib.domain.errors import (
    LinkExpiredError,
    LinkNotOpenError,
    LinkRevokedError,
    LinkUsedError,
    RecipientMismatchError,
)
from chalicelib.domain.event_types.offers import Overrides
from chalicelib.domain.links.link import (
    MAX_DOCUMENT_BYTES,
    MAX_USES,
    Enforce,
    Link,
    LinkSettings,
    LinkStatus,
    Recipient,
    check_link_settings,
    check_recipient_matches,
    document_size,
)
from tests.support.faults import pointers_of

OPENS = datetime(2026, 6, 15, 12, tzinfo=UTC)
EXPIRES = OPENS + timedelta(days=7)
MILLISECOND = timedelta(milliseconds=1)


def link(status: LinkStatus = LinkStatus.ACTIVE, *, used: int = 0, **changes: Any) -> Link:
    """Return a link that is open for seven days."""
    return Link(
        link_id="lnk_x",
        host_id="hst_x",
        event_type_id="ety_x",
        key_id=1,
        settings=msgspec.structs.replace(LinkSettings(not_before=OPENS, expires_at=EXPIRES), **changes),
        created_at=OPENS - timedelta(days=1),
        stored_status=status,
        usage_count=used,
    )


# --- Status -----------------------------------------------------------------------------------------------


def test_a_link_is_expired_at_the_instant_of_its_expiry() -> None:
    """P3: nothing books at or after `expiresAt`, even if the stored status is still active."""
    for now in (EXPIRES, EXPIRES + MILLISECOND, EXPIRES + timedelta(days=3)):
        assert link().status_at(now) is LinkStatus.EXPIRED
        assert isinstance(link().refusal_at(now), LinkExpiredError)


def test_a_link_is_active_until_the_millisecond_before_its_expiry() -> None:
    """P3: `now < expiresAt`, to the millisecond."""
    assert link().status_at(EXPIRES - MILLISECOND) is LinkStatus.ACTIVE
    assert link().refusal_at(EXPIRES - MILLISECOND) is None


def test_a_link_is_open_at_the_instant_of_not_before() -> None:
    """P3: `notBefore <= now`."""
    assert link().refusal_at(OPENS) is None


def test_a_link_is_closed_one_millisecond_before_not_before() -> None:
    """P3: nothing books before `notBefore`; the link is active, and the error has its opening time."""
    refusal = link().refusal_at(OPENS - MILLISECOND)
    assert isinstance(refusal, LinkNotOpenError)
    assert refusal.opens_at == OPENS
    assert link().status_at(OPENS - MILLISECOND) is LinkStatus.ACTIVE


def test_a_link_without_dates_is_always_open() -> None:
    """None means no limit."""
    for now in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        assert link(not_before=None, expires_at=None).refusal_at(now) is None


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        (LinkStatus.USED, LinkUsedError),
        (LinkStatus.REVOKED, LinkRevokedError),
        (LinkStatus.EXPIRED, LinkExpiredError),
    ],
)
@pytest.mark.parametrize("now", [OPENS - MILLISECOND, OPENS, EXPIRES], ids=["early", "open", "late"])
def test_a_final_status_never_changes(status: LinkStatus, refusal: type[Exception], now: datetime) -> None:
    """P3: a used or revoked link never becomes expired or not yet open."""
    assert link(status).status_at(now) is status
    assert isinstance(link(status).refusal_at(now), refusal)


@given(shift=st.timedeltas(timedelta(days=-30), timedelta(days=30)))
def test_a_link_is_open_exactly_between_its_dates(shift: timedelta) -> None:
    """P3: `notBefore <= now < expiresAt`, for any `now`."""
    now = OPENS + shift
    assert (link().refusal_at(now) is None) == (OPENS <= now < EXPIRES)


@pytest.mark.parametrize(
    ("most", "used", "remaining"),
    [(1, 0, 1), (1, 1, 0), (5, 3, 2), (3, 5, 0), (None, 0, None), (None, 9, None)],
)
def test_the_remaining_uses_are_the_maximum_minus_the_usage(
    most: int | None, used: int, remaining: int | None
) -> None:
    """P1: they are never negative, and unlimited stays unlimited."""
    assert link(max_usage_count=most, used=used).remaining_uses == remaining


# --- The recipient lock -----------------------------------------------------------------------------------

ADA = "ada@example.com"


@pytest.mark.parametrize(
    ("enforce", "recipient", "email"),
    [
        ("none", ADA, "bob@elsewhere.org"),
        ("none", "", "bob@elsewhere.org"),
        ("email", ADA, ADA),
        ("email", ADA, "ADA@Example.COM"),
        ("email", "anna@münchen.de", "Anna@XN--MNCHEN-3YA.de"),
        ("email", "anna@xn--mnchen-3ya.de", "anna@MÜNCHEN.de"),
        ("email", "zoë@example.com", "ZOE\u0308@example.com"),
        ("domain", ADA, "bob@EXAMPLE.com"),
        ("domain", "anna@münchen.de", "bob@xn--mnchen-3ya.de"),
    ],
)
def test_the_lock_accepts_the_recipient(enforce: Enforce, recipient: str, email: str) -> None:
    """Case, IDNA and Unicode normalization don't matter."""
    check_recipient_matches(Recipient("", recipient, enforce), email)


@pytest.mark.parametrize(
    ("enforce", "recipient", "email"),
    [
        ("email", ADA, "bob@example.com"),
        ("email", ADA, "ada@example.org"),
        ("email", ADA, "ada+x@example.com"),
        ("email", ADA, "аda@example.com"),
        ("domain", ADA, "ada@sub.example.com"),
        ("domain", ADA, "ada@badexample.com"),
        ("domain", ADA, "ada@example.com.evil.org"),
        ("domain", "ada@sub.example.com", "ada@example.com"),
        ("domain", "anna@münchen.de", "anna@munchen.de"),
    ],
)
def test_the_lock_rejects_others(enforce: Enforce, recipient: str, email: str) -> None:
    """Subdomains and look-alikes are other domains."""
    with pytest.raises(RecipientMismatchError):
        check_recipient_matches(Recipient("", recipient, enforce), email)


def test_a_link_without_recipient_is_not_locked() -> None:
    """Anyone can book with it."""
    check_recipient_matches(None, ADA)


# --- The rules for settings -------------------------------------------------------------------------------


def faults(*, now: datetime | None = None, **changes: Any) -> list[str]:
    settings = LinkSettings(**changes)
    return pointers_of(lambda rules: check_link_settings(settings, rules, now=now))


FITTING = {"k": "x" * (MAX_DOCUMENT_BYTES - len('{"k":""}'))}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"max_usage_count": None},
        {"max_usage_count": MAX_USES},
        {"expires_at": OPENS + MILLISECOND, "now": OPENS},
        {"expires_at": OPENS, "now": None},
        {"expires_at": OPENS + MILLISECOND, "not_before": OPENS},
        {"not_before": OPENS - timedelta(days=9), "now": OPENS},
        {"recipient": Recipient("Ada")},
        {"recipient": Recipient("x" * 200, ADA, "email")},
        {"label": "x" * 200},
        {"external_id": "x"},
        {"external_id": "a b/c~" + "d" * 194},
        {"metadata": FITTING},
        {"metadata": {"a": [1, 2.5, None, True, {"b": "ü"}], "big": 10**30}},
    ],
)
def test_valid_settings_have_no_faults(changes: dict[str, Any]) -> None:
    """The limits themselves are allowed."""
    assert faults(**changes) == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"max_usage_count": 0}, "/maxUsageCount"),
        ({"max_usage_count": -1}, "/maxUsageCount"),
        ({"max_usage_count": MAX_USES + 1}, "/maxUsageCount"),
        ({"expires_at": OPENS, "now": OPENS}, "/expiresAt"),
        ({"expires_at": OPENS - MILLISECOND, "now": OPENS}, "/expiresAt"),
        ({"expires_at": OPENS, "not_before": OPENS}, "/expiresAt"),
        ({"expires_at": OPENS - MILLISECOND, "not_before": OPENS}, "/expiresAt"),
        ({"recipient": Recipient("x" * 201)}, "/recipient/name"),
        ({"recipient": Recipient("A\r\nBcc: b")}, "/recipient/name"),
        ({"recipient": Recipient("Ada", "ada")}, "/recipient/email"),
        ({"recipient": Recipient("Ada", "", "email")}, "/recipient/email"),
        ({"recipient": Recipient("Ada", "", "domain")}, "/recipient/email"),
        ({"recipient": Recipient("Ada", "@example.com", "domain")}, "/recipient/email"),
        ({"label": ""}, "/label"),
        ({"label": "x" * 201}, "/label"),
        ({"external_id": ""}, "/externalId"),
        ({"external_id": "x" * 201}, "/externalId"),
        ({"external_id": " x"}, "/externalId"),
        ({"external_id": "x "}, "/externalId"),
        ({"external_id": "x\n"}, "/externalId"),
        ({"external_id": "ü"}, "/externalId"),
        ({"metadata": {"k": FITTING["k"] + "x"}}, "/metadata"),
        ({"metadata": {"k": FITTING["k"][:-1] + "ü"}}, "/metadata"),
        ({"metadata": {"k": "\ud800"}}, "/metadata"),
        ({"overrides": Overrides(title="x" * MAX_DOCUMENT_BYTES)}, "/overrides"),
    ],
)
def test_each_violation_is_reported_once_with_its_pointer(changes: dict[str, Any], pointer: str) -> None:
    """The pointer is that of the field in the request."""
    assert faults(**changes) == [pointer]


def test_the_size_of_a_document_is_that_of_its_json_in_bytes() -> None:
    """The limit of 2 KB counts bytes, not characters; extreme nesting is too large instead of an exception."""
    assert document_size({"k": "ü"}) == len('{"k":"ü"}'.encode())
    nested: dict[str, Any] = {}
    for _ in range(100_000):
        nested = {"k": nested}
    assert document_size(nested) > MAX_DOCUMENT_BYTES


def test_a_new_link_is_single_use_and_unlocked() -> None:
    """By default `maxUsageCount` is 1 and all other settings are off."""
    assert LinkSettings() == LinkSettings(
        max_usage_count=1, expires_at=None, not_before=None, recipient=None, restore_use_on_cancel=False
    )
    first, second = LinkSettings(), LinkSettings()
    assert first.metadata is not second.metadata, "one link's metadata must not become another's"
