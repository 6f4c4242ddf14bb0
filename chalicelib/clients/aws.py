"""The botocore clients: one for each AWS service, created when it is first used, from one shared session."""

import threading
from collections.abc import Callable
from typing import Any, Final

CONNECT_TIMEOUT_SECONDS: Final = 2
READ_TIMEOUT_SECONDS: Final = 5


class Aws:
    """The botocore clients, by service name. Threads may share a client; only its creation needs the lock.

    A client has short timeouts and never retries: the caller decides about retries, because it knows how much time is
    left.
    """

    def __init__(self, session: Callable[[], Any]) -> None:
        """Use the session that the table uses: loading a second one would make cold starts slower."""
        self._session = session
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:
        """Return the client of a service, e.g. `sqs`."""
        created = self._clients.get(service)
        if created is None:
            with self._lock:
                created = self._clients.get(service)
                if created is None:
                    created = self._clients[service] = self._create(service)
        return created

    def _create(self, service: str) -> Any:
        from botocore.config import Config

        config = Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 1},
        )
        return self._session().create_client(service, config=config)
