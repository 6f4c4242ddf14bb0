"""`/v1/event-types`: every field and default, changing, listing, and archiving with active links."""

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
    made,
    ok,
)

LEAST: Final[dict[str, Any]] = {"title": "Intro Call", "durationMinutes": 25, "schedule": {"timeZone": "UTC"}}
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


def test_all_but_title_duration_and_schedule_have_defaults(host: Caller) -> None:
    event_type = made(host.post("/v1/event-types", LEAST))

    assert set(event_type) == FIELDS | {"warnings"}  # it has no hours
    schedule = {"timeZone": "UTC", "weekly": [], "overrides": []}
    for name, value in (DEFAULTS | LEAST | {"schedule": schedule}).items():
        assert event_type[name] == value, name
    assert (event_type["hostId"], event_type["createdAt"]) == (host.host_id, rfc3339(NOW))


@pytest.mark.parametrize("missing", ["title", "durationMinutes", "schedule"])
def test_what_has_no_default_must_be_given(host: Caller, missing: str) -> None:
    body = {name: value for name, value in LEAST.items() if name != missing}

    assert_problem(host.post("/v1/event-types", body), 400, "invalid-request", "")


def test_every_field_is_kept_as_given(host: Caller) -> None:
    event_type = made(host.post("/v1/event-types", EVERYTHING))

    assert {name: event_type[name] for name in EVERYTHING} == EVERYTHING
    assert ok(host.get(f"/v1/event-types/{event_type['eventTypeId']}")) == event_type


@pytest.mark.parametrize("name", list(EVERYTHING))
def test_each_field_can_be_changed_alone(host: Caller, name: str) -> None:
    event_type = host.event_type(**LEAST | {"durationMinutes": 30})
    path = f"/v1/event-types/{event_type['eventTypeId']}"
    assert event_type.pop("warnings")

    changed = ok(host.patch(path, {name: EVERYTHING[name]}))
    changed.pop("warnings", None)

    assert changed == event_type | {name: EVERYTHING[name]}
    assert ok(host.get(path)) == changed


def test_a_change_of_nothing_is_none_and_null_interval_follows_the_duration(host: Caller) -> None:
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
def test_a_value_that_breaks_a_rule_is_422_on_making_and_on_changing(
    host: Caller, change: dict[str, Any], pointer: str
) -> None:
    event_type = host.event_type()
    path = f"/v1/event-types/{event_type['eventTypeId']}"

    assert_problem(host.post("/v1/event-types", LEAST | change), 422, "invalid-value", pointer)
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
def test_a_form_that_is_not_the_documented_one_is_400(
    host: Caller, change: dict[str, Any], pointer: str
) -> None:
    event_type = host.event_type()
    path = f"/v1/event-types/{event_type['eventTypeId']}"

    assert_problem(host.post("/v1/event-types", LEAST | change), 400, "invalid-request", pointer)
    assert_problem(host.patch(path, change), 400, "invalid-request", pointer)


def test_a_host_lists_its_own_newest_first_without_the_archived(
    site: Site, host: Caller, other: Caller
) -> None:
    new = []
    for number in range(5):
        site.clock.pass_by(seconds=1)
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


def test_deleting_asks_first_while_links_live_then_revokes_them(site: Site, host: Caller) -> None:
    event_type = host.event_type()
    path = f"/v1/event-types/{event_type['eventTypeId']}"
    live, soon, used, elsewhere = (
        host.link(event_type),
        host.link(event_type, notBefore=at(days=1)),
        host.link(event_type),
        host.link(),
    )
    made(site.redeem(used, at(hours=4)))

    # Given live links, when it is deleted, then it asks first and nothing has changed
    assert_problem(host.delete(path), 409, "conflict")
    assert ok(host.get(path)) == event_type
    assert site.visit(live, headers=JSON).status_code == 200

    # When the caller means it
    assert host.delete(path, params={"revokeLinks": "true"}).status_code == 204

    # Then it is gone, its links are dead to whoever opens or redeems them, and are listed so
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

    # And deleted again: it is not there, unless what is asked is to see the revoking through
    assert_problem(host.delete(path), 404, "not-found")
    assert host.delete(path, params={"revokeLinks": "true"}).status_code == 204


