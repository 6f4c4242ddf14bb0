"""Replacing a link, and the rolling link that creates its own successor (P1, P4, P7)."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest

from tests.support.app import Caller, Site, assert_problem, at, created, ok, path_of, token_of, unknown_id

START = at(days=1)


def _rolling(host: Caller, event_type: dict[str, Any], body: Any = None) -> dict[str, Any]:
    path = f"/v1/event-types/{event_type['eventTypeId']}/rolling-link"
    found: dict[str, Any] = created(host.post(path, body))
    return found


def _current(host: Caller, event_type: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = ok(host.get(f"/v1/event-types/{event_type['eventTypeId']}/rolling-link"))
    return found


def test_replace_creates_an_equal_link_and_revokes_the_old(site: Site, host: Caller) -> None:
    """P3: once the new link is acknowledged, the old one books nothing; the settings are the same."""
    settings: dict[str, Any] = {
        "label": "for Grace",
        "maxUsageCount": 3,
        "metadata": {"deal": 7},
        "expiresAt": at(days=9),
    }
    old = host.link(**settings)
    fresh = created(host.post(f"/v1/links/{old['linkId']}/replace"))
    assert fresh["linkId"] != old["linkId"]
    assert {name: fresh[name] for name in settings} == {name: old[name] for name in settings}
    assert (fresh["status"], fresh["usageCount"]) == ("active", 0)
    assert host.reread(old)["status"] == "revoked"
    assert_problem(site.redeem(old, START), 410, "link-revoked")
    assert site.redeem(fresh, START).status_code == 201


def test_replace_keeps_the_status_of_a_dead_link(site: Site, host: Caller) -> None:
    """A used link stays used; the replacement of an expired link is valid for the same duration."""
    used = host.link()
    created(site.redeem(used, START))
    created(host.post(f"/v1/links/{used['linkId']}/replace"))
    assert host.reread(used)["status"] == "used"

    expired = host.link(expiresAt=at(hours=2))
    site.clock.advance(hours=3)
    fresh = created(host.post(f"/v1/links/{expired['linkId']}/replace"))
    assert host.reread(expired)["status"] == "expired"
    assert (fresh["status"], fresh["expiresAt"]) == ("active", at(hours=5))


@pytest.mark.parametrize("ending", ["replace", "answer", "revoke", "bulk", "archive"])
def test_a_cancellation_does_not_restore_a_link_that_was_ended(site: Site, host: Caller, ending: str) -> None:
    """P8, P1: after a replace or a revoke, a cancellation frees the slot but restores no use."""
    event_type = host.event_type()
    old = host.link(event_type, restoreUseOnCancel=True)
    booking = created(site.redeem(old, START))
    path, fresh = f"/v1/links/{old['linkId']}", old
    match ending:
        case "replace":
            fresh = created(host.post(f"{path}/replace"))
            assert fresh["restoreUseOnCancel"], "the new link has the settings of the old one"
        case "answer":
            response = site.client.post(f"{path_of(old)}/request", json={"email": "grace@x.example"})
            assert response.status_code == 202
            [row] = ok(host.get("/v1/link-requests"))["requests"]
            created(host.post(f"/v1/link-requests/{row['requestId']}/answer"))
        case "revoke":
            assert ok(host.post(f"{path}/revoke"))["status"] == "revoked"
        case "bulk":
            [result] = ok(host.post("/v1/links/bulk-revoke", {"linkIds": [old["linkId"]]}))["results"]
            assert result["status"] == "revoked"
        case "archive":
            gone = f"/v1/event-types/{event_type['eventTypeId']}"
            assert host.delete(gone, params={"revokeLinks": "true"}).status_code == 204
    ended = host.reread(old)
    assert ended["status"] == ("used" if ending in ("replace", "answer") else "revoked")

    ok(host.post(f"/v1/bookings/{booking['bookingId']}/cancel"))

    after = host.reread(old)
    assert (after["status"], after["usageCount"]) == (ended["status"], 1)
    assert after["restoreUseOnCancel"] is (ending not in ("replace", "answer"))
    for change in ({"maxUsageCount": 2}, {"expiresAt": at(days=9)}, {"restoreUseOnCancel": True}):
        if change != {"restoreUseOnCancel": after["restoreUseOnCancel"]}:
            assert_problem(host.patch(path, change), 409, "conflict")
    assert_problem(site.redeem(old, START), 410, "link-used" if ended["status"] == "used" else "link-revoked")
    if ending == "replace":
        assert site.redeem(fresh, START).status_code == 201, "the slot is free"


def test_every_replacement_of_a_link_restores_uses_as_the_link_did(site: Site, host: Caller) -> None:
    """P8: the first replacement takes `restoreUseOnCancel` from the old link. The later ones have it as well."""
    old = host.link(restoreUseOnCancel=True)
    booking = created(site.redeem(old, START))
    path = f"/v1/links/{old['linkId']}"

    fresh = [created(host.post(f"{path}/replace")), created(host.post(f"{path}/replace"))]
    ok(host.patch(path, {"label": "for Grace"}))
    response = site.client.post(f"{path_of(old)}/request", json={"email": "grace@x.example"})
    assert response.status_code == 202
    [row] = ok(host.get("/v1/link-requests"))["requests"]
    fresh.append(created(host.post(f"/v1/link-requests/{row['requestId']}/answer")))

    assert [link["restoreUseOnCancel"] for link in fresh] == [True, True, True]
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/cancel"))
    after = host.reread(old)
    assert (after["status"], after["restoreUseOnCancel"], after["label"]) == ("used", False, "for Grace")


def test_a_used_link_that_cannot_be_restored_is_not_revoked(site: Site, host: Caller) -> None:
    """P3: after the expiry no cancellation restores a use, so there is nothing to revoke."""
    link = host.link(restoreUseOnCancel=True, expiresAt=at(hours=2))
    created(site.redeem(link, START))
    site.clock.advance(hours=2)

    assert_problem(host.post(f"/v1/links/{link['linkId']}/revoke"), 409, "conflict")


def test_a_retried_replace_returns_the_same_link(site: Site, host: Caller) -> None:
    """P4: the link is returned in its current state, for example used."""
    old = host.link()
    path, headers = f"/v1/links/{old['linkId']}/replace", {"Idempotency-Key": "again"}
    first = created(host.post(path, headers=headers))
    created(site.redeem(first, START))
    again = created(host.post(path, headers=headers))
    assert (again["linkId"], again["status"]) == (first["linkId"], "used")
    other = created(host.post(path, headers={"Idempotency-Key": "another"}))
    assert other["linkId"] != first["linkId"]


def test_a_replace_racing_a_redeem_gives_at_most_one_booking(site: Site, host: Caller) -> None:
    """P1: the old link is either used by the redeem, or revoked without a booking."""
    event_type = host.event_type(durationMinutes=5)
    for number in range(12):
        old = host.link(event_type)
        start = at(days=2, minutes=5 * number)
        with ThreadPoolExecutor(2) as pool:
            booked = pool.submit(site.redeem, old, start)
            replaced = pool.submit(host.post, f"/v1/links/{old['linkId']}/replace")
        fresh, after = created(replaced.result()), host.reread(old)
        assert fresh["status"] == "active"
        if booked.result().status_code == 201:
            assert (after["status"], after["usageCount"]) == ("used", 1)
        else:
            assert_problem(booked.result(), 410, "link-revoked")
            assert (after["status"], after["usageCount"]) == ("revoked", 0)


def test_another_hosts_link_cannot_be_replaced(host: Caller, other: Caller) -> None:
    """P9: the response is the same as for an unknown link."""
    link = host.link()
    assert_problem(other.post(f"/v1/links/{link['linkId']}/replace"), 404, "not-found")
    assert_problem(host.post(f"/v1/links/{unknown_id('lnk')}/replace"), 404, "not-found")
    assert host.reread(link)["status"] == "active"


def test_a_redeemed_rolling_link_creates_its_successor(site: Site, host: Caller) -> None:
    """P1: each redeem uses one link and creates the next with the same settings, in one transaction."""
    event_type = host.event_type()
    assert_problem(host.get(f"/v1/event-types/{event_type['eventTypeId']}/rolling-link"), 404, "not-found")
    first = _rolling(host, event_type, {"label": "on my site"})
    assert _current(host, event_type)["linkId"] == first["linkId"]
    booking = site.redeem(first, START)
    assert booking.status_code == 201
    second = _current(host, event_type)
    assert (second["status"], second["label"], second["usageCount"]) == ("active", "on my site", 0)
    assert second["linkId"] != first["linkId"]
    # The response to the invitee doesn't reveal the next link.
    assert second["linkId"] not in booking.text
    assert token_of(second) not in booking.text
    assert_problem(
        site.redeem(first, at(days=2), invitee={"name": "E", "email": "e@x.example"}), 410, "link-used"
    )
    assert site.redeem(second, at(days=2)).status_code == 201


def test_creating_a_rolling_link_again_revokes_the_old(site: Site, host: Caller) -> None:
    """P3: POST creates a new rolling link; from then on the old one books nothing."""
    event_type = host.event_type()
    first = _rolling(host, event_type)
    second = _rolling(host, event_type)
    assert host.reread(first)["status"] == "revoked"
    assert _current(host, event_type)["linkId"] == second["linkId"]
    assert_problem(site.redeem(first, START), 410, "link-revoked")
    replaced = created(host.post(f"/v1/links/{second['linkId']}/replace"))
    assert _current(host, event_type)["linkId"] == replaced["linkId"]
    assert site.redeem(replaced, START).status_code == 201
    assert _current(host, event_type)["linkId"] != replaced["linkId"]


def test_racing_redeems_create_one_successor(site: Site, host: Caller) -> None:
    """P1: sixteen racing redeems of a rolling link give one booking and exactly one active successor."""
    event_type = host.event_type(durationMinutes=5)
    link = _rolling(host, event_type)

    def book(link: dict[str, Any], day: int, number: int) -> httpx.Response:
        invitee = {"name": f"N{number}", "email": f"n{number}@x.example"}
        return site.redeem(link, at(days=day, minutes=5 * number), invitee=invitee)

    for day in range(1, 5):
        with ThreadPoolExecutor(16) as pool:
            statuses = [answer.status_code for answer in pool.map(partial(book, link, day), range(16))]
        assert sorted(statuses) == [201] + [410] * 15
        live = host.list(eventTypeId=event_type["eventTypeId"], status="active")["links"]
        assert [row["linkId"] for row in live] == [_current(host, event_type)["linkId"]]
        link = live[0]


def test_a_rolling_link_has_exactly_one_use(host: Caller) -> None:
    """With several uses, or a restored use, two rolling links would be active."""
    event_type = host.event_type()
    path = f"/v1/event-types/{event_type['eventTypeId']}/rolling-link"
    assert_problem(host.post(path, {"maxUsageCount": 2}), 422, "invalid-value", "/maxUsageCount")
    assert_problem(host.post(path, {"restoreUseOnCancel": True}), 422, "invalid-value", "/restoreUseOnCancel")
    link = _rolling(host, event_type)
    answer = host.patch(f"/v1/links/{link['linkId']}", {"maxUsageCount": None})
    assert_problem(answer, 422, "invalid-value", "/maxUsageCount")


def test_another_hosts_rolling_link_is_not_found(host: Caller, other: Caller) -> None:
    """P9: another host can neither read nor renew the rolling link."""
    event_type = host.event_type()
    link = _rolling(host, event_type)
    path = f"/v1/event-types/{event_type['eventTypeId']}/rolling-link"
    for method in ("GET", "POST"):
        assert_problem(other(method, path), 404, "not-found")
    assert host.reread(link)["status"] == "active"


def test_a_retried_replace_does_not_recreate_a_deleted_link(site: Site, host: Caller) -> None:
    """P1, P3: the new link was used and then deleted, by its host or by TTL."""
    old = host.link()
    again = f"/v1/links/{old['linkId']}/replace", {"Idempotency-Key": "k"}
    fresh = created(host.post(again[0], headers=again[1]))
    created(site.redeem(fresh, at(days=1)))
    assert host.delete(f"/v1/links/{fresh['linkId']}").status_code == 204
    assert_problem(host.post(again[0], headers=again[1]), 404, "not-found")
    eve = {"name": "Eve", "email": "eve@x.example"}
    assert_problem(site.redeem(fresh, at(days=2), invitee=eve), 410, "link-deleted")


def test_a_link_of_a_deleted_event_type_cannot_be_replaced(host: Caller) -> None:
    """Nobody could book with the new link."""
    event_type = host.event_type()
    link = host.link(event_type)
    assert host.delete(f"/v1/event-types/{event_type['eventTypeId']}?revokeLinks=true").status_code == 204
    assert_problem(host.post(f"/v1/links/{link['linkId']}/replace"), 409, "conflict")
