"""Webhooks: accepted URLs, derivation and rotation of secrets, and when a webhook is disabled (P7, P9)."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from chalicelib.domain.causes import Cause
from chalicelib.domain.errors import InvalidValueError
from chalicelib.domain.ids import LINK, WEBHOOK, make_id
from chalicelib.domain.tokens import Keyring, Purpose, make_token
from chalicelib.domain.validation import Rules
from chalicelib.domain.webhooks.webhook import (
    FAILING_TIME,
    MAX_LOGGED,
    Disabled,
    SecretVersion,
    Webhook,
    WebhookSettings,
    after_failure,
    after_success,
    changed,
    check_webhook_settings,
    noted,
    notice_of,
    rotated,
    signing_secrets,
    stopped,
    webhook_secret,
)

NOW = datetime(2040, 1, 2, tzinfo=UTC)
CAUSE = Cause("key:test", "corr")
RING = Keyring(1, {1: b"a" * 32, 2: b"b" * 32})
ID = make_id(WEBHOOK, bytes(16))


def webhook(**fields: Any) -> Webhook:
    values: dict[str, Any] = {
        "webhook_id": ID,
        "host_id": "hst_x",
        "settings": WebhookSettings(url="https://hooks.example.com/"),
        "secret": SecretVersion(1, 1),
        "created_at": NOW,
    }
    return Webhook(**values | fields)


def faults(url: str, *, local: bool = False, **fields: Any) -> list[str]:
    rules = Rules()
    check_webhook_settings(WebhookSettings(url=url, **fields), rules, local=local)
    try:
        rules.enforce()
    except InvalidValueError as error:
        return [fault.pointer for fault in error.faults]
    return []


@pytest.mark.parametrize(
    "url",
    [
        *("https://example.com", "https://example.com/", "https://hooks.example.com:443/a/b?c=d&e=%20f"),
        *("https://example.com:8443/", "https://example.com:1024/", "https://example.com:65535/"),
        *("https://xn--bcher-kva.example/", "https://a_b.example.com/", "https://example.com./"),
        *("https://52.94.236.248/", "https://[2606:4700:4700::1111]:8443/x", "HTTPS://EXAMPLE.COM/"),
        "https://" + "a" * 63 + ".example/" + "x" * 1900,
    ],
)
def test_public_urls_are_accepted(url: str) -> None:
    assert faults(url) == []


@pytest.mark.parametrize(
    "url",
    [
        *("", " ", "example.com", "//example.com/", "http://example.com/", "ftp://example.com/", "https://"),
        *(
            "https:///x",
            "https://user@example.com/",
            "https://user:pw@example.com/",
            "https://:@example.com/",
        ),
        *("https://example.com:22/", "https://example.com:80/", "https://example.com:1023/"),
        *("https://example.com:0/", "https://example.com:65536/", "https://example.com:x/"),
        *("https://example.com/#part", "https://example.com\\@evil.example/", "https://exa mple.com/"),
        *("https://example.com/\r\nX: y", "https://bücher.example/", "https://example.com/ü"),
        *("https://127.0.0.1/", "https://10.0.0.1/", "https://169.254.169.254/latest/", "https://[::1]/"),
        *("https://[fd00:ec2::254]/", "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/"),
        *("https://[fe80::1%25eth0]/", "https://[::1/", "https://localhost/", "https://LOCALHOST/"),
        *("https://a.localhost/", "https://printer.local/", "https://ip-10-0-0-1.ec2.internal/"),
        *(
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0x7f.1/",
            "https://1.2.3.4.5/",
        ),
        *("https://intranet/", "https://.example.com/", "https://a..example.com/", "https://ex%61mple.com/"),
        *("https://[v1.x]/", "https://*.example.com/", "https://example.com" + "/x" * 1000),
        "https://" + "a" * 64 + ".example/",
        *("http://127.0.0.1:8080/", "http://localhost:8080/"),
    ],
)
def test_other_urls_are_rejected(url: str) -> None:
    assert set(faults(url)) == {"/url"}


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:80/",
        "http://localhost:8080/",
        "http://[::1]:9/",
        "https://127.0.0.1:22/",
        "http://127.9.9.9/",
    ],
)
def test_local_mode_also_accepts_the_loopback_address(url: str) -> None:
    assert faults(url, local=True) == []
    assert faults(url) != []
    for other in ("http://example.com/", "http://10.0.0.1/", "http://169.254.169.254/", "https://10.0.0.1/"):
        assert set(faults(other, local=True)) == {"/url"}, other


@given(st.text(max_size=40))
def test_any_text_can_be_checked(text: str) -> None:
    faults(text)
    faults(f"https://{text}", local=True)


def test_event_types_must_be_known_and_unique() -> None:
    url = "https://example.com/"
    assert faults(url, events=("link.used", "booking.confirmed")) == []
    assert faults(url, events=()) == ["/events"]
    assert faults(url, events=("link.used", "link.used")) == ["/events"]
    assert faults(url, events=("link.used", "link.melted")) == ["/events/1"]
    assert "/events" in faults(url, events=("link.used",) * 1000)
    assert faults(url, description="x" * 201) == ["/description"]


def test_an_enabled_webhook_receives_the_event_types_it_subscribes_to_from_its_host() -> None:
    """P9: no webhook gets another host's event."""
    picky = webhook(settings=WebhookSettings(url="https://a.example/", events=("link.used",)))
    event = notice_of(stopped(webhook(), Disabled.GONE, CAUSE, NOW))
    used = msgspec.structs.replace(event, type="link.used")
    assert webhook().subscribes_to(event)
    assert (picky.subscribes_to(event), picky.subscribes_to(used)) == (False, True)
    assert not webhook().subscribes_to(msgspec.structs.replace(event, host_id="hst_y"))
    assert not webhook().subscribes_to(msgspec.structs.replace(event, host_id=None))
    assert not stopped(webhook(), Disabled.HOST, CAUSE, NOW).subscribes_to(event)
    assert not webhook(deleted_at=NOW).subscribes_to(event)


