"""Every write names its actor and its request, for the audit trail.

A fixture in conftest.py checks this in every integration test; the first two tests here show that it finds violations.
"""

from typing import Any

import pytest
from pynamodb.expressions.operand import Path

from chalicelib.store.conditions import ABSENT
from chalicelib.store.items import DayItem, link_key
from chalicelib.store.table import Table
from chalicelib.store.transactions import Transaction
from tests.support.app import JSON, Caller, Site, at, created, ok, path_of, redeem_body


def _table(site: Site) -> Table:
    table: Any = site.world.store.links
    found: Table = table._table
    return found


@pytest.mark.parametrize(
    "given", [{}, {"actor": "key:a"}, {"correlation_id": "c"}, {"actor": "", "correlation_id": "c"}]
)
def test_an_item_without_an_actor_or_correlation_id_is_not_written(site: Site, given: Any) -> None:
    with pytest.raises(AssertionError, match="is missing"):
        _table(site).put(DayItem("HOST#x", "DAY#2040-01-02", **given), ABSENT)
    with pytest.raises(AssertionError, match="is missing"):
        Transaction(_table(site)).put(DayItem("HOST#x", "DAY#2040-01-02", **given), ABSENT, name="day")


def test_an_update_without_an_actor_or_correlation_id_is_not_written(site: Site) -> None:
    for actions in ([Path("label").set("x")], [Path("label").set("x"), Path("actor").set("key:a")]):
        with pytest.raises(AssertionError, match="is missing"):
            _table(site).update(("LINK#x", "LINK"), actions, None)
        with pytest.raises(AssertionError, match="is missing"):
            Transaction(_table(site)).update(("LINK#x", "LINK"), actions, name="link")


def test_each_write_to_a_link_names_its_own_request(site: Site, host: Caller) -> None:
    """Each write replaces the actor and the correlation id of the write before it."""
    recorded = []

    def look(link: dict[str, Any]) -> None:
        item = site.item(*link_key(link["linkId"]))
        assert item is not None
        recorded.append((item["actor"]["S"], item["correlationId"]["S"]))

    def correlation(name: str) -> dict[str, str]:
        return {"X-Correlation-Id": name}

    me, path = f"key:{host.key.key.key_id}", "/v1/links"
    body = {"eventTypeId": host.event_type()["eventTypeId"], "maxUsageCount": 2}
    link = created(host.post(path, body, headers=correlation("create")))["links"][0]
    path += f"/{link['linkId']}"
    look(link)
    ok(host("PATCH", path, json={"label": "a"}, headers=correlation("change")))
    look(link)
    booking = redeem_body(at(days=1))
    created(site.client.post(f"{path_of(link)}/redeem", json=booking, headers=JSON | correlation("book")))
    look(link)
    ok(host.post(f"{path}/revoke", headers=correlation("revoke")))
    look(link)
    assert recorded == [(me, "create"), (me, "change"), ("invitee", "book"), (me, "revoke")]
