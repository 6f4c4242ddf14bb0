"""An item that newer code has limited is neither booked nor overwritten by this code, as after a rollback (P1, P3)."""

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.domain.errors import NewerItemError
from chalicelib.store.items import booking_key, event_type_key, host_key, link_key, webhook_key
from tests.support.app import Caller, Site, at, created, ok, path_of
from tests.support.audit import dump, faults_in
from tests.support.aws.dynamodb_client import plain_client

HOOK_URL = "https://hooks.example/admit-one"
LATER = {"needs": {"SS": ["later"]}, "limit": {"S": "only on Sundays"}}


class Kept:
    """An item with an attribute of newer code. It must stay byte for byte the same."""

    def __init__(self, site: Site, key: tuple[str, str]) -> None:
        self._site, self._key = site, key
        before = site.item(*key)
        assert before is not None
        site.put(before | LATER)
        self._before = site.item(*key)

    def assert_unchanged(self) -> None:
        assert self._site.item(*self._key) == self._before


@pytest.fixture
def link(host: Caller) -> dict[str, Any]:
    return host.link(maxUsageCount=2)


@pytest.fixture
def booking(site: Site, link: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = created(site.redeem(link, at(days=1)))
    return made


@pytest.fixture(autouse=True)
def _audit(site: Site) -> Iterator[None]:
    yield
    assert faults_in(dump(plain_client(site.table.endpoint_url), site.table.name)) == []


def refused(response: Any) -> None:
    assert (response.status_code, response.headers["retry-after"]) == (503, "60"), response.text
    assert response.json()["type"] == "urn:admit-one:problem:store-unavailable"
    assert "Retry when the newer version is deployed again" in response.json()["detail"]


def test_a_newer_link_is_not_booked_changed_or_replaced(
    site: Site, host: Caller, link: dict[str, Any]
) -> None:
    item = Kept(site, link_key(link["linkId"]))
    at_link = f"/v1/links/{link['linkId']}"

    refused(site.redeem(link, at(days=1)))
    refused(site.redeem(link, at(days=1), key="k"))
    refused(site.client.get(path_of(link), headers={"Accept": "application/json"}))
    refused(host.patch(at_link, {"label": "x"}))
    refused(host.post(f"{at_link}/replace"))

    item.assert_unchanged()


def test_a_page_of_a_newer_link_says_that_it_cannot_be_opened_now(site: Site, link: dict[str, Any]) -> None:
    Kept(site, link_key(link["linkId"]))
    page = site.client.get(path_of(link), headers={"Accept": "text/html"})
    assert page.status_code == 503
    assert "text/html" in page.headers["content-type"]


def test_a_newer_link_is_missing_in_lists_and_can_be_revoked(
    site: Site, host: Caller, link: dict[str, Any]
) -> None:
    """P3: a host can revoke a link that this code does not understand, and its newer attributes stay."""
    other = host.link()
    Kept(site, link_key(link["linkId"]))

    assert [each["linkId"] for each in host.list()["links"]] == [other["linkId"]]
    revoked = ok(host.post(f"/v1/links/{link['linkId']}/revoke"))

    assert revoked["status"] == "revoked"
    stored = site.item(*link_key(link["linkId"]))
    assert stored is not None
    assert {name: stored[name] for name in LATER} == LATER
    assert site.redeem(link, at(days=1)).status_code == 503


def test_archiving_an_event_type_sees_and_revokes_a_newer_link(
    site: Site, host: Caller, link: dict[str, Any]
) -> None:
    """P3: the link would be active again when the newer code is deployed."""
    Kept(site, link_key(link["linkId"]))
    path = f"/v1/event-types/{link['eventTypeId']}"

    assert host.delete(path).status_code == 409
    assert host.delete(path, params={"revokeLinks": "true"}).status_code == 204

    stored = site.item(*link_key(link["linkId"]))
    assert stored is not None
    assert stored["status"] == {"S": "revoked"}
    assert {name: stored[name] for name in LATER} == LATER


def test_a_newer_link_can_be_deleted(site: Site, host: Caller, link: dict[str, Any]) -> None:
    Kept(site, link_key(link["linkId"]))
    assert host.delete(f"/v1/links/{link['linkId']}").status_code == 204
    assert site.item(*link_key(link["linkId"])) is None


def test_a_newer_booking_is_not_cancelled_moved_or_erased(
    site: Site, host: Caller, booking: dict[str, Any]
) -> None:
    """Neither by its invitee nor by its host."""
    item = Kept(site, booking_key(booking["bookingId"]))
    own = booking["url"].removeprefix("https://admit.example")
    at_booking = f"/v1/bookings/{booking['bookingId']}"
    json = {"Accept": "application/json"}

    refused(site.client.get(own, headers=json))
    refused(site.client.post(f"{own}/cancel", json={}, headers=json))
    refused(site.client.post(f"{own}/reschedule", json={"start": at(days=2)}, headers=json))
    refused(host.post(f"{at_booking}/cancel", {}))
    refused(host.post(f"{at_booking}/reschedule", {"start": at(days=2)}))
    refused(host.delete(f"{at_booking}/personal-data"))
    refused(host.get(at_booking))

    item.assert_unchanged()
    assert ok(host.get("/v1/bookings", params={"status": "confirmed"}))["bookings"] == []


@pytest.mark.parametrize("kind", ["event type", "host"])
def test_nothing_is_booked_of_a_newer_event_type_or_host(
    site: Site, host: Caller, link: dict[str, Any], kind: str
) -> None:
    assert host.host_id is not None
    key = event_type_key(link["eventTypeId"]) if kind == "event type" else host_key(host.host_id)
    item = Kept(site, key)

    refused(site.redeem(link, at(days=1)))
    path = f"/v1/event-types/{link['eventTypeId']}" if kind == "event type" else f"/v1/hosts/{host.host_id}"
    body = {"title": "x"} if kind == "event type" else {"name": "x"}
    refused(host.patch(path, body))

    item.assert_unchanged()


def test_a_newer_webhook_is_not_changed_and_its_events_wait(site: Site, host: Caller) -> None:
    """P6: if the fan-out skipped the webhook, its deliveries would be lost."""
    hook = created(host.post("/v1/webhooks", {"url": HOOK_URL}))["webhookId"]
    item = Kept(site, webhook_key(hook))
    refused(host.patch(f"/v1/webhooks/{hook}", {"url": HOOK_URL + "/2"}))
    refused(host.get("/v1/webhooks"))
    with pytest.raises(NewerItemError):
        site.world.store.webhooks.of_host(str(host.host_id))

    item.assert_unchanged()
