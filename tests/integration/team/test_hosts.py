"""`/v1/hosts`: an admin creates and lists hosts, a host reads and changes itself; time off closes slots."""

from typing import Any

import pytest

from chalicelib.domain.clock import rfc3339
from chalicelib.domain.team.api_keys import Role
from tests.support.app import BASE_URL, NOW, Caller, Site, assert_problem, at, created, ok

HOST_FIELDS = {"hostId", "name", "publicName", "email", "timeZone", "timeOff", "createdAt"}
BODY = {"name": "Ada Lovelace", "email": "Ada@hosts.example", "timeZone": "Europe/Berlin"}


def test_a_created_host_is_returned_and_reads_back_the_same(site: Site) -> None:
    time_off = [{"start": "2040-07-01T00:00:00+02:00", "end": "2040-07-02T00:00:00+02:00"}]

    host = created(site.admin.post("/v1/hosts", BODY | {"timeOff": time_off}))

    assert set(host) == HOST_FIELDS
    assert {name: host[name] for name in BODY} == BODY
    assert host["timeOff"] == [{"start": "2040-06-30T22:00:00Z", "end": "2040-07-01T22:00:00Z"}]
    assert host["createdAt"] == rfc3339(NOW)
    assert ok(site.admin.get(f"/v1/hosts/{host['hostId']}")) == host


def test_hosts_are_listed_newest_first_each_on_one_page(site: Site) -> None:
    new = []
    for number in range(7):
        site.clock.advance(seconds=number % 2)  # some are created in the same instant
        new.append(created(site.admin.post("/v1/hosts", BODY | {"name": f"Host {number}"})))

    pages, params = [], {"limit": "3"}
    while True:
        page = ok(site.admin.get("/v1/hosts", params=params))
        pages.append(page["hosts"])
        if page["nextCursor"] is None:
            break
        params["cursor"] = page["nextCursor"]

    assert all(len(page) == 3 for page in pages[:-1])
    found = [host for page in pages for host in page]
    assert len({host["hostId"] for host in found}) == len(found)
    assert [host for host in found if host in new] == sorted(
        new, key=lambda host: (host["createdAt"], host["hostId"]), reverse=True
    )
    times = [host["createdAt"] for host in found]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize(
    "change",
    [
        {"publicName": "Dr. Lovelace"},
        {"email": "ada@new.example"},
        {"timeZone": "Pacific/Auckland"},
        {"timeOff": [{"start": "2040-01-03T00:00:00Z", "end": "2040-01-04T00:00:00Z"}]},
        {},
    ],
    ids=str,
)
def test_a_patch_changes_only_the_fields_it_names(host: Caller, change: dict[str, Any]) -> None:
    before = ok(host.get(f"/v1/hosts/{host.host_id}"))

    after = ok(host.patch(f"/v1/hosts/{host.host_id}", change))

    assert after == before | change
    assert ok(host.get(f"/v1/hosts/{host.host_id}")) == after


