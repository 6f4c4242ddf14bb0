"""`/b/{bookingToken}`: the invitee views, moves and cancels their own booking (P2, P4, P5, P7, P8)."""

import html
import re
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from ical.calendar_stream import IcsCalendarStream
from ical.event import Event

from chalicelib import bootstrap
from chalicelib.store.items import booking_key, link_key
from tests.support.app import (
    ALL_DAY,
    BASE_URL,
    HTML,
    JSON,
    NOW,
    Caller,
    Site,
    assert_problem,
    at,
    created,
    forged,
    ok,
    path_of,
    redeem_body,
    token_of,
)
from tests.support.aws.dynamodb_client import plain_client
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.clock

FORM: Final = HTML | {"Content-Type": "application/x-www-form-urlencoded"}
DAY: Final = "2040-01-03"
NEXT: Final = "2040-01-04"
TEN: Final = f"{DAY}T10:00:00Z"
TWO: Final = f"{DAY}T14:00:00Z"
RACES: Final = 9
OTTO: Final = {"name": "Otto", "email": "otto@invitees.example"}

Json = dict[str, Any]


@pytest.fixture
def event_type(host: Caller) -> Json:
    """Create an event type of 30 minutes with slots every five minutes, so that a booking can move a little."""
    return host.event_type(slotIntervalMinutes=5)


@pytest.fixture
def link(host: Caller, event_type: Json) -> Json:
    return host.link(event_type)


@pytest.fixture
def booking(site: Site, link: Json) -> Json:
    """Book 3 January at ten for Grace."""
    return created(site.redeem(link, TEN))  # type: ignore[no-any-return]


def own(booking: Json) -> str:
    """Return the path of the booking's page."""
    path: str = booking["url"].removeprefix(BASE_URL)
    return path


def cancel(site: Site, booking: Json, **kwargs: Any) -> httpx.Response:
    return site.client.post(own(booking) + "/cancel", headers=JSON, **kwargs)


def move(site: Site, booking: Json, start: str) -> httpx.Response:
    return site.client.post(own(booking) + "/reschedule", json={"start": start}, headers=JSON)


def page(site: Site, booking: Json, query: str = "") -> str:
    answer = site.client.get(own(booking) + query, headers=HTML)
    assert answer.status_code == 200
    return answer.text


def reread(site: Site, booking: Json) -> Json:
    found: Json = ok(site.client.get(own(booking), headers=JSON))
    return found


def offered(site: Site, booking: Json, **params: str) -> list[str]:
    answer = ok(site.client.get(own(booking) + "/slots", params=params, headers=JSON))
    return [slot["start"] for slot in answer["slots"]]


def invite(site: Site, booking: Json) -> Event:
    answer = site.client.get(own(booking) + "/invite.ics")
    assert answer.status_code == 200
    [event] = IcsCalendarStream.calendar_from_ics(answer.text).events
    return event


def stored(site: Site, booking: Json) -> Json:
    """Return a booking's item as stored."""
    item = site.item(*booking_key(booking["bookingId"]))
    assert item is not None
    return item


def sequence(site: Site, booking: Json) -> int:
    return int(stored(site, booking)["sequence"]["N"])


def stored_link(site: Site, link: Json) -> Json | None:
    """Return a link's item as stored, or None."""
    return site.item(*link_key(link["linkId"]))


def busy(site: Site, host: Caller) -> dict[str, set[int]]:
    """Return a host's busy cells by date, as stored, without days that have none."""
    answer = plain_client(site.table.endpoint_url).query(
        TableName=site.table.name,
        KeyConditionExpression="pk = :host AND begins_with(sk, :day)",
        ExpressionAttributeValues={":host": {"S": f"HOST#{host.host_id}"}, ":day": {"S": "DAY#"}},
        ConsistentRead=True,
    )
    days = {
        item["sk"]["S"].removeprefix("DAY#"): {int(cell) for cell in item.get("busy", {}).get("NS", ())}
        for item in answer["Items"]
    }
    return {day: cells for day, cells in days.items() if cells}


def cells(*spans: tuple[str, int]) -> dict[str, set[int]]:
    """Return the cells of spans, each a start and its minutes, computed minute by minute."""
    days: dict[str, set[int]] = {}
    for start, minutes in spans:
        for minute in range(minutes):
            instant = datetime.fromisoformat(start) + timedelta(minutes=minute)
            days.setdefault(instant.date().isoformat(), set()).add((instant.hour * 60 + instant.minute) // 5)
    return days


def at_once(*calls: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """Run the calls concurrently and return their responses."""
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], httpx.Response]) -> httpx.Response:
        gate.wait(timeout=LIMIT)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(LIMIT) for future in [pool.submit(run, call) for call in calls]]


def code(answer: httpx.Response) -> str:
    """Return the status, with the problem's code if it is an error."""
    if answer.status_code < 400:
        return str(answer.status_code)
    return f"{answer.status_code} {answer.json()['type'].rpartition(':')[2]}"


def form_of(text: str, action: str) -> dict[str, str]:
    """Return the fields that the page's form with this action would send unchanged."""
    [form] = re.findall(rf'<form[^>]* action="[^"]*{action}"[^>]*>(.*?)</form>', text, re.DOTALL)
    inputs = re.findall(r"<input([^>]*)>", form)
    found = {}
    for attributes in inputs:
        values = dict(re.findall(r'([a-z]+)="([^"]*)"', attributes))
        if values.get("type") != "radio" or " checked" in attributes:
            found[values["name"]] = html.unescape(values["value"])
    return found


def starts_on(text: str) -> list[str]:
    return re.findall(r'name="start" value="([^"]*)"', text)


def hrefs(text: str) -> list[str]:
    return [html.unescape(href) for href in re.findall(r'<a [^>]*href="([^"]*)"', text)]


