"""From a dead link's page: ask the host for a new one, once a link and day (P7, P9)."""

from typing import Any

import httpx
import pytest

from tests.integration.doors import (
    HTML,
    Caller,
    Site,
    assert_problem,
    at,
    forged,
    made,
    ok,
    path_of,
    token_of,
)

ASK = {"email": "grace@x.example", "name": "Grace", "message": "I was too late, sorry."}


def _ask(site: Site, link: dict[str, Any], body: Any = None) -> httpx.Response:
    return site.client.post(f"{path_of(link)}/request", json=ASK if body is None else body)


def _requests(host: Caller) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = ok(host.get("/v1/link-requests"))["requests"]
    return rows


def test_the_holder_of_a_dead_link_asks_and_the_host_sees_it(site: Site, host: Caller, other: Caller) -> None:
    """Used, revoked and expired links can be asked about; only their own host sees it (P9)."""
    used, revoked, expired = host.link(), host.link(), host.link(expiresAt=at(hours=1))
    made(site.redeem(used, at(days=1)))
    ok(host.post(f"/v1/links/{revoked['linkId']}/revoke"))
    site.clock.pass_by(hours=1)
    for link in (used, revoked, expired):
        assert _ask(site, link).status_code == 202
    rows = {row["linkId"]: row for row in _requests(host)}
    assert {rows[link["linkId"]]["reason"] for link in (used,)} == {"used"}
    assert rows[revoked["linkId"]]["reason"] == "revoked"
    assert rows[expired["linkId"]]["reason"] == "expired"
    assert {name: rows[used["linkId"]][name] for name in ASK} == ASK
    assert _requests(other) == []


def test_one_request_a_link_and_day(site: Site, host: Caller) -> None:
    """Spam-limited: the same link again that day is taken and dropped, whoever asks; the next day is another."""
    link = host.link()
    ok(host.post(f"/v1/links/{link['linkId']}/revoke"))
    for number in range(3):
        assert _ask(site, link, ASK | {"email": f"x{number}@x.example"}).status_code == 202
    assert [row["email"] for row in _requests(host)] == ["x0@x.example"]
    site.clock.pass_by(days=1)
    assert _ask(site, link).status_code == 202
    assert [row["email"] for row in _requests(host)] == ["grace@x.example", "x0@x.example"]


def test_only_a_dead_genuine_link_can_be_asked_about(site: Site, host: Caller) -> None:
    """P7: a guesser learns nothing; a good link is to be used; of a deleted one nobody is left to ask."""
    link = host.link()
    assert_problem(_ask(site, link), 409, "conflict")
    assert_problem(site.client.post(f"/s/{forged(token_of(link))}/request", json=ASK), 404, "not-found")
    host.delete(f"/v1/links/{link['linkId']}")
    assert_problem(_ask(site, link), 410, "link-deleted")
    assert _requests(host) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"email": 1}, 400),
        (ASK | {"more": 1}, 400),
        (ASK | {"email": "nobody"}, 422),
        (ASK | {"message": "x" * 1001}, 422),
        (ASK | {"message": "x" * 70_000}, 413),
    ],
)
def test_what_can_not_be_taken_keeps_nothing(site: Site, host: Caller, body: Any, status: int) -> None:
    """Bad input gets a clear error."""
    link = host.link()
    ok(host.post(f"/v1/links/{link['linkId']}/revoke"))
    assert _ask(site, link, body).status_code == status
    assert _requests(host) == []


def test_by_form_from_the_page(site: Site, host: Caller) -> None:
    """The dead page has the form, keeps what was typed on an error, and says when it was sent."""
    link = host.link()
    ok(host.post(f"/v1/links/{link['linkId']}/revoke"))
    page = site.visit(link, headers=HTML)
    assert page.status_code == 410
    assert f'action="../s/{token_of(link)}/request"' in page.text
    url = f"{path_of(link)}/request"
    wrong = site.client.post(url, data=ASK | {"email": "nobody"}, headers=HTML)
    assert wrong.status_code == 422
    assert "I was too late, sorry." in wrong.text
    assert 'aria-describedby="email-error"' in wrong.text
    sent = site.client.post(url, data=ASK, headers=HTML)
    assert sent.status_code == 202
    assert "is on its way" in sent.text
    assert "<form" not in sent.text
    assert len(_requests(host)) == 1
    assert site.client.post(url, data=ASK, headers=HTML).text == sent.text, "sent again by a reload"
    assert len(_requests(host)) == 1
    for claim in ("?asked=1", "?sent=1"):
        told = site.client.get(path_of(link) + claim, headers=HTML)
        assert "is on its way" not in told.text, "no URL makes the page claim what did not happen"
