"""`POST /s/{token}/redeem` with JSON and forms: what it books, rejects, and returns to a retry (P1, P3, P4)."""

import html
import re
from typing import Any, Final

import httpx
import pytest

from chalicelib.domain import errors
from chalicelib.domain.clock import rfc3339
from chalicelib.domain.errors import AdmitOneError
from chalicelib.store.redeem import Redeems
from chalicelib.wire.problems import STATUSES, problem
from tests.support.app import (
    ALL_DAY,
    BASE_URL,
    EVERY_DAY,
    HTML,
    JSON,
    NOW,
    Caller,
    Site,
    assert_problem,
    at,
    created,
    ok,
    path_of,
    redeem_body,
)

BOOKING_FIELDS: Final = {
    *("bookingId", "linkId", "hostId", "eventTypeId", "status", "title", "start", "end", "timeZone"),
    *("location", "invitee", "answers", "url", "createdAt", "cancelledAt"),
}
QUESTIONS: Final = [
    {"id": "topic", "label": "What about?", "required": True},
    {"id": "size", "label": "How many?", "kind": "choice", "options": ["one", "two & more"]},
]
LOCATIONS: Final = [
    {"kind": "video", "detail": "https://meet.example/ada"},
    {"kind": "in_person", "detail": "Sample Street 1"},
]
ANSWERS: Final = {"topic": "Compilers"}


@pytest.fixture
def event_type(host: Caller) -> dict[str, Any]:
    return host.event_type(title="Deep talk", questions=QUESTIONS, locations=LOCATIONS)


@pytest.fixture
def link(host: Caller, event_type: dict[str, Any]) -> dict[str, Any]:
    return host.link(event_type, maxUsageCount=2)


def redeem(site: Site, link: dict[str, Any], start: str, **fields: Any) -> httpx.Response:
    return site.redeem(link, start, **({"answers": ANSWERS} | fields))


class TestJson:
    def test_201_has_the_booking_and_the_url_of_its_page(
        self, site: Site, host: Caller, link: dict[str, Any]
    ) -> None:
        answers = ANSWERS | {"size": "two & more"}
        response = redeem(site, link, at(days=1), answers=answers, locationIndex=1)

        booking = created(response)
        assert set(booking) == BOOKING_FIELDS
        assert booking == booking | {
            "linkId": link["linkId"],
            "hostId": host.host_id,
            "eventTypeId": link["eventTypeId"],
            "status": "confirmed",
            "title": "Deep talk",
            "start": at(days=1),
            "end": at(days=1, minutes=30),
            "timeZone": "Europe/Berlin",
            "location": LOCATIONS[1],
            "invitee": {"name": "Grace Hopper", "email": "grace@invitees.example"},
            "answers": answers,
            "createdAt": rfc3339(NOW),
            "cancelledAt": None,
        }
        assert booking["url"].startswith(f"{BASE_URL}/b/")
        assert "idempotent-replayed" not in response.headers
        own = httpx.URL(f"{BASE_URL}{path_of(link)}/redeem").join(response.headers["location"])
        assert str(own) == booking["url"]
        assert ok(site.client.get(own.path, headers=JSON)) == booking
        counted = host.reread(link)
        assert (counted["usageCount"], counted["remainingUses"], counted["status"]) == (1, 1, "active")

    def test_the_last_use_makes_the_link_used(self, site: Site, host: Caller, link: dict[str, Any]) -> None:
        """P1: a link gives exactly its uses, and then none."""
        created(redeem(site, link, at(days=1)))
        site.clock.advance(minutes=1)
        created(redeem(site, link, at(days=2)))

        used = host.reread(link)
        expected = {"status": "used", "usageCount": 2, "remainingUses": 0, "usedAt": rfc3339(site.clock())}
        assert used == link | expected
        assert_problem(redeem(site, link, at(days=3)), 410, "link-used")

    def test_the_first_location_is_the_default(self, site: Site, host: Caller, link: dict[str, Any]) -> None:
        assert created(redeem(site, link, at(days=1)))["location"] == LOCATIONS[0]
        assert created(site.redeem(host.link(), at(days=2)))["location"] is None

    def test_a_start_may_have_any_utc_offset(self, site: Site, link: dict[str, Any]) -> None:
        assert created(redeem(site, link, "2040-01-03T08:45:00+05:45"))["start"] == "2040-01-03T03:00:00Z"

    def test_the_links_overrides_apply_to_the_booking(
        self, site: Site, host: Caller, event_type: dict[str, Any]
    ) -> None:
        own = {"title": "Mine", "durationMinutes": 45, "questions": [], "locations": []}
        booking = created(site.redeem(host.link(event_type, overrides=own), at(days=1, hours=1)))

        assert (booking["title"], booking["end"], booking["location"]) == (
            "Mine",
            at(days=1, minutes=105),
            None,
        )