class TestCancel:
    def test_a_cancellation_frees_the_slot_and_keeps_the_booking(
        self, site: Site, host: Caller, event_type: Json, booking: Json
    ) -> None:
        """P8: another link can book the slot immediately."""
        site.clock.advance(minutes=5)

        cancelled = ok(cancel(site, booking))

        assert cancelled == booking | {"status": "cancelled", "cancelledAt": at(minutes=5)}
        assert busy(site, host) == {}
        assert reread(site, booking) == cancelled
        assert ok(host.get(f"/v1/bookings/{booking['bookingId']}")) == cancelled
        other = created(site.redeem(host.link(event_type), TEN, invitee=OTTO))
        assert busy(site, host) == cells((TEN, 30))
        assert other["bookingId"] != booking["bookingId"]

    def test_a_second_cancellation_does_not_free_the_next_booking_of_the_slot(
        self, site: Site, host: Caller, event_type: Json, booking: Json
    ) -> None:
        first = ok(cancel(site, booking))
        created(site.redeem(host.link(event_type), TEN, invitee=OTTO))
        site.clock.advance(hours=1)

        assert ok(cancel(site, booking)) == first
        assert sequence(site, booking) == 2
        assert busy(site, host) == cells((TEN, 30))

    def test_the_buffers_of_the_booking_are_freed_despite_changed_buffers(
        self, site: Site, host: Caller
    ) -> None:
        buffered = host.event_type(bufferBeforeMinutes=10, bufferAfterMinutes=20)
        neighbour = created(site.redeem(host.link(buffered), f"{DAY}T12:00:00Z", invitee=OTTO))
        booking = created(site.redeem(host.link(buffered), TEN))
        ok(host.patch(f"/v1/event-types/{buffered['eventTypeId']}", {"bufferAfterMinutes": 180}))

        ok(cancel(site, booking))

        assert busy(site, host) == cells((f"{DAY}T11:50:00Z", 60)), neighbour

    @pytest.mark.parametrize("restore", [True, False])
    def test_the_use_is_restored_only_if_the_link_says_so(
        self, site: Site, host: Caller, event_type: Json, restore: bool
    ) -> None:
        link = host.link(event_type, restoreUseOnCancel=restore)
        booking = created(site.redeem(link, TEN))
        assert host.reread(link)["status"] == "used"

        ok(cancel(site, booking))
        ok(cancel(site, booking))

        now, active = host.reread(link), host.list(status="active")["links"]
        again = site.redeem(link, TWO)
        if restore:
            assert (now["status"], now["usageCount"], now["usedAt"]) == ("active", 0, None)
            assert active == [now]
            created(again)
            assert host.reread(link)["status"] == "used"
            assert_problem(site.redeem(link, f"{DAY}T15:00:00Z"), 410, "link-used")
        else:
            assert (now["status"], now["usageCount"], active) == ("used", 1, [])
            assert_problem(again, 410, "link-used")

    def test_each_booking_restores_one_use_and_never_above_the_maximum(
        self, site: Site, host: Caller, event_type: Json
    ) -> None:
        """P1: at most three bookings exist at any time, however often they are cancelled."""
        link = host.link(event_type, restoreUseOnCancel=True, maxUsageCount=3)
        bookings = [created(site.redeem(link, f"{DAY}T{hour}:00:00Z")) for hour in (10, 11, 12)]
        for left in (1, 2, 3):
            for _ in range(3):
                ok(cancel(site, bookings[left - 1]))
            now = host.reread(link)
            assert (now["remainingUses"], now["usageCount"]) == (left, 3 - left)
        for hour in (13, 14, 15):
            created(site.redeem(link, f"{DAY}T{hour}:00:00Z"))
        assert_problem(site.redeem(link, f"{DAY}T16:00:00Z"), 410, "link-used")

    def test_a_cancellation_reduces_the_count_of_an_unlimited_link(
        self, site: Site, host: Caller, event_type: Json
    ) -> None:
        link = host.link(event_type, restoreUseOnCancel=True, maxUsageCount=None)
        bookings = [created(site.redeem(link, f"{DAY}T{hour}:00:00Z")) for hour in (10, 11)]
        ok(cancel(site, bookings[0]))
        assert host.reread(link)["usageCount"] == 1

    @pytest.mark.parametrize(
        ("end", "uses"),
        [  # without ("revoked", 1), because a link with one use is then used
            *(("revoked", 2), ("expired", 1), ("expired", 2)),
            *(("marked expired", 1), ("marked expired", 2), ("deleted", 1), ("deleted", 2)),
        ],
    )
    def test_a_dead_link_gets_no_use_back_but_the_slot_is_freed(
        self, site: Site, host: Caller, event_type: Json, end: str, uses: int
    ) -> None:
        """P3, P8: a cancellation never reactivates or recreates a revoked, expired or deleted link."""
        link = host.link(event_type, restoreUseOnCancel=True, maxUsageCount=uses, expiresAt=at(hours=2))
        booking = created(site.redeem(link, TEN))
        if end == "revoked":
            ok(host.post(f"/v1/links/{link['linkId']}/revoke"))
        elif end == "deleted":
            assert host.delete(f"/v1/links/{link['linkId']}").status_code == 204
        else:
            site.clock.advance(hours=2)
            if end == "marked expired":
                site.mark_expired(link)
        before = stored_link(site, link)

        assert ok(cancel(site, booking))["status"] == "cancelled"

        assert busy(site, host) == {}
        assert stored_link(site, link) == before
        assert site.redeem(link, TWO).status_code == 410

    def test_after_a_cancellation_only_a_retry_with_its_key_finds_the_booking(
        self, site: Site, host: Caller, event_type: Json
    ) -> None:
        """P4: on a link with uses left, a repeat without a key books again, and one with its key is replayed."""
        link = host.link(event_type, maxUsageCount=None)
        keyless = created(site.redeem(link, TEN))
        keyed = created(site.redeem(link, TWO, key="k-1"))
        assert set(created(site.redeem(link, TEN))) == {"status", "start", "end", "title"}, (
            "while it is confirmed"
        )
        ok(cancel(site, keyless))
        gone = ok(cancel(site, keyed))

        again = created(site.redeem(link, TEN))
        replayed = site.redeem(link, TWO, key="k-1")

        assert again["bookingId"] != keyless["bookingId"]
        assert again["status"] == "confirmed"
        assert (created(replayed), replayed.headers["Idempotent-Replayed"]) == (gone, "true")
        assert busy(site, host) == cells((TEN, 30))
        assert host.reread(link)["usageCount"] == 3

    def test_a_booking_that_has_begun_cannot_be_cancelled(
        self, site: Site, host: Caller, booking: Json
    ) -> None:
        site.clock.now = datetime.fromisoformat(TEN) - timedelta(milliseconds=1)
        assert 'href="../b/' in page(site, booking)
        site.clock.advance(milliseconds=1)

        assert_problem(cancel(site, booking), 409, "conflict")
        refused = site.client.post(own(booking) + "/cancel", headers=FORM)

        assert refused.status_code == 409
        assert refused.headers["content-type"] == "text/html; charset=utf-8"
        assert "has begun" in refused.text
        assert busy(site, host) == cells((TEN, 30))
        assert reread(site, booking) == booking