def test_the_public_name_defaults_to_the_name(site: Site) -> None:
    """Responses always have the name that invitees see; a null or absent `publicName` means `name`."""
    chosen = created(site.admin.post("/v1/hosts", BODY | {"publicName": "Dr. Lovelace"}))
    path = f"/v1/hosts/{chosen['hostId']}"
    assert (chosen["name"], chosen["publicName"]) == ("Ada Lovelace", "Dr. Lovelace")
    assert created(site.admin.post("/v1/hosts", BODY | {"publicName": None}))["publicName"] == "Ada Lovelace"

    renamed = ok(site.admin.patch(path, {"name": "Ada King"}))
    assert (renamed["name"], renamed["publicName"]) == ("Ada King", "Dr. Lovelace")
    assert ok(site.admin.patch(path, {"publicName": None}))["publicName"] == "Ada King"
    again = ok(site.admin.patch(path, {"name": "Dr. Jane Doe"}))
    assert again["publicName"] == "Dr. Jane Doe"
    assert ok(site.admin.get(path)) == again


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": "  "}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"publicName": " "}, "/publicName"),
        ({"publicName": "x" * 201}, "/publicName"),
        ({"email": "not an address"}, "/email"),
        ({"timeZone": "Europe/Atlantis"}, "/timeZone"),
        ({"timeOff": [{"start": at(days=1), "end": at(days=1)}]}, "/timeOff/0/end"),
        ({"timeOff": [{"start": "1999-01-01T00:00:00Z", "end": at()}]}, "/timeOff/0/start"),
        ({"timeOff": [{"start": at(hours=n), "end": at(hours=n + 1)} for n in range(201)]}, "/timeOff"),
    ],
    ids=str,
)
def test_a_value_that_breaks_a_rule_is_422_and_changes_nothing(
    site: Site, host: Caller, change: dict[str, Any], pointer: str
) -> None:
    before = ok(host.get(f"/v1/hosts/{host.host_id}"))

    assert_problem(site.admin.post("/v1/hosts", BODY | change), 422, "invalid-value", pointer)
    assert_problem(host.patch(f"/v1/hosts/{host.host_id}", change), 422, "invalid-value", pointer)

    assert ok(host.get(f"/v1/hosts/{host.host_id}")) == before


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": None}, "/name"),
        ({"name": 7}, "/name"),
        ({"publicName": 7}, "/publicName"),
        ({"timeOff": [{"start": at()}]}, "/timeOff/0"),
        ({"timeOff": [{"start": "2040-01-03T00:00:00", "end": at(days=9)}]}, "/timeOff/0/start"),
        ({"hostId": "hst_other"}, ""),
        ({"createdAt": at()}, ""),
    ],
    ids=str,
)
def test_a_body_that_breaks_the_schema_is_400(host: Caller, change: dict[str, Any], pointer: str) -> None:
    assert_problem(host.patch(f"/v1/hosts/{host.host_id}", change), 400, "invalid-request", pointer)


def test_time_off_closes_the_slots_of_that_host_only(site: Site, host: Caller, other: Caller) -> None:
    first, second = host.link(host.event_type()), host.link(host.event_type(durationMinutes=60))
    theirs = other.link()
    day = {"from": "2040-01-05", "to": "2040-01-06"}
    assert (len(site.slots(first, **day)), len(site.slots(second, **day))) == (48, 24)

    off = [{"start": "2040-01-05T10:15:00Z", "end": "2040-01-05T12:00:00Z"}]
    ok(host.patch(f"/v1/hosts/{host.host_id}", {"timeOff": off}))

    closed = {f"2040-01-05T{wall}:00Z" for wall in ("10:00", "10:30", "11:00", "11:30")}
    assert len(site.slots(first, **day)) == 44
    assert closed.isdisjoint(site.slots(first, **day))
    assert "2040-01-05T12:00:00Z" in site.slots(first, **day)
    assert len(site.slots(second, **day)) == 22
    assert len(site.slots(theirs, **day)) == 48
    assert_problem(site.redeem(second, "2040-01-05T11:00:00Z"), 409, "slot-not-offered")
    created(site.redeem(second, "2040-01-05T12:00:00Z"))


def test_a_full_last_page_has_no_cursor(site: Site) -> None:
    """P10: no cursor leads to an empty page."""
    count, cursor = 0, None
    while True:
        page = ok(site.admin.get("/v1/hosts", params={"limit": 1} | ({"cursor": cursor} if cursor else {})))
        assert len(page["hosts"]) == 1
        count += 1
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert count >= 1


def test_me_returns_the_keys_role_and_host(site: Site, host: Caller) -> None:
    """P9: a host key belongs to its host; an admin key has no host, unless it was created for one."""
    own = ok(host.get(f"/v1/hosts/{host.host_id}"))
    key_id = host.key.key.key_id
    expected = {"keyId": key_id, "role": "host", "host": own, "baseUrl": BASE_URL}
    assert ok(host.get("/v1/me")) == expected
    admin = ok(site.admin.get("/v1/me"))
    assert (admin["role"], admin["host"]) == ("admin", None)
    both = Caller(site.client, site.key(Role.ADMIN, host.host_id), host.host_id)
    assert ok(both.get("/v1/me")) == expected | {"keyId": both.key.key.key_id, "role": "admin"}
    assert host.key.secret not in host.get("/v1/me").text
    assert_problem(host.get("/v1/me", params={"hostId": "x"}), 400, "invalid-request", "/hostId")
