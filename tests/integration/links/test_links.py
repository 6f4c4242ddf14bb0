"""`/v1/links`: generate, read, change, revoke and delete (P1, P3, P4)."""

import json
from typing import Any, Final

import pytest

from chalicelib.domain.clock import rfc3339
from chalicelib.domain.ids import LINK
from chalicelib.domain.tokens import TOKEN_LENGTH
from tests.support.app import (
    ALL_DAY,
    BASE_URL,
    JSON,
    NOW,
    Caller,
    Site,
    assert_problem,
    at,
    created,
    ok,
    path_of,
    token_of,
    unknown_id,
)

LINK_FIELDS: Final = {
    *("linkId", "url", "hostId", "eventTypeId", "status", "usageCount", "maxUsageCount", "remainingUses"),
    *("createdAt", "expiresAt", "notBefore", "usedAt", "revokedAt", "label", "recipient", "overrides"),
    *("metadata", "externalId", "restoreUseOnCancel"),
}
EVERYTHING: Final[dict[str, Any]] = {
    "maxUsageCount": 5,
    "expiresAt": "2040-03-01T12:00:00Z",
    "notBefore": "2040-01-02T08:00:00Z",
    "recipient": {"name": "Grace", "email": "Grace@invitees.example", "enforce": "domain"},
    "overrides": {
        "title": "Just for you",
        "durationMinutes": 45,
        "locations": [{"kind": "phone", "detail": "+49 30 1234"}],
        "schedule": ALL_DAY | {"overrides": [{"date": "2040-12-24", "intervals": []}]},
        "questions": [{"id": "q", "label": "Why?", "kind": "text", "required": False, "options": []}],
        "slotIntervalMinutes": 15,
        "bufferBeforeMinutes": 5,
        "bufferAfterMinutes": 10,
        "minimumNoticeMinutes": 60,
    },
    "label": "Spring campaign",
    "metadata": {"deal": {"id": 17, "tags": ["a", None, True, 1.5]}, "ünï": "cödé"},
    "externalId": "crm:17/b",
    "restoreUseOnCancel": True,
}


@pytest.fixture
def event_type(host: Caller) -> dict[str, Any]:
    return host.event_type()


def test_a_link_has_every_field_with_its_documented_default(
    site: Site, host: Caller, event_type: dict[str, Any]
) -> None:
    link = host.link(event_type)

    assert set(link) == LINK_FIELDS
    assert link == {
        "linkId": link["linkId"],
        "url": link["url"],
        "hostId": host.host_id,
        "eventTypeId": event_type["eventTypeId"],
        "status": "active",
        "usageCount": 0,
        "maxUsageCount": 1,
        "remainingUses": 1,
        "createdAt": rfc3339(NOW),
        "metadata": {},
        "overrides": {},
        "restoreUseOnCancel": False,
    } | dict.fromkeys(
        ("expiresAt", "notBefore", "usedAt", "revokedAt", "label", "recipient", "externalId"), None
    )
    assert link["url"].startswith(f"{BASE_URL}/s/")
    assert len(token_of(link)) == TOKEN_LENGTH
    assert link["linkId"].removeprefix("lnk_") not in link["url"]
    assert host.reread(link) == link
    assert site.visit(link).status_code == 200


def test_a_link_with_every_setting_is_returned_unchanged(host: Caller, event_type: dict[str, Any]) -> None:
    link = host.link(event_type, **EVERYTHING)

    assert set(link) == LINK_FIELDS
    assert {name: link[name] for name in EVERYTHING} == EVERYTHING
    assert link["remainingUses"] == 5
    assert host.reread(link) == link
    assert link in host.list()["links"]


