"""The Cal.com-compatible routes: a client written for that API works once you change its base URL."""

from typing import Any

import httpx

from tests.support.app import Caller, Site, at, created, ok


def _path(event_type: dict[str, Any], link_id: str = "") -> str:
    return f"/v2/event-types/{event_type['eventTypeId']}/private-links" + (f"/{link_id}" if link_id else "")


def _data(response: httpx.Response, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    body = response.json()
    assert body["status"] == "success"
    return body["data"]


def test_a_private_link_can_be_created_listed_changed_booked_and_deleted(site: Site, host: Caller) -> None:
    """Each response has Cal.com's envelope and fields."""
    event_type = host.event_type()
    link = _data(host.post(_path(event_type), {}), 201)
    assert set(link) == {
        "linkId", "eventTypeId", "isExpired", "bookingUrl", "expiresAt", "maxUsageCount", "usageCount",
    }  # fmt: skip
    assert (link["isExpired"], link["maxUsageCount"], link["usageCount"]) == (False, 1, 0)
    changed = _data(
        host.patch(_path(event_type, link["linkId"]), {"maxUsageCount": 2, "expiresAt": at(days=9)})
    )
    assert (changed["maxUsageCount"], changed["expiresAt"]) == (2, at(days=9).replace("Z", ".000Z"))
    for day in (1, 2):
        created(site.redeem({"url": link["bookingUrl"]}, at(days=day)))
    (listed,) = _data(host.get(_path(event_type)))
    assert (listed["isExpired"], listed["usageCount"]) == (True, 2)
    assert _data(host.delete(_path(event_type, link["linkId"])))["linkId"] == link["linkId"]
    assert _data(host.get(_path(event_type))) == []


def test_limits_mean_what_they_mean_at_cal_com(host: Caller) -> None:
    """Neither limit: one use. Only an expiry: unlimited uses. Both: both apply. -1: unlimited uses."""
    event_type = host.event_type()
    cases: list[tuple[dict[str, Any] | None, int | None]] = [
        (None, 1),
        ({"expiresAt": at(days=1)}, None),
        ({"expiresAt": at(days=1), "maxUsageCount": 5}, 5),
        ({"maxUsageCount": -1}, None),
    ]
    for body, most in cases:
        assert _data(host.post(_path(event_type), body), 201)["maxUsageCount"] == most


def test_errors_have_cal_coms_envelope(site: Site, host: Caller, other: Caller) -> None:
    """P9: another host's event type or link is not found, nor is a link of another event type."""
    event_type, elsewhere = host.event_type(), host.event_type()
    link = _data(host.post(_path(event_type), {}), 201)
    refused = [
        other.get(_path(event_type)),
        other.post(_path(event_type), {}),
        other.delete(_path(event_type, link["linkId"])),
        host.delete(_path(elsewhere, link["linkId"])),
        host.patch(_path(elsewhere, link["linkId"]), {"maxUsageCount": 3}),
    ]
    for response in refused:
        assert response.status_code == 404
        assert response.json()["status"] == "error"
        assert response.json()["error"]["code"] == "not-found"
    assert host.post(_path(event_type), {"maxUsageCount": "many"}).status_code == 400
    assert host.post(_path(event_type), {"maxUsageCount": 0}).status_code == 422
    assert site.client.get(_path(event_type)).status_code == 401
    assert ok(host.get(f"/v1/links/{link['linkId']}"))["maxUsageCount"] == 1


def test_the_same_key_for_another_event_type_is_rejected(host: Caller) -> None:
    """P4: the same key for another event type is a different request, so it never returns the first one's link."""
    one, two = host.event_type(), host.event_type()
    headers = {"Idempotency-Key": "same"}
    created(host.post(f"/v2/event-types/{one['eventTypeId']}/private-links", {}, headers=headers))
    other = host.post(f"/v2/event-types/{two['eventTypeId']}/private-links", {}, headers=headers)
    assert other.status_code == 422
