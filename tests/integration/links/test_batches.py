"""Links listed by batch: exactly the batch's links, in order, for their own host, at the cost of a page (P9, P10)."""

from typing import Any

import pytest

from chalicelib.domain.links.batches import make_batch_id
from tests.support.app import Caller, Site, assert_problem, created, ok

SEED = "00" * 16


def generate(
    caller: Caller, event_type: dict[str, Any], key: str | None = None, **fields: Any
) -> dict[str, Any]:
    headers = {"Idempotency-Key": key} if key else {}
    body = {"eventTypeId": event_type["eventTypeId"], **fields}
    answer: dict[str, Any] = created(caller.post("/v1/links", body, headers=headers))
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
def test_a_batch_lists_exactly_its_links_in_order(host: Caller, key: str | None, count: int) -> None:
    event_type = host.event_type()
    host.links(event_type, count=3)  # other links of the same event type
    batch = generate(host, event_type, key, count=count)

    pages = walk(host, batch["batchId"], 100)

    assert [one for page in pages for one in page] == ids(batch["links"])
    assert [len(page) for page in pages] == ([100, 100, 30] if count == 230 else [count])


def test_a_retry_has_the_same_batch_and_another_key_another(host: Caller) -> None:
    event_type = host.event_type()
    first = generate(host, event_type, "same", count=2)

    assert generate(host, event_type, "same", count=2)["batchId"] == first["batchId"]
    assert generate(host, event_type, "other", count=2)["batchId"] != first["batchId"]


def test_links_are_listed_in_their_current_state_without_deleted_ones(site: Site, host: Caller) -> None:
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


def test_pages_with_deleted_links_are_shorter_and_lose_none(host: Caller) -> None:
    batch = generate(host, host.event_type(), count=60)
    gone = ids(batch["links"])[5:55]
    ok(host.post("/v1/links/bulk-delete", {"linkIds": gone}))

    pages = walk(host, batch["batchId"], 10)

    assert [one for page in pages for one in page] == [one for one in ids(batch["links"]) if one not in gone]


def test_a_csv_import_has_a_batch(host: Caller) -> None:
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


def test_another_hosts_batch_is_empty(site: Site, host: Caller, other: Caller) -> None:
    """P9: the list has only the caller's links, or those of the host that an admin names."""
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
def test_a_malformed_batch_id_is_rejected(host: Caller, batch_id: str) -> None:
    assert_problem(host.get("/v1/links", params={"batchId": batch_id}), 422, "invalid-value", "/batchId")


@pytest.mark.parametrize("filters", [{"status": "active"}, {"q": "x"}, {"eventTypeId": "own"}])
def test_a_batch_cannot_be_combined_with_another_filter(host: Caller, filters: dict[str, str]) -> None:
    event_type = host.event_type()
    batch = generate(host, event_type, count=1)
    given = {name: event_type["eventTypeId"] if value == "own" else value for name, value in filters.items()}

    answer = host.get("/v1/links", params={"batchId": batch["batchId"], **given})

    assert_problem(answer, 422, "invalid-value", "/batchId")


def test_a_cursor_of_another_list_is_rejected(host: Caller) -> None:
    event_type = host.event_type()
    batch = generate(host, event_type, count=3)
    cursor = host.list(limit="1")["nextCursor"]

    answer = host.get("/v1/links", params={"batchId": batch["batchId"], "cursor": cursor})

    assert_problem(answer, 422, "invalid-value", "/cursor")


def test_a_page_reads_its_links_and_no_index_entry(site: Site, host: Caller) -> None:
    """P10: a page reads only the items that it returns, on any page; a made-up batch id finds nothing."""
    batch = generate(host, host.event_type(), count=300)
    host.list()  # so that the authorizer has cached the key
    more: dict[str, str] = {}
    for _ in range(3):
        with site.counting() as reads:
            page = host.list(batchId=batch["batchId"], limit="50", **more)
        items = reads.items - reads.calls.count("GetItem")  # GetItem reads the API key
        assert (items, reads.index_entries, reads.calls.count("BatchGetItem")) == (50, 0, 1)
        more = {"cursor": page["nextCursor"]}
    with site.counting() as reads:
        assert host.list(batchId=make_batch_id(SEED, 10_000), limit="50")["links"] == []
    assert reads.calls.count("BatchGetItem") <= 2
