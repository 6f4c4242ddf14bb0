"""The botocore clients: one for each AWS service, created when it is first used, from one shared session."""

import random
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from chalicelib.clients.failures import FAILURES, is_temporary
from chalicelib.connections import keep_fresh, load_certificates_once

CONNECT_TIMEOUT_SECONDS: Final = 2
READ_TIMEOUT_SECONDS: Final = 5
# Requests wait for the signing keys, which are small.
SECRETS_READ_TIMEOUT_SECONDS: Final = 3
ATTEMPTS: Final = 3
# No attempt starts later than this after the first, so that a service that hangs is not called three times.
# With the timeouts, a call takes about 10 seconds at most; the callers' time limits include this.
LAST_START_SECONDS: Final = 3.0
PAUSE_SECONDS: Final = (0.05, 0.2)

_T = TypeVar("_T")


class Aws:
    """The botocore clients, by service name. Threads may share a client; only its creation needs the lock.

    A client has short timeouts and never retries. Botocore would also retry a call that hung until its timeout, and an
    email, which must not be sent twice. `call` and `repeat` retry what is safe to repeat.
    """

    def __init__(
        self,
        session: Callable[[], Any],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Use the session that the table uses: loading a second one would make cold starts slower."""
        self._session = session
        self._clock = clock
        self._sleep = sleep
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

    def call(self, service: str, operation: str, **request: Any) -> Any:
        """Call an operation that is safe to repeat, e.g. `call("sqs", "send_message", …)`, and return its response.

        Raises the last attempt's failure.
        """
        return self.repeat(lambda: getattr(self.client(service), operation)(**request))

    def repeat(self, act: Callable[[], _T]) -> _T:
        """Call `act`, which must be safe to repeat, and repeat it if it failed temporarily; return its result.

        Raises the last attempt's failure.
        """
        last_start = self._clock() + LAST_START_SECONDS
        for left in reversed(range(ATTEMPTS)):
            try:
                return act()
            except FAILURES as error:
                if not left or not is_temporary(error) or self._clock() > last_start:
                    raise
            self._sleep(random.uniform(*PAUSE_SECONDS))  # noqa: S311 - spreads retries, not a secret
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _create(self, service: str) -> Any:
        from botocore.config import Config

        config = Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=SECRETS_READ_TIMEOUT_SECONDS
            if service == "secretsmanager"
            else READ_TIMEOUT_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 1},
        )
        client = self._session().create_client(service, config=config)
        keep_fresh(client)
        load_certificates_once(client)
        return client
