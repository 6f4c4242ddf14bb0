"""Link requests from the page of a dead link, limited per link and day (P7, P9)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import httpx
import pytest

from chalicelib import bootstrap
from chalicelib.settings import read_settings
from tests.support.app import (
    HTML,
    Caller,
    Site,
    assert_problem,
    at,
    created,
    forged,
    ok,
    path_of,
    token_of,
)
from tests.support.aws.bus import Stream, deliver

ASK = {"email": "grace@x.example", "name": "Grace", "message": "I was too late, sorry."}


def _ask(site: Site, link: dict[str, Any], body: Any = None) -> httpx.Response:
    return site.client.post(f"{path_of(link)}/request", json=ASK if body is None else body)


def _requests(host: Caller) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = ok(host.get("/v1/link-requests"))["requests"]
    return rows


def test_a_request_from_a_dead_links_page_is_listed_for_its_host(
    site: Site, host: Caller, other: Caller
) -> None:
    """Used, revoked and expired links accept requests; only their own host sees them (P9)."""
    used, revoked, expired = host.link(), host.link(), host.link(expiresAt=at(hours=1))
    created(site.redeem(used, at(days=1)))
    ok(host.post(f"/v1/links/{revoked['linkId']}/revoke"))
    site.clock.advance(hours=1)
    for link in (used, revoked, expired):
        assert _ask(site, link).status_code == 202
    rows = {row["linkId"]: row for row in _requests(host)}
    assert {rows[link["linkId"]]["reason"] for link in (used,)} == {"used"}
    assert rows[revoked["linkId"]]["reason"] == "revoked"
    assert rows[expired["linkId"]]["reason"] == "expired"
    assert {name: rows[used["linkId"]][name] for name in ASK} == ASK
    assert _requests(other) == []


def _dead(host: Caller, **fields: Any) -> dict[str, Any]:
    link = host.link(**fields)
    ok(host.post(f"/v1/links/{link['linkId']}/revoke"))
    return link


def test_one_request_per_address_link_and_day_is_kept(site: Site, host: Caller) -> None:
    """A second request from the same address, in any spelling, is dropped on that day."""
    link = _dead(host)
    for spelling in ("grace@x.example", "Grace@X.example", " GRACE@x.EXAMPLE".strip()):
        assert _ask(site, link, ASK | {"email": spelling}).status_code == 202
    assert _ask(site, link, ASK | {"email": "eve@x.example"}).status_code == 202
    assert {row["email"] for row in _requests(host)} == {"eve@x.example", "grace@x.example"}
    site.clock.advance(days=1)
    assert _ask(site, link).status_code == 202
    assert _requests(host)[0]["email"] == "grace@x.example"
    assert len(_requests(host)) == 3


def test_the_recipients_request_is_kept_despite_many_strangers(site: Site, host: Caller) -> None:
    """A limited number of strangers per day can request a link; the recipient's request doesn't count against it."""
    link = _dead(host, recipient={"name": "Grace", "email": "grace@x.example"})
    answers = [_ask(site, link, ASK | {"email": f"x{number}@evil.example"}) for number in range(12)]
    answers += [_ask(site, link, ASK | {"email": "GRACE@x.example"}) for _ in range(2)]
    assert {(answer.status_code, answer.text) for answer in answers} == {(202, answers[0].text)}
    rows = _requests(host)
    kept = {row["email"]: row for row in rows}
    assert set(kept) == {"GRACE@x.example", *(f"x{number}@evil.example" for number in range(5))}
    assert [email for email, row in kept.items() if row["fromRecipient"]] == ["GRACE@x.example"]
    assert kept["x0@evil.example"]["recipient"] == {"name": "Grace", "email": "grace@x.example"}
    assert len({row["requestId"] for row in rows}) == 6


def test_the_operator_sets_the_daily_limit_for_strangers(
    site: Site, host: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = _dead(host, recipient={"email": "grace@x.example"})
    with monkeypatch.context() as patch:
        patch.setenv("LINK_REQUESTS_PER_DAY", "1")
        bootstrap.forget()
        for email in ("a@evil.example", "b@evil.example", "grace@x.example"):
            assert _ask(site, link, ASK | {"email": email}).status_code == 202
    bootstrap.forget()
    assert {row["email"] for row in _requests(host)} == {"grace@x.example", "a@evil.example"}
    for wrong in ("0", "100", "many"):
        monkeypatch.setenv("LINK_REQUESTS_PER_DAY", wrong)
        with pytest.raises(RuntimeError, match="LINK_REQUESTS_PER_DAY"):
            read_settings()


def test_racing_requests_keep_each_address_once_and_the_limit(site: Site, host: Caller) -> None:
    link = _dead(host, recipient={"email": "grace@x.example"})
    asked = [f"x{number % 8}@evil.example" for number in range(14)] + ["grace@x.example", "Grace@x.example"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda email: _ask(site, link, ASK | {"email": email}), asked))
    assert {answer.status_code for answer in answers} == {202}
    kept = [row["email"].lower() for row in _requests(host)]
    assert kept.count("grace@x.example") == 1
    assert len(kept) == len(set(kept)) == 6


def test_a_dropped_request_writes_nothing(site: Site, host: Caller) -> None:
    """Once the day's limit is reached, a request only reads, and publishes no event."""
    stream = Stream(site)
    link = _dead(host)
    for number in range(6):
        _ask(site, link, ASK | {"email": f"x{number}@evil.example"})
    deliver(stream.records())
    with site.counting() as calls:
        for email in ("x1@evil.example", "more@evil.example"):
            assert _ask(site, link, ASK | {"email": email}).status_code == 202
    assert set(calls.calls) <= {"GetItem", "Query", "BatchGetItem"}
    entries = [row["type"] for row in ok(host.get(f"/v1/links/{link['linkId']}/history"))["history"]]
    assert entries.count("link.requested") == 5


