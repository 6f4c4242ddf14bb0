"""The keyring of a process: read when it is first needed, and refreshed without making requests wait for long."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from chalicelib.domain.tokens import Keyring
from chalicelib.logs import cause_fields, fields, name_of

# The maximum age of a cached keyring: a warm function uses a new key after this time at the latest, or later only if
# Secrets Manager fails.
KEYRING_AGE: Final = timedelta(minutes=5)
RETRY_AFTER: Final = timedelta(seconds=30)
WAIT_SECONDS: Final = 1.0

log = logging.getLogger(__name__)


class KeyringCache:
    """Returns the keyring. `read` reads it, and `now` is the current instant.

    The first call reads it, and raises the errors of `read`. The first call after `KEYRING_AGE` starts a refresh and
    waits for it, but returns the previous keyring after `WAIT_SECONDS`. Within `KEYRING_AGE`, only one call waits. So a
    function that was idle for hours knows a new key at its first request, and if Secrets Manager does not respond, one
    request in five minutes is delayed.
    """

    def __init__(self, read: Callable[[], Keyring], now: Callable[[], datetime]) -> None:
        self._read = read
        self._now = now
        self._ring: Keyring | None = None
        self._due: datetime | None = None  # when to start the next refresh
        self._waited: datetime | None = None  # when a call last began to wait for a refresh
        self._refreshed: threading.Event | None = None  # of the current refresh; set when that ends
        self._started: datetime | None = None
        self._lock = threading.Lock()

    def __call__(self) -> Keyring:
        with self._lock:
            if self._ring is None or self._due is None:
                self._ring, self._due = self._read(), self._now() + KEYRING_AGE
                return self._ring
            now = self._now()
            if now < self._due:
                return self._ring
            # Lambda may have frozen the function during its refresh. Then the response is old, or never arrives.
            if self._refreshed is None or _is_past(self._started, now):
                self._started, self._refreshed = now, threading.Event()
                threading.Thread(target=self._refresh, args=(self._refreshed,), daemon=True).start()
            if not _is_past(self._waited, now):
                return self._ring
            self._waited, refreshed = now, self._refreshed
        refreshed.wait(WAIT_SECONDS)
        return self._ring

    def _refresh(self, refreshed: threading.Event) -> None:
        ring, age = None, RETRY_AFTER
        try:
            ring, age = self._read(), KEYRING_AGE
        except Exception as error:  # noqa: BLE001 - whatever it is, the previous keys still work
            # P7: not the exception's message, which may contain the secret.
            log.warning(
                "signing keys not refreshed, the previous ones are used, next try in %d s: %s",
                RETRY_AFTER.total_seconds(),
                name_of(error),
                extra=fields("signing-keys-not-refreshed", **cause_fields(error)),
            )
        with self._lock:
            if self._refreshed is refreshed:  # otherwise a later refresh has replaced this one
                self._ring, self._due, self._refreshed = ring or self._ring, self._now() + age, None
        refreshed.set()


def _is_past(instant: datetime | None, now: datetime) -> bool:
    """Return whether an instant was at least `KEYRING_AGE` ago, or never."""
    return instant is None or now >= instant + KEYRING_AGE
