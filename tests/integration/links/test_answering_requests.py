"""A link request is answered with one new link, whoever answers and however often (P1, P4, P9)."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, cast
from urllib.parse import quote

import httpx
import pytest

from chalicelib import bootstrap
from chalicelib.domain.errors import StoreUnavailableError
from tests.support.app import Caller, Site, assert_problem, at, created, ok, path_of
from tests.support.aws.bus import Stream, deliver


def _dead_link_with_request(
    site: Site, host: Caller, link: dict[str, Any] | None = None
) -> tuple[dict[str, Any], str]:
    """Revoke the link if it is active, request a new one, and return the link and the request's id."""
    link = link or host.link(label="For Grace", metadata={"deal": "7"})
    if host.reread(link)["status"] == "active":
        ok(host.post(f"/v1/links/{link['linkId']}/revoke"))
    response = site.client.post(f"{path_of(link)}/request", json={"email": "grace@x.example"})
    assert response.status_code == 202
    return link, next(row["requestId"] for row in _rows(host) if row["linkId"] == link["linkId"])


def _rows(host: Caller, **params: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = ok(host.get("/v1/link-requests", params=params))["requests"]
    return rows


def _answer(host: Caller, request_id: str) -> httpx.Response:
    return host.post(f"/v1/link-requests/{request_id}/answer")


def test_an_answered_request_leaves_the_list_and_names_its_link(site: Site, host: Caller) -> None:
    dead, request_id = _dead_link_with_request(site, host)
    site.clock.advance(minutes=5)

    fresh = created(_answer(host, request_id))

    assert (fresh["status"], fresh["label"], fresh["metadata"]) == ("active", "For Grace", {"deal": "7"})
    assert fresh["linkId"] != dead["linkId"]
    assert _rows(host) == []
    (row,) = _rows(host, answered="true")
    assert (row["requestId"], row["answeredAt"]) == (request_id, at(minutes=5))
    assert row["replacementLinkId"] == fresh["linkId"]
    assert site.redeem(fresh, at(days=1)).status_code == 201


def test_a_repeated_answer_returns_the_same_link(site: Site, host: Caller) -> None:
    """P4: immediately, and days later, when the link is used; once it is deleted, no other link is created."""
    _, request_id = _dead_link_with_request(site, host)
    first = created(_answer(host, request_id))
    assert created(_answer(host, request_id)) == first
    assert site.redeem(first, at(days=1)).status_code == 201
    site.clock.advance(days=9)
    again = created(_answer(host, request_id))
    assert (again["linkId"], again["status"]) == (first["linkId"], "used")
    assert len(host.list()["links"]) == 2
    host.delete(f"/v1/links/{first['linkId']}")
    assert "has been deleted" in assert_problem(_answer(host, request_id), 404, "not-found")["detail"]
    assert len(host.list()["links"]) == 1


def test_concurrent_answers_create_one_link(site: Site, host: Caller) -> None:
    """P4: a host and an admin answer each of five requests eight times at once; each gets one new link."""
    event_type = host.event_type()
    requests = [_dead_link_with_request(site, host, host.link(event_type))[1] for _ in range(5)]
    callers = [host, site.admin]

    with ThreadPoolExecutor(8) as pool:
        for request_id in requests:
            answers = list(pool.map(lambda n, to=request_id: _answer(callers[n % 2], to), range(8)))
            assert len({created(answer)["linkId"] for answer in answers}) == 1

    active = host.list(status="active")["links"]
    assert len(active) == 5
    rows = _rows(host, answered="true")
    assert {row["replacementLinkId"] for row in rows} == {link["linkId"] for link in active}


def test_a_lost_reply_creates_no_second_link(
    site: Site, host: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P4: the transaction commits, but its reply is lost."""
    _, request_id = _dead_link_with_request(site, host)
    links = type(site.world.store.links)
    whole = links.replace
    lost: list[bool] = []

    def replace(self: Any, *args: Any, **kwargs: Any) -> bool:
        written: bool = whole(self, *args, **kwargs)
        if not lost:
            lost.append(written)
            raise StoreUnavailableError
        return written

    monkeypatch.setattr(links, "replace", replace)
    monkeypatch.setattr("chalicelib.bootstrap.time.sleep", lambda _: None, raising=False)
    fresh = created(_answer(host, request_id))
    assert lost == [True]
    assert [link["linkId"] for link in host.list(status="active")["links"]] == [fresh["linkId"]]


def test_the_answer_for_a_revoked_rolling_link_is_the_new_rolling_link(site: Site, host: Caller) -> None:
    """P1: one rolling link is active; a used one already has a successor, so its answer is a separate link."""
    event_type = host.event_type()
    path = f"/v1/event-types/{event_type['eventTypeId']}/rolling-link"
    rolling = created(host.post(path, {}))
    _, request_id = _dead_link_with_request(site, host, rolling)
    fresh = created(_answer(host, request_id))
    assert ok(host.get(path))["linkId"] == fresh["linkId"]
    created(site.redeem(fresh, at(days=1)))
    successor = ok(host.get(path))
    _, request_id = _dead_link_with_request(site, host, fresh)
    extra = created(_answer(host, request_id))
    assert ok(host.get(path)) == successor
    assert extra["status"] == "active"


def test_no_link_is_created_if_the_event_type_or_link_is_deleted(site: Site, host: Caller) -> None:
    link, request_id = _dead_link_with_request(site, host)
    other, of_deleted = _dead_link_with_request(site, host)
    host.delete(f"/v1/links/{other['linkId']}")
    assert host.delete(f"/v1/event-types/{link['eventTypeId']}").status_code == 204
    assert_problem(_answer(host, request_id), 409, "conflict")
    assert "was deleted" in assert_problem(_answer(host, of_deleted), 404, "not-found")["detail"]
    assert len(_rows(host)) == 2
    assert _rows(host, answered="true") == []


def test_a_malformed_id_is_not_found_without_a_read(site: Site, host: Caller) -> None:
    link, request_id = _dead_link_with_request(site, host)
    day = request_id.split(".")[1]
    for wrong in (
        link["linkId"],
        f"{link['linkId']}.{day.replace('-', '')}",
        f"{link['linkId']}.2040-02-30",
        f"{link['linkId']}.{day}x",
        f"{link['linkId']}.{day}.",
        f"{link['linkId']}.{day}.01",
        f"{link['linkId']}.{day}.+1",
        f"{link['linkId']}.{day}.1.1",
        f"lnk_x.{day}",
        "." * 4000,
        "%00",
    ):
        with site.counting() as reads:
            assert_problem(_answer(host, quote(wrong)), 404, "not-found")
        assert "BatchGetItem" not in reads.calls, wrong
    assert_problem(_answer(host, f"{link['linkId']}.2040-03-01"), 404, "not-found")
    assert_problem(_answer(host, f"{link['linkId']}.{day}.77"), 404, "not-found")
    refused = host.get("/v1/link-requests", params={"answered": "maybe"})
    assert_problem(refused, 400, "invalid-request", "/answered")


def test_the_last_page_of_requests_has_no_cursor(site: Site, host: Caller) -> None:
    """P10: also if the last page is full; answered requests don't shorten pages."""
    event_type = host.event_type()
    ids = []
    for _ in range(6):
        site.clock.advance(seconds=1)
        ids.append(_dead_link_with_request(site, host, host.link(event_type))[1])
    first = ok(host.get("/v1/link-requests", params={"limit": 3}))
    with site.counting() as reads:
        last = ok(host.get("/v1/link-requests", params={"limit": 3, "cursor": first["nextCursor"]}))
    assert [row["requestId"] for row in first["requests"] + last["requests"]] == ids[::-1]
    assert last["nextCursor"] is None
    assert (reads.items, reads.index_entries) == (1 + 3, 3)  # the API key, and the page
    for request_id in ids[:3]:
        created(_answer(host, request_id))
    assert [row["requestId"] for row in _rows(host)] == ids[:2:-1]
    assert [row["requestId"] for row in _rows(host, answered="true")] == ids[2::-1]


def test_a_request_and_its_answer_are_one_history_entry_each(site: Site, host: Caller) -> None:
    """P6: the old link's history has one `link.requested`, and the new link's has `link.created`."""
    stream = Stream(site)
    stream.records()
    dead, request_id = _dead_link_with_request(site, host)
    fresh = created(_answer(host, request_id))
    deliver(stream.records())
    entries = [row["type"] for row in ok(host.get(f"/v1/links/{dead['linkId']}/history"))["history"]]
    assert entries.count("link.requested") == 1
    types = [row["type"] for row in ok(host.get(f"/v1/links/{fresh['linkId']}/history"))["history"]]
    assert types == ["link.created"]


# Emailing the new link

GRACE = {"name": "Grace", "email": "grace@x.example"}


def _request_from(
    site: Site, host: Caller, email: str, recipient: dict[str, str] | None
) -> tuple[dict[str, Any], str]:
    link = host.link(**({} if recipient is None else {"recipient": recipient}))
    ok(host.post(f"/v1/links/{link['linkId']}/revoke"))
    response = site.client.post(f"{path_of(link)}/request", json={"name": "Eve", "email": email})
    assert response.status_code == 202
    return link, next(row["requestId"] for row in _rows(host) if row["linkId"] == link["linkId"])


def _mails(site: Site, link: dict[str, Any]) -> list[str]:
    """Return the address of each stored order to email the link."""
    table = cast("Any", site.world.store.history)._table
    found = table.client.query(
        TableName=table.name,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"LINK#{link['linkId']}"}},
        ConsistentRead=True,
    )["Items"]
    return [item["email"]["S"] for item in found if "bodyHash" in item and "email" in item]