class TestRefusedValues:
    @pytest.mark.parametrize(
        ("fields", "pointer"),
        [
            ({"timeZone": "Europe/Atlantis"}, "/timeZone"),
            ({"timeZone": "europe/berlin"}, "/timeZone"),
            ({"invitee": {"name": " ", "email": "grace@invitees.example"}}, "/invitee/name"),
            ({"invitee": {"name": "x" * 201, "email": "grace@invitees.example"}}, "/invitee/name"),
            ({"invitee": {"name": "G\u0000", "email": "grace@invitees.example"}}, "/invitee/name"),
            ({"invitee": {"name": "G", "email": "grace"}}, "/invitee/email"),
            ({"invitee": {"name": "G", "email": "g@x.example, h@x.example"}}, "/invitee/email"),
            ({"invitee": {"name": "G", "email": "g@x.example\r\nBcc: h@x.example"}}, "/invitee/email"),
            ({"answers": {}}, "/answers/topic"),
            ({"answers": {"topic": "  "}}, "/answers/topic"),
            ({"answers": ANSWERS | {"size": "three"}}, "/answers/size"),
            ({"answers": ANSWERS | {"colour": "red"}}, "/answers/colour"),
            ({"answers": ANSWERS | {"a/b~c": "red"}}, "/answers/a~1b~0c"),
            ({"answers": {"topic": "x" * 2001}}, "/answers/topic"),
            ({"locationIndex": 2}, "/locationIndex"),
            ({"locationIndex": -1}, "/locationIndex"),
            ({"start": "1999-12-31T23:59:59Z"}, "/start"),
            ({"start": "9999-12-31T23:59:59-14:00"}, "/start"),
        ],
        ids=lambda value: str(value)[:50],
    )
    def test_an_invalid_value_is_422_with_a_pointer_and_consumes_no_use(
        self, site: Site, host: Caller, link: dict[str, Any], fields: dict[str, Any], pointer: str
    ) -> None:
        response = redeem(site, link, fields.pop("start", at(days=1)), **fields)

        assert_problem(response, 422, "invalid-value", pointer)
        assert host.reread(link) == link

    @pytest.mark.parametrize(
        ("fields", "pointer"),
        [
            ({"start": "tomorrow"}, "/start"),
            ({"start": "2040-01-03T10:00:00"}, "/start"),
            ({"start": None}, "/start"),
            ({"start": 2209116000}, "/start"),
            ({"invitee": {"name": "G"}}, "/invitee"),
            ({"invitee": {"name": "G", "email": "g@x.example", "phone": "1"}}, "/invitee"),
            ({"invitee": None}, "/invitee"),
            ({"answers": {"topic": 1}}, "/answers"),
            ({"answers": None}, "/answers"),
            ({"locationIndex": "0"}, "/locationIndex"),
            ({"linkId": "lnk_"}, ""),
        ],
        ids=lambda value: str(value)[:50],
    )
    def test_a_malformed_field_is_400_with_a_pointer_and_consumes_no_use(
        self, site: Site, host: Caller, link: dict[str, Any], fields: dict[str, Any], pointer: str
    ) -> None:
        body = redeem_body(at(days=1)) | fields
        response = site.client.post(f"{path_of(link)}/redeem", json=body, headers=JSON)

        assert_problem(response, 400, "invalid-request", pointer)
        assert host.reread(link) == link

    def test_all_faults_are_reported_at_once(self, site: Site, link: dict[str, Any]) -> None:
        response = redeem(site, link, at(days=1), timeZone="x", invitee={"name": "", "email": "x"})

        assert_problem(response, 422, "invalid-value", "/timeZone", "/invitee/name", "/invitee/email")


