"""One process that serves the real app, told over stdin which table, clock and redeem to use: run with `-m`.

Each line on stdin is one `Orders` document; each is answered with one line. It ends when stdin does, so that it
never outlives the tests.
"""

import json
import os
import sys
import threading
from datetime import datetime
from typing import Any

from app import app
from chalicelib import bootstrap
from chalicelib.api import invitee
from chalicelib.domain.clock import as_instant
from infra.local.server import make_server
from tests.proof import naive

_REAL_CLOCK = bootstrap.utc_now
_REAL_REDEEM = invitee.redeem


def obey(orders: dict[str, Any]) -> None:
    """Serve another world from now on: `env` for its settings, `now` to stop its clock, `naive` for the red control."""
    os.environ.update(orders["env"])
    stopped = orders.get("now")
    at = datetime.fromisoformat(stopped) if stopped else None
    bootstrap.utc_now = _REAL_CLOCK if at is None else lambda: as_instant(at)
    invitee.redeem = naive.redeem if orders.get("naive") else _REAL_REDEEM  # type: ignore[attr-defined]
    bootstrap.forget()


def main() -> None:
    """Serve until stdin ends."""
    with make_server(app) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        server.started.wait()
        print(json.dumps({"url": server.url}), flush=True)
        for line in sys.stdin:
            obey(json.loads(line))
            print("{}", flush=True)


if __name__ == "__main__":
    main()
