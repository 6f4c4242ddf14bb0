"""`/v1/event-types`: fields and defaults, changes, lists, and deletion while links are active (P9, P10)."""

from typing import Any, Final

import pytest

from chalicelib.domain.clock import rfc3339
from tests.support.app import (
    ALL_DAY,
    HTML,
    JSON,
    NOW,
    Caller,
    Site,
    assert_problem,
    at,
    created,
    ok,
)

REQUIRED: Final[dict[str, Any]] = {
    "title": "Intro Call",
    "durationMinutes": 25,
    "schedule": {"timeZone": "UTC"},
}
DEFAULTS: Final[dict[str, Any]] = {
    "slug": "intro-call",
    "description": "",
    "locations": [],
    "slotIntervalMinutes": None,
    "bufferBeforeMinutes": 0,
    "bufferAfterMinutes": 0,
    "minimumNoticeMinutes": 0,
    "bookingWindowDays": 60,
    "questions": [],
}
EVERYTHING: Final[dict[str, Any]] = {
    "title": "Workshop – für alle",
    "slug": "work-shop",
    "description": "Two lines\nof text",
    "durationMinutes": 90,
    "locations": [
        {"kind": "video", "detail": "https://meet.example/ada"},
        {"kind": "phone", "detail": "+49 30 1234"},
        {"kind": "in_person", "detail": "Sample Street 1", "showBeforeBooking": True},
        {"kind": "custom", "detail": "by the lake", "showBeforeBooking": False},
    ],
    "schedule": {
        "timeZone": "Europe/Berlin",
        "weekly": [{"days": ["mon", "fri"], "from": "09:00", "to": "17:00"}],
        "overrides": [
            {"date": "2040-12-24", "intervals": []},
            {"date": "2040-12-31", "intervals": [{"from": "10:00", "to": "24:00"}]},
        ],
    },
    "slotIntervalMinutes": 15,
    "bufferBeforeMinutes": 5,
    "bufferAfterMinutes": 10,
    "minimumNoticeMinutes": 120,
    "bookingWindowDays": 30,
    "questions": [
        {"id": "topic", "label": "What about?", "kind": "text", "required": True, "options": []},
        {"id": "size", "label": "How many?", "kind": "choice", "required": False, "options": ["1", "2–5"]},
    ],
}
FIELDS: Final = {"eventTypeId", "hostId", "createdAt", "archivedAt"} | set(EVERYTHING)


def test_only_title_duration_and_schedule_are_required(host: Caller) -> None:
    event_type = created(host.post("/v1/event-types", REQUIRED))

    assert set(event_type) == FIELDS | {"warnings"}  # the schedule has no hours
    schedule = {"timeZone": "UTC", "weekly": [], "overrides": []}
    for name, value in (DEFAULTS | REQUIRED | {"schedule": schedule}).items():
        assert event_type[name] == value, name
    assert (event_type["hostId"], event_type["createdAt"]) == (host.host_id, rfc3339(NOW))


@pytest.mark.parametrize("missing", ["title", "durationMinutes", "schedule"])
def test_a_missing_required_field_is_400(host: Caller, missing: str) -> None:
    body = {name: value for name, value in REQUIRED.items() if name != missing}

    assert_problem(host.post("/v1/event-types", body), 400, "invalid-request", "")


def test_every_field_is_stored_unchanged(host: Caller) -> None:
    event_type = created(host.post("/v1/event-types", EVERYTHING))

    assert {name: event_type[name] for name in EVERYTHING} == EVERYTHING
    assert ok(host.get(f"/v1/event-types/{event_type['eventTypeId']}")) == event_type


@pytest.mark.parametrize("name", list(EVERYTHING))
def test_each_field_can_be_changed_alone(host: Caller, name: str) -> None:
    event_type = host.event_type(**REQUIRED | {"durationMinutes": 30})
    path = f"/v1/event-types/{event_type['eventTypeId']}"
    assert event_type.pop("warnings")

    changed = ok(host.patch(path, {name: EVERYTHING[name]}))
    changed.pop("warnings", None)

    assert changed == event_type | {name: EVERYTHING[name]}
    assert ok(host.get(path)) == changed


