"""Drop connections that may have died while Lambda froze the function, and make new ones cheap (ADR 28)."""

import contextlib
import functools
import threading
import time
from collections.abc import Callable
from typing import Any, Final

IDLE_SECONDS: Final = 10.0

Clocks = Callable[[], tuple[float, float]]
"""Return seconds of the monotonic clock and of the wall clock."""


def both_clocks() -> tuple[float, float]:
    """Return the monotonic clock, which may stand still during a freeze, and the wall clock, which may be set."""
    return time.monotonic(), time.time()


def keep_fresh(client: Any, clocks: Clocks = both_clocks) -> None:
    """Make a botocore client drop its idle connections after a pause or a failure; its next call opens a new one.

    A connection that AWS closed while the function was frozen looks usable. The next request on it fails, or gets no
    response until the timeout. So connections are dropped before a call if the last one was more than `IDLE_SECONDS`
    ago, and after a call without a response, so that no later call meets another dead connection.
    Connections that other threads are using are not affected.
    """
    idle = _Idle(client, clocks)
    events = client.meta.events
    events.register("before-call", idle.before_call)
    events.register("after-call", idle.after_call)
    events.register("after-call-error", idle.after_failure)


def load_certificates_once(client: Any) -> None:
    """Load a botocore client's trusted certificates now, instead of for each new connection.

    All connections of a client share a TLS context, which keeps what it loaded. But botocore passes the file with each
    connection, and urllib3 loads it again, which takes longer than the rest of the call. The context verifies every
    server as before. If botocore renames these private attributes, the file is loaded for each connection.
    """
    try:
        from botocore.httpsession import get_cert_path

        session = client._endpoint.http_session  # noqa: SLF001 - botocore has no other way
        context = session._manager.connection_pool_kw["ssl_context"]  # noqa: SLF001
        file = get_cert_path(session._verify)  # noqa: SLF001
        context.load_verify_locations = _once(context.load_verify_locations)
    except (ImportError, AttributeError, KeyError, TypeError):
        return
    if file and client.meta.endpoint_url.startswith("https:"):
        # These are urllib3's arguments, so it does not load the file again. A failure is raised by the first call.
        with contextlib.suppress(OSError):
            context.load_verify_locations(file, None, None)


def _once(load: Callable[..., None]) -> Callable[..., None]:
    """Return `load`, called only once with the same arguments, also by threads. A load that fails is repeated."""
    lock, loaded = threading.Lock(), functools.cache(load)

    def load_once(*files: Any, **more: Any) -> None:
        with lock:
            loaded(*files, **more)

    return load_once


class _Idle:
    """Tracks when a client was last used. Threads share it."""

    def __init__(self, client: Any, clocks: Clocks) -> None:
        self._client = client
        self._clocks = clocks
        self._used = clocks()
        self._lock = threading.Lock()

    def before_call(self, **_: Any) -> None:
        with self._lock:
            now = self._clocks()
            if any(abs(here - there) > IDLE_SECONDS for here, there in zip(now, self._used, strict=True)):
                self._client.close()
            self._used = now

    def after_call(self, **_: Any) -> None:
        self._used = self._clocks()

    def after_failure(self, **_: Any) -> None:
        self._used = self._clocks()
        self._client.close()