def test_an_event_type_without_live_links_is_deleted_at_once(site: Site, host: Caller) -> None:
    """A link that died, by a mark or by the clock alone, is not in the way."""
    event_type = host.event_type()
    revoked, expired = host.link(event_type), host.link(event_type, expiresAt=at(hours=1))
    ok(host.post(f"/v1/links/{revoked['linkId']}/revoke"))
    site.clock.pass_by(hours=1)

    assert host.delete(f"/v1/event-types/{event_type['eventTypeId']}").status_code == 204

    assert_problem(site.visit(expired, headers=JSON), 410, "link-expired")
    assert host.reread(expired)["status"] == "expired"


def test_a_link_that_escaped_the_revoking_is_dead_all_the_same(site: Site, host: Caller) -> None:
    """Redeem itself asks whether the event type is archived: the mark on each link is for the lists."""
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
def test_an_odd_query_on_delete_is_400_and_deletes_nothing(host: Caller, query: str) -> None:
    path = f"/v1/event-types/{host.event_type()['eventTypeId']}"

    assert_problem(host.delete(f"{path}?{query}"), 400, "invalid-request")

    assert host.get(path).status_code == 200


def test_links_follow_a_changed_event_type_but_for_their_own_overrides(site: Site, host: Caller) -> None:
    event_type = host.event_type(title="Before", durationMinutes=30)
    plain, own = host.links(event_type, items=[{}, {"overrides": {"title": "Mine", "durationMinutes": 45}}])

    ok(host.patch(f"/v1/event-types/{event_type['eventTypeId']}", {"title": "After", "durationMinutes": 60}))

    shown = [ok(site.visit(link, headers=JSON)) for link in (plain, own)]
    assert [(s["title"], s["durationMinutes"]) for s in shown] == [("After", 60), ("Mine", 45)]
    assert "After" in site.visit(plain, headers=HTML).text


def test_what_was_deleted_is_listed_where_it_is_asked_for(site: Site, host: Caller, other: Caller) -> None:
    """P9, P10: its links and bookings still name it; the last page, full as it is, is the last."""
    new = []
    for number in range(4):
        site.clock.pass_by(seconds=1)
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


def test_what_has_no_content_names_no_content_type(host: Caller) -> None:
    answer = host.delete(f"/v1/event-types/{host.event_type()['eventTypeId']}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers


NEVER: Final = {"minimumNoticeMinutes": 90 * 1440, "bookingWindowDays": 60}
BOOKABLE: Final[dict[str, Any]] = {"title": "Talk", "durationMinutes": 30, "schedule": ALL_DAY}


def pointers(document: Any) -> list[str]:
    return [warning["pointer"] for warning in document["warnings"]]


def test_an_event_type_that_nobody_can_book_is_saved_with_a_warning(host: Caller) -> None:
    """Only responses to writes have `warnings`; a retry warns about the current settings."""
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


def test_time_off_over_the_whole_window_is_warned_of(site: Site, host: Caller) -> None:
    """Creating and changing an event type warn about the host's own time off, not another host's."""
    path = f"/v1/event-types/{made(host.post('/v1/event-types', BOOKABLE))['eventTypeId']}"
    assert host.patch(path, {"title": "Same"}).json()["warnings"] == []
    ok(
        site.admin.patch(
            f"/v1/hosts/{host.host_id}", {"timeOff": [{"start": at(hours=-1), "end": at(days=90)}]}
        )
    )

    assert pointers(host.patch(path, {"title": "Same"}).json()) == ["/bookingWindowDays"]
    assert pointers(host.post("/v1/event-types", BOOKABLE).json()) == ["/bookingWindowDays"]
