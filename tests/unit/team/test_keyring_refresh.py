"""P7: while the signing keys can't be refreshed, the old ones are used at once, and the log never has the secret."""

import base64
import json
import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final

import botocore.session
import pytest

from chalicelib.clients import aws as clients
from chalicelib.clients.aws import Aws
from chalicelib.clients.secrets import Secrets
from chalicelib.domain.errors import StoreUnavailableError
from chalicelib.domain.tokens import Keyring
from chalicelib.store.team import keyring_cache
from chalicelib.store.team.keyring_cache import KEYRING_AGE, RETRY_AFTER, KeyringCache
from chalicelib.store.team.signing_keys import keyring_of
from tests.support.log_lines import logged
from tests.support.waiting import LIMIT, until

SECRET: Final = base64.b64encode(b"s" * 32).decode()
SOON: Final = timedelta(seconds=1)


class SecretsManager:
    """The secret and a clock. `broken` fails a read; a read waits for the event that `answers` is when it starts."""

    def __init__(self) -> None:
        self.now = datetime(2040, 1, 1, tzinfo=UTC)
        self.keys = {"1": SECRET}
        self.reads = 0
        self.broken = False
        self.answers = threading.Event()
        self.answers.set()
        self._lock = threading.Lock()

    def read(self) -> Keyring:
        with self._lock:
            self.reads += 1
            keys, answers = dict(self.keys), self.answers
        assert answers.wait(LIMIT)
        if self.broken:
            raise ValueError(f"broken at {SECRET}")
        return keyring_of(json.dumps({"current": 1, "keys": keys}))


@pytest.fixture
def secret() -> SecretsManager:
    return SecretsManager()


@pytest.fixture
def keys(secret: SecretsManager, monkeypatch: pytest.MonkeyPatch) -> KeyringCache:
    """A cache that has read the keys, and waits as long as it takes, unless a test changes that."""
    monkeypatch.setattr(keyring_cache, "WAIT_SECONDS", LIMIT)
    cache = KeyringCache(secret.read, lambda: secret.now)
    cache()
    return cache


def test_a_new_key_is_known_at_the_first_request_after_an_idle_hour(
    secret: SecretsManager, keys: KeyringCache
) -> None:
    """The request waits for the refresh. Before, the keyring is young enough, and nothing is read."""
    secret.keys |= {"2": SECRET}
    secret.now += KEYRING_AGE - SOON
    assert (set(keys().keys), secret.reads) == ({1}, 1)
    secret.now += timedelta(hours=1)
    assert (set(keys().keys), secret.reads) == ({1, 2}, 2)


def test_while_secrets_manager_hangs_requests_get_the_old_keys(
    secret: SecretsManager, keys: KeyringCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request waits for a second; the others return at once."""
    secret.keys |= {"2": SECRET}
    secret.answers.clear()
    secret.now += KEYRING_AGE
    with monkeypatch.context() as patch:
        patch.setattr(keyring_cache, "WAIT_SECONDS", 0.01)
        assert set(keys().keys) == {1}
    secret.now += KEYRING_AGE - SOON
    with monkeypatch.context() as patch:
        patch.setattr(keyring_cache, "WAIT_SECONDS", "a wait raises TypeError")
        assert [set(keys().keys) for _ in range(100)] == [{1}] * 100
    assert secret.reads == 2
    secret.answers.set()
    until(lambda: set(keys().keys) == {1, 2})
    assert secret.reads == 2


def test_a_function_that_was_frozen_during_a_refresh_knows_a_new_key_at_its_next_request(
    secret: SecretsManager, keys: KeyringCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P4: a genuine link of that key must not be a 404. The old response lacks the key, so it must not count."""
    frozen = secret.answers = threading.Event()
    secret.now += KEYRING_AGE
    with monkeypatch.context() as patch:
        patch.setattr(keyring_cache, "WAIT_SECONDS", 0.01)
        assert set(keys().keys) == {1}
    secret.keys |= {"2": SECRET}
    secret.answers = threading.Event()
    secret.answers.set()
    secret.now += timedelta(hours=1)
    assert (set(keys().keys), secret.reads) == ({1, 2}, 3)
    late = [thread for thread in threading.enumerate() if thread.name.endswith("(_refresh)")]
    frozen.set()
    for thread in late:
        thread.join(LIMIT)
    assert len(late) == 1
    assert (set(keys().keys), secret.reads) == ({1, 2}, 3)


def test_after_a_failed_refresh_no_request_waits_for_five_minutes(
    secret: SecretsManager, keys: KeyringCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a quiet stage, each request would otherwise be the first after 30 seconds, and wait."""
    secret.broken = True
    secret.now += KEYRING_AGE
    keys()
    secret.answers.clear()
    with monkeypatch.context() as patch:
        patch.setattr(keyring_cache, "WAIT_SECONDS", "a wait raises TypeError")
        for _ in range(KEYRING_AGE // RETRY_AFTER - 1):
            secret.now += RETRY_AFTER
            assert set(keys().keys) == {1}
    secret.answers.set()


def test_a_failed_refresh_is_logged_without_the_secret_and_retried_after_30_seconds(
    secret: SecretsManager, keys: KeyringCache, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception's message may contain the secret, so only its type is logged."""
    secret.broken = True
    secret.now += KEYRING_AGE
    with caplog.at_level(logging.WARNING):
        assert set(keys().keys) == {1}
    assert "ValueError" in caplog.text
    assert SECRET not in logged(caplog)
    secret.broken, secret.keys = False, {"1": SECRET, "2": SECRET}
    secret.now += RETRY_AFTER - SOON
    assert (set(keys().keys), secret.reads) == ({1}, 2)
    secret.now += SOON
    until(lambda: set(keys().keys) == {1, 2})
    assert secret.reads == 3


def test_threads_read_the_keys_once(secret: SecretsManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the first use and at a refresh."""
    monkeypatch.setattr(keyring_cache, "WAIT_SECONDS", LIMIT)
    cache = KeyringCache(secret.read, lambda: secret.now)
    _call_together(cache)
    assert secret.reads == 1
    secret.now += KEYRING_AGE
    _call_together(cache)
    assert secret.reads == 2


def _call_together(cache: KeyringCache) -> None:
    together = threading.Barrier(8)

    def one(_: int) -> Keyring:
        together.wait()
        return cache()

    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(one, range(8)))) == 8


def test_a_failed_first_read_raises_and_the_next_one_succeeds(secret: SecretsManager) -> None:
    """There are no older keys to use."""
    secret.broken = True
    cache = KeyringCache(secret.read, lambda: secret.now)
    with pytest.raises(ValueError, match="broken"):
        cache()
    secret.broken = False
    assert set(cache().keys) == {1}


def test_without_keys_a_hanging_secrets_manager_is_a_503(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It accepts the connection and says nothing. A client's retry may succeed, so this is no defect."""
    monkeypatch.setattr(clients, "SECRETS_READ_TIMEOUT_SECONDS", 0.1)
    monkeypatch.setattr(clients, "LAST_START_SECONDS", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        secrets = Secrets(Aws(botocore.session.get_session))
        with pytest.raises(StoreUnavailableError) as raised:
            secrets.read("secret-id")
    fault = raised.value.fault
    assert fault is not None
    assert (fault.code, fault.operation) == ("ReadTimeoutError", "GetSecretValue")