class TestNotOnOffer:
    """A start that isn't offered is 409, even if all its cells are free."""

    @pytest.mark.parametrize(
        ("start", "why"),
        [
            ("2040-01-03T10:15:00Z", "off the slots' own grid"),
            ("2040-01-03T10:00:01Z", "a second late"),
            ("2040-01-03T10:00:00.001Z", "a millisecond late"),
            ("2040-01-03T08:30:00Z", "before hours"),
            ("2040-01-03T16:30:00Z", "ends after hours"),
            ("2040-01-02T07:00:00Z", "in the past"),
            ("2040-01-02T10:00:00Z", "inside the notice"),
            ("2040-01-07T10:00:00Z", "on a day without hours"),
            ("2040-01-10T10:00:00Z", "on a closed date"),
            ("2040-01-11T10:00:00Z", "in time off"),
            ("2040-02-02T10:00:00Z", "beyond the window"),
            ("2199-12-31T10:00:00Z", "far beyond the window"),
        ],
    )
    def test_a_start_that_is_not_offered_is_409(self, site: Site, start: str, why: str) -> None:
        off = [{"start": "2040-01-11T09:30:00Z", "end": "2040-01-11T10:05:00Z"}]
        host = site.host()
        ok(host.patch(f"/v1/hosts/{host.host_id}", {"timeOff": off}))
        schedule = {
            "timeZone": "UTC",
            "weekly": [{"days": EVERY_DAY[:5], "from": "09:00", "to": "17:00"}],
            "overrides": [{"date": "2040-01-10", "intervals": []}],
        }
        event_type = host.event_type(
            durationMinutes=60, schedule=schedule, minimumNoticeMinutes=240, bookingWindowDays=30
        )
        link = host.link(event_type)
        assert site.slots(link, **{"from": at(hours=1), "to": at(hours=5)}) == ["2040-01-02T12:00:00Z"]

        assert_problem(site.redeem(link, start), 409, "slot-not-offered")

        assert host.reread(link) == link, why
        created(site.redeem(link, "2040-01-02T12:00:00Z"))

    def test_a_taken_slot_has_its_own_code(self, site: Site, host: Caller) -> None:
        """P2: a slot that a booking of any of the host's links holds is `slot-taken`."""
        first, second = host.link(), host.link(host.event_type(durationMinutes=60))
        created(site.redeem(first, at(hours=5.5)))

        assert_problem(site.redeem(second, at(hours=5)), 409, "slot-taken")

        assert host.reread(second) == second
        created(site.redeem(second, at(hours=6)))


class TestRecipientLock:
    @pytest.mark.parametrize(
        ("enforce", "email", "may"),
        [
            ("none", "anyone@elsewhere.example", True),
            ("email", "Grace@Invitees.EXAMPLE", True),
            ("email", "grace.h@invitees.example", False),
            ("email", "grace@sub.invitees.example", False),
            ("domain", "boss@invitees.example", True),
            ("domain", "BOSS@INVITEES.EXAMPLE", True),
            ("domain", "boss@sub.invitees.example", False),
            ("domain", "invitees.example@elsewhere.example", False),
        ],
    )
    def test_only_the_recipient_can_book(
        self, site: Site, host: Caller, enforce: str, email: str, may: bool
    ) -> None:
        recipient = {"name": "Grace", "email": "grace@invitees.example", "enforce": enforce}
        link = host.link(recipient=recipient)

        response = site.redeem(link, at(days=1), invitee={"name": "G", "email": email})

        if may:
            assert created(response)["invitee"]["email"] == email
        else:
            assert_problem(response, 403, "recipient-mismatch")
            assert "grace@" not in response.text
            assert host.reread(link) == link