@pytest.mark.parametrize(
    "body", [None, {}, {"mailTo": "recipient", "message": "Here you are.", "language": "de"}]
)
def test_the_new_link_is_emailed_to_the_recipient_not_the_requester(
    site: Site, host: Caller, body: Any
) -> None:
    """A stranger with a used link doesn't get the next one by entering an address."""
    _, request_id = _request_from(site, host, "grace@evil.example", GRACE)

    fresh = created(host.post(f"/v1/link-requests/{request_id}/answer", body))

    assert (fresh["mailedTo"], fresh["recipient"]["email"]) == (GRACE["email"], GRACE["email"])
    assert _mails(site, fresh) == [GRACE["email"]]
    (row,) = _rows(host, answered="true")
    assert (row["mailTo"], row["fromRecipient"]) == ("recipient", False)


@pytest.mark.parametrize(("lock", "then"), [("none", "none"), ("email", "email"), ("domain", "email")])
def test_the_host_can_email_the_requester_who_becomes_the_recipient(
    site: Site, host: Caller, lock: str, then: str
) -> None:
    _, request_id = _request_from(site, host, "eve@y.example", GRACE | {"enforce": lock})

    fresh = created(host.post(f"/v1/link-requests/{request_id}/answer", {"mailTo": "requester"}))

    assert fresh["mailedTo"] == "eve@y.example"
    assert fresh["recipient"] == {"name": "Eve", "email": "eve@y.example", "enforce": then}
    assert _mails(site, fresh) == ["eve@y.example"]