def test_an_empty_patch_changes_nothing_and_a_null_interval_is_allowed(host: Caller) -> None:
    event_type = host.event_type(**EVERYTHING)
    path = f"/v1/event-types/{event_type['eventTypeId']}"

    assert ok(host.patch(path, {})) == event_type
    assert ok(host.patch(path, {"slotIntervalMinutes": None})) == event_type | {"slotIntervalMinutes": None}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"title": ""}, "/title"),
        ({"slug": "No Spaces"}, "/slug"),
        ({"durationMinutes": 0}, "/durationMinutes"),
        ({"durationMinutes": 31}, "/durationMinutes"),
        ({"durationMinutes": 485}, "/durationMinutes"),
        ({"durationMinutes": 470, "bufferAfterMinutes": 15}, "/durationMinutes"),
        ({"bufferBeforeMinutes": 3}, "/bufferBeforeMinutes"),
        ({"bufferAfterMinutes": -5}, "/bufferAfterMinutes"),
        ({"slotIntervalMinutes": 7}, "/slotIntervalMinutes"),
        ({"minimumNoticeMinutes": 1}, "/minimumNoticeMinutes"),
        ({"bookingWindowDays": 0}, "/bookingWindowDays"),
        ({"schedule": {"timeZone": "Mars/Base"}}, "/schedule/timeZone"),
        (
            {"schedule": {"timeZone": "UTC", "weekly": [{"days": ["mon"], "from": "10:00", "to": "09:00"}]}},
            "/schedule/weekly/0/to",
        ),
        (
            {"schedule": {"timeZone": "UTC", "weekly": [{"days": ["mon"], "from": "10:01", "to": "12:00"}]}},
            "/schedule/weekly/0/from",
        ),
        (
            {
                "schedule": {
                    "timeZone": "UTC",
                    "overrides": [{"date": "2040-02-01"}, {"date": "2040-02-01"}],
                }
            },
            "/schedule/overrides",
        ),
        ({"questions": [{"id": "a", "label": "A"}, {"id": "a", "label": "B"}]}, "/questions"),
        ({"questions": [{"id": "a", "label": "A", "kind": "choice"}]}, "/questions/0/options"),
    ],
    ids=str,
)
def test_an_invalid_value_is_422_in_post_and_patch(
    host: Caller, change: dict[str, Any], pointer: str
) -> None:
    event_type = host.event_type()
    path = f"/v1/event-types/{event_type['eventTypeId']}"

    assert_problem(host.post("/v1/event-types", REQUIRED | change), 422, "invalid-value", pointer)
    assert_problem(host.patch(path, change), 422, "invalid-value", pointer)

    assert ok(host.get(path)) == event_type


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"title": None}, "/title"),
        ({"durationMinutes": "30"}, "/durationMinutes"),
        ({"durationMinutes": True}, "/durationMinutes"),
        ({"durationMinutes": 30.0}, "/durationMinutes"),
        ({"locations": [{"kind": "pigeon"}]}, "/locations/0/kind"),
        ({"locations": [{"kind": "phone", "number": "1"}]}, "/locations/0"),
        (
            {"schedule": {"timeZone": "UTC", "weekly": [{"days": ["Mon"], "from": "09:00", "to": "10:00"}]}},
            "/schedule/weekly/0/days/0",
        ),
        (
            {"schedule": {"timeZone": "UTC", "overrides": [{"date": "2040-02-30"}]}},
            "/schedule/overrides/0/date",
        ),
        ({"colour": "red"}, ""),
        ({"eventTypeId": "ety_other"}, ""),
    ],
    ids=str,
)
def test_a_body_that_breaks_the_schema_is_400(host: Caller, change: dict[str, Any], pointer: str) -> None:
    event_type = host.event_type()
    path = f"/v1/event-types/{event_type['eventTypeId']}"

    assert_problem(host.post("/v1/event-types", REQUIRED | change), 400, "invalid-request", pointer)
    assert_problem(host.patch(path, change), 400, "invalid-request", pointer)


def test_a_host_lists_its_event_types_newest_first_without_archived_ones(
    site: Site, host: Caller, other: Caller
) -> None:
    new = []
    for number in range(5):
        site.clock.advance(seconds=1)
        new.append(host.event_type(title=f"Event {number}"))
    other.event_type()
    assert host.delete(f"/v1/event-types/{new[2]['eventTypeId']}").status_code == 204
    expected = [new[4], new[3], new[1], new[0]]

    first = ok(host.get("/v1/event-types", params={"limit": 3}))
    second = ok(host.get("/v1/event-types", params={"limit": 3, "cursor": first["nextCursor"]}))

    assert first["eventTypes"] + second["eventTypes"] == expected
    assert second["nextCursor"] is None
    assert ok(host.get("/v1/event-types"))["eventTypes"] == expected
    by_admin = ok(site.admin.get("/v1/event-types", params={"hostId": host.host_id}))
    assert by_admin["eventTypes"] == expected