class TestRepeats:
    """P4: a retry returns the same booking; the same key with another body is 422."""

    def test_a_retry_returns_the_same_booking_and_consumes_no_use(
        self, site: Site, host: Caller, event_type: dict[str, Any]
    ) -> None:
        link, key = host.link(event_type), "a key of one's own"
        first = created(redeem(site, link, at(days=1), key=key))
        site.clock.advance(days=3)  # now the start is in the past and the link is used

        second = redeem(site, link, at(days=1), key=key)

        assert created(second) == first
        assert second.headers["idempotent-replayed"] == "true"
        assert host.reread(link)["usageCount"] == 1

    def test_a_repeat_without_a_key_learns_only_that_it_is_booked(
        self, site: Site, host: Caller, event_type: dict[str, Any]
    ) -> None:
        """P4: the sender may be someone else, so the response has no URL, no personal data, no answers and no ids."""
        link = host.link(event_type)
        first = created(redeem(site, link, "2040-01-03T10:00:00Z", answers={"topic": "One\ntwo"}))
        site.clock.advance(minutes=9, seconds=58)

        invitee = {"name": " Grace  Hopper", "email": "GRACE@Invitees.Example"}
        again = redeem(
            site,
            link,
            "2040-01-03T11:00:00+01:00",
            invitee=invitee,
            answers={"topic": "One\r\ntwo ", "size": ""},
            locationIndex=0,
        )

        assert again.status_code == 201
        assert again.json() == {
            "status": "confirmed",
            "start": first["start"],
            "end": first["end"],
            "title": first["title"],
        }
        assert again.headers["idempotent-replayed"] == "true"
        assert "location" not in again.headers
        assert host.reread(link)["usageCount"] == 1

    def test_a_repeat_without_a_key_is_recognized_for_ten_minutes(
        self, site: Site, host: Caller, link: dict[str, Any]
    ) -> None:
        """P4: after that it is like any other request: the slot is taken, or the link is used."""
        created(redeem(site, link, at(days=1)))
        site.clock.advance(minutes=10)

        assert_problem(redeem(site, link, at(days=1)), 409, "slot-taken")
        created(redeem(site, link, at(days=2)))
        site.clock.advance(minutes=10)
        assert_problem(redeem(site, link, at(days=2)), 410, "link-used")
        assert host.reread(link)["usageCount"] == 2

    def test_a_repeat_without_a_key_after_a_move_or_cancel_is_a_new_request(
        self, site: Site, link: dict[str, Any]
    ) -> None:
        """P4: a response never confirms a time that the booking no longer has."""
        first = created(redeem(site, link, at(days=1)))
        own = first["url"].removeprefix(BASE_URL)
        ok(site.client.post(f"{own}/reschedule", json={"start": at(days=2)}, headers=JSON))

        second = created(redeem(site, link, at(days=1)))

        assert second["bookingId"] != first["bookingId"]
        ok(site.client.post(f"{second['url'].removeprefix(BASE_URL)}/cancel", headers=JSON))
        assert_problem(redeem(site, link, at(days=1)), 410, "link-used")

    @pytest.mark.parametrize(
        "guess",
        [
            {},
            {"timeZone": "Europe/Berlin"},
            {"invitee": {"name": "x", "email": "grace@invitees.example"}},
            {"invitee": {"name": "Grace Hopper", "email": "grace@invitees.example"}},
            {"start": at(days=2)},
            {"start": at(days=1, minutes=7)},
            {"start": "2199-01-01T00:00:00Z"},
        ],
        ids=str,
    )
    def test_a_stranger_with_a_used_link_learns_nothing_from_guesses(
        self, site: Site, host: Caller, event_type: dict[str, Any], guess: dict[str, Any]
    ) -> None:
        """P4: a correct guess of slot and address gets the same response, after the same reads, as a wrong one."""
        link = host.link(event_type)
        created(redeem(site, link, at(days=1)))
        fields = {"timeZone": "UTC", "answers": {}} | guess
        start = str(fields.pop("start", at(days=1)))
        same = {"X-Correlation-Id": "same"}
        path = f"{path_of(link)}/redeem"
        wild = redeem_body(at(days=3), invitee={"name": "x", "email": "x@elsewhere.example"})
        site.client.post(
            path, json=wild, headers=JSON | same
        )  # records this minute's denial, which later requests don't repeat
        with site.counting() as of_wild:
            other = site.client.post(path, json=wild, headers=JSON | same)

        with site.counting() as of_guess:
            response = site.client.post(path, json=redeem_body(start, **fields), headers=JSON | same)

        assert_problem(response, 410, "link-used")
        assert "Idempotency-Key" in response.json()["detail"]
        assert response.content == other.content
        assert {*response.headers.items()} - {*other.headers.items()} <= {("date", response.headers["date"])}
        assert of_guess.calls == of_wild.calls

    def test_a_stranger_with_an_active_link_learns_only_that_a_slot_is_taken(
        self, site: Site, host: Caller, event_type: dict[str, Any]
    ) -> None:
        """P4: a guess of the booked slot and address doesn't return the booking."""
        link = host.link(event_type, maxUsageCount=None)
        created(redeem(site, link, at(days=1)))

        for email in ("grace@invitees.example", "x@elsewhere.example"):
            guess = redeem(site, link, at(days=1), invitee={"name": "x", "email": email})
            assert_problem(guess, 409, "slot-taken")
            assert "url" not in guess.text

    def test_the_same_key_with_another_body_is_422(
        self, site: Site, host: Caller, link: dict[str, Any]
    ) -> None:
        created(redeem(site, link, at(days=1), key="k"))

        for change in (
            {"start": at(days=2)},
            {"timeZone": "UTC"},
            {"answers": {"topic": "Else"}},
            {"invitee": {"name": "Other", "email": "grace@invitees.example"}},
            {"locationIndex": 0},
        ):
            fields = dict(change)
            response = redeem(site, link, str(fields.pop("start", at(days=1))), key="k", **fields)
            assert_problem(response, 422, "idempotency-key-reused")
        assert host.reread(link)["usageCount"] == 1

    def test_each_link_has_its_own_keys(self, site: Site, host: Caller, event_type: dict[str, Any]) -> None:
        one, two = host.links(event_type, count=2)

        first = created(redeem(site, one, at(days=1), key="k"))
        second = created(redeem(site, two, at(days=2), key="k"))

        assert first["bookingId"] != second["bookingId"]

    def test_another_invitee_is_another_request(self, site: Site, link: dict[str, Any]) -> None:
        created(redeem(site, link, at(days=1)))

        response = redeem(site, link, at(days=1), invitee={"name": "H", "email": "h@invitees.example"})

        assert_problem(response, 409, "slot-taken")

    def test_a_retry_after_a_revoke_still_returns_its_booking(
        self, site: Site, host: Caller, link: dict[str, Any]
    ) -> None:
        first = created(redeem(site, link, at(days=1), key="k"))
        ok(host.post(f"/v1/links/{link['linkId']}/revoke"))

        assert created(redeem(site, link, at(days=1), key="k")) == first
        assert_problem(redeem(site, link, at(days=2)), 410, "link-revoked")

    @pytest.mark.parametrize("key", ["x" * 256, "é", ""])
    def test_a_malformed_key_is_400(self, site: Site, host: Caller, link: dict[str, Any], key: str) -> None:
        response = site.client.post(
            f"{path_of(link)}/redeem",
            json=redeem_body(at(days=1), answers=ANSWERS),
            headers={b"Accept": b"application/json", b"Idempotency-Key": key.encode("latin-1")},
        )

        assert_problem(response, 400, "invalid-request")
        assert host.reread(link) == link