def test_notice_pending_is_stored_as_untold() -> None:
    """The stored field is named `untold`, and must keep that name."""
    gone = stopped(webhook(), Disabled.GONE, CAUSE, NOW)
    document = msgspec.json.decode(msgspec.json.encode(gone))
    assert document["untold"] is True
    assert "notice_pending" not in document
    assert msgspec.convert(document, Webhook).notice_pending


def test_each_webhook_version_and_key_has_its_own_32_byte_secret() -> None:
    """P7: it is derived from the keyring, and is independent of the tokens' signatures."""
    other = make_id(WEBHOOK, b"\x01" * 16)
    secrets = {
        webhook_secret(RING, webhook_id, SecretVersion(version, key))
        for webhook_id in (ID, other)
        for version in (1, 2, 258)
        for key in (1, 2)
    }
    assert len(secrets) == 12
    for secret in secrets:
        assert secret.startswith("whsec_")
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    raw = base64.b64decode(webhook_secret(RING, ID, SecretVersion(1, 1)).removeprefix("whsec_"))
    for purpose in Purpose:
        token = base64.urlsafe_b64decode(make_token(RING, purpose, bytes(16), 1))
        assert token[-10:] not in raw
    with pytest.raises(KeyError):
        webhook_secret(RING, ID, SecretVersion(1, 3))
    with pytest.raises(ValueError, match="webhook"):
        webhook_secret(RING, make_id(LINK, bytes(16)), SecretVersion(1, 1))


def test_a_stored_webhook_has_no_secret() -> None:
    hook = webhook()
    dump = msgspec.json.encode(hook)
    for secret in signing_secrets(RING, hook, NOW):
        assert secret.removeprefix("whsec_").encode() not in dump


def test_a_former_secret_signs_until_its_overlap_ends() -> None:
    first = webhook()
    second = rotated(first, 2, timedelta(hours=10), CAUSE, NOW)
    assert second is not None
    third = rotated(second, 2, timedelta(hours=48), CAUSE, NOW + timedelta(hours=1))
    assert third is not None
    assert [v.version for v in (third.secret, *third.former)] == [3, 2, 1]

    def signing(hook: Webhook, **after: float) -> list[int]:
        known = {webhook_secret(RING, ID, v): v.version for v in (hook.secret, *hook.former)}
        return [known[secret] for secret in signing_secrets(RING, hook, NOW + timedelta(**after))]

    assert signing(third, hours=1) == [3, 2, 1]
    assert signing(third, hours=9, minutes=59) == [3, 2, 1]
    assert signing(third, hours=10) == [3, 2], (
        "a later rotation does not extend the overlap of an earlier one"
    )
    assert signing(third, hours=49) == [3]
    silent = rotated(third, 1, timedelta(), CAUSE, NOW + timedelta(hours=2))
    assert silent is not None
    assert (silent.former, signing(silent, hours=2)) == ((), [4])
    short = rotated(third, 1, timedelta(hours=1), CAUSE, NOW + timedelta(hours=2))
    assert short is not None
    assert signing(short, hours=3) == [4], (
        "a short overlap applies to all former secrets, because any of them may have leaked"
    )


