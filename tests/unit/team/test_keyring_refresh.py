"""If signing keys can't be refreshed, the old ones are used, and a warning without the secret is logged (P7)."""

import base64
import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib import bootstrap
from chalicelib.settings import Settings
from chalicelib.store.table import Table
from chalicelib.store.team.signing_keys import keyring_of

SECRET = base64.b64encode(b"s" * 32).decode()
DOCUMENT = json.dumps({"current": 1, "keys": {"1": SECRET}})


def test_a_failed_refresh_is_logged_without_the_secret(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception's message may contain the secret, so only its type is logged."""
    clock = datetime(2040, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(bootstrap, "utc_now", lambda: clock)
    fetched: list[Any] = []

    def fetch(*_: object) -> Any:
        fetched.append(1)
        if len(fetched) > 1:
            raise ValueError(f"broken at {SECRET}")
        return keyring_of(DOCUMENT)

    monkeypatch.setattr(bootstrap, "fetch_keyring", fetch)
    keys = bootstrap._Keys(Settings("t", "secret-id", None, None), Table("table", region="us-east-1"))
    first = keys()
    clock += bootstrap.KEYRING_AGE + timedelta(seconds=1)
    with caplog.at_level(logging.WARNING):
        assert keys() is first
    assert len(fetched) == 2
    assert "ValueError" in caplog.text
    assert SECRET not in caplog.text
    assert keys() is first
    assert len(fetched) == 2, "fetched once in five minutes, not on every call"


def test_a_failed_first_fetch_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are no older keys to use."""

    def fetch(*_: object) -> Any:
        raise ValueError("nothing there")

    monkeypatch.setattr(bootstrap, "fetch_keyring", fetch)
    with pytest.raises(ValueError, match="nothing there"):
        bootstrap._Keys(Settings("t", "secret-id", None, None), Table("table", region="us-east-1"))()
