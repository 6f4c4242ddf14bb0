"""The host's API for bookings: list, read, cancel, move and erase them (P2, P8, P9, P10, P15)."""

from typing import Any

import pytest

from tests.support.app import (
    BASE_URL,
    HTML,
    JSON,
    Caller,
    Site,
    assert_problem,
    at,
    created,
    ok,
    unknown_id,
)


def _book(site: Site, link: dict[str, Any], start: str, name: str = "Grace") -> dict[str, Any]:
    invitee = {"name": name, "email": f"{name.lower()}@x.example"}
    booking: dict[str, Any] = created(site.redeem(link, start, invitee=invitee))
    return booking


def _walk(host: Caller, limit: int, **params: str) -> list[str]:
    """Return the ids on all pages of a list."""
    seen: list[str] = []
    cursor: str | None = None
    while True:
        fields = params | {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        page = ok(host.get("/v1/bookings", params=fields))
        assert len(page["bookings"]) <= limit
        seen += [row["bookingId"] for row in page["bookings"]]
        cursor = page["nextCursor"]
        if cursor is None:
            return seen


@pytest.mark.parametrize("limit", [1, 3, 50])
def test_pages_list_every_booking_once_in_order_of_start(site: Site, host: Caller, limit: int) -> None:
    """P10: earliest start first, for every filter, with all statuses merged."""
    one, two = host.event_type(), host.event_type()
    links = [host.link(event_type, maxUsageCount=None) for event_type in (one, two)]
    booked = [_book(site, links[number % 2], at(days=9 - number)) for number in range(7)]
    for booking in booked[::3]:
        ok(host.post(f"/v1/bookings/{booking['bookingId']}/cancel"))
    in_order = [booking["bookingId"] for booking in reversed(booked)]
    cancelled = [b["bookingId"] for b in reversed(booked) if b in booked[::3]]
    assert _walk(host, limit) == in_order
    assert _walk(host, limit, status="cancelled") == cancelled
    assert _walk(host, limit, status="confirmed") == [i for i in in_order if i not in cancelled]
    ones = [b["bookingId"] for b in reversed(booked[::2])]
    assert _walk(host, limit, eventTypeId=one["eventTypeId"]) == ones
    assert _walk(host, limit, linkId=links[0]["linkId"]) == ones
    assert _walk(host, limit, linkId=links[0]["linkId"], status="cancelled") == [
        i for i in ones if i in cancelled
    ]


def test_a_range_includes_its_start_and_excludes_its_end(site: Site, host: Caller) -> None:
    """`from <= start < to`; a range can't be combined with a link."""
    link = host.link(maxUsageCount=None)
    day = {number: _book(site, link, at(days=number))["bookingId"] for number in (1, 2, 3)}
    assert _walk(host, 50, **{"from": at(days=1), "to": at(days=3)}) == [day[1], day[2]]
    assert _walk(host, 1, **{"from": at(days=2)}) == [day[2], day[3]]
    assert _walk(host, 1, to=at(days=2)) == [day[1]]
    for params in ({"from": at(days=2), "to": at(days=2)}, {"from": at(days=3), "to": at(days=1)}):
        assert_problem(host.get("/v1/bookings", params=params), 422, "invalid-value", "/to")
    both = {"linkId": link["linkId"], "from": at(days=1)}
    assert_problem(host.get("/v1/bookings", params=both), 422, "invalid-value", "/linkId")
    assert_problem(host.get("/v1/bookings", params={"status": "held"}), 400, "invalid-request", "/status")


def test_a_moved_booking_is_listed_at_its_new_start(site: Site, host: Caller) -> None:
    """P8, P2: the old slot is free, and the new one is taken."""
    event_type = host.event_type()
    first = _book(site, host.link(event_type), at(days=1))
    second = _book(site, host.link(event_type), at(days=2))
    moved = ok(host.post(f"/v1/bookings/{first['bookingId']}/reschedule", {"start": at(days=3)}))
    assert (moved["start"], moved["end"]) == (at(days=3), at(days=3, minutes=30))
    assert _walk(host, 1) == [second["bookingId"], first["bookingId"]]
    taken = host.post(f"/v1/bookings/{first['bookingId']}/reschedule", {"start": at(days=2)})
    assert_problem(taken, 409, "slot-taken")
    _book(site, host.link(event_type), at(days=1))
    off = host.post(f"/v1/bookings/{first['bookingId']}/reschedule", {"start": at(days=4, minutes=7)})
    assert_problem(off, 409, "slot-not-offered")


def test_a_second_cancellation_changes_nothing(site: Site, host: Caller) -> None:
    """P8: the response is the same, and the slot's next booking keeps its cells."""
    event_type = host.event_type()
    booking = _book(site, host.link(event_type), at(days=1))
    path = f"/v1/bookings/{booking['bookingId']}"
    first = ok(host.post(f"{path}/cancel"))
    assert (first["status"], first["cancelledAt"]) == ("cancelled", at())
    other = _book(site, host.link(event_type), at(days=1), "Eve")
    assert ok(host.post(f"{path}/cancel")) == first
    assert ok(host.get(f"/v1/bookings/{other['bookingId']}"))["status"] == "confirmed"
    assert_problem(site.redeem(host.link(event_type), at(days=1)), 409, "slot-taken")
    assert_problem(host.post(f"{path}/reschedule", {"start": at(days=5)}), 409, "conflict")


def test_a_booking_that_has_begun_cannot_be_changed(site: Site, host: Caller) -> None:
    """It can be neither cancelled nor moved."""
    booking = _book(site, host.link(), at(days=1))
    site.clock.advance(days=1)
    path = f"/v1/bookings/{booking['bookingId']}"
    assert_problem(host.post(f"{path}/cancel"), 409, "conflict")
    assert_problem(host.post(f"{path}/reschedule", {"start": at(days=5)}), 409, "conflict")


def test_erasure_removes_personal_data_and_keeps_the_booking(site: Site, host: Caller) -> None:
    """The table no longer has the name, the address or the answers; the slot and the status stay."""
    question = {"id": "topic", "label": "What about?"}
    link = host.link(host.event_type(questions=[question]))
    invitee = {"name": "Zelda Fitz", "email": "zelda@erase.example"}
    booking = created(site.redeem(link, at(days=1), invitee=invitee, answers={"topic": "A secret matter"}))
    erased = ok(host.delete(f"/v1/bookings/{booking['bookingId']}/personal-data"))
    assert (erased["invitee"], erased["answers"]) == (None, {})
    kept = ("status", "start", "end", "linkId", "createdAt", "location")
    assert {name: erased[name] for name in kept} == {name: booking[name] for name in kept}
    assert ok(host.delete(f"/v1/bookings/{booking['bookingId']}/personal-data")) == erased
    dump = str(site.items())
    assert not any(word in dump for word in ("Zelda", "zelda@erase.example", "A secret matter"))
    page = site.client.get(
        booking["url"].removeprefix("https://admit.example"), headers={"Accept": "text/html"}
    )
    assert page.status_code == 200


def test_another_hosts_booking_is_not_found(site: Site, host: Caller, other: Caller) -> None:
    """P9: every request gets the response for an unknown id; lists have only the caller's bookings."""
    link = host.link()
    booking = _book(site, link, at(days=1))
    for caller, booking_id in ((other, booking["bookingId"]), (host, unknown_id("bkg")), (host, "bkg_x")):
        path = f"/v1/bookings/{booking_id}"
        for answer in (
            caller.get(path),
            caller.post(f"{path}/cancel"),
            caller.post(f"{path}/reschedule", {"start": at(days=2)}),
            caller.delete(f"{path}/personal-data"),
        ):
            assert_problem(answer, 404, "not-found")
    assert _walk(other, 50) == []
    assert_problem(other.get("/v1/bookings", params={"linkId": link["linkId"]}), 404, "not-found")
    assert ok(host.get(f"/v1/bookings/{booking['bookingId']}"))["status"] == "confirmed"
    assert_problem(site.admin.get("/v1/bookings"), 422, "invalid-value", "/hostId")
    assert host.host_id is not None
    assert len(ok(site.admin.get("/v1/bookings", params={"hostId": host.host_id}))["bookings"]) == 1


def test_a_cancellation_restores_no_use_for_an_archived_event_type(site: Site, host: Caller) -> None:
    """P8: the link doesn't become active, because a redeem would reject it."""
    event_type = host.event_type()
    link = host.link(event_type, restoreUseOnCancel=True)
    booking = _book(site, link, at(days=1))
    assert host.delete(f"/v1/event-types/{event_type['eventTypeId']}").status_code == 204
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/cancel"))
    assert host.reread(link)["status"] == "used"


def test_an_invitee_can_move_a_booking_ten_times_and_its_host_any_number(site: Site, host: Caller) -> None:
    """P15: each move sends an email, so the eleventh is 409, refers to the host, and is recorded in the history."""
    link = host.link()
    booking = _book(site, link, at(days=1))
    own = booking["url"].removeprefix(BASE_URL)
    for number in range(2, 12):
        ok(site.client.post(f"{own}/reschedule", json={"start": at(days=number)}, headers=JSON))
    ok(site.client.post(f"{own}/reschedule", json={"start": at(days=11)}, headers=JSON))  # no move

    eleventh = site.client.post(f"{own}/reschedule", json={"start": at(days=12)}, headers=JSON)

    detail = assert_problem(eleventh, 409, "move-limit")["detail"]
    assert detail == "This booking has been moved 10 times. Ask the host to move it."
    assert site.item(f"LINK#{link['linkId']}", f"DENIAL#move-limit#{at()[:16]}")
    assert_problem(site.client.get(f"{own}/slots", headers=JSON), 409, "move-limit")
    form = site.client.post(f"{own}/reschedule", data={"start": at(days=12)}, headers=HTML)
    assert form.status_code == 409
    assert "has been moved 10 times. Ask the host" in form.text
    moved = ok(host.post(f"/v1/bookings/{booking['bookingId']}/reschedule", {"start": at(days=13)}))
    assert moved["start"] == at(days=13)
    assert_problem(
        site.client.post(f"{own}/reschedule", json={"start": at(days=1)}, headers=JSON), 409, "move-limit"
    )
    ok(site.client.post(f"{own}/cancel", headers=JSON))


def test_cancellations_restore_a_links_use_five_times(site: Site, host: Caller) -> None:
    """P15, P8: the sixth cancellation frees the slot but restores no use, and the history records why."""
    link = host.link(restoreUseOnCancel=True)
    for number in range(6):
        booking = _book(site, link, at(days=1), f"G{number}")
        assert ok(host.post(f"/v1/bookings/{booking['bookingId']}/cancel"))["status"] == "cancelled"

    kept = host.reread(link)
    assert (kept["status"], kept["usageCount"]) == ("used", 1)
    assert site.item(f"LINK#{link['linkId']}", f"DENIAL#restore-limit#{at()[:16]}")
    _book(site, host.link(), at(days=1))  # the slot is free


def test_erasure_deletes_the_receipt_without_a_key(site: Site, host: Caller) -> None:
    """P7: no hash of the request is left, so a repeat is a new request."""
    link = host.link(maxUsageCount=2)
    booking = _book(site, link, at(days=1))
    item = site.item(f"BOOKING#{booking['bookingId']}", "BOOKING")
    assert item is not None
    receipt = f"RECEIPT#{item['keylessReceiptId']['S']}"
    assert site.item(f"LINK#{link['linkId']}", receipt)

    ok(host.delete(f"/v1/bookings/{booking['bookingId']}/personal-data"))

    erased = site.item(f"BOOKING#{booking['bookingId']}", "BOOKING")
    assert erased is not None
    assert "keylessReceiptId" not in erased
    assert site.item(f"LINK#{link['linkId']}", receipt) is None
    assert_problem(site.redeem(link, at(days=1)), 409, "slot-taken")


@pytest.mark.parametrize("limit", [1, 3, 7, 50])
def test_pages_in_descending_order_list_every_booking_once(site: Site, host: Caller, limit: int) -> None:
    """P10: latest start first, for every filter and range."""
    event_type = host.event_type()
    links = [host.link(event_type, maxUsageCount=None) for _ in range(2)]
    booked = [_book(site, links[number % 2], at(days=number + 1)) for number in range(7)]
    for booking in booked[::3]:
        ok(host.post(f"/v1/bookings/{booking['bookingId']}/cancel"))
    backwards = [booking["bookingId"] for booking in reversed(booked)]
    assert _walk(host, limit, order="desc") == backwards
    assert _walk(host, limit, order="asc") == backwards[::-1]
    assert _walk(host, limit, order="desc", to=at(days=5)) == backwards[3:]
    assert _walk(host, limit, order="desc", **{"from": at(days=2), "to": at(days=5)}) == backwards[3:6]
    assert _walk(host, limit, order="desc", linkId=links[0]["linkId"]) == backwards[::2]
    confirmed = [b["bookingId"] for b in reversed(booked) if b not in booked[::3]]
    assert _walk(host, limit, order="desc", status="confirmed") == confirmed


def test_a_page_in_descending_order_reads_only_what_it_returns(site: Site, host: Caller) -> None:
    """P10: it reads at most two index entries per booking, and one more per status; other orders reject its cursor."""
    link = host.link(maxUsageCount=None)
    for number in range(9):
        _book(site, link, at(days=number + 1))
    first = ok(host.get("/v1/bookings", params={"order": "desc", "limit": 4}))
    with site.counting() as reads:
        params = {"order": "desc", "limit": 4, "cursor": first["nextCursor"]}
        second = ok(host.get("/v1/bookings", params=params))
    assert [b["start"] for b in second["bookings"]] == [at(days=n) for n in (5, 4, 3, 2)]
    assert reads.items == 1 + 4  # the API key, and the page
    assert reads.index_entries <= 2 * 4 + 2
    for order in ({}, {"order": "asc"}):
        answer = host.get("/v1/bookings", params={"cursor": first["nextCursor"]} | order)
        assert_problem(answer, 422, "invalid-value", "/cursor")
    assert_problem(host.get("/v1/bookings", params={"order": "up"}), 400, "invalid-request", "/order")


def test_dates_are_in_the_hosts_time_zone_or_the_requested_one(site: Site, host: Caller) -> None:
    """A date without a time is in the host's time zone, not in UTC."""
    link = host.link(maxUsageCount=None)
    early, late = _book(site, link, "2040-01-04T12:30:00Z"), _book(site, link, "2040-01-05T12:30:00Z")
    ok(host.patch(f"/v1/hosts/{host.host_id}", {"timeZone": "Australia/Sydney"}))
    dates = {"from": "2040-01-05", "to": "2040-01-06"}  # from 13:00Z on the 4th
    assert _walk(host, 50, **dates) == [late["bookingId"]]
    ahead = dates | {"timeZone": "Pacific/Kiritimati"}  # from 10:00Z on the 4th
    assert _walk(host, 50, **ahead) == [early["bookingId"]]
    for params, status, where in (
        (dates | {"timeZone": "Mars/Base"}, 422, "/timeZone"),
        ({"from": "0001-01-01"}, 422, "/from"),
        ({"to": "9999-12-31"}, 422, "/to"),
        ({"from": "2040-02-30"}, 400, "/from"),
        ({"from": "2040-01-06", "to": "2040-01-05"}, 422, "/to"),
    ):
        kind = "invalid-request" if status == 400 else "invalid-value"
        assert_problem(host.get("/v1/bookings", params=params), status, kind, where)