FORM: Final = {
    "start": at(days=1),
    "timeZone": "Asia/Tokyo",
    "invitee.name": "Grace “Amazing” Hopper",
    "invitee.email": "grace@invitees.example",
    "location": "1",
    "answers.topic": "Line one\r\nand <two>",
    "answers.size": "two & more",
}


class TestForm:
    """A browser's form without JavaScript: 303 to the confirmation, or the page again with everything typed."""

    def post(self, site: Site, link: dict[str, Any], **changes: str) -> httpx.Response:
        return site.client.post(f"{path_of(link)}/redeem", data=FORM | changes, headers=HTML)

    def page_after(self, site: Site, link: dict[str, Any], response: httpx.Response) -> httpx.Response:
        assert response.status_code == 303
        location = response.headers["location"]
        assert location.startswith("../")  # works below any stage or domain
        there = httpx.URL(f"http://x{path_of(link)}/redeem").join(location)
        return site.client.get(there.raw_path.decode(), headers=HTML)

    def test_a_form_books_and_redirects_to_the_confirmation(
        self, site: Site, host: Caller, link: dict[str, Any]
    ) -> None:
        page = self.page_after(site, link, self.post(site, link))

        assert page.status_code == 200
        for words in (
            "You’re booked",
            "Deep talk",
            "Sample Street 1",
            "Grace “Amazing” Hopper",
            "17:00 – 17:30",
        ):
            assert words in page.text, words
        assert "3 January 2040" in page.text
        assert "Ada Lovelace" in page.text
        assert host.reread(link)["usageCount"] == 1

    def test_a_form_sent_twice_books_once(self, site: Site, host: Caller, link: dict[str, Any]) -> None:
        """P4: a double click, a reload and a second submission after going back give one booking."""
        key = form_fields(site.visit(link, headers=HTML).text)["idempotencyKey"]
        first = self.post(site, link, idempotencyKey=key)
        second = self.post(site, link, idempotencyKey=key)

        assert (first.status_code, second.status_code) == (303, 303)
        assert first.headers["location"] == second.headers["location"]
        assert host.reread(link)["usageCount"] == 1

    def test_each_page_has_its_own_key_and_keeps_it_after_an_error(
        self, site: Site, link: dict[str, Any]
    ) -> None:
        """P4: a page books once, however often its form is corrected."""
        one, other = (form_fields(site.visit(link, headers=HTML).text)["idempotencyKey"] for _ in range(2))
        assert one != other
        assert re.fullmatch("[0-9a-f]{32}", one)

        invalid = self.post(site, link, idempotencyKey=one, **{"invitee.email": "grace"})

        assert invalid.status_code == 422
        assert form_fields(invalid.text)["idempotencyKey"] == one
        assert self.post(site, link, idempotencyKey=one).status_code == 303

    def test_the_header_and_the_form_field_are_the_same_key(
        self, site: Site, host: Caller, link: dict[str, Any]
    ) -> None:
        """P4: a request may have both; if they differ, or the field is invalid, it books nothing."""
        path = f"{path_of(link)}/redeem"
        both = [("a", "b"), ("a", ""), ("a", "x" * 256)]
        for header, field in both:
            response = site.client.post(
                path, data=FORM | {"idempotencyKey": field}, headers=JSON | {"Idempotency-Key": header}
            )
            assert_problem(response, 400, "invalid-request", "/idempotencyKey")
        assert host.reread(link) == link

        by_field = site.client.post(path, data=FORM | {"idempotencyKey": "a"}, headers=HTML)
        by_both = site.client.post(
            path, data=FORM | {"idempotencyKey": "a"}, headers=HTML | {"Idempotency-Key": "a"}
        )
        assert by_field.headers["location"] == by_both.headers["location"]

    def test_changed_details_from_a_page_that_has_booked_are_422(
        self, site: Site, host: Caller, event_type: dict[str, Any]
    ) -> None:
        """P4: nothing is booked or revealed; if the link has uses left, the form has a new key."""
        for uses, words in (
            (1, "You have already booked"),
            (2, "You already sent this form with other details"),
        ):
            link = host.link(event_type, maxUsageCount=uses)
            key = form_fields(site.visit(link, headers=HTML).text)["idempotencyKey"]
            start = at(days=uses, hours=1)
            assert self.post(site, link, idempotencyKey=key, start=start).status_code == 303

            again = self.post(site, link, idempotencyKey=key, start=start, **{"invitee.name": "Eve"})

            assert again.status_code == 422
            assert words in again.text
            assert "/b/" not in again.text
            if uses > 1:
                assert form_fields(again.text)["idempotencyKey"] != key
            assert host.reread(link)["usageCount"] == 1

    def test_a_repeated_form_without_a_key_learns_only_that_it_is_booked(
        self, site: Site, host: Caller, link: dict[str, Any]
    ) -> None:
        """P4: the page has the slot and says that the confirmation was emailed, but doesn't link to the booking."""
        first, second = self.post(site, link), self.post(site, link)

        assert (first.status_code, second.status_code) == (303, 200)
        assert second.headers["idempotent-replayed"] == "true"
        assert "This time is booked" in second.text
        assert "Deep talk" in second.text
        assert "The confirmation was emailed" in second.text
        assert "/b/" not in second.text
        assert "location" not in second.headers
        assert FORM["invitee.email"] not in second.text
        assert host.reread(link)["usageCount"] == 1

        program = site.client.post(f"{path_of(link)}/redeem", data=FORM, headers=JSON)
        assert set(program.json()) == {"status", "start", "end", "title"}

    def test_a_repeat_promises_an_email_only_to_a_supported_address(
        self, site: Site, link: dict[str, Any]
    ) -> None:
        """P4: SES supports only ASCII before the @, so no page promises an email to another address."""
        unreachable = {"invitee.email": "jörg@example.com"}
        first, second = (self.post(site, link, **unreachable) for _ in range(2))

        assert (first.status_code, second.status_code) == (303, 200)
        assert "emailed" not in second.text
        assert "Your confirmation is the page that you saw after booking." in second.text

    def test_the_pages_own_form_books(self, site: Site, host: Caller, event_type: dict[str, Any]) -> None:
        """The form is sent with its default values and only the required fields filled in."""
        link = host.link(event_type, recipient={"name": "Grace", "email": "grace@invitees.example"})
        page = site.visit(link, headers=HTML).text
        fields = form_fields(page)
        fields |= {
            "start": re.findall(r'name="start" value="([^"]+)"', page)[0],
            "answers.topic": "x",
            "location": "0",
        }
        action = re.search(r'action="([^"]+)" method="post"', page)
        assert action

        path = httpx.URL(f"http://x{path_of(link)}").join(action[1]).path
        response = site.client.post(path, data=fields, headers=HTML)

        assert response.status_code == 303, response.text
        assert fields["invitee.email"] == "grace@invitees.example"

    @pytest.mark.parametrize(
        ("changes", "status", "words"),
        [
            ({"invitee.email": "grace"}, 422, "Enter an email address such as"),
            ({"invitee.name": " "}, 422, "Enter your name."),
            ({"answers.topic": ""}, 422, "Answer this question: "),
            ({"answers.size": "three"}, 422, "Choose one of the options for this question: "),
            ({"timeZone": "Mars/Base"}, 422, "Choose a time zone from the list."),
            ({"start": ""}, 422, "Choose a time."),
            ({"start": at(days=1, minutes=7)}, 409, "no longer on offer"),
            ({"start": at(days=2)}, 409, "just taken"),
            ({"location": "7"}, 422, "Choose where."),
            ({"start": "soon"}, 400, "could not be read"),
        ],
        ids=str,
    )
    def test_an_invalid_form_shows_the_fault_and_keeps_what_was_typed(
        self,
        site: Site,
        host: Caller,
        event_type: dict[str, Any],
        changes: dict[str, str],
        status: int,
        words: str,
    ) -> None:
        created(redeem(site, host.link(event_type), at(days=2)))
        link = host.link(event_type)

        response = self.post(site, link, **changes)

        assert (response.status_code, response.headers["content-type"]) == (
            status,
            "text/html; charset=utf-8",
        )
        page = html.unescape(response.text)
        assert re.search(words, page)
        kept = form_fields(response.text)
        typed = FORM | changes
        for name in ("invitee.name", "invitee.email", "answers.topic"):
            assert kept[name] == typed[name].replace("\r\n", "\n"), name
        if typed["answers.size"] in {"one", "two & more"}:
            assert kept["answers.size"] == typed["answers.size"]
        if typed["location"] in {"0", "1"}:
            assert kept["location"] == typed["location"]
        starts = re.findall(r'name="start" value="([^"]+)"', response.text)
        assert starts  # current times, without the one that is taken
        assert at(days=2) not in starts
        if typed["start"] == at(days=2):
            assert at(days=2, minutes=30) in starts, "times of the chosen day"
        if typed["start"] in starts:
            assert kept["start"] == typed["start"]
        if typed["timeZone"] == "Asia/Tokyo":
            assert kept["timeZone"] == "Asia/Tokyo"
            assert "17:00" in page
        assert host.reread(link) == link
        # the corrected form books
        assert self.post(site, link).status_code == 303

    def test_a_form_from_another_recipient_is_403_on_the_page(
        self, site: Site, host: Caller, event_type: dict[str, Any]
    ) -> None:
        recipient = {"email": "ada@invitees.example", "enforce": "email"}
        link = host.link(event_type, recipient=recipient)

        response = self.post(site, link)

        assert response.status_code == 403
        assert 'id="invitee-email-error"' in response.text
        assert form_fields(response.text)["invitee.email"] == FORM["invitee.email"]
        assert "ada@" not in response.text

    def test_a_form_sent_with_accept_json_gets_a_json_problem(self, site: Site, link: dict[str, Any]) -> None:
        response = site.client.post(
            f"{path_of(link)}/redeem", data=FORM | {"invitee.email": "x"}, headers=JSON
        )

        assert_problem(response, 422, "invalid-value", "/invitee/email")


