"""A process that serves the real app; commands on stdin set its table, clock and redeem. Run with `-m`.

Each line on stdin is a JSON object of settings or `"expire"`, and is answered with one line. The process ends at the
end of stdin, so it never outlives the tests.
"""

import contextlib
import json
import os
import sys
import threading
from datetime import datetime, timedelta
from typing import Any

# The app logs to stdout, which this process uses for its answers. Redirect the log to stderr.
_answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)

import pynamodb.connection.base  # noqa: E402

from app import app  # noqa: E402 - its log handler takes stdout as it is when it is imported
from chalicelib import bootstrap  # noqa: E402
from chalicelib.api.invitee import redeem as invitee  # noqa: E402
from chalicelib.domain.clock import as_instant  # noqa: E402
from chalicelib.domain.errors import AdmitOneError  # noqa: E402
from chalicelib.service.links.expire import expire_due_links  # noqa: E402
from chalicelib.store.links.links import Links  # noqa: E402
from infra.local.http.server import make_server  # noqa: E402
from tests.history.planted import BUGS, planted  # noqa: E402
from tests.support.proof import naive  # noqa: E402

# Every new table creates a new client. With one session they share the data that botocore loads from its files.
_session = pynamodb.connection.base.get_session()  # type: ignore[attr-defined]
pynamodb.connection.base.get_session = lambda *_: _session  # type: ignore[attr-defined]

_bugs = contextlib.ExitStack()
_REAL_CLOCK = bootstrap.utc_now
_REAL_REDEEM = invitee.redeem  # type: ignore[attr-defined]


def obey(orders: dict[str, Any]) -> None:
    """Serve with other settings: `env` is the environment, `now` or `skew` sets the clock.

    `naive` selects the negative control; `bug` names a planted bug, which stays until the next settings.
    """
    _bugs.close()
    if orders.get("bug"):
        _bugs.enter_context(planted(BUGS[orders["bug"]]))
    os.environ.update(orders["env"])
    stopped = orders.get("now")
    at = datetime.fromisoformat(stopped) if stopped else None
    ahead = timedelta(seconds=orders.get("skew", 0))
    bootstrap.utc_now = (lambda: as_instant(_REAL_CLOCK() + ahead)) if at is None else lambda: as_instant(at)
    invitee.redeem = naive.redeem if orders.get("naive") else _REAL_REDEEM  # type: ignore[attr-defined]
    bootstrap.forget()
    links = bootstrap.world().store.links
    assert isinstance(links, Links)
    assert links._table.client  # create the client now, in one thread


def expire() -> bool:
    """Run the expiry schedule; return whether it finished."""
    try:
        expire_due_links(bootstrap.world())
    except AdmitOneError:
        return False
    return True


def main() -> None:
    """Serve until stdin ends."""
    with make_server(app) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        server.started.wait()
        print(json.dumps({"url": server.url}), file=_answers)
        for line in sys.stdin:
            orders = json.loads(line)
            done = True
            if orders == "expire":
                done = expire()
            else:
                obey(orders)
            print(json.dumps(done), file=_answers)


if __name__ == "__main__":
    main()
