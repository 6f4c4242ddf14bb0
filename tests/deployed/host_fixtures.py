"""Create a host with an event type and links in the deployed stack."""

from typing import Any

from tests.deployed.conftest import Stack
from tests.support.app import ALL_DAY


def event_type_of(stack: Stack) -> dict[str, Any]:
    """Create a host and an event type that is open at all hours; return the event type."""
    with stack.http() as http:
        host = http.post("/v1/hosts", json={"name": "Ada", "email": "ada@hosts.example", "timeZone": "UTC"})
        assert host.status_code == 201, host.text
        body = {"hostId": host.json()["hostId"], "title": "Talk", "durationMinutes": 30, "schedule": ALL_DAY}
        created = http.post("/v1/event-types", json=body)
        assert created.status_code == 201, created.text
        document: dict[str, Any] = created.json()
        return document


def links_of(stack: Stack, host_id: str, **params: str) -> list[dict[str, Any]]:
    """Return a host's newest links."""
    with stack.http() as http:
        answer = http.get("/v1/links", params={"hostId": host_id, "limit": "200", **params})
    assert answer.status_code == 200, answer.text
    links: list[dict[str, Any]] = answer.json()["links"]
    return links