def form_fields(page: str) -> dict[str, str]:
    """Return the fields that the page's booking form would send unchanged."""
    form = page[page.index('method="post"') :]
    form = form[: form.index("</form>")]
    fields: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        attributes = dict(re.findall(r'([a-z]+)="([^"]*)"', tag))
        if attributes.get("type") in {"radio", "checkbox"} and not re.search(r"\schecked\b", tag):
            continue
        fields[attributes["name"]] = html.unescape(attributes["value"])
    for name, text in re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>\n?([^<]*)</textarea>', form):
        fields[name] = html.unescape(text).replace("\r\n", "\n")
    for name, options in re.findall(r'<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options)
        fields[name] = html.unescape(chosen[1]) if chosen else ""
    return fields


class TestConfirmation:
    """`/b/{bookingToken}`: the invitee's own booking."""

    def test_the_page_and_the_json_have_the_same_booking(self, site: Site, host: Caller) -> None:
        event_type = host.event_type(title="Talk <b>", locations=LOCATIONS[:1], schedule=ALL_DAY)
        booking = created(site.redeem(host.link(event_type), "2040-01-03T10:00:00Z"))
        path = booking["url"].removeprefix(BASE_URL)

        page = site.client.get(path, headers=HTML).text

        assert "Talk &lt;b&gt;" in page
        assert "3 January 2040" in page
        assert "11:00 – 11:30" in page  # in the invitee's zone
        assert "https://meet.example/ada" in page
        assert "nobody else can book with it" in page
        assert "You’re booked" not in page
        assert "You’re booked" in site.client.get(f"{path}?booked=1", headers=HTML).text
        assert ok(site.client.get(path, headers=JSON)) == booking


def every_error(kind: type[AdmitOneError]) -> set[type[AdmitOneError]]:
    return {kind}.union(*(every_error(child) for child in kind.__subclasses__()))


def test_every_error_has_a_status_and_its_code_as_type() -> None:
    """Fail for an error class without a row in the table of statuses, which would be a 500."""
    concrete = {
        error
        for error in every_error(AdmitOneError)
        if hasattr(error, "code") and error.__module__ == errors.__name__
    }
    assert concrete == set(STATUSES)

    for kind in concrete:
        error = kind(NOW) if kind is errors.LinkNotOpenError else kind()
        document = problem(error, "correlation")
        assert document["type"].rpartition(":")[2] == kind.code
        assert document["status"] == STATUSES[kind]
        assert document["title"]
        assert document["detail"]
        assert document["correlationId"] == "correlation"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        *(("invalid-request", 400), ("unauthorized", 401), ("forbidden", 403), ("link-not-open", 403)),
        *(("recipient-mismatch", 403), ("not-found", 404), ("conflict", 409), ("slot-taken", 409)),
        *(("slot-not-offered", 409), ("link-used", 410), ("link-expired", 410), ("link-revoked", 410)),
        *(("link-deleted", 410), ("payload-too-large", 413), ("unsupported-media-type", 415)),
        *(("invalid-value", 422), ("idempotency-key-reused", 422), ("throttled", 429)),
        ("store-unavailable", 503),
    ],
)
def test_the_statuses_are_the_documented_ones(code: str, status: int) -> None:
    """Clients rely on these statuses."""
    assert {STATUSES[kind] for kind in STATUSES if kind.code == code} == {status}


