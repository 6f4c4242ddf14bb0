"""Links listed by batch: exactly those, in order, to their own host, at the cost of a page (P9, P10)."""

from typing import Any

import pytest

from chalicelib.domain.links.batches import make_batch_id
from tests.support.app import Caller, Site, assert_problem, made, ok

SEED = "00" * 16


def generate(
    caller: Caller, event_type: dict[str, Any], key: str | None = None, **fields: Any
) -> dict[str, Any]:
    headers = {"Idempotency-Key": key} if key else {}
    body = {"eventTypeId": event_type["eventTypeId"], **fields}
    answer: dict[str, Any] = made(caller.post("/v1/links", body, headers=headers))
    return answer


def ids(links: list[dict[str, Any]]) -> list[str]:
    return [link["linkId"] for link in links]


def walk(caller: Caller, batch_id: str, limit: int, **more: str) -> list[list[str]]:
    """Return the ids on each page of a batch."""
    pages, cursor = [], None
    while True:
        page = caller.list(
            batchId=batch_id, limit=str(limit), **({"cursor": cursor} if cursor else {}), **more
        )
        pages.append(ids(page["links"]))
        cursor = page["nextCursor"]
        if cursor is None:
            return pages


@pytest.mark.parametrize("key", [None, "k"])
@pytest.mark.parametrize("count", [1, 7, 230])
def test_a_batch_lists_exactly_its_links_in_their_order(host: Caller, key: str | None, count: int) -> None:
    event_type = host.event_type()
    host.links(event_type, count=3)  # others of the same event type
    batch = generate(host, event_type, key, count=count)

    pages = walk(host, batch["batchId"], 100)

    assert [one for page in pages for one in page] == ids(batch["links"])
    assert [len(page) for page in pages] == ([100, 100, 30] if count == 230 else [count])


def test_a_keyed_repeat_has_the_same_batch_and_another_request_another(host: Caller) -> None:
    event_type = host.event_type()
    first = generate(host, event_type, "same", count=2)

    assert generate(host, event_type, "same", count=2)["batchId"] == first["batchId"]
    assert generate(host, event_type, "other", count=2)["batchId"] != first["batchId"]


def test_links_are_listed_as_they_now_stand_and_deleted_ones_are_gone(site: Site, host: Caller) -> None:
    batch = generate(host, host.event_type(), count=4)
    first, second, third, fourth = batch["links"]
    ok(host.post(f"/v1/links/{first['linkId']}/revoke"))
    assert host.delete(f"/v1/links/{second['linkId']}").status_code == 204
    site.mark_expired(fourth)

    found = host.list(batchId=batch["batchId"])

    assert [(link["linkId"], link["status"]) for link in found["links"]] == [
        (first["linkId"], "revoked"),
        (third["linkId"], "active"),
        (fourth["linkId"], "expired"),
    ]
    assert found["nextCursor"] is None


def test_many_deleted_ones_make_pages_short_and_lose_none(host: Caller) -> None:
    batch = generate(host, host.event_type(), count=60)
    gone = ids(batch["links"])[5:55]
    ok(host.post("/v1/links/bulk-delete", {"linkIds": gone}))

    pages = walk(host, batch["batchId"], 10)

    assert [one for page in pages for one in page] == [one for one in ids(batch["links"]) if one not in gone]


def test_an_import_by_csv_has_a_batch_too(host: Caller) -> None:
    event_type = host.event_type()
    answer = host(
        "POST",
        "/v1/links/import",
        params={"eventTypeId": event_type["eventTypeId"]},
        headers={"Content-Type": "text/csv"},
        content=b"label\nA\nB\nC\n",
    )
    assert answer.status_code == 201

    (page,) = walk(host, answer.headers["Batch-Id"], 10)

    assert [host.reread({"linkId": one})["label"] for one in page] == ["A", "B", "C"]


def test_another_hosts_batch_is_empty_and_an_admin_names_the_host(
    site: Site, host: Caller, other: Caller
) -> None:
    """P9: a batch id says nothing of whose it is; what is listed is the caller's own."""
    batch = generate(host, host.event_type(), count=3)

    assert other.list(batchId=batch["batchId"]) == {"links": [], "nextCursor": None}
    assert walk(site.admin, batch["batchId"], 10, hostId=str(host.host_id)) == [ids(batch["links"])]
    assert walk(site.admin, batch["batchId"], 10, hostId=str(other.host_id)) == [[]]
    assert_problem(site.admin.get("/v1/links", params={"batchId": batch["batchId"]}), 422, "invalid-value")


@pytest.mark.parametrize(
    "batch_id",
    [
        "",
        "bat_",
        "lnk_" + "a" * 26,
        "bat_" + "a" * 26,
        "bat_" + "a" * 26 + "0",
        "bat_" + "a" * 26 + "01",
        "bat_" + "a" * 25 + "b1",
        "bat_" + "A" * 26 + "1",
        "lnk_" + "a" * 26 + "1",
        "bat_" + "a" * 26 + "\u0661",
        make_batch_id(SEED, 10_001),
        make_batch_id(SEED, 100_000),
    ],
)
def test_what_is_no_batch_id_is_refused(host: Caller, batch_id: str) -> None:
    assert_problem(host.get("/v1/links", params={"batchId": batch_id}), 422, "invalid-value", "/batchId")


@pytest.mark.parametrize("filters", [{"status": "active"}, {"q": "x"}, {"eventTypeId": "own"}])
def test_a_batch_takes_no_other_filter(host: Caller, filters: dict[str, str]) -> None:
    event_type = host.event_type()
    batch = generate(host, event_type, count=1)
    given = {name: event_type["eventTypeId"] if value == "own" else value for name, value in filters.items()}

    answer = host.get("/v1/links", params={"batchId": batch["batchId"], **given})

    assert_problem(answer, 422, "invalid-value", "/batchId")


def test_a_cursor_of_another_list_is_refused(host: Caller) -> None:
    event_type = host.event_type()
    batch = generate(host, event_type, count=3)
    cursor = host.list(limit="1")["nextCursor"]

    answer = host.get("/v1/links", params={"batchId": batch["batchId"], "cursor": cursor})

    assert_problem(answer, 422, "invalid-value", "/cursor")


def test_a_page_costs_its_links_and_no_index_entry(site: Site, host: Caller) -> None:
    """P10: items read are items returned, whatever the batch's size and place; a made-up one costs nothing found."""
    batch = generate(host, host.event_type(), count=300)
    host.list()  # warm: the authorizer has seen the key
    more: dict[str, str] = {}
    for _ in range(3):
        with site.counting() as reads:
            page = host.list(batchId=batch["batchId"], limit="50", **more)
        items = reads.items - reads.calls.count("GetItem")  # those are the key's own
        assert (items, reads.index_entries, reads.calls.count("BatchGetItem")) == (50, 0, 1)
        more = {"cursor": page["nextCursor"]}
    with site.counting() as reads:
        assert host.list(batchId=make_batch_id(SEED, 10_000), limit="50")["links"] == []
    assert reads.calls.count("BatchGetItem") <= 2
