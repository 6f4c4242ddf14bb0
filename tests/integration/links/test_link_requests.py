"""Requests for a new link from the page of an old one, a few for each link and day (P7, P9)."""

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
    forged,
    made,
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


def _dead(host: Caller, **fields: Any) -> dict[str, Any]:
    link = host.link(**fields)
    ok(host.post(f"/v1/links/{link['linkId']}/revoke"))
    return link


def test_each_address_asks_once_a_link_and_day(site: Site, host: Caller) -> None:
    """A second request with the same address, in any spelling, is dropped that day, but not the next day."""
    link = _dead(host)
    for spelling in ("grace@x.example", "Grace@X.example", " GRACE@x.EXAMPLE".strip()):
        assert _ask(site, link, ASK | {"email": spelling}).status_code == 202
    assert _ask(site, link, ASK | {"email": "eve@x.example"}).status_code == 202
    assert {row["email"] for row in _requests(host)} == {"eve@x.example", "grace@x.example"}
    site.clock.pass_by(days=1)
    assert _ask(site, link).status_code == 202
    assert _requests(host)[0]["email"] == "grace@x.example"
    assert len(_requests(host)) == 3


def test_strangers_never_hide_the_recipients_request(site: Site, host: Caller) -> None:
    """Anybody with the link may ask, a few a day; the recipient's request is stored even after all of them."""
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


def test_how_many_strangers_may_ask_is_set_by_whoever_runs_it(
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


def test_a_race_of_strangers_and_the_recipient_keeps_each_once_and_no_more_than_the_bound(
    site: Site, host: Caller
) -> None:
    link = _dead(host, recipient={"email": "grace@x.example"})
    asked = [f"x{number % 8}@evil.example" for number in range(14)] + ["grace@x.example", "Grace@x.example"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda email: _ask(site, link, ASK | {"email": email}), asked))
    assert {answer.status_code for answer in answers} == {202}
    kept = [row["email"].lower() for row in _requests(host)]
    assert kept.count("grace@x.example") == 1
    assert len(kept) == len(set(kept)) == 6


def test_a_dropped_request_writes_nothing(site: Site, host: Caller) -> None:
    """A stranger's cost is limited: once the day's slots are taken, a request only reads, and publishes no event."""
    link = _dead(host)
    stream = Stream(site, "TRIM_HORIZON")
    for number in range(6):
        _ask(site, link, ASK | {"email": f"x{number}@evil.example"})
    deliver(stream.records())
    with site.counting() as calls:
        for email in ("x1@evil.example", "more@evil.example"):
            assert _ask(site, link, ASK | {"email": email}).status_code == 202
    assert set(calls.calls) <= {"GetItem", "Query", "BatchGetItem"}
    told = [row["type"] for row in ok(host.get(f"/v1/links/{link['linkId']}/history"))["history"]]
    assert told.count("link.requested") == 5


def test_a_request_kept_before_there_were_slots_is_listed_and_answered(site: Site, host: Caller) -> None:
    """A request stored by an older version, whose key ends with the date, is still listed and answered."""
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
    fresh = made(host.post(f"/v1/link-requests/{old['requestId']}/answer"))
    assert fresh["status"] == "active"
    assert _requests(host) == []


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


def test_a_request_for_a_working_link_redirects_to_it(site: Site, host: Caller) -> None:
    """The holder of a link that was revived, or never died, wants its page."""
    link = host.link()
    form = {"email": "grace@x.example"}
    answer = site.client.post(f"{path_of(link)}/request", data=form, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"../..{path_of(link)}")