PERSON: Final = {name: FORM[name] for name in ("timeZone", "invitee.name", "invitee.email")}


class TestText:
    """Forms and JSON store typed text the same way, and equal requests are equal in any notation."""

    def test_a_line_break_counts_as_one_character_in_forms_and_json(self, site: Site, host: Caller) -> None:
        """Browsers send CRLF for a line break, so a form and JSON with the same answer are one request (P4)."""
        question = {"id": "topic", "label": "What about?", "kind": "text", "required": True, "options": []}
        link = host.link(host.event_type(questions=[question]))
        answer = "x" * 999 + "\n" * 2 + "y" * 999
        form = PERSON | {"start": at(days=1), "answers.topic": answer.replace("\n", "\r\n")}
        key = {"Idempotency-Key": "same"}
        booked = site.client.post(f"{path_of(link)}/redeem", data=form, headers=HTML | key)
        assert booked.status_code == 303, booked.text
        for written in (answer, answer.replace("\n", "\r\n"), answer.replace("\n", "\r")):
            fields = {
                "start": at(days=1),
                "timeZone": FORM["timeZone"],
                "invitee": {
                    "name": f" {FORM['invitee.name']}\ufeff",
                    "email": f"{FORM['invitee.email']}\u200b",
                },
                "answers": {"topic": written},
            }
            again = site.client.post(f"{path_of(link)}/redeem", json=fields, headers=JSON | key)
            assert again.status_code == 201, again.text
            assert again.json()["answers"] == {"topic": answer}
            assert again.json()["invitee"] == {"name": FORM["invitee.name"], "email": FORM["invitee.email"]}

    @pytest.mark.parametrize(
        "name", ["\u200b", "\u3164", " \u2800 ", "\u200d", "a\u2028b", "a\x85b", "\ufdd0"]
    )
    def test_a_name_must_be_one_visible_line(self, site: Site, host: Caller, name: str) -> None:
        """An invisible name, or one with a line break, is rejected in forms and JSON."""
        link = host.link()
        invitee = {"name": name, "email": "grace@invitees.example"}
        response = redeem(site, link, at(days=1), invitee=invitee, answers={})
        assert_problem(response, 422, "invalid-value", "/invitee/name")
        form = PERSON | {"start": at(days=1), "invitee.name": name}
        assert site.client.post(f"{path_of(link)}/redeem", data=form, headers=HTML).status_code == 422

    def test_a_name_keeps_joiners_and_an_address_is_trimmed_of_invisible_characters(
        self, site: Site, host: Caller
    ) -> None:
        """Persian names need joiners; a zero-width space inside an address is rejected."""
        invitee = {"name": "علی\u200cرضا", "email": "\ufeffgrace@invitees.example\u200b"}
        booking = created(redeem(site, host.link(), at(days=1), invitee=invitee, answers={}))
        assert booking["invitee"] == {"name": "علی\u200cرضا", "email": "grace@invitees.example"}
        inside = {"name": "Grace", "email": "gr\u200bace@invitees.example"}
        assert_problem(
            redeem(site, host.link(), at(days=2), invitee=inside, answers={}),
            422,
            "invalid-value",
            "/invitee/email",
        )


def test_a_use_restored_between_two_reads_can_be_redeemed(
    site: Site, host: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P4, P8: the link is read before a cancellation and the receipt after it; the redeem reads both again."""
    link = host.link(restoreUseOnCancel=True)
    booking = created(site.redeem(link, at(days=1)))
    used = site.world.store.links.read(link["linkId"])
    ok(host.post(f"/v1/bookings/{booking['bookingId']}/cancel"))
    read = Redeems.read_link_and_receipt
    torn: list[Any] = [(used, None)]
    monkeypatch.setattr(
        Redeems, "read_link_and_receipt", lambda *to, **now: torn.pop() if torn else read(*to, **now)
    )
    again = created(site.redeem(link, at(days=1)))
    assert torn == []
    assert again["bookingId"] != booking["bookingId"]