def test_a_link_without_recipient_is_emailed_only_if_the_host_says_so(site: Site, host: Caller) -> None:
    _, first = _request_from(site, host, "eve@y.example", None)
    fresh = created(host.post(f"/v1/link-requests/{first}/answer"))
    assert (fresh["mailedTo"], fresh["recipient"], _mails(site, fresh)) == (None, None, [])

    _, second = _request_from(site, host, "eve@y.example", {"name": "Grace"})
    refused = host.post(f"/v1/link-requests/{second}/answer", {"mailTo": "recipient"})
    assert_problem(refused, 422, "invalid-value", "/mailTo")
    assert len(_rows(host)) == 1, "the request is still open"
    fresh = created(host.post(f"/v1/link-requests/{second}/answer", {"mailTo": "requester"}))
    assert _mails(site, fresh) == ["eve@y.example"]


def test_repeated_answers_email_once_with_the_first_choice(site: Site, host: Caller) -> None:
    """P4: concurrent answers with different choices create one link."""
    _, request_id = _request_from(site, host, "eve@y.example", GRACE)
    path = f"/v1/link-requests/{request_id}/answer"
    choices = [{"mailTo": "recipient"}, {"mailTo": "requester"}, {"mailTo": "recipient", "message": "Again"}]

    with ThreadPoolExecutor(6) as pool:
        answers = [
            created(answer) for answer in pool.map(lambda n: host.post(path, choices[n % 3]), range(6))
        ]

    assert len({answer["linkId"] for answer in answers}) == 1
    (to,) = {answer["mailedTo"] for answer in answers}
    assert _mails(site, answers[0]) == [to]

    _, request_id = _request_from(site, host, "eve@y.example", GRACE)
    path = f"/v1/link-requests/{request_id}/answer"
    fresh = created(host.post(path, {"mailTo": "nobody"}))
    assert created(host.post(path, {"mailTo": "requester"})) == fresh
    assert (fresh["mailedTo"], _mails(site, fresh)) == (None, [])


def test_a_retried_answer_sends_the_email_that_was_not_ordered(
    site: Site, host: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P4: the first attempt creates the link, but fails before it stores the order to email it."""
    _, request_id = _request_from(site, host, "eve@y.example", GRACE)
    path = f"/v1/link-requests/{request_id}/answer"

    def fails(*_: Any, **__: Any) -> Any:
        raise StoreUnavailableError

    with monkeypatch.context() as patch:
        patch.setattr("chalicelib.service.links.answer_link_request.send_link", fails)
        assert host.post(path).status_code == 503
    fresh = created(host.post(path))
    assert (fresh["mailedTo"], _mails(site, fresh)) == (GRACE["email"], [GRACE["email"]])


def test_without_email_set_up_only_an_answer_without_email_is_accepted(
    site: Site, host: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = replace(bootstrap.world(), mailer=None)
    monkeypatch.setattr(bootstrap, "world", lambda: without)
    _, request_id = _request_from(site, host, GRACE["email"], GRACE)
    path = f"/v1/link-requests/{request_id}/answer"
    for choice in ("recipient", "requester"):
        assert_problem(host.post(path, {"mailTo": choice}), 409, "mail-not-configured")
    assert_problem(host.post(path, {"mailTo": "eve@y.example"}), 400, "invalid-request", "/mailTo")
    assert_problem(host.post(path, {"message": "x" * 1001}), 422, "invalid-value", "/message")
    assert _rows(host, answered="true") == []
    assert created(host.post(path))["mailedTo"] is None