def test_a_request_stored_by_an_older_version_is_listed_and_answered(site: Site, host: Caller) -> None:
    """In older versions the sort key of a request ends with the date."""
    link = _dead(host)
    _ask(site, link)
    (row,) = _requests(host)
    table = cast("Any", site.world.store.history)._table
    day = row["requestId"].split(".")[1]
    item = dict(table.get_many([(f"LINK#{link['linkId']}", f"REQUEST#{day}#1")]).popitem()[1])
    client = table.client
    client.delete_item(TableName=table.name, Key={"pk": item["pk"], "sk": item["sk"]})
    client.put_item(TableName=table.name, Item=item | {"sk": {"S": f"REQUEST#{day}"}})
    (old,) = _requests(host)
    assert old["requestId"] == f"{link['linkId']}.{day}"
    fresh = created(host.post(f"/v1/link-requests/{old['requestId']}/answer"))
    assert fresh["status"] == "active"
    assert _requests(host) == []


def test_only_a_genuine_dead_link_accepts_requests(site: Site, host: Caller) -> None:
    """P7: a guessed token is 404; an active link can still be used; a deleted link belongs to nobody."""
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
def test_an_invalid_request_is_rejected_and_not_kept(
    site: Site, host: Caller, body: Any, status: int
) -> None:
    """The status says whether the body is malformed, invalid or too large."""
    link = host.link()
    ok(host.post(f"/v1/links/{link['linkId']}/revoke"))
    assert _ask(site, link, body).status_code == status
    assert _requests(host) == []


def test_the_form_on_the_page_sends_a_request(site: Site, host: Caller) -> None:
    """After an error the form keeps what was typed; after success the page confirms the request."""
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
    assert site.client.post(url, data=ASK, headers=HTML).text == sent.text, "a reload sends the form again"
    assert len(_requests(host)) == 1
    for query in ("?asked=1", "?sent=1"):
        page = site.client.get(path_of(link) + query, headers=HTML)
        assert "is on its way" not in page.text, "no query makes the page confirm a request that was not sent"


def test_a_form_sent_for_an_active_link_redirects_to_its_page(site: Site, host: Caller) -> None:
    """The link may have been restored since the form was loaded."""
    link = host.link()
    form = {"email": "grace@x.example"}
    answer = site.client.post(f"{path_of(link)}/request", data=form, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"../..{path_of(link)}")
