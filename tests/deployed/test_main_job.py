"""The main job over the deployed REST API: a link is created, opened, used once, and never again (P1, P7)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from infra.operate.admin import AdminError, make_admin
from infra.stack.account import open_account
from infra.stack.stage import Stage
from tests.deployed.conftest import NAME, Stack
from tests.support.app import ALL_DAY, HTML, JSON
from tests.support.waiting import LIMIT, until

LINKS = 6
CLIENTS = 8


def _event_type(stack: Stack) -> dict[str, Any]:
    """Create a host and an event type that is open at all hours."""
    with stack.http() as http:
        host = {"name": "Ada", "email": "ada@hosts.example", "timeZone": "UTC"}
        created = http.post("/v1/hosts", json=host)
        assert created.status_code == 201, created.text
        event_type = {
            "hostId": created.json()["hostId"], "title": "Intro", "durationMinutes": 30, "schedule": ALL_DAY,
        }  # fmt: skip
        created = http.post("/v1/event-types", json=event_type)
        assert created.status_code == 201, created.text
        document: dict[str, Any] = created.json()
        return document


def _links(stack: Stack, count: int = 1) -> list[dict[str, Any]]:
    event_type = _event_type(stack)
    with stack.http() as http:
        created = http.post("/v1/links", json={"eventTypeId": event_type["eventTypeId"], "count": count})
    assert created.status_code == 201, created.text
    links: list[dict[str, Any]] = created.json()["links"]
    return links


def _starts(stack: Stack, link: dict[str, Any]) -> list[str]:
    """Return the slots of the ten days from tomorrow."""
    day = stack.world.now() + timedelta(days=1)
    query = {"from": f"{day:%Y-%m-%d}", "to": f"{day + timedelta(days=10):%Y-%m-%d}"}
    answer = httpx.get(link["url"] + "/slots", params=query, headers=JSON, timeout=LIMIT, trust_env=False)
    assert answer.status_code == 200, answer.text
    return [slot["start"] for slot in answer.json()["slots"]]


def _redeem(link: dict[str, Any], start: str, name: str = "Grace") -> httpx.Response:
    body = {
        "start": start, "timeZone": "UTC", "invitee": {"name": name, "email": f"{name.lower()}@guests.example"},
    }  # fmt: skip
    url = link["url"] + "/redeem"
    return httpx.post(url, json=body, headers=JSON, timeout=LIMIT, trust_env=False)


def _wait_for_history(stack: Stack, link: dict[str, Any], wanted: set[str]) -> None:
    """Wait until a link's history has an entry of each of those types, in any order."""

    def types() -> set[str]:
        answer = http.get(f"/v1/links/{link['linkId']}/history")
        assert answer.status_code == 200, answer.text
        return {entry["type"] for entry in answer.json()["history"]}

    with stack.http() as http:
        until(types, lambda found: wanted <= found)


def test_a_link_is_created_opened_and_used_once(stack: Stack) -> None:
    """P1, P5, P6: two GETs change nothing, the first POST books, the second returns 410; the history records each."""
    (link,) = _links(stack)
    page = link["url"]
    for _ in range(2):
        opened = httpx.get(page, headers=HTML, timeout=LIMIT, trust_env=False)
        assert opened.status_code == 200
        assert "Intro" in opened.text
    first, second = _starts(stack, link)[:2]

    booked = _redeem(link, first)
    again = _redeem(link, second, "Otto")

    assert (booked.status_code, again.status_code) == (201, 410), (booked.text, again.text)
    assert again.json()["type"].endswith("link-used")
    assert datetime.fromisoformat(booked.json()["start"]) == datetime.fromisoformat(first)
    with stack.http() as http:
        assert http.get(f"/v1/links/{link['linkId']}").json()["status"] == "used"
    _wait_for_history(stack, link, {"link.created", "link.used", "booking.confirmed"})


def test_urls_of_links_and_bookings_are_below_the_base_url(stack: Stack) -> None:
    """They include the API's stage, and they work."""
    (link,) = _links(stack)
    assert link["url"].startswith(f"{stack.api_url}/s/")
    booked = _redeem(link, _starts(stack, link)[0])
    own = booked.json()["url"]
    assert own.startswith(f"{stack.api_url}/b/")
    answer = httpx.get(own, headers=HTML, timeout=LIMIT, trust_env=False)
    assert answer.status_code == 200


def test_the_team_api_needs_a_key(stack: Stack) -> None:
    for headers in ({}, {"Authorization": "Bearer ao_" + "A" * 43}):
        answer = httpx.get(f"{stack.api_url}/v1/hosts", headers=headers, timeout=LIMIT, trust_env=False)
        assert answer.status_code == 401


def test_the_stack_and_its_api_name_the_version_of_the_package(stack: Stack) -> None:
    answer = httpx.get(f"{stack.api_url}/v1/version", timeout=LIMIT, trust_env=False)
    assert (answer.status_code, answer.json()) == (200, {"version": stack.package.version})
    assert stack.outputs["Version"] == stack.package.version
    assert stack.package.read_template()["Description"].startswith(f"Admit One {stack.package.version}:")


def test_make_admin_makes_a_key_that_opens_the_api(stack: Stack) -> None:
    """P7: an operator without access to the table gets the first key, and no log has it."""
    account = open_account({"AWS_REGION": "us-east-1"})
    made = make_admin(account, Stage(NAME.removeprefix("admit-one-")), "first")

    with stack.http(made["apiKey"]) as client:
        assert client.get("/v1/me").json()["role"] == "admin"
    assert made["consoleUrl"] == f"{stack.api_url}/console"
    assert made["apiKey"] not in "\n".join(stack.logs())
    with pytest.raises(AdminError, match="/name"):
        make_admin(account, Stage(NAME.removeprefix("admit-one-")), "")


def test_no_function_log_has_a_token_or_a_key(stack: Stack) -> None:
    """P7: checks the logs of everything that this test run has done so far."""
    (link,) = _links(stack)
    token = link["url"].rpartition("/")[2]
    booked = _redeem(link, _starts(stack, link)[0])
    own = booked.json()["url"].rpartition("/")[2]
    broken = httpx.post(f"{link['url']}/redeem", content=b"{", headers=JSON, timeout=LIMIT, trust_env=False)
    assert broken.status_code == 400
    logs = "\n".join(stack.logs())
    assert logs
    for secret in (token, own, stack.admin_key):
        assert secret not in logs


def test_eight_concurrent_redeems_of_a_link_create_one_booking(stack: Stack) -> None:
    """P1 through API Gateway and Lambda: 6 links, 8 concurrent POSTs each, one booking each."""
    links = _links(stack, LINKS)
    starts = _starts(stack, links[0])
    # All clients want different slots, so only the link's limit can refuse a client.
    wanted = [
        (link, starts[(number * CLIENTS + client) % len(starts)], f"G{client}")
        for number, link in enumerate(links)
        for client in range(CLIENTS)
    ]
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(lambda one: _redeem(*one), wanted))
    for number in range(LINKS):
        statuses = sorted(answer.status_code for answer in answers[number * CLIENTS : (number + 1) * CLIENTS])
        assert statuses.count(201) == 1, statuses
        assert set(statuses) <= {201, 409, 410}, statuses
    with stack.http() as http:
        host_id = links[0]["hostId"]
        listed = http.get("/v1/links", params={"hostId": host_id, "status": "used", "limit": 100}).json()[
            "links"
        ]
    assert sorted(link["linkId"] for link in listed) == sorted(link["linkId"] for link in links)
    assert {link["usageCount"] for link in listed} == {1}
