"""Clients of other AWS services: made when first used, one each, over one botocore session."""

import threading
from collections.abc import Callable
from typing import Any, Final

CONNECT_TIMEOUT_SECONDS: Final = 2
READ_TIMEOUT_SECONDS: Final = 5


class Aws:
    """Gives botocore clients by service name. Threads may share one; only the making of one needs the lock.

    A client neither waits long nor tries again by itself: what is to be done about a failure is the caller's to
    say, who knows how much time is left.
    """

    def __init__(self, session: Callable[[], Any]) -> None:
        """Take what gives the botocore session, the table's own: a second one costs a cold start its loading."""
        self._session = session
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:
        """Return the one client of a service, e.g. `sqs`."""
        made = self._clients.get(service)
        if made is None:
            with self._lock:
                made = self._clients.get(service)
                if made is None:
                    made = self._clients[service] = self._make(service)
        return made

    def _make(self, service: str) -> Any:
        from botocore.config import Config

        config = Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 1},
        )
        return self._session().create_client(service, config=config)
