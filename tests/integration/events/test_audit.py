"""Every write states who made it and for which request, however it came in (the audit trail).

Each test of this folder is held to it (conftest.py). Here it is seen that what says neither is found.
"""

from typing import Any

import pytest
from pynamodb.expressions.operand import Path

from chalicelib.store.conditions import ABSENT
from chalicelib.store.items import DayItem, link_key
from chalicelib.store.table import Table
from chalicelib.store.transactions import Transaction
from tests.support.app import JSON, Caller, Site, at, made, ok, path_of, redeem_body


def _table(site: Site) -> Table:
    table: Any = site.world.store.links
    found: Table = table._table
    return found


@pytest.mark.parametrize(
    "given", [{}, {"actor": "key:a"}, {"correlation_id": "c"}, {"actor": "", "correlation_id": "c"}]
)
def test_an_item_that_does_not_say_who_and_why_is_not_written(site: Site, given: Any) -> None:
    with pytest.raises(AssertionError, match="says not who"):
        _table(site).put(DayItem("HOST#x", "DAY#2040-01-02", **given), ABSENT)
    with pytest.raises(AssertionError, match="says not who"):
        Transaction(_table(site)).put(DayItem("HOST#x", "DAY#2040-01-02", **given), ABSENT, name="day")


def test_a_change_that_does_not_say_who_and_why_is_not_written(site: Site) -> None:
    for actions in ([Path("label").set("x")], [Path("label").set("x"), Path("actor").set("key:a")]):
        with pytest.raises(AssertionError, match="says not who"):
            _table(site).update(("LINK#x", "LINK"), actions, None)
        with pytest.raises(AssertionError, match="says not who"):
            Transaction(_table(site)).update(("LINK#x", "LINK"), actions, name="link")


def test_each_write_to_a_link_says_its_own_request(site: Site, host: Caller) -> None:
    """Not that of the one before: by the item's own last image, from its making to its end."""
    told = []

    def look(link: dict[str, Any]) -> None:
        item = site.item(*link_key(link["linkId"]))
        assert item is not None
        told.append((item["actor"]["S"], item["correlationId"]["S"]))

    def asking(what: str) -> dict[str, str]:
        return {"X-Correlation-Id": what}

    me, path = f"key:{host.key.key.key_id}", "/v1/links"
    asked = {"eventTypeId": host.event_type()["eventTypeId"], "maxUsageCount": 2}
    link = made(host.post(path, asked, headers=asking("making")))["links"][0]
    path += f"/{link['linkId']}"
    look(link)
    ok(host("PATCH", path, json={"label": "a"}, headers=asking("changing")))
    look(link)
    booking = redeem_body(at(days=1))
    made(site.client.post(f"{path_of(link)}/redeem", json=booking, headers=JSON | asking("booking")))
    look(link)
    ok(host.post(f"{path}/revoke", headers=asking("ending")))
    look(link)
    assert told == [(me, "making"), (me, "changing"), ("invitee", "booking"), (me, "ending")]