class TestMove:
    @pytest.mark.parametrize(
        ("start", "to"),
        [
            (TEN, TWO),
            (TEN, f"{DAY}T10:05:00Z"),
            (TEN, f"{DAY}T09:40:00Z"),
            (TEN, f"{DAY}T11:00:00Z"),
            (TEN, f"{NEXT}T10:00:00Z"),
            (TEN, f"{DAY}T23:45:00Z"),
            (f"{DAY}T23:45:00Z", TEN),
            (f"{DAY}T23:45:00Z", f"{DAY}T23:40:00Z"),
            (f"{DAY}T23:45:00Z", f"{NEXT}T00:10:00Z"),
            (f"{DAY}T23:45:00Z", f"{NEXT}T23:45:00Z"),
            (f"{DAY}T23:45:00Z", "2040-01-06T23:45:00Z"),
            (f"{NEXT}T00:10:00Z", f"{DAY}T23:30:00Z"),
        ],
    )
    def test_a_move_changes_exactly_its_own_cells(
        self, site: Site, host: Caller, start: str, to: str
    ) -> None:
        """P2, P8: the stored day items have the cells with buffers of 10 and 15 minutes."""
        hours = ALL_DAY | {
            "timeZone": "Asia/Tokyo"
        }  # a schedule's hours end at its own midnight, so this one leaves UTC's midnight free
        buffers = {"bufferBeforeMinutes": 10, "bufferAfterMinutes": 15}
        kind = host.event_type(slotIntervalMinutes=5, schedule=hours, **buffers)
        others = [f"{DAY}T06:00:00Z", f"{NEXT}T06:00:00Z", f"{DAY}T18:00:00Z"]
        for other in others:
            created(site.redeem(host.link(kind), other, invitee=OTTO))
        booking = created(site.redeem(host.link(kind), start))

        moved = ok(move(site, booking, to))

        def held(instant: str) -> tuple[str, int]:
            return (datetime.fromisoformat(instant) - timedelta(minutes=10)).isoformat(), 55

        end = datetime.fromisoformat(to) + timedelta(minutes=30)
        assert moved == booking | {"start": to, "end": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
        assert busy(site, host) == cells(held(to), *map(held, others))
        ok(cancel(site, moved))
        assert busy(site, host) == cells(*map(held, others)), "a cancellation frees the cells of the new time"

    def test_a_move_does_not_write_the_link(
        self, site: Site, host: Caller, link: Json, booking: Json
    ) -> None:
        """P8: the link's item stays the same, and a booking of a used or deleted link can move too."""
        before = stored_link(site, link)
        ok(move(site, booking, TWO))
        assert stored_link(site, link) == before
        assert host.delete(f"/v1/links/{link['linkId']}").status_code == 204
        ok(move(site, booking, f"{DAY}T16:00:00Z"))
        assert host.get(f"/v1/links/{link['linkId']}").status_code == 404
        assert busy(site, host) == cells((f"{DAY}T16:00:00Z", 30))

    def test_the_calendar_event_keeps_its_uid_and_increases_its_sequence(
        self, site: Site, booking: Json
    ) -> None:
        events = [invite(site, booking)]
        ok(move(site, booking, TWO))
        events.append(invite(site, booking))
        ok(move(site, booking, TWO))
        events.append(invite(site, booking))
        ok(cancel(site, booking))
        events.append(invite(site, booking))

        assert {event.uid for event in events} == {f"{booking['bookingId']}@admit-one"}
        assert [event.sequence for event in events] == [0, 1, 1, 2]
        assert [event.status for event in events] == [*["CONFIRMED"] * 3, "CANCELLED"]
        assert [event.dtstart for event in events[:2]] == [datetime.fromisoformat(t) for t in (TEN, TWO)]

    def test_a_move_to_the_same_start_changes_nothing(self, site: Site, host: Caller, booking: Json) -> None:
        before = stored(site, booking)
        assert ok(move(site, booking, "2040-01-03T11:00:00+01:00")) == booking
        assert stored(site, booking) == before
        assert busy(site, host) == cells((TEN, 30))

    def test_a_move_follows_the_links_own_hours_and_notice(self, site: Site, host: Caller) -> None:
        hours = {"timeZone": "UTC", "weekly": [{"days": ["wed"], "from": "08:00", "to": "10:00"}]}
        overrides = {"schedule": hours, "minimumNoticeMinutes": 24 * 60, "durationMinutes": 60}
        link = host.link(host.event_type(), overrides=overrides)
        booking = created(site.redeem(link, f"{NEXT}T08:00:00Z"))  # a Wednesday

        assert offered(site, booking, **{"from": DAY, "to": "2040-01-12"}) == [
            f"{NEXT}T09:00:00Z",
            "2040-01-11T08:00:00Z",
            "2040-01-11T09:00:00Z",
        ]
        assert_problem(move(site, booking, TWO), 409, "slot-not-offered")
        site.clock.advance(days=1, hours=1, minutes=30)  # less than a day before nine
        assert_problem(move(site, booking, f"{NEXT}T09:00:00Z"), 409, "slot-not-offered")
        assert ok(move(site, booking, "2040-01-11T08:00:00Z"))["end"] == "2040-01-11T09:00:00Z"

    def test_a_move_follows_the_current_notice_and_time_off(
        self, site: Site, host: Caller, event_type: Json, booking: Json
    ) -> None:
        ok(host.patch(f"/v1/event-types/{event_type['eventTypeId']}", {"minimumNoticeMinutes": 48 * 60}))
        off = [{"start": f"{NEXT}T12:00:00Z", "end": f"{NEXT}T13:00:00Z"}]
        ok(host.patch(f"/v1/hosts/{host.host_id}", {"timeOff": off}))

        assert_problem(move(site, booking, TWO), 409, "slot-not-offered")
        assert_problem(move(site, booking, f"{NEXT}T12:30:00Z"), 409, "slot-not-offered")
        assert offered(site, booking, **{"from": at(), "to": f"{NEXT}T08:10:00Z"}) == [
            f"{NEXT}T08:00:00Z",
            f"{NEXT}T08:05:00Z",
        ]
        ok(move(site, booking, f"{NEXT}T13:00:00Z"))

    def test_a_moved_booking_keeps_its_duration(self, site: Site, host: Caller) -> None:
        kind = host.event_type(durationMinutes=120)
        booking = created(site.redeem(host.link(kind), TEN))
        ok(host.patch(f"/v1/event-types/{kind['eventTypeId']}", {"durationMinutes": 30}))

        moved = ok(move(site, booking, f"{NEXT}T10:00:00Z"))

        assert moved["end"] == f"{NEXT}T12:00:00Z"
        assert busy(site, host) == cells((f"{NEXT}T10:00:00Z", 120))

    def test_a_moved_booking_keeps_its_buffers_if_newer_ones_do_not_fit(
        self, site: Site, host: Caller
    ) -> None:
        """One condition can hold at most eight hours; the booking has 6, and the newer buffers have 7.5."""
        kind = host.event_type(durationMinutes=360, bufferAfterMinutes=10, slotIntervalMinutes=60)
        booking = created(site.redeem(host.link(kind), TEN))
        changes = {"durationMinutes": 30, "bufferBeforeMinutes": 220, "bufferAfterMinutes": 230}
        ok(host.patch(f"/v1/event-types/{kind['eventTypeId']}", changes))

        ok(move(site, booking, f"{NEXT}T06:00:00Z"))

        assert busy(site, host) == cells((f"{NEXT}T06:00:00Z", 370))

    def test_slots_for_a_move_treat_the_bookings_own_time_as_free(
        self, site: Site, host: Caller, event_type: Json, booking: Json
    ) -> None:
        created(site.redeem(host.link(event_type), f"{DAY}T10:45:00Z", invitee=OTTO))

        found = offered(site, booking, **{"from": f"{DAY}T09:45:00Z", "to": f"{DAY}T11:20:00Z"})

        assert found == [
            f"{DAY}T{clock}:00Z" for clock in ("09:45", "09:50", "09:55", "10:05", "10:10", "10:15", "11:15")
        ]
        for start in found[:4]:
            ok(move(site, booking, start))

    def test_a_move_to_a_taken_or_unoffered_slot_is_409_and_changes_nothing(
        self, site: Site, host: Caller, event_type: Json, booking: Json
    ) -> None:
        created(site.redeem(host.link(event_type), TWO, invitee=OTTO))
        before, held = stored(site, booking), busy(site, host)

        assert_problem(move(site, booking, f"{DAY}T13:40:00Z"), 409, "slot-taken")
        for start in (f"{DAY}T10:02:00Z", at(minutes=-5), "2041-01-03T10:00:00Z", "2199-12-31T23:00:00Z"):
            assert_problem(move(site, booking, start), 409, "slot-not-offered")
        assert_problem(move(site, booking, "9999-12-31T23:59:59Z"), 422, "invalid-value", "/start")

        assert (stored(site, booking), busy(site, host)) == (before, held)

    @pytest.mark.parametrize("how", ["cancelled", "begun"])
    def test_a_cancelled_or_begun_booking_cannot_move(
        self, site: Site, host: Caller, booking: Json, how: str
    ) -> None:
        if how == "cancelled":
            ok(cancel(site, booking))
        else:
            site.clock.now = datetime.fromisoformat(TEN)
        held = busy(site, host)

        assert_problem(move(site, booking, f"{NEXT}T10:00:00Z"), 409, "conflict")
        assert_problem(site.client.get(own(booking) + "/slots", headers=JSON), 409, "conflict")
        body = {"start": f"{NEXT}T10:00:00Z", "timeZone": "UTC"}
        form = site.client.post(own(booking) + "/reschedule", data=body, headers=HTML)
        response = site.client.get(own(booking) + "?move=1", headers=HTML)

        for answer in (form, response):
            assert answer.status_code == 409
            assert (
                f"<h1>{'This booking is cancelled' if how == 'cancelled' else 'Your booking'}</h1>"
                in answer.text
            )
            assert 'role="alert"' in answer.text
            assert "<form" not in answer.text
        assert busy(site, host) == held

    def test_two_bookings_cannot_take_each_others_slots(
        self, site: Site, host: Caller, event_type: Json, booking: Json
    ) -> None:
        other = created(site.redeem(host.link(event_type), TWO, invitee=OTTO))
        assert_problem(move(site, booking, TWO), 409, "slot-taken")
        assert_problem(move(site, other, TEN), 409, "slot-taken")

    def test_a_repeat_without_a_key_after_a_move_is_a_new_request(
        self, site: Site, host: Caller, event_type: Json
    ) -> None:
        """P4: a move deletes the receipt without a key, so the same body books the freed slot."""
        link = host.link(event_type, maxUsageCount=None)
        booking = created(site.redeem(link, TEN))
        ok(move(site, booking, TWO))

        again = created(site.redeem(link, TEN))

        assert again["bookingId"] != booking["bookingId"]
        assert busy(site, host) == cells((TEN, 30), (TWO, 30))

    def test_slots_for_a_move_cover_thirty_days_by_default(self, site: Site, host: Caller) -> None:
        """The response says which range it covers."""
        link = host.link(host.event_type(durationMinutes=240))
        booking = created(site.redeem(link, site.slots(link)[-1]))
        answer = ok(site.client.get(own(booking) + "/slots", headers=JSON))
        assert (answer["from"], answer["to"]) == (at(), at(days=30))
        assert answer["slots"][0] == {"start": at(), "end": at(hours=4)} or answer["slots"][0]["start"] > at()
        wrong = site.client.get(own(booking) + "/slots", params={"until": "x"}, headers=JSON)
        assert_problem(wrong, 400, "invalid-request", "/until")
        long = site.client.get(
            own(booking) + "/slots", params={"from": DAY, "to": "2040-05-01"}, headers=JSON
        )
        assert_problem(long, 422, "invalid-value", "/to")


class TestPages:
    def test_a_future_booking_offers_move_cancel_and_calendars(self, site: Site, booking: Json) -> None:
        links = hrefs(page(site, booking))
        token = own(booking).removeprefix("/b/")
        assert {f"../b/{token}?move=1", f"../b/{token}?cancel=1", f"../b/{token}/invite.ics"} <= set(links)
        [google] = [link for link in links if "calendar.google.com" in link]
        [outlook] = [link for link in links if "outlook.live.com" in link]
        assert parse_qs(urlsplit(google).query)["dates"] == ["20400103T100000Z/20400103T103000Z"]
        assert parse_qs(urlsplit(outlook).query)["startdt"] == [TEN]
        assert "/b/" not in google + outlook  # P7: the booking's token must not reach another site's logs

    def test_a_cancelled_or_begun_booking_offers_nothing(self, site: Site, booking: Json) -> None:
        site.clock.now = datetime.fromisoformat(TEN)
        begun = page(site, booking)
        site.clock.now = NOW
        ok(cancel(site, booking))
        cancelled = page(site, booking)
        assert "This booking is cancelled" in cancelled
        assert "Your booking" in begun
        for text in (
            begun,
            cancelled,
            page(site, booking, "?cancel=1"),
            page(
                site, booking, "?booked=1"
            ),  # a redeem redirects here, even if it finds its booking cancelled
            page(site, booking, "?booked=1&moved=1"),
        ):
            assert hrefs(text) == []
            assert "<form" not in text
            assert "You’re booked" not in text

    @pytest.mark.parametrize(
        ("uses", "words"), [(1, "ask Ada Lovelace for a new link"), (2, "open the link you booked with")]
    )
    def test_a_cancelled_booking_says_how_to_book_again(
        self, site: Site, host: Caller, event_type: Json, uses: int, words: str
    ) -> None:
        booking = created(site.redeem(host.link(event_type, maxUsageCount=uses), TEN))
        ok(cancel(site, booking))
        assert words in page(site, booking)

    def test_the_cancel_page_asks_first_and_redirects_to_the_booking(self, site: Site, booking: Json) -> None:
        asked = page(site, booking, "?cancel=1")
        assert "Cancel this booking?" in asked
        assert "Wednesday" not in asked
        assert "Tuesday 3 January 2040, 11:00 – 11:30" in asked  # in the invitee's zone
        assert reread(site, booking)["status"] == "confirmed"
        assert form_of(asked, "/cancel") == {}
        [action] = re.findall(r'<form[^>]* action="([^"]*)"', asked)

        done = site.client.post(urljoin(own(booking), action), data={}, headers=FORM)

        assert done.status_code == 303
        assert urljoin(own(booking) + "/cancel", done.headers["location"]) == own(booking)
        assert "This booking is cancelled" in page(site, booking)
        again = site.client.post(own(booking) + "/cancel", headers=FORM)
        assert again.status_code == 303, "a second submission has the same result"

    def test_the_move_page_moves_the_booking(self, site: Site, host: Caller, booking: Json) -> None:
        text = page(site, booking, f"?move=1&from={NEXT}&timeZone=America/New_York")
        assert "Eastern Time, UTC−5" in text
        starts = starts_on(text)
        week = {"from": f"{NEXT}T05:00:00Z", "to": "2040-01-11T05:00:00Z"}
        found = offered(site, booking, **week)
        assert starts == found[: len(starts)], "dates in New York, from the requested date"
        assert len(starts) >= 47, "at least a whole day, though it has many times"
        [action] = re.findall(r'<form[^>]* action="([^"]*)" method="post"', text)
        fields = form_of(text, "/reschedule")
        assert fields == {"timeZone": "America/New_York"}

        done = site.client.post(
            urljoin(own(booking), action), data=fields | {"start": starts[3]}, headers=HTML
        )

        assert done.status_code == 303
        there = urljoin(own(booking) + "/reschedule", done.headers["location"])
        assert there == own(booking) + "?moved=1"
        assert "Your booking has moved" in site.client.get(there, headers=HTML).text
        assert reread(site, booking)["start"] == starts[3]
        assert reread(site, booking)["timeZone"] == booking["timeZone"]
        assert busy(site, host) == cells((starts[3], 30))

    def test_the_pages_of_dates_list_all_slots_and_keep_the_time_zone(self, site: Site, host: Caller) -> None:
        kind = host.event_type(durationMinutes=240, bookingWindowDays=20)
        booking = created(site.redeem(host.link(kind), TEN.replace("10:", "08:")))
        found: list[str] = []
        path: str | None = own(booking) + "?move=1&timeZone=Etc/GMT%2B5"
        while path:
            text = site.client.get(path, headers=HTML).text
            assert "Etc/GMT+5, UTC−5" in text
            found += starts_on(text)
            later = re.search(r'<a href="([^"]*)" rel="next"', text)
            path = urljoin(own(booking), html.unescape(later[1])) if later else None
        assert found == offered(site, booking, **{"from": at(), "to": at(days=30)})

    def test_the_time_zone_page_keeps_the_move_and_the_zone(self, site: Site, booking: Json) -> None:
        text = site.client.get(own(booking) + "?move=1&timeZone=Asia/Tokyo", headers=HTML).text
        (zones,) = (href for href in hrefs(text) if "zones=1" in href)
        chooser = site.client.get(urljoin(own(booking), zones), headers=HTML).text
        assert re.search(r'<form action="[^"]*" method="get">\s*<input[^>]*name="move" value="1"', chooser)
        assert '<option value="Asia/Tokyo" selected>' in chooser
        assert "zones" not in form_of(chooser, "/reschedule")

    def test_a_slot_taken_meanwhile_is_reported_with_current_times(
        self, site: Site, host: Caller, event_type: Json, booking: Json
    ) -> None:
        taken = "2040-01-20T14:00:00Z"
        created(site.redeem(host.link(event_type), taken, invitee=OTTO))
        body = {"start": taken, "timeZone": "Asia/Tokyo"}

        answer = site.client.post(own(booking) + "/reschedule", data=body, headers=HTML)

        assert answer.status_code == 409
        assert "That time was just taken. Your booking keeps its time" in answer.text
        assert "Japan Standard Time" in answer.text
        starts = starts_on(answer.text)
        assert "2040-01-20T14:30:00Z" in starts, "the chosen day is shown again"
        assert taken not in starts
        # the page's relative URLs work at the path of the POST
        [action] = re.findall(r'<form[^>]* action="([^"]*)" method="post"', answer.text)
        fresh = site.client.post(
            urljoin(own(booking) + "/reschedule", action),
            data=form_of(answer.text, "/reschedule") | {"start": "2040-01-20T14:30:00Z"},
            headers=HTML,
        )
        assert fresh.status_code == 303
        sheet = re.search(r'rel="stylesheet" href="([^"]*)"', answer.text)
        assert sheet
        assert site.client.get(urljoin(own(booking) + "/reschedule", sheet[1])).status_code == 200

    @pytest.mark.parametrize(
        ("body", "status", "words"),
        [
            ({"timeZone": "UTC"}, 422, "Choose a time."),
            ({"start": "", "timeZone": "UTC"}, 422, "Choose a time."),
            ({"start": "soon"}, 400, "Choose a time."),
            ({"start": "2040-01-03T10:00:00"}, 400, "Choose a time."),
            ({"start": "9999-12-31T23:59:59Z"}, 422, "Choose a time."),
            ({"start": f"{DAY}T10:02:00Z"}, 409, "That time is not on offer."),
            ({"start": TWO, "colour": "red"}, 400, "could not be read"),
        ],
    )
    def test_an_invalid_move_shows_the_page_with_its_fault(
        self, site: Site, booking: Json, body: dict[str, str], status: int, words: str
    ) -> None:
        answer = site.client.post(own(booking) + "/reschedule", data=body, headers=HTML)
        assert answer.status_code == status
        assert words in html.unescape(answer.text)
        assert starts_on(answer.text)
        assert reread(site, booking) == booking
        program = site.client.post(own(booking) + "/reschedule", data=body, headers=JSON)
        assert program.status_code == status
        assert program.headers["content-type"] == "application/problem+json"

    def test_after_erasure_the_page_and_the_calendar_file_still_work(
        self, site: Site, host: Caller, booking: Json
    ) -> None:
        ok(host.delete(f"/v1/bookings/{booking['bookingId']}/personal-data"))
        assert "Grace" not in page(site, booking)
        assert str(invite(site, booking).summary).startswith("Talk with Ada")


class TestReading:
    PATHS: Final = ("", "?move=1", "?cancel=1", "?booked=1", "/invite.ics", "/slots")

    @pytest.mark.parametrize("headers", [HTML, JSON], ids=["html", "json"])
    def test_get_head_and_options_change_nothing(
        self, site: Site, booking: Json, headers: dict[str, str]
    ) -> None:
        """P5: every item of the table stays the same."""
        before = site.items()
        for path in self.PATHS:
            for method in ("GET", "HEAD", "OPTIONS"):
                site.client.request(method, own(booking) + path, headers=headers)
        for path in ("/cancel", "/reschedule"):
            assert site.client.get(own(booking) + path, headers=headers).status_code in (403, 404, 405)
        assert site.items() == before

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize("headers", [HTML, JSON], ids=["html", "json"])
    def test_head_returns_the_headers_of_get_without_a_body(
        self, site: Site, booking: Json, path: str, headers: dict[str, str]
    ) -> None:
        known = headers | {"X-Correlation-Id": "one"}
        got = site.client.get(own(booking) + path, headers=known)
        head = site.client.head(own(booking) + path, headers=known)
        assert head.content == b""
        assert (got.status_code, head.status_code) == (200, 200)
        varying = {"date", "content-length"}
        assert {k: v for k, v in head.headers.items() if k not in varying} == {
            k: v for k, v in got.headers.items() if k not in varying
        }

    def test_every_response_protects_the_token(self, site: Site, booking: Json) -> None:
        """P7: pages, files and problems forbid caching, referrers, indexing, framing and other sites' scripts."""
        for path in (*self.PATHS, "/slots?from=x", "x"):
            answer = site.client.get(own(booking) + path)
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["x-robots-tag"] == "noindex, nofollow"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["vary"] == "Accept, Accept-Language"
            assert "script-src 'self';" in answer.headers["content-security-policy"]
            assert "default-src 'none'" in answer.headers["content-security-policy"]

    def test_a_booking_is_read_with_one_call_to_dynamodb(self, site: Site, booking: Json) -> None:
        with site.counting() as reads:
            reread(site, booking)
        assert reads.calls == ["GetItem"]

    def test_a_token_that_is_not_genuine_is_404_and_reads_nothing(
        self, site: Site, host: Caller, link: Json, booking: Json
    ) -> None:
        """P7: forged, foreign and made-up tokens get the same response; a booking's token opens no link."""
        genuine = own(booking).removeprefix("/b/")
        held = busy(site, host)
        for guess in (forged(genuine), token_of(link), "x", "A" * 36, genuine[:-1], genuine + "A", "%00"):
            with site.counting() as reads:
                for method, path, body in self.requests():
                    for headers in (JSON, HTML):
                        answer = site.client.request(method, f"/b/{guess}{path}", json=body, headers=headers)
                        assert answer.status_code == 404, (guess, method, path)
                        if method != "HEAD" and headers is JSON:
                            assert_problem(answer, 404, "not-found")
            assert reads.calls == [], guess
        with site.counting() as reads:
            for method, path, body in (
                *(("GET", "", None), ("HEAD", "", None), ("GET", "/slots", None)),
                ("POST", "/redeem", redeem_body(TWO)),
            ):
                answer = site.client.request(method, f"/s/{genuine}{path}", json=body, headers=JSON)
                assert answer.status_code == 404
        assert reads.calls == []
        assert busy(site, host) == held

    @staticmethod
    def requests() -> Iterable[tuple[str, str, Any]]:
        for path in ("", "?move=1", "?cancel=1", "/invite.ics", "/slots"):
            yield "GET", path, None
            yield "HEAD", path, None
        yield "POST", "/cancel", {}
        yield "POST", "/reschedule", {"start": TWO}

    def test_the_404_page_is_the_same_for_links_and_bookings(self, site: Site) -> None:
        one, other = (site.client.get(f"/{kind}/{'A' * 36}", headers=HTML).text for kind in "bs")
        assert one == other


class TestBodies:
    @pytest.mark.parametrize(
        ("path", "body", "pointers"),
        [
            ("reschedule", b"", [""]),
            ("reschedule", b"{", [""]),
            ("reschedule", b"\xff", [""]),
            ("reschedule", b"[]", [""]),
            ("reschedule", b"null", [""]),
            ("reschedule", b"{}", [""]),
            ("reschedule", b'{"start": 1}', ["/start"]),
            ("reschedule", b'{"start": null}', ["/start"]),
            ("reschedule", b'{"start": "2040-01-03T14:00:00"}', ["/start"]),
            ("reschedule", b'{"start": "2040-01-03T14:00:00Z", "timeZone": "UTC"}', [""]),
            ("reschedule", b'{"start":' + b"[" * 20_000, []),
            ("cancel", b"{", [""]),
            ("cancel", b"[]", [""]),
            ("cancel", b'"x"', [""]),
            ("cancel", b'{"reason": "ill"}', [""]),
        ],
    )
    def test_malformed_json_is_400_with_a_pointer_and_changes_nothing(
        self, site: Site, booking: Json, path: str, body: bytes, pointers: list[str]
    ) -> None:
        headers = JSON | {"Content-Type": "application/json"}
        answer = site.client.post(f"{own(booking)}/{path}", content=body, headers=headers)
        assert_problem(answer, 400, "invalid-request", *pointers)
        assert reread(site, booking) == booking

    @pytest.mark.parametrize("body", [b"", b"{}", b" {} "])
    def test_a_cancel_request_may_have_no_body_or_an_empty_object(
        self, site: Site, booking: Json, body: bytes
    ) -> None:
        assert ok(cancel(site, booking, content=body))["status"] == "cancelled"

    @pytest.mark.parametrize("path", ["cancel", "reschedule"])
    @pytest.mark.parametrize("media", ["application/json", "application/x-www-form-urlencoded"])
    def test_a_large_body_is_413_and_another_content_type_415(
        self, site: Site, booking: Json, path: str, media: str
    ) -> None:
        url, body = f"{own(booking)}/{path}", b" " * (64 * 1024 + 1)
        big = site.client.post(url, content=body, headers=JSON | {"Content-Type": media})
        assert_problem(big, 413, "payload-too-large")
        xml = site.client.post(url, content=b"<a/>", headers=JSON | {"Content-Type": "text/xml"})
        assert_problem(xml, 415, "unsupported-media-type")
        assert reread(site, booking) == booking

    @pytest.mark.parametrize("path", ["cancel", "reschedule"])
    @pytest.mark.parametrize(
        "body", [b"a=1&a=2", b"=%ff", b"start=%ff", b"nonsense", b"&".join([b"a"] * 300)]
    )
    def test_a_malformed_form_is_400_and_changes_nothing(
        self, site: Site, booking: Json, path: str, body: bytes
    ) -> None:
        for headers in (FORM, FORM | JSON):
            answer = site.client.post(f"{own(booking)}/{path}", content=body, headers=headers)
            assert answer.status_code == 400
        assert reread(site, booking) == booking


class TestInvite:
    TITLE: Final = 'Überblick; "Größe", 日本語 & 👩‍👩‍👧 \\n — ' + "lang" * 20

    def test_every_field_of_the_calendar_file_is_correct(self, site: Site, host: Caller) -> None:
        place = [{"kind": "in_person", "detail": "Torstraße 12; Hof, 10119 Berlin"}]
        link = host.link(host.event_type(title=self.TITLE, locations=place))
        booking = created(site.redeem(link, TEN, answers={}))
        site.clock.advance(minutes=3)

        answer = site.client.get(own(booking) + "/invite.ics")

        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
        assert answer.headers["content-disposition"] == 'attachment; filename="invite.ics"'
        lines = answer.content.split(b"\r\n")
        assert lines[-1] == b""
        assert all(len(line) <= 75 and b"\n" not in line for line in lines)
        [event] = IcsCalendarStream.calendar_from_ics(answer.text).events
        assert event.uid == f"{booking['bookingId']}@admit-one"
        assert str(event.summary).startswith(f"{self.TITLE} with Ada")
        assert event.location == place[0]["detail"]
        assert str(event.description).splitlines()[1:] == [
            "To move or cancel, use the link in the email about this booking."
        ]
        assert event.url is None
        assert booking["url"].rpartition("/")[2] not in answer.text.replace("\r\n ", "")
        assert event.dtstart == datetime.fromisoformat(TEN)
        assert event.dtend == datetime.fromisoformat(TEN) + timedelta(minutes=30)
        assert event.dtstamp == NOW + timedelta(minutes=3)
        assert event.created == NOW
        assert (event.sequence, event.status) == (0, "CONFIRMED")
        assert (event.organizer, event.attendees) == (None, [])
        assert "ada@hosts.example" not in answer.text

    def test_typed_text_cannot_add_a_header_or_a_property(self, site: Site, host: Caller) -> None:
        plain = created(site.redeem(host.link(host.event_type()), TEN))
        evil = 'a"\u3000; filename="x.exe" Set-Cookie: b=c X-EVIL:1'
        place = [{"kind": "custom", "detail": evil}]
        link = host.link(host.event_type(title=evil, locations=place))
        person = {"name": evil, "email": "grace@invitees.example"}
        booking = created(site.redeem(link, TWO, invitee=person))

        known = {"X-Correlation-Id": "one"}
        one, other = (site.client.get(own(b) + "/invite.ics", headers=known) for b in (plain, booking))

        varying = {"content-length", "date"}
        assert {k: v for k, v in other.headers.items() if k not in varying} == {
            k: v for k, v in one.headers.items() if k not in varying
        }
        names = [line.partition(b":")[0] for line in other.content.split(b"\r\n")]
        assert b"X-EVIL" not in names
        [event] = IcsCalendarStream.calendar_from_ics(other.text).events
        line = " ".join("".join(c if c.isprintable() else " " for c in evil).split())
        assert (str(event.summary).partition(" with ")[0], event.location) == (line, line)

    def test_the_calendar_file_of_a_cancelled_booking_has_no_location(self, site: Site, host: Caller) -> None:
        place = [{"kind": "video", "detail": "https://meet.example/secret"}]
        booking = created(site.redeem(host.link(host.event_type(locations=place)), TEN))
        assert invite(site, booking).location == "https://meet.example/secret"
        ok(site.client.post(own(booking) + "/cancel", headers=JSON))
        event = invite(site, booking)
        assert (event.status, event.location) == ("CANCELLED", None)

    def test_an_unsupported_address_is_not_promised_an_email(self, site: Site, host: Caller) -> None:
        """The page says that no email is sent, and the calendar file refers to the page instead of the email."""
        person = {"name": "Jörg", "email": "jörg@example.com"}
        booking = created(site.redeem(host.link(), TEN, invitee=person))
        assert "We can’t email jörg@example.com" in html.unescape(page(site, booking))
        assert "open the page of this booking" in str(invite(site, booking).description)
        usual = created(site.redeem(host.link(), TWO))
        assert "We can’t email" not in html.unescape(page(site, usual))
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("MAIL_SENDER")
            bootstrap.forget()
            for one in (booking, usual):
                assert "open the page of this booking" in str(invite(site, one).description)
                assert "We can’t email" not in html.unescape(page(site, one))
        bootstrap.forget()

    def test_a_title_cannot_have_a_line_break(self, host: Caller) -> None:
        for text in ("a\r\nX-EVIL:1", "a\nb", "a\x00b", "a\u2028b", "a\x85b"):
            body = {"title": text, "durationMinutes": 30, "schedule": ALL_DAY}
            assert_problem(host.post("/v1/event-types", body), 422, "invalid-value", "/title")


class TestRaces:
    """Races, repeated many times on ministack, whose transactions are atomic; the stored cells are checked."""

    @pytest.mark.parametrize("round_", range(RACES))
    def test_a_cancel_racing_a_move_frees_all_cells(
        self, site: Site, host: Caller, booking: Json, round_: int
    ) -> None:
        """The move succeeds before the cancellation or not at all; the cancellation always succeeds."""
        to = (TWO, f"{DAY}T10:10:00Z", f"{NEXT}T10:00:00Z")[round_ % 3]

        cancelled, moved = at_once(lambda: cancel(site, booking), lambda: move(site, booking, to))

        assert ok(cancelled)["status"] == "cancelled"
        assert code(moved) in ("200", "409 conflict")
        assert busy(site, host) == {}
        final = reread(site, booking)
        assert final["status"] == "cancelled"
        assert final["start"] == (to if code(moved) == "200" else TEN)
        assert sequence(site, booking) == (3 if code(moved) == "200" else 2)

    @pytest.mark.parametrize("round_", range(RACES))
    def test_a_move_racing_a_redeem_gives_the_slot_to_one(
        self, site: Site, host: Caller, event_type: Json, booking: Json, round_: int
    ) -> None:
        """P2: exactly one gets the slot, and no other cells are held."""
        target = (TWO, f"{NEXT}T14:00:00Z")[round_ % 2]
        link = host.link(event_type)

        moved, booked = at_once(
            lambda: move(site, booking, target), lambda: site.redeem(link, target, invitee=OTTO)
        )

        assert (code(moved), code(booked)) in (("200", "409 slot-taken"), ("409 slot-taken", "201"))
        if code(moved) == "200":
            assert busy(site, host) == cells((target, 30))
            assert host.reread(link)["usageCount"] == 0
        else:
            assert busy(site, host) == cells((TEN, 30), (target, 30))
            assert reread(site, booking) == booking

    @pytest.mark.parametrize("round_", range(RACES))
    def test_two_moves_racing_for_a_slot_give_it_to_one(
        self, site: Site, host: Caller, event_type: Json, booking: Json, round_: int
    ) -> None:
        other = created(site.redeem(host.link(event_type), f"{DAY}T18:00:00Z", invitee=OTTO))
        target = (TWO, f"{NEXT}T14:00:00Z")[round_ % 2]

        answers = at_once(lambda: move(site, booking, target), lambda: move(site, other, target))

        assert sorted(map(code, answers)) == ["200", "409 slot-taken"]
        left = f"{DAY}T18:00:00Z" if code(answers[0]) == "200" else TEN
        assert busy(site, host) == cells((target, 30), (left, 30))

    @pytest.mark.parametrize("round_", range(RACES // 3))
    def test_concurrent_cancellations_count_once(
        self, site: Site, host: Caller, event_type: Json, round_: int
    ) -> None:
        """P8: the slot is freed once and the use is restored once."""
        link = host.link(event_type, restoreUseOnCancel=True, maxUsageCount=2 + round_)
        created(site.redeem(link, TWO, invitee=OTTO))
        booking = created(site.redeem(link, TEN))

        answers = at_once(*[lambda: cancel(site, booking)] * 8)

        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
        assert sequence(site, booking) == 2
        assert host.reread(link)["usageCount"] == 1
        assert busy(site, host) == cells((TWO, 30))

    @pytest.mark.parametrize("round_", range(RACES))
    def test_racing_moves_of_one_booking_end_at_one_target(
        self, site: Site, host: Caller, booking: Json, round_: int
    ) -> None:
        targets = [(TWO, f"{NEXT}T10:00:00Z"), (f"{DAY}T10:05:00Z", f"{DAY}T09:55:00Z")][round_ % 2]

        answers = at_once(*[lambda to=to: move(site, booking, to) for to in targets])

        assert {answer.status_code for answer in answers} == {200}, (
            "the second moves the booking from the first's target"
        )
        final = reread(site, booking)
        assert final["start"] in targets
        assert busy(site, host) == cells((final["start"], 30))
        assert sequence(site, booking) == 3

    def test_concurrent_moves_to_free_slots_on_one_day_all_succeed(
        self, site: Site, host: Caller, event_type: Json
    ) -> None:
        """A move within a day rewrites the whole day; a concurrent change elsewhere on it doesn't reject the move."""
        links = [host.link(event_type) for _ in range(5)]
        bookings = [created(site.redeem(link, f"{DAY}T{10 + n}:00:00Z")) for n, link in enumerate(links)]
        targets = [f"{DAY}T{10 + n}:20:00Z" for n in range(5)]

        answers = at_once(
            *[lambda b=b, to=to: move(site, b, to) for b, to in zip(bookings, targets, strict=True)]
        )

        assert {answer.status_code for answer in answers} == {200}
        assert busy(site, host) == cells(*((to, 30) for to in targets))

    @pytest.mark.parametrize("round_", range(RACES // 3))
    def test_a_cancel_racing_redeems_never_exceeds_the_links_uses(
        self, site: Site, host: Caller, event_type: Json, round_: int
    ) -> None:
        """P1: a use restored and taken concurrently is never counted twice."""
        link = host.link(event_type, restoreUseOnCancel=True, maxUsageCount=2)
        first = created(site.redeem(link, TEN))
        others = [{"name": "N", "email": f"n{n}-{round_}@invitees.example"} for n in range(3)]

        answers = at_once(
            lambda: cancel(site, first),
            *[
                lambda n=n, who=who: site.redeem(link, f"{DAY}T{14 + n}:00:00Z", invitee=who)
                for n, who in enumerate(others)
            ],
        )

        booked = [answer for answer in answers[1:] if answer.status_code == 201]
        assert {code(answer) for answer in answers[1:]} <= {"201", "410 link-used"}
        now = host.reread(link)
        assert now["usageCount"] == len(booked) <= 2
        assert now["status"] == ("used" if len(booked) == 2 else "active")
        assert busy(site, host) == cells(*((answer.json()["start"], 30) for answer in booked))


@pytest.mark.parametrize("kind", ["video", "phone", "custom", "in_person"])
def test_a_cancelled_booking_hides_the_locations_detail(site: Site, host: Caller, kind: str) -> None:
    """Neither the page nor its JSON nor a replayed redeem has it."""
    detail = "Room 7, passcode 998877, https://meet.example/7"
    event_type = host.event_type(locations=[{"kind": kind, "detail": detail, "showBeforeBooking": True}])
    body = redeem_body(at(days=1))
    link = host.link(event_type)
    key = {"Idempotency-Key": "k"}
    booked = created(site.client.post(f"{path_of(link)}/redeem", json=body, headers=key))
    assert booked["location"] == {"kind": kind, "detail": detail}
    page = httpx.URL(booked["url"]).path
    assert ok(site.client.get(page, headers=JSON))["location"]["detail"] == detail

    cancelled = ok(site.client.post(f"{page}/cancel"))

    again = site.client.post(f"{path_of(link)}/redeem", json=body, headers=key).json()
    for document in (cancelled, ok(site.client.get(page, headers=JSON)), again):
        assert document["location"] == {"kind": kind, "detail": ""}
    assert "998877" not in site.client.get(page, headers=HTML).text


def test_a_booking_keeps_its_links_hours_after_the_link_is_deleted(site: Site, host: Caller) -> None:
    """P8: it isn't offered the event type's other hours, and the link's bookings are still listed."""
    hours = {"timeZone": "UTC", "weekly": [{"days": ["tue"], "from": "20:00", "to": "22:00"}]}
    link = host.link(overrides={"schedule": hours})
    booking = created(site.redeem(link, site.slots(link)[0]))
    page = booking["url"].removeprefix("https://admit.example")
    before = ok(site.client.get(f"{page}/slots"))["slots"]
    assert host.delete(f"/v1/links/{link['linkId']}").status_code == 204
    assert ok(site.client.get(f"{page}/slots"))["slots"] == before
    listed = ok(host.get("/v1/bookings", params={"linkId": link["linkId"]}))["bookings"]
    assert [row["bookingId"] for row in listed] == [booking["bookingId"]]
