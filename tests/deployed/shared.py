"""What tests of the deployed stack share: a host with an event type, its links, and a look that waits."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from tests.deployed.conftest import Stack
from tests.integration.doors import ALL_DAY

_T = TypeVar("_T")


def until(look: Callable[[], _T], enough: Callable[[_T], bool], seconds: float = 90) -> _T:
    """Return what there is once it is enough; at the latest after so many seconds, as it then is."""
    give_up = time.monotonic() + seconds
    while True:
        found = look()
        if enough(found) or time.monotonic() > give_up:
            return found
        time.sleep(0.1)


def event_type_of(stack: Stack) -> dict[str, Any]:
    """Make a host and an event type that is on offer around the clock; return the event type."""
    with stack.http() as http:
        host = http.post("/v1/hosts", json={"name": "Ada", "email": "ada@hosts.example", "timeZone": "UTC"})
        assert host.status_code == 201, host.text
        asked = {"hostId": host.json()["hostId"], "title": "Talk", "durationMinutes": 30, "schedule": ALL_DAY}
        made = http.post("/v1/event-types", json=asked)
        assert made.status_code == 201, made.text
        document: dict[str, Any] = made.json()
        return document


def links_of(stack: Stack, host_id: str, **params: str) -> list[dict[str, Any]]:
    """Return a host's newest links."""
    with stack.http() as http:
        answer = http.get("/v1/links", params={"hostId": host_id, "limit": "200", **params})
    assert answer.status_code == 200, answer.text
    links: list[dict[str, Any]] = answer.json()["links"]
    return links