def test_count_creates_equal_links_and_items_override_the_shared_settings(
    host: Caller, event_type: dict[str, Any]
) -> None:
    equal = host.links(event_type, count=3, label="same")
    items = [
        {},
        {"label": "own", "maxUsageCount": None},
        {"label": None, "overrides": {"title": "Mine"}, "metadata": {"n": 2}},
    ]
    each = host.links(
        event_type, label="shared", maxUsageCount=2, overrides={"durationMinutes": 60}, items=items
    )

    assert [link["label"] for link in equal] == ["same"] * 3
    assert len({link["linkId"] for link in equal} | {link["url"] for link in equal}) == 6
    assert [(link["label"], link["maxUsageCount"], link["remainingUses"]) for link in each] == [
        ("shared", 2, 2),
        ("own", None, None),
        (None, 2, 2),
    ]
    assert [link["overrides"] for link in each] == [
        {"durationMinutes": 60},
        {"durationMinutes": 60},
        {"durationMinutes": 60, "title": "Mine"},
    ]
    assert [link["metadata"] for link in each] == [{}, {}, {"n": 2}]


def test_a_thousand_links_in_one_request_keep_their_order(
    site: Site, host: Caller, event_type: dict[str, Any]
) -> None:
    links = host.links(event_type, items=[{"externalId": f"row-{n}"} for n in range(1000)])

    assert [link["externalId"] for link in links] == [f"row-{n}" for n in range(1000)]
    assert len({link["linkId"] for link in links}) == 1000
    for link in links[::111]:
        assert host.reread(link) == link
        assert site.visit(link, headers=JSON).status_code == 200


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"count": 0}, "/count"),
        ({"count": -1}, "/count"),
        ({"count": 1001}, "/count"),
        ({"items": []}, "/items"),
        ({"items": [{}] * 1001}, "/items"),
        ({"count": 2, "items": [{}, {}]}, "/count"),
        ({"maxUsageCount": 0}, "/maxUsageCount"),
        ({"maxUsageCount": 1_000_001}, "/maxUsageCount"),
        ({"expiresAt": at()}, "/expiresAt"),
        ({"expiresAt": at(days=1), "notBefore": at(days=1)}, "/expiresAt"),
        ({"expiresAt": "2200-01-01T00:00:00Z"}, "/expiresAt"),
        ({"expiresAt": "0001-01-01T00:00:00+14:00"}, "/expiresAt"),
        ({"notBefore": "9999-12-31T23:59:59-14:00"}, "/notBefore"),
        ({"label": ""}, "/label"),
        ({"label": "x" * 201}, "/label"),
        ({"label": "bell\x07"}, "/label"),
        ({"externalId": ""}, "/externalId"),
        ({"externalId": "größer"}, "/externalId"),
        ({"externalId": "x" * 201}, "/externalId"),
        ({"recipient": {"email": "nobody"}}, "/recipient/email"),
        ({"recipient": {"enforce": "email"}}, "/recipient/email"),
        ({"metadata": {"big": "x" * 2048}}, "/metadata"),
        ({"metadata": {"ä": "ä" * 1020}}, "/metadata"),  # counted in bytes
        ({"overrides": {"locations": [{"kind": "custom", "detail": "x" * 450}] * 5}}, "/overrides"),
        ({"overrides": {"durationMinutes": 7}}, "/overrides/durationMinutes"),
        ({"overrides": {"durationMinutes": 475, "bufferAfterMinutes": 10}}, "/overrides/durationMinutes"),
        ({"overrides": {"schedule": {"timeZone": "Nowhere"}}}, "/overrides/schedule/timeZone"),
        ({"items": [{}, {"label": ""}, {"externalId": ""}]}, "/items/1/label|/items/2/externalId"),
        ({"items": [{}, {"expiresAt": "1999-01-01T00:00:00Z"}]}, "/items/1/expiresAt"),
        ({"items": [{"overrides": {"durationMinutes": 1}}]}, "/items/0/overrides/durationMinutes"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_an_invalid_value_is_422_and_creates_nothing(
    host: Caller, event_type: dict[str, Any], fields: dict[str, Any], pointer: str
) -> None:
    body = {"eventTypeId": event_type["eventTypeId"]} | fields

    assert_problem(host.post("/v1/links", body), 422, "invalid-value", *pointer.split("|"))

    assert host.list()["links"] == []


def test_metadata_of_exactly_two_kilobytes_is_accepted(host: Caller, event_type: dict[str, Any]) -> None:
    metadata = {"x": "y" * (2048 - len('{"x":""}'))}

    assert host.link(event_type, metadata=metadata)["metadata"] == metadata


def test_links_for_an_unknown_event_type_are_404(host: Caller) -> None:
    for wrong in ("", "nothing", unknown_id("ety")):
        assert_problem(host.post("/v1/links", {"eventTypeId": wrong}), 404, "not-found")


class TestIdempotencyKey:
    """P4: a retry returns the same links in their current state, and creates none twice."""

    def generate(self, host: Caller, body: dict[str, Any], key: str = "order-17") -> Any:
        return host.post("/v1/links", body, headers={"Idempotency-Key": key})

    def test_a_retry_returns_the_same_links_in_their_current_state(
        self, site: Site, host: Caller, event_type: dict[str, Any]
    ) -> None:
        body = {"eventTypeId": event_type["eventTypeId"], "count": 101}  # two chunks
        first = created(self.generate(host, body))["links"]
        changed, revoked, used, deleted = first[0], first[1], first[2], first[100]
        ok(host.patch(f"/v1/links/{changed['linkId']}", {"label": "renamed"}))
        ok(host.post(f"/v1/links/{revoked['linkId']}/revoke"))
        created(site.redeem(used, at(days=1)))
        assert host.delete(f"/v1/links/{deleted['linkId']}").status_code == 204

        second = created(self.generate(host, body))["links"]

        assert [link["linkId"] for link in second] == [link["linkId"] for link in first[:100]]
        assert second[0]["label"] == "renamed"
        assert [link["status"] for link in second[:4]] == ["active", "revoked", "used", "active"]
        assert second[2]["usageCount"] == 1
        assert_problem(host.get(f"/v1/links/{deleted['linkId']}"), 404, "not-found")
        assert_problem(site.redeem(used, at(days=2)), 410, "link-used")
        assert len(host.list(limit=200)["links"]) == 100

    def test_white_space_and_field_order_do_not_change_the_body(
        self, host: Caller, event_type: dict[str, Any]
    ) -> None:
        one = (
            f'{{"eventTypeId": "{event_type["eventTypeId"]}", "label": "x", "metadata": {{"a": 1, "b": 2}}}}'
        )
        two = f'{{"metadata":{{"b":2,"a":1}},"label":"x","eventTypeId":"{event_type["eventTypeId"]}"}}'
        headers = {"Idempotency-Key": "spaces", "Content-Type": "application/json"}

        answers = [created(host.post("/v1/links", content=body, headers=headers)) for body in (one, two)]

        assert answers[0] == answers[1]

    @pytest.mark.parametrize(
        "change", [{"count": 2}, {"label": "y"}, {"maxUsageCount": None}, {"count": 1}], ids=str
    )
    def test_another_body_is_422_and_creates_nothing(
        self, host: Caller, event_type: dict[str, Any], change: dict[str, Any]
    ) -> None:
        body = {"eventTypeId": event_type["eventTypeId"], "label": "x"}
        created(self.generate(host, body))

        assert_problem(self.generate(host, body | change), 422, "idempotency-key-reused")

        assert len(host.list()["links"]) == 1

    def test_a_retry_succeeds_after_the_links_expired(
        self, site: Site, host: Caller, event_type: dict[str, Any]
    ) -> None:
        body = {"eventTypeId": event_type["eventTypeId"], "expiresAt": at(hours=1)}
        first = created(self.generate(host, body))["links"]
        site.clock.advance(hours=2)

        second = created(self.generate(host, body))["links"]

        assert second == [first[0] | {"status": "expired"}]
        assert_problem(self.generate(host, body, "another"), 422, "invalid-value", "/expiresAt")

    def test_each_host_has_its_own_keys(self, host: Caller, other: Caller) -> None:
        mine = created(self.generate(host, {"eventTypeId": host.event_type()["eventTypeId"]}))["links"][0]
        theirs = created(self.generate(other, {"eventTypeId": other.event_type()["eventTypeId"]}))["links"][0]

        assert mine["linkId"] != theirs["linkId"]
        assert (mine["hostId"], theirs["hostId"]) == (host.host_id, other.host_id)

    def test_without_a_key_each_request_creates_a_link(
        self, host: Caller, event_type: dict[str, Any]
    ) -> None:
        assert host.link(event_type)["linkId"] != host.link(event_type)["linkId"]

    @pytest.mark.parametrize("key", ["", "ü", "x" * 256, "tab\tinside"])
    def test_a_malformed_key_is_400(self, host: Caller, event_type: dict[str, Any], key: str) -> None:
        headers = {"Idempotency-Key": key.encode("latin-1")}
        response = host.client.post(
            "/v1/links",
            json={"eventTypeId": event_type["eventTypeId"]},
            headers={k: v.encode() for k, v in host.headers.items()} | headers,  # type: ignore[arg-type]
        )

        assert_problem(response, 400, "invalid-request")
        assert host.list()["links"] == []


class TestPatch:
    """PATCH leaves omitted fields unchanged, clears a field with null, and rejects other changes."""

    def patch(self, host: Caller, link: dict[str, Any], body: dict[str, Any]) -> Any:
        return host.patch(f"/v1/links/{link['linkId']}", body)

    @pytest.mark.parametrize("name", list(EVERYTHING))
    def test_each_field_can_be_set_alone(self, host: Caller, event_type: dict[str, Any], name: str) -> None:
        link = host.link(event_type)

        changed = ok(self.patch(host, link, {name: EVERYTHING[name]}))

        remaining = {"remainingUses": 5} if name == "maxUsageCount" else {}
        assert changed == link | {name: EVERYTHING[name]} | remaining
        assert host.reread(link) == changed

    def test_omitted_fields_stay_unchanged(self, host: Caller, event_type: dict[str, Any]) -> None:
        link = host.link(event_type, **EVERYTHING)

        assert ok(self.patch(host, link, {})) == link
        assert ok(self.patch(host, link, {"label": "new"})) == link | {"label": "new"}
        assert host.reread(link) == link | {"label": "new"}

    @pytest.mark.parametrize(
        ("name", "cleared"),
        [
            ("maxUsageCount", {"maxUsageCount": None, "remainingUses": None}),
            ("expiresAt", {"expiresAt": None}),
            ("notBefore", {"notBefore": None}),
            ("recipient", {"recipient": None}),
            ("label", {"label": None}),
            ("overrides", {"overrides": {}}),
            ("metadata", {"metadata": {}}),
            ("externalId", {"externalId": None}),
        ],
    )
    def test_null_clears_a_field(
        self, host: Caller, event_type: dict[str, Any], name: str, cleared: dict[str, Any]
    ) -> None:
        link = host.link(event_type, **EVERYTHING)

        assert ok(self.patch(host, link, {name: None})) == link | cleared
        assert host.reread(link) == link | cleared

    def test_null_for_a_boolean_is_400(self, host: Caller, event_type: dict[str, Any]) -> None:
        link = host.link(event_type)

        assert_problem(
            self.patch(host, link, {"restoreUseOnCancel": None}),
            400,
            "invalid-request",
            "/restoreUseOnCancel",
        )

    @pytest.mark.parametrize("name", list(EVERYTHING["overrides"]))
    def test_null_inside_overrides_restores_the_event_types_value(
        self, site: Site, host: Caller, event_type: dict[str, Any], name: str
    ) -> None:
        link = host.link(event_type, overrides=EVERYTHING["overrides"])
        rest = {key: value for key, value in EVERYTHING["overrides"].items() if key != name}

        changed = ok(self.patch(host, link, {"overrides": {name: None}}))

        assert changed == link | {"overrides": rest}
        shown = ok(site.visit(link, headers=JSON))
        assert shown["title"] == rest.get("title", event_type["title"])
        assert shown["durationMinutes"] == rest.get("durationMinutes", event_type["durationMinutes"])
        assert shown["questions"] == rest.get("questions", [])

    def test_new_overrides_are_merged_with_existing_ones(
        self, host: Caller, event_type: dict[str, Any]
    ) -> None:
        link = host.link(event_type, overrides={"title": "Mine"})

        changed = ok(self.patch(host, link, {"overrides": {"durationMinutes": 15}}))

        assert changed["overrides"] == {"title": "Mine", "durationMinutes": 15}

    def test_a_maximum_below_the_usage_is_422_and_an_equal_one_makes_the_link_used(
        self, site: Site, host: Caller, event_type: dict[str, Any]
    ) -> None:
        link = host.link(event_type, maxUsageCount=5)
        for hours in (4, 5):
            created(site.redeem(link, at(hours=hours)))

        assert_problem(self.patch(host, link, {"maxUsageCount": 1}), 422, "invalid-value", "/maxUsageCount")
        assert host.reread(link)["maxUsageCount"] == 5

        used = ok(self.patch(host, link, {"maxUsageCount": 2}))
        assert (used["status"], used["usageCount"], used["remainingUses"]) == ("used", 2, 0)
        assert used["usedAt"] == rfc3339(site.clock())
        assert_problem(site.redeem(link, at(hours=6)), 410, "link-used")
        assert [found["linkId"] for found in host.list(status="used")["links"]] == [link["linkId"]]
        assert host.list(status="active")["links"] == []

    def test_a_higher_maximum_allows_more_bookings(
        self, site: Site, host: Caller, event_type: dict[str, Any]
    ) -> None:
        link = host.link(event_type, maxUsageCount=2)
        created(site.redeem(link, at(hours=4)))

        assert ok(self.patch(host, link, {"maxUsageCount": 3}))["remainingUses"] == 2
        created(site.redeem(link, at(hours=5)))
        created(site.redeem(link, at(hours=6)))
        assert_problem(site.redeem(link, at(hours=7)), 410, "link-used")

    @pytest.mark.parametrize("status", ["used", "expired", "revoked"])
    def test_only_label_and_metadata_of_a_dead_link_can_change(
        self, site: Site, host: Caller, event_type: dict[str, Any], status: str
    ) -> None:
        link = dead_link(site, host, event_type, status)

        for change in (
            {"maxUsageCount": 9},
            {"maxUsageCount": None},
            {"expiresAt": at(days=30)},
            {"expiresAt": None},
            {"notBefore": at(days=1)},
            {"recipient": {"name": "x"}},
            {"overrides": {"title": "x"}},
            {"externalId": "x"},
            {"restoreUseOnCancel": True},
            {"label": "also", "maxUsageCount": 9},
        ):
            if any(link[name] != value for name, value in change.items()):
                assert_problem(self.patch(host, link, change), 409, "conflict")
        assert host.reread(link) == link

        words = {"label": "gone", "metadata": {"why": status}}
        assert ok(self.patch(host, link, words)) == link | words
        assert host.reread(link) == link | words
        assert host.list(status=status)["links"] == [link | words]
        assert_problem(site.redeem(link, at(days=3)), 410, f"link-{status}")

    def test_an_expiry_in_the_past_is_422_and_a_later_one_extends_the_link(
        self, site: Site, host: Caller, event_type: dict[str, Any]
    ) -> None:
        link = host.link(event_type, expiresAt=at(hours=2))
        site.clock.advance(hours=1)

        assert_problem(self.patch(host, link, {"expiresAt": at(hours=1)}), 422, "invalid-value", "/expiresAt")
        assert ok(self.patch(host, link, {"expiresAt": at(hours=9)}))["expiresAt"] == at(hours=9)
        site.clock.advance(hours=2)
        assert site.visit(link, headers=JSON).status_code == 200

    def test_a_changed_link_is_found_by_its_new_values_only(
        self, host: Caller, event_type: dict[str, Any]
    ) -> None:
        old = {"label": "Old label", "externalId": "old-1", "recipient": {"email": "old@invitees.example"}}
        new = {"label": "New label", "externalId": "new-1", "recipient": {"email": "new@invitees.example"}}
        link = host.link(event_type, **old)

        ok(self.patch(host, link, new))

        for query in ("old l", "old-1", "old@invitees.example"):
            assert host.list(q=query)["links"] == []
        for query in ("new l", "new-1", "new@invitees.example"):
            assert [found["linkId"] for found in host.list(q=query)["links"]] == [link["linkId"]]

    @pytest.mark.parametrize(
        "field", ["status", "usageCount", "linkId", "eventTypeId", "count", "items", "url"]
    )
    def test_fields_that_are_not_settings_are_rejected(
        self, host: Caller, event_type: dict[str, Any], field: str
    ) -> None:
        link = host.link(event_type)

        assert_problem(self.patch(host, link, {field: link.get(field, 1)}), 400, "invalid-request", "")


def dead_link(site: Site, host: Caller, event_type: dict[str, Any], status: str) -> dict[str, Any]:
    """Create a link and bring it to that status."""
    link = host.link(event_type, expiresAt=at(hours=3))
    match status:
        case "used":
            created(site.redeem(link, at(hours=12)))
        case "revoked":
            ok(host.post(f"/v1/links/{link['linkId']}/revoke"))
        case "expired":
            site.clock.advance(hours=3)
    dead = host.reread(link)
    assert dead["status"] == status
    return dead


class TestRevoke:
    """P3: once a revoke is acknowledged, the link books nothing."""

    def test_a_revoked_link_books_nothing_and_a_second_revoke_changes_nothing(
        self, site: Site, host: Caller, event_type: dict[str, Any]
    ) -> None:
        link = host.link(event_type, maxUsageCount=None)
        created(site.redeem(link, at(hours=4)))
        path = f"/v1/links/{link['linkId']}/revoke"

        revoked = ok(host.post(path))

        expected = {"status": "revoked", "revokedAt": rfc3339(NOW), "usageCount": 1}
        assert revoked == link | expected
        assert_problem(site.visit(link, headers=JSON), 410, "link-revoked")
        assert_problem(site.redeem(link, at(hours=6)), 410, "link-revoked")
        site.clock.advance(hours=1)
        assert ok(host.post(path)) == revoked

    @pytest.mark.parametrize("status", ["used", "expired"])
    def test_a_used_or_expired_link_cannot_be_revoked(
        self, site: Site, host: Caller, event_type: dict[str, Any], status: str
    ) -> None:
        link = dead_link(site, host, event_type, status)

        assert_problem(host.post(f"/v1/links/{link['linkId']}/revoke"), 409, "conflict")

        assert host.reread(link) == link

    def test_a_link_not_yet_open_can_be_revoked(
        self, site: Site, host: Caller, event_type: dict[str, Any]
    ) -> None:
        link = host.link(event_type, notBefore=at(days=1))

        assert ok(host.post(f"/v1/links/{link['linkId']}/revoke"))["status"] == "revoked"

        assert_problem(site.visit(link, headers=JSON), 410, "link-revoked")

    def test_each_link_of_a_bulk_request_has_its_own_result(
        self, site: Site, host: Caller, other: Caller, event_type: dict[str, Any]
    ) -> None:
        live, twice, gone = host.links(event_type, count=3)
        assert host.delete(f"/v1/links/{gone['linkId']}").status_code == 204
        used = dead_link(site, host, event_type, "used")
        theirs = other.link()
        unknown = unknown_id(LINK)
        asked = [
            *(live["linkId"], twice["linkId"], theirs["linkId"], unknown, "not an id"),
            *(used["linkId"], gone["linkId"], twice["linkId"]),
        ]

        results = ok(host.post("/v1/links/bulk-revoke", {"linkIds": asked}))["results"]

        assert [result["linkId"] for result in results] == asked
        outcomes = [
            r["status"] if "status" in r else r["problem"]["type"].rpartition(":")[2] for r in results
        ]
        assert outcomes == [
            *("revoked", "revoked", "not-found", "not-found", "not-found"),
            *("conflict", "not-found", "revoked"),
        ]
        assert results[2]["problem"] == results[3]["problem"] == results[4]["problem"]
        assert [host.reread(link)["status"] for link in (live, twice, used)] == ["revoked", "revoked", "used"]
        assert other.reread(theirs) == theirs

    @pytest.mark.parametrize("what", ["bulk-revoke", "bulk-delete"])
    def test_no_ids_and_more_than_a_thousand_are_422(self, host: Caller, what: str) -> None:
        for ids in ([], [unknown_id(LINK)] * 1001):
            assert_problem(host.post(f"/v1/links/{what}", {"linkIds": ids}), 422, "invalid-value", "/linkIds")
        assert_problem(
            host.post(f"/v1/links/{what}", {"linkIds": "lnk_"}), 400, "invalid-request", "/linkIds"
        )
        assert_problem(host.post(f"/v1/links/{what}", {"linkIds": [1]}), 400, "invalid-request", "/linkIds/0")
        assert_problem(host.post(f"/v1/links/{what}", {"links": []}), 400, "invalid-request", "")

    def test_a_thousand_ids_are_accepted(self, host: Caller, event_type: dict[str, Any]) -> None:
        ids = [link["linkId"] for link in host.links(event_type, count=100)] * 10

        revoked = ok(host.post("/v1/links/bulk-revoke", {"linkIds": ids}))["results"]
        assert revoked == [{"linkId": link_id, "status": "revoked"} for link_id in ids]
        assert host.list(status="active")["links"] == []

        deleted = ok(host.post("/v1/links/bulk-delete", {"linkIds": ids}))["results"]
        assert deleted == [{"linkId": link_id, "status": "deleted"} for link_id in ids]
        assert host.list()["links"] == []


class TestDelete:
    """The team's API no longer finds a deleted link; a genuine token (P7) still gets 410, not 404."""

    @pytest.mark.parametrize("status", ["active", "used", "expired", "revoked"])
    def test_a_link_of_any_status_can_be_deleted(
        self, site: Site, host: Caller, event_type: dict[str, Any], status: str
    ) -> None:
        link = host.link(event_type) if status == "active" else dead_link(site, host, event_type, status)
        path = f"/v1/links/{link['linkId']}"

        response = host.delete(path)

        assert (response.status_code, response.content) == (204, b"")
        assert_problem(host.get(path), 404, "not-found")
        assert_problem(host.delete(path), 404, "not-found")
        assert_problem(host.patch(path, {"label": "x"}), 404, "not-found")
        assert_problem(host.post(f"{path}/revoke"), 404, "not-found")
        assert_problem(site.visit(link, headers=JSON), 410, "link-deleted")
        assert_problem(site.redeem(link, at(days=2), key="late"), 410, "link-deleted")
        assert site.item(f"LINK#{link['linkId']}", "LINK") is None  # P3: the redeem recreated nothing
        assert host.list()["links"] == []

    def test_its_bookings_are_kept(self, site: Site, host: Caller, event_type: dict[str, Any]) -> None:
        link = host.link(event_type)
        booking = created(site.redeem(link, at(hours=4), key="own"))

        assert host.delete(f"/v1/links/{link['linkId']}").status_code == 204

        page = site.client.get(booking["url"].removeprefix(BASE_URL), headers=JSON)
        assert ok(page) == booking
        assert created(site.redeem(link, at(hours=4), key="own")) == booking  # P4: the invitee's own retry
        assert at(hours=4) not in site.slots(host.link(event_type))

    def test_each_link_of_a_bulk_request_has_its_own_result(
        self, site: Site, host: Caller, other: Caller, event_type: dict[str, Any]
    ) -> None:
        one, two = host.links(event_type, count=2)
        theirs = other.link()
        asked = [one["linkId"], theirs["linkId"], unknown_id(LINK), two["linkId"], one["linkId"]]

        results = ok(host.post("/v1/links/bulk-delete", {"linkIds": asked}))["results"]

        assert [result["linkId"] for result in results] == asked
        assert [result.get("status") for result in results] == ["deleted", None, None, "deleted", "deleted"]
        assert results[1]["problem"] == results[2]["problem"]
        assert results[1]["problem"]["type"].endswith(":not-found")
        assert other.reread(theirs) == theirs
        for link in (one, two):
            assert site.client.get(path_of(link), headers=JSON).status_code == 410


LONG: Final = {"durationMinutes": 480}
MORNING: Final = {"timeZone": "UTC", "weekly": [{"days": ["mon"], "from": "09:00", "to": "10:00"}]}


def pointers(document: Any) -> list[str]:
    return [warning["pointer"] for warning in document["warnings"]]


def test_links_that_nobody_can_book_are_created_with_warnings(host: Caller) -> None:
    """Warnings point into the request; a retry reports the current state, and deleted links keep their index."""
    body = {
        "eventTypeId": host.event_type()["eventTypeId"],
        "items": [{}, {}, {"overrides": LONG | {"schedule": MORNING}}],
    }
    key = {"Idempotency-Key": "once"}
    answer = host.post("/v1/links", body, headers=key).json()
    assert pointers(answer) == ["/items/2/overrides/durationMinutes"]
    assert [set(link) for link in answer["links"]] == [LINK_FIELDS] * 3
    first, _, last = answer["links"]
    assert host.delete(f"/v1/links/{first['linkId']}").status_code == 204
    assert pointers(host.post("/v1/links", body, headers=key).json()) == pointers(answer)

    path = f"/v1/links/{last['linkId']}"
    assert "warnings" not in ok(host.get(path))
    assert pointers(host.patch(path, {"label": "Same"}).json()) == ["/overrides/durationMinutes"]
    fresh = host.post(f"{path}/replace").json()
    assert pointers(fresh) == ["/overrides/durationMinutes"]
    path = f"/v1/links/{fresh['linkId']}"
    assert host.patch(path, {"overrides": {"durationMinutes": 60}}).json()["warnings"] == []
    assert host.post(f"{path}/replace").json()["warnings"] == []
    assert host.post("/v1/links", body, headers=key).json()["warnings"] == []


def test_a_warning_about_the_event_type_points_to_it(host: Caller) -> None:
    """It is reported once for all links, and for the rolling link."""
    event_type = host.event_type(schedule=MORNING, **LONG)
    body = {"eventTypeId": event_type["eventTypeId"], "items": [{}, {"label": "Other"}]}
    assert pointers(host.post("/v1/links", body).json()) == ["/eventTypeId"]

    rolling = f"/v1/event-types/{event_type['eventTypeId']}/rolling-link"
    assert pointers(host.post(rolling).json()) == ["/eventTypeId"]
    fixed = host.post(rolling, {"overrides": {"durationMinutes": 60}})
    assert (fixed.status_code, fixed.json()["warnings"]) == (201, [])


def test_longer_buffers_of_the_event_type_leave_a_long_link_bookable(site: Site, host: Caller) -> None:
    """P2: buffers are shortened so that they and the link's own duration take at most 8 hours."""
    event_type = host.event_type()
    link = host.link(event_type, overrides={"durationMinutes": 480})
    longer = {"bufferBeforeMinutes": 225, "bufferAfterMinutes": 225}
    ok(host.patch(f"/v1/event-types/{event_type['eventTypeId']}", longer))
    ok(host.patch(f"/v1/links/{link['linkId']}", {"overrides": {"title": "Still mine"}}))
    booking = created(site.redeem(link, site.slots(link)[0]))
    assert booking["title"] == "Still mine"
    refused = host.patch(f"/v1/links/{link['linkId']}", {"overrides": {"durationMinutes": 485}})
    assert refused.status_code in (409, 422)


def test_a_request_with_too_large_a_response_is_rejected_before_any_write(site: Site, host: Caller) -> None:
    """Lambda can't return more than 6 MB, so the caller has to request fewer links."""
    event_type = host.event_type()
    metadata = {"m": '"' * 900}
    before = len(site.items())
    fields = {
        "eventTypeId": event_type["eventTypeId"],
        "count": 1000,
        "metadata": metadata,
        "label": '"' * 200,
    }
    assert_problem(host.post("/v1/links", fields), 422, "invalid-value")
    assert len(site.items()) == before
    plenty = host.post("/v1/links", fields | {"count": 700})
    assert len(json.dumps(plenty.text)) < 6_000_000
    assert plenty.status_code == 201