def test_deletion_with_active_links_needs_confirmation_and_revokes_them(site: Site, host: Caller) -> None:
    event_type = host.event_type()
    path = f"/v1/event-types/{event_type['eventTypeId']}"
    live, soon, used, elsewhere = (
        host.link(event_type),
        host.link(event_type, notBefore=at(days=1)),
        host.link(event_type),
        host.link(),
    )
    created(site.redeem(used, at(hours=4)))

    # Given active links, when it is deleted without confirmation, then nothing changes
    assert_problem(host.delete(path), 409, "conflict")
    assert ok(host.get(path)) == event_type
    assert site.visit(live, headers=JSON).status_code == 200

    # When it is deleted with confirmation
    assert host.delete(path, params={"revokeLinks": "true"}).status_code == 204

    # Then it is not found, and its links are revoked on their pages and in lists
    assert_problem(host.get(path), 404, "not-found")
    assert_problem(host.patch(path, {"title": "Back"}), 404, "not-found")
    assert_problem(host.post("/v1/links", {"eventTypeId": event_type["eventTypeId"]}), 404, "not-found")
    for link in (live, soon):
        assert_problem(site.visit(link, headers=JSON), 410, "link-revoked")
        assert_problem(site.redeem(link, at(hours=6)), 410, "link-revoked")
    assert_problem(site.visit(used, headers=JSON), 410, "link-used")
    assert site.visit(elsewhere, headers=JSON).status_code == 200
    listed = host.list(eventTypeId=event_type["eventTypeId"], status="revoked")["links"]
    assert {link["linkId"] for link in listed} == {live["linkId"], soon["linkId"]}
    assert all(link["revokedAt"] == rfc3339(NOW) for link in listed)
    assert host.reread(used)["status"] == "used"

    # A second deletion is 404, unless it is there to complete the revoking
    assert_problem(host.delete(path), 404, "not-found")
    assert host.delete(path, params={"revokeLinks": "true"}).status_code == 204


def test_an_event_type_without_active_links_is_deleted_without_confirmation(site: Site, host: Caller) -> None:
    """Dead links don't count, whether they are marked or only past their expiry."""
    event_type = host.event_type()
    revoked, expired = host.link(event_type), host.link(event_type, expiresAt=at(hours=1))
    ok(host.post(f"/v1/links/{revoked['linkId']}/revoke"))
    site.clock.advance(hours=1)

    assert host.delete(f"/v1/event-types/{event_type['eventTypeId']}").status_code == 204

    assert_problem(site.visit(expired, headers=JSON), 410, "link-expired")
    assert host.reread(expired)["status"] == "expired"


def test_a_link_of_an_archived_event_type_cannot_be_redeemed(site: Site, host: Caller) -> None:
    """The redeem checks the event type itself, even if the link wasn't marked as revoked."""
    event_type = host.event_type()
    assert host.delete(f"/v1/event-types/{event_type['eventTypeId']}").status_code == 204
    link = host.link()
    client_item = site.item(f"LINK#{link['linkId']}", "LINK")
    assert client_item is not None
    site.put(client_item | {"eventTypeId": {"S": event_type["eventTypeId"]}})

    assert_problem(site.visit(link, headers=JSON), 410, "link-revoked")
    assert_problem(site.redeem(link, at(hours=6)), 410, "link-revoked")


@pytest.mark.parametrize(
    "query", ["revokeLinks=yes", "revokeLinks=", "revokeLinks=true&revokeLinks=true", "force=true"]
)
def test_an_undocumented_query_on_delete_is_400_and_deletes_nothing(host: Caller, query: str) -> None:
    path = f"/v1/event-types/{host.event_type()['eventTypeId']}"

    assert_problem(host.delete(f"{path}?{query}"), 400, "invalid-request")

    assert host.get(path).status_code == 200