def test_a_fourth_former_secret_is_rejected_until_one_has_ended() -> None:
    hook = webhook()
    for _ in range(3):
        fresh = rotated(hook, 1, timedelta(hours=24), CAUSE, NOW)
        assert fresh is not None
        hook = fresh
    assert rotated(hook, 1, timedelta(hours=24), CAUSE, NOW) is None
    assert rotated(hook, 1, timedelta(hours=24), CAUSE, NOW + timedelta(hours=24)) is not None


def test_retiring_a_key_drops_its_former_secrets_and_invalidates_its_current_secret() -> None:
    hook = rotated(webhook(), 2, timedelta(hours=1), CAUSE, NOW)
    assert hook is not None
    assert len(signing_secrets(Keyring(2, {2: b"b" * 32}), hook, NOW)) == 1
    with pytest.raises(KeyError):
        signing_secrets(Keyring(1, {1: b"a" * 32}), hook, NOW)


def test_a_delivery_result_returns_a_webhook_only_if_its_health_changed() -> None:
    hook = webhook()
    assert after_success(hook) is None
    failing = after_failure(hook, gone=False, cause=CAUSE, now=NOW)
    assert failing is not None
    assert (failing.failing_since, failing.disabled, failing.sequence) == (NOW, None, 2)
    just_before = NOW + FAILING_TIME - timedelta(milliseconds=1)
    assert after_failure(failing, gone=False, cause=CAUSE, now=just_before) is None
    off = after_failure(failing, gone=False, cause=CAUSE, now=NOW + FAILING_TIME)
    assert off is not None
    assert (off.disabled, off.settings.enabled, off.disabled_at) == (
        Disabled.FAILING,
        False,
        NOW + FAILING_TIME,
    )
    assert after_failure(off, gone=True, cause=CAUSE, now=NOW) is None, "the first reason stays"
    well = after_success(failing)
    assert well is not None
    assert (well.failing_since, well.sequence) == (None, 3)
    gone = after_failure(hook, gone=True, cause=CAUSE, now=NOW)
    assert gone is not None
    assert gone.disabled is Disabled.GONE


def test_enabling_or_a_new_url_resets_the_failures() -> None:
    off = stopped(webhook(failing_since=NOW), Disabled.FAILING, CAUSE, NOW)
    on = changed(off, msgspec.structs.replace(off.settings, enabled=True), CAUSE, NOW)
    assert (on.disabled, on.disabled_at, on.failing_since, on.log[0].what) == (None, None, None, "enabled")
    failing = webhook(failing_since=NOW)
    elsewhere = changed(failing, WebhookSettings(url="https://b.example.com/"), CAUSE, NOW)
    assert elsewhere.failing_since is None
    described = changed(failing, msgspec.structs.replace(failing.settings, description="x"), CAUSE, NOW)
    assert described.failing_since == NOW
    by_host = changed(webhook(), WebhookSettings(url="https://hooks.example.com/", enabled=False), CAUSE, NOW)
    assert (by_host.disabled, by_host.log[0].what, by_host.log[0].actor) == (
        Disabled.HOST,
        "disabled: host",
        "key:test",
    )
    # A webhook disabled for failures stays disabled if it is changed but not enabled.
    still = changed(off, msgspec.structs.replace(off.settings, description="x"), CAUSE, NOW)
    assert still.disabled is Disabled.FAILING


def test_a_webhooks_log_is_limited() -> None:
    hook = webhook()
    for number in range(MAX_LOGGED + 5):
        hook = noted(hook, str(number), CAUSE, NOW)
    assert [entry.what for entry in hook.log] == [str(n) for n in range(MAX_LOGGED + 4, 4, -1)]
