"""Ways in which promises were once broken, each found by trying; none may come back."""

import json
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from chalicelib.store.redeem import Redeems
from tests.support.app import Caller, Site, assert_problem, at, made, ok, path_of


def test_a_keyed_replace_never_makes_its_link_twice(site: Site, host: Caller) -> None:
    """P1, P3: used, then deleted (or taken by TTL), the fresh link stays away when the same request comes again."""
    old = host.link()
    again = f"/v1/links/{old['linkId']}/replace", {"Idempotency-Key": "k"}
    fresh = made(host.post(again[0], headers=again[1]))
    made(site.redeem(fresh, at(days=1)))
    assert host.delete(f"/v1/links/{fresh['linkId']}").status_code == 204
    assert_problem(host.post(again[0], headers=again[1]), 404, "not-found")
    eve = {"name": "Eve", "email": "eve@x.example"}
    assert_problem(site.redeem(fresh, at(days=2), invitee=eve), 410, "link-deleted")


def test_nothing_replaces_a_link_of_a_deleted_event_type(host: Caller) -> None:
    """A fresh link that nobody can book by would only look good."""
    event_type = host.event_type()
    link = host.link(event_type)
    assert host.delete(f"/v1/event-types/{event_type['eventTypeId']}?revokeLinks=true").status_code == 204
    assert_problem(host.post(f"/v1/links/{link['linkId']}/replace"), 409, "conflict")


def test_an_event_types_longer_buffers_leave_a_long_link_bookable(site: Site, host: Caller) -> None:
    """P2: the buffers give way to the link's own duration, within the 8 hours that one condition can hold."""
    event_type = host.event_type()
    link = host.link(event_type, overrides={"durationMinutes": 480})
    longer = {"bufferBeforeMinutes": 225, "bufferAfterMinutes": 225}
    ok(host.patch(f"/v1/event-types/{event_type['eventTypeId']}", longer))
    ok(host.patch(f"/v1/links/{link['linkId']}", {"overrides": {"title": "Still mine"}}))
    booking = made(site.redeem(link, site.slots(link)[0]))
    assert booking["title"] == "Still mine"
    refused = host.patch(f"/v1/links/{link['linkId']}", {"overrides": {"durationMinutes": 485}})
    assert refused.status_code in (409, 422)


def test_the_alias_tells_event_types_apart(host: Caller) -> None:
    """P4: the same key for another event type is another request, not the first one's link."""
    one, two = host.event_type(), host.event_type()
    headers = {"Idempotency-Key": "same"}
    made(host.post(f"/v2/event-types/{one['eventTypeId']}/private-links", {}, headers=headers))
    other = host.post(f"/v2/event-types/{two['eventTypeId']}/private-links", {}, headers=headers)
    assert other.status_code == 422


def test_a_lost_reply_makes_no_error_of_what_was_made(site: Site, host: Caller) -> None:
    """P4: the write is sent again, finds itself, and that is success; nothing is there twice."""
    events = site.world.store.links._table.client.meta.events  # type: ignore[attr-defined]
    lost: list[str] = []

    def lose(**_: Any) -> None:
        if not lost:
            lost.append("reply")
            raise ConnectionClosedError(endpoint_url="test")

    for make in (
        host.event_type,
        lambda: made(site.admin.post("/v1/hosts", {"name": "A", "email": "a@x.example", "timeZone": "UTC"})),
    ):
        lost.clear()
        events.register("after-call.dynamodb.PutItem", lose)
        try:
            make()
        finally:
            events.unregister("after-call.dynamodb.PutItem", lose)
        assert lost == ["reply"]


def test_an_answer_that_lambda_could_not_return_is_refused_first(site: Site, host: Caller) -> None:
    """Links that are made and can never be answered would be lost: ask for fewer."""
    event_type = host.event_type()
    metadata = {"m": '"' * 900}
    before = len(site.items())
    asked = {
        "eventTypeId": event_type["eventTypeId"],
        "count": 1000,
        "metadata": metadata,
        "label": '"' * 200,
    }
    assert_problem(host.post("/v1/links", asked), 422, "invalid-value")
    assert len(site.items()) == before
    plenty = host.post("/v1/links", asked | {"count": 700})
    assert len(json.dumps(plenty.text)) < 6_000_000
    assert plenty.status_code == 201


def test_a_booking_moves_by_its_own_links_hours_though_the_link_is_gone(site: Site, host: Caller) -> None:
    """P8: what became of the link does not open the event type's other hours; nor are its bookings lost."""
    hours = {"timeZone": "UTC", "weekly": [{"days": ["tue"], "from": "20:00", "to": "22:00"}]}
    link = host.link(overrides={"schedule": hours})
    booking = made(site.redeem(link, site.slots(link)[0]))
    page = booking["url"].removeprefix("https://admit.example")
    before = ok(site.client.get(f"{page}/slots"))["slots"]
    assert host.delete(f"/v1/links/{link['linkId']}").status_code == 204
    assert ok(site.client.get(f"{page}/slots"))["slots"] == before
    listed = ok(host.get("/v1/bookings", params={"linkId": link["linkId"]}))["bookings"]
    assert [row["bookingId"] for row in listed] == [booking["bookingId"]]


def test_a_made_up_label_cursor_is_no_defect(host: Caller) -> None:
    """P9: bounds that DynamoDB would refuse are refused by us; a genuine cursor of a long label goes on."""
    import base64

    place = "00000000000001#lnk_" + "a" * 26
    for text in ("pabc\U0010ffff\U0010ffff\x1f" + place, "pabc" + "\U0001f600" * 300 + "\x1f" + place):
        cursor = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        answer = host.get("/v1/links", params={"q": "abc", "cursor": cursor})
        assert_problem(answer, 422, "invalid-value", "/cursor")
    label = "ß" * 150
    event_type = host.event_type()
    for _ in range(2):
        host.link(event_type, label=label)
    first = host.list(q=label, limit=1)
    second = host.list(q=label, limit=1, cursor=first["nextCursor"])
    assert first["links"][0]["linkId"] != second["links"][0]["linkId"]


def test_asking_about_a_good_link_leads_to_it(site: Site, host: Caller) -> None:
    """The page of a link that was revived, or never dead, is what its holder wants."""
    link = host.link()
    form = {"email": "grace@x.example"}
    answer = site.client.post(f"{path_of(link)}/request", data=form, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"../..{path_of(link)}")


def test_a_link_that_got_its_use_back_while_it_was_read_is_not_used(
    site: Site, host: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P4, P8: the link was read before its booking's cancel, the receipt after it: no such link was ever there."""
    link = host.link(restoreUseOnCancel=True)
    booking = made(site.redeem(link, at(days=1)))
    used = site.world.store.links.read(link["linkId"])
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/cancel"))
    read = Redeems.read_link_and_receipt
    torn: list[Any] = [(used, None)]
    monkeypatch.setattr(
        Redeems, "read_link_and_receipt", lambda *to, **now: torn.pop() if torn else read(*to, **now)
    )
    again = made(site.redeem(link, at(days=1)))
    assert torn == []
    assert again["bookingId"] != booking["bookingId"]