def test_links_follow_their_event_type_except_for_overrides(site: Site, host: Caller) -> None:
    event_type = host.event_type(title="Before", durationMinutes=30)
    plain, own = host.links(event_type, items=[{}, {"overrides": {"title": "Mine", "durationMinutes": 45}}])

    ok(host.patch(f"/v1/event-types/{event_type['eventTypeId']}", {"title": "After", "durationMinutes": 60}))

    shown = [ok(site.visit(link, headers=JSON)) for link in (plain, own)]
    assert [(s["title"], s["durationMinutes"]) for s in shown] == [("After", 60), ("Mine", 45)]
    assert "After" in site.visit(plain, headers=HTML).text


def test_archived_event_types_are_listed_on_request(site: Site, host: Caller, other: Caller) -> None:
    """P9, P10: links and bookings still refer to them; a full last page has no cursor."""
    new = []
    for number in range(4):
        site.clock.advance(seconds=1)
        new.append(host.event_type(title=f"Event {number}"))
    gone = other.event_type()
    other.delete(f"/v1/event-types/{gone['eventTypeId']}")
    for event_type in new[:2]:
        assert host.delete(f"/v1/event-types/{event_type['eventTypeId']}").status_code == 204
    pages = [ok(host.get("/v1/event-types", params={"archived": "true", "limit": 1}))]
    more = {"archived": "true", "limit": "1", "cursor": pages[0]["nextCursor"]}
    pages.append(ok(host.get("/v1/event-types", params=more)))
    found = [row for page in pages for row in page["eventTypes"]]
    assert [row["title"] for row in found] == ["Event 1", "Event 0"]
    assert {row["archivedAt"] for row in found} == {rfc3339(site.clock())}
    assert pages[1]["nextCursor"] is None
    live = ok(host.get("/v1/event-types", params={"limit": 2}))
    assert [row["title"] for row in live["eventTypes"]] == ["Event 3", "Event 2"]
    assert (live["nextCursor"], live["eventTypes"][0]["archivedAt"]) == (None, None)
    assert_problem(host.get("/v1/event-types", params={"archived": "1"}), 400, "invalid-request", "/archived")


def test_a_204_has_no_content_type(host: Caller) -> None:
    answer = host.delete(f"/v1/event-types/{host.event_type()['eventTypeId']}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers


NEVER: Final = {"minimumNoticeMinutes": 90 * 1440, "bookingWindowDays": 60}
BOOKABLE: Final[dict[str, Any]] = {"title": "Talk", "durationMinutes": 30, "schedule": ALL_DAY}


def pointers(document: Any) -> list[str]:
    return [warning["pointer"] for warning in document["warnings"]]


def test_an_event_type_that_nobody_can_book_is_created_with_a_warning(host: Caller) -> None:
    """Only responses to writes have `warnings`; a retry reports the current settings."""
    key = {"Idempotency-Key": "once"}
    answer = host.post("/v1/event-types", BOOKABLE | NEVER, headers=key)
    assert (answer.status_code, pointers(answer.json())) == (201, ["/minimumNoticeMinutes"])
    path = f"/v1/event-types/{answer.json()['eventTypeId']}"
    assert "warnings" not in host.get(path).json()
    assert "warnings" not in host.get("/v1/event-types").json()["eventTypes"][0]

    assert pointers(host.patch(path, {"title": "Same"}).json()) == ["/minimumNoticeMinutes"]
    assert host.patch(path, {"minimumNoticeMinutes": 0}).json()["warnings"] == []
    repeated = host.post("/v1/event-types", BOOKABLE | NEVER, headers=key)
    assert (repeated.status_code, repeated.json()["warnings"]) == (201, [])


def test_time_off_over_the_whole_booking_window_is_a_warning(site: Site, host: Caller) -> None:
    """Creating and changing an event type report it."""
    path = f"/v1/event-types/{created(host.post('/v1/event-types', BOOKABLE))['eventTypeId']}"
    assert host.patch(path, {"title": "Same"}).json()["warnings"] == []
    ok(
        site.admin.patch(
            f"/v1/hosts/{host.host_id}", {"timeOff": [{"start": at(hours=-1), "end": at(days=90)}]}
        )
    )

    assert pointers(host.patch(path, {"title": "Same"}).json()) == ["/bookingWindowDays"]
    assert pointers(host.post("/v1/event-types", BOOKABLE).json()) == ["/bookingWindowDays"]
