"""The invitee's pages in a browser: one booking whatever happens, in the visitor's time zone and language."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from chalicelib import bootstrap
from chalicelib.domain.zones import load_zone, zone_names
from chalicelib.pages.languages import language_of, words
from chalicelib.pages.times import zone_words
from tests.support.app import Caller, ok
from tests.support.browser.console import Console
from tests.support.browser.invitee import PERSON, Invitee, invitee_of, ordinary_day
from tests.support.browser.site import LiveSite, soon
from tests.support.browser.visit import SMALLEST, Visit, visiting

pytestmark = pytest.mark.clock

Json = dict[str, Any]
QUESTIONS: Final = [
    {"id": "topic", "label": "What about?", "kind": "text", "required": True, "options": []},
    {
        "id": "size",
        "label": "How many of you?",
        "kind": "choice",
        "required": True,
        "options": ["One", "More"],
    },
]
PLACES: Final = [
    {"kind": "video", "detail": "https://meet.example/room"},
    {"kind": "in_person", "detail": "Torstraße 12"},
]


def a_rich_event_type(host: Caller, **fields: Any) -> Json:
    return host.event_type(
        title="Intro call", description="A first talk.", questions=QUESTIONS, locations=PLACES, **fields
    )


def bookings(host: Caller) -> list[Json]:
    """Return all of a host's bookings."""
    found: list[Json] = ok(host.get("/v1/bookings", params={"from": soon(days=-1), "to": soon(days=60)}))[
        "bookings"
    ]
    return found


def lose_reply(page: Page, times: int = 1) -> list[str]:
    """Let the next booking requests reach the server, and drop its responses."""
    lost: list[str] = []

    def hang_up(route: Route) -> None:
        lost.append(str(route.fetch(max_redirects=0).status))
        route.abort("connectionreset")

    page.route("**/redeem*", hang_up, times=times)
    return lost


# The main job


def test_a_link_created_in_the_console_is_booked_once(console: Console, browser: Browser) -> None:
    """P1: the host creates a link, the invitee books, the row shows Used, and the next visitor can't book."""
    console.host.event_type(title="Intro call")
    console.sign_in()
    console.button("1× Intro call: create and copy a one-time link").click()
    console.expect_notice("One-time link for Intro call copied.")
    (link,) = console.host.list()["links"]
    expect(console.row(link).locator(".pill")).to_have_text("Active")

    with invitee_of(browser) as grace:
        grace.open(link)
        start = grace.review()
        grace.button("Book").click()
        grace.confirmed()

    console.page.reload()  # a test of the console checks that the row updates by itself
    expect(console.row(link).locator(".pill")).to_have_text("Used")
    with invitee_of(browser) as late:
        answer = late.page.goto(link["url"])
        assert answer is not None
        assert answer.status == 410
        expect(late.page.get_by_role("heading", level=1)).to_have_text("This link has been used")
    assert [booking["start"] for booking in bookings(console.host)] == [start]


def _send_with_faults(visitor: Invitee) -> None:
    page = visitor.page
    visitor.fill(**{"invitee-email": "not-an-address"})
    visitor.button("Review").click()
    expect(page.locator(".error")).to_have_text(
        [
            "Enter an email address such as name@example.com.",
            "Answer this question: What about?",
            "Answer this question: How many of you?",
        ]
    )
    expect(page.locator("#invitee-email")).to_be_focused()
    expect(page.locator("#invitee-email")).to_have_accessible_description(re.compile("Enter an email"))
    assert visitor.sent == []


def _hint_about_unreachable_address(visitor: Invitee) -> Locator:
    """Type an address that SES does not accept; return the hint about it."""
    page = visitor.page
    unreachable = page.get_by_text("We can’t send emails to this address")
    expect(unreachable).to_be_hidden()
    page.locator("#invitee-email").fill("jörg@example.com")
    expect(unreachable).to_be_visible()
    field, hint = page.locator("#invitee-email").bounding_box(), unreachable.bounding_box()
    assert field is not None
    assert hint is not None
    assert hint["y"] - field["y"] - field["height"] >= 4, "the hint keeps its distance from the field"
    return unreachable


def test_every_answer_is_reviewed_sent_and_confirmed(browser: Browser, host: Caller) -> None:
    link = host.link(
        a_rich_event_type(host), expiresAt=soon(days=9), recipient={"name": "Grace", "email": "g@x.example"}
    )
    with invitee_of(browser) as visitor:
        page = visitor.page
        visitor.open(link)
        expect(page.locator("header.about")).to_contain_text("Ada Lovelace invites you to book")
        expect(page.locator("header.about")).to_contain_text("good for one booking, until")
        expect(page.locator("header.about time")).to_contain_text("Central European Time, UTC+")
        visitor.pick(2)
        assert page.locator("#invitee-name").input_value() == "Grace"

        _send_with_faults(visitor)
        unreachable = _hint_about_unreachable_address(visitor)
        visitor.fill()
        expect(unreachable).to_be_hidden()
        page.get_by_label("What about?").fill("Compilers\nand <b>debts</b>")
        page.get_by_label("More").check()
        page.get_by_label("In person").check()
        visitor.button("Review").click()
        review = page.locator(".review")
        for text in (
            "Intro call",
            "In person",
            "Grace Hopper",
            "Compilers\nand <b>debts</b>",
            "More",
            "UTC+",
        ):
            expect(review).to_contain_text(text, use_inner_text=True)

        visitor.button("Back").click()
        assert page.locator("#invitee-name").input_value() == "Grace Hopper"
        page.locator("#invitee-name").fill("Rear Admiral Hopper")
        visitor.button("Review").click()
        expect(review).to_contain_text("Rear Admiral Hopper")
        visitor.button("Book").click()
        visitor.confirmed()
        for text in ("Rear Admiral Hopper", "Torstraße 12", "Compilers\nand <b>debts</b>", "What about?"):
            expect(page.locator("dl")).to_contain_text(text, use_inner_text=True)
        expect(page.get_by_role("link", name="Calendar file")).to_be_visible()
    (booking,) = bookings(host)
    assert booking["answers"] == {"topic": "Compilers\nand <b>debts</b>", "size": "More"}
    assert booking["location"]["kind"] == "in_person"


def test_a_booking_is_moved_and_cancelled(browser: Browser, site: LiveSite, host: Caller) -> None:
    booking = site.book(host.link(host.event_type(title="Intro call")))
    with invitee_of(browser) as visitor:
        page = visitor.page
        page.goto(booking["url"])
        page.get_by_role("link", name="Move this booking").click()
        start = visitor.pick(3)
        expect(page.get_by_role("heading", name="Check, then move")).to_be_focused()
        expect(page.locator(".review")).to_contain_text("Current time")
        visitor.button("Move booking").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Your booking has moved")
        assert [one["start"] for one in bookings(host)] == [start]

        page.get_by_role("link", name="Cancel this booking").click()
        visitor.button("Cancel booking").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("This booking is cancelled")
    assert [one["status"] for one in bookings(host)] == ["cancelled"]


def test_a_booking_works_without_javascript(browser: Browser, host: Caller) -> None:
    """The HTML has everything that a booking needs."""
    link = host.link(a_rich_event_type(host, durationMinutes=240))  # so that a page has several days
    with invitee_of(browser, java_script_enabled=False) as visitor:
        page = visitor.page
        page.goto(link["url"])
        page.get_by_role("link", name="Change time zone").click()
        page.get_by_label("Show times for").select_option("Asia/Tokyo")
        visitor.button("Show times").click()
        expect(page.locator(".zone")).to_contain_text("Japan Standard Time, UTC+9")
        page.locator("#invitee-name").evaluate("field => field.form.noValidate = true")
        visitor.button("Book").click()
        expect(page.get_by_role("alert")).to_contain_text("Enter your name.")
        expect(page.get_by_role("alert")).to_contain_text("Choose a time.")
        expect(page.get_by_role("alert")).to_contain_text("Answer this question: What about?")

        second_day = page.locator("details:has([name=start])").nth(1)  # of today, one time may be left
        second_day.locator("summary").click()
        second_day.locator("label").first.click()
        visitor.fill()
        page.get_by_label("What about?").fill("Compilers")
        page.get_by_label("One", exact=True).check()
        visitor.button("Book").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("You’re booked")
        page.get_by_role("link", name="Move this booking").click()
        page.locator("label:has([name=start]):visible").first.click()
        visitor.button("Move booking").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Your booking has moved")
    (booking,) = bookings(host)
    assert booking["timeZone"] == "Asia/Tokyo"


def test_a_booking_works_by_keyboard(browser: Browser, host: Caller) -> None:
    """The calendar is one tab stop; the arrows, Home, End, Page Up and Page Down move in it; Enter chooses."""
    link = host.link(host.event_type(title="Intro call", bookingWindowDays=90))
    today = datetime.now(load_zone("Europe/Berlin")).date()
    with invitee_of(browser) as visitor:
        page = visitor.page
        visitor.open(link)

        def tab_to(target: str) -> None:
            for _ in range(40):
                page.keyboard.press("Tab")
                if page.evaluate("wanted => document.activeElement.matches(wanted)", target):
                    return
            raise AssertionError(f"{target} is not reached by Tab")

        def day() -> date:
            return date.fromisoformat(page.evaluate("document.activeElement.dataset.date"))

        tab_to("[role=grid] button")
        assert page.locator("[role=grid] button[tabindex='0']").count() == 1
        moves: dict[str, Callable[[date], date]] = {
            "PageDown": _month_later,
            "ArrowRight": lambda at: at + timedelta(days=1),
            "ArrowDown": lambda at: at + timedelta(days=7),
            "Home": lambda at: at - timedelta(days=at.weekday()),
            "End": lambda at: at + timedelta(days=6),
            "ArrowUp": lambda at: at - timedelta(days=7),
            "ArrowLeft": lambda at: at - timedelta(days=1),
        }
        expected = day()  # the first day with times; late in the evening it is not today
        for key, move in moves.items():
            page.keyboard.press(key)
            expected = move(expected)
            expect(page.locator(f"[data-date='{expected}']")).to_be_focused()
            assert page.locator("[role=grid] button[tabindex='0']").count() == 1
        page.keyboard.press("PageUp")
        assert day() >= today, "no day before today"
        page.keyboard.press("PageDown")
        expect(page.locator("[role=grid]")).to_have_attribute("aria-busy", "false")

        page.keyboard.press("Enter")
        chosen = day()
        expect(page.locator(f"td[aria-selected=true] [data-date='{chosen}']")).to_be_focused()
        tab_to("button.slot")
        page.keyboard.press("Enter")
        expect(page.locator("#invitee-name")).to_be_focused()
        page.keyboard.type("Grace Hopper")
        page.keyboard.press("Tab")
        page.keyboard.type("grace@invitees.example")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Check, then book")).to_be_focused()
        page.keyboard.press("Tab")
        expect(visitor.button("Book")).to_be_focused()
        page.keyboard.press("Enter")
        visitor.confirmed()
    (booking,) = bookings(host)
    local = datetime.fromisoformat(booking["start"]).astimezone(load_zone("Europe/Berlin"))
    assert local.date() == chosen


def _month_later(at: date) -> date:
    first = date(at.year + at.month // 12, at.month % 12 + 1, 1)
    last = date(first.year + first.month // 12, first.month % 12 + 1, 1) - timedelta(days=1)
    return first.replace(day=min(at.day, last.day))


# One booking, whatever happens (P1, P4)


def test_a_double_click_creates_one_booking(browser: Browser, host: Caller) -> None:
    with invitee_of(browser) as visitor:
        visitor.open(host.link(maxUsageCount=5))
        visitor.review()
        visitor.button("Book").dblclick()
        visitor.confirmed()
        assert len(visitor.sent) == 1
    assert len(bookings(host)) == 1


def test_a_request_with_a_lost_reply_is_retried_with_the_same_key(browser: Browser, host: Caller) -> None:
    with invitee_of(browser) as visitor:
        visitor.open(host.link(maxUsageCount=5))
        visitor.review()
        lost = lose_reply(visitor.page)
        visitor.button("Book").click()
        visitor.confirmed()
        assert lost == ["303"], "the server had booked"
        keys = [request.headers["idempotency-key"] for request in visitor.sent]
        assert len(keys) == 2
        assert len(set(keys)) == 1
    assert len(bookings(host)) == 1


def test_a_reload_after_a_lost_reply_shows_the_booking(browser: Browser, host: Caller) -> None:
    """The link is used by then; the tab retries its own request."""
    with invitee_of(browser) as visitor:
        visitor.open(host.link())
        visitor.review()
        lost = lose_reply(visitor.page)
        with visitor.page.expect_event("requestfailed"):
            visitor.button("Book").click()
        visitor.page.reload()
        visitor.confirmed()
        assert lost == ["303"]
    assert len(bookings(host)) == 1


def test_a_request_that_never_arrived_survives_a_reload(browser: Browser, host: Caller) -> None:
    with invitee_of(browser) as visitor:
        page = visitor.page
        page.clock.install()
        visitor.open(host.link())
        start = visitor.review(2)
        page.route("**/redeem*", lambda route: route.abort("connectionrefused"))
        visitor.button("Book").click()
        expect(page.locator(".told").last).to_have_text("The connection was lost. Trying again …")
        visitor.advance_clock_until_status("it never books twice")
        assert bookings(host) == []

        page.unroute_all()
        page.reload()
        expect(page.locator(".review")).to_contain_text("Grace Hopper")
        expect(page.locator(".told").last).to_contain_text("it never books twice")
        visitor.button("Book").click()
        visitor.confirmed()
        assert len({request.headers["idempotency-key"] for request in visitor.sent}) == 1
    assert [booking["start"] for booking in bookings(host)] == [start]


def test_changed_details_after_a_lost_reply_create_no_second_booking(browser: Browser, host: Caller) -> None:
    """The first request arrived, so the visitor sees its booking, and can move it."""
    with invitee_of(browser) as visitor:
        page = visitor.page
        page.clock.install()
        visitor.open(host.link(maxUsageCount=5))
        start = visitor.review(2)
        lost = lose_reply(page, times=5)
        visitor.button("Book").click()
        visitor.advance_clock_until_status("it never books twice")
        assert lost == ["303"] * 5
        visitor.button("Back").click()
        visitor.button("Change time").click()
        visitor.pick(5)
        visitor.button("Review").click()
        visitor.button("Book").click()
        for _ in range(3):
            page.clock.run_for(5_000)
        visitor.confirmed()
    assert [booking["start"] for booking in bookings(host)] == [start]


def test_back_reload_and_the_link_itself_all_lead_to_the_booking(browser: Browser, host: Caller) -> None:
    for link in (host.link(), host.link(maxUsageCount=5)):
        with invitee_of(browser) as visitor:
            page = visitor.page
            visitor.open(link)
            visitor.review()
            visitor.button("Book").click()
            own = visitor.confirmed()
            page.reload()
            assert visitor.confirmed() == own
            page.go_back()
            assert visitor.confirmed() == own
            page.goto(link["url"])
            if link["maxUsageCount"] == 1:
                assert visitor.confirmed() == own
            else:
                expect(visitor.times.first).to_be_visible()  # a link for several bookings is for another one
    assert len(bookings(host)) == 2


@pytest.mark.parametrize("uses", [1, 5])
def test_two_tabs_of_one_link_lead_to_the_same_booking(browser: Browser, host: Caller, uses: int) -> None:
    """After a click in both, a reload, or a third tab beside the confirmation, no tab shows "has been used"."""
    link = host.link(maxUsageCount=uses)
    with invitee_of(browser) as visitor:
        first, second = visitor, Invitee(Visit(visitor.page.context.new_page(), visitor.visit.requests))
        for tab in (first, second):
            tab.open(link)
            tab.review(2)
        first.button("Book").click()
        own = first.confirmed()

        second.button("Book").click()
        assert second.confirmed() == own
        if uses == 1:
            third = Invitee(Visit(visitor.page.context.new_page()))
            third.page.goto(link["url"])
            assert third.confirmed() == own
            first.page.close()
            second.page.close()
            third.page.goto(link["url"])  # the tab that booked is closed, and its state is gone
            expect(third.page.get_by_role("heading", level=1)).to_have_text("This link has been used")
            visitor.visit.page = third.page
    assert len(bookings(host)) == 1


def test_after_a_cancellation_the_links_page_offers_to_request_a_new_link(
    browser: Browser, host: Caller
) -> None:
    """The link no longer leads to the cancelled booking, in that tab or another."""
    link = host.link()
    with invitee_of(browser) as visitor:
        page = visitor.page
        visitor.open(link)
        visitor.review()
        visitor.button("Book").click()
        visitor.confirmed()
        page.get_by_role("link", name="Cancel").click()
        visitor.button("Cancel booking").click()
        expect(page.locator("main.void")).to_be_visible()

        another = page.context.new_page()
        for tab in (another, page):
            tab.goto(link["url"])
            expect(tab.get_by_role("heading", level=1)).to_have_text("This link has been used")
            tab.wait_for_load_state("networkidle")
            expect(tab.get_by_role("button", name="Ask for a new link")).to_be_visible()


def test_a_tab_that_loses_a_race_follows_the_winning_tab_to_the_booking(
    browser: Browser, host: Caller
) -> None:
    """The losing tab learns that the link is used before the winning tab gets its response."""
    link = host.link()
    with invitee_of(browser) as first:
        second = Invitee(Visit(first.page.context.new_page(), first.visit.requests))
        for n, tab in enumerate((first, second)):
            tab.open(link)
            tab.review(n)
        held: list[tuple[Route, Any]] = []
        first.page.route("**/redeem*", lambda route: held.append((route, route.fetch(max_redirects=0))))
        first.button("Book").click()
        first.wait_until(lambda: bool(held))  # the server has booked
        second.button("Book").click()
        expect(second.page.get_by_role("heading", level=1)).to_have_text("This link has been used")
        route, answer = held.pop()
        route.fulfill(response=answer)
        assert first.confirmed() == second.confirmed()
    assert len(bookings(host)) == 1


def test_the_same_link_in_another_browser_reveals_nothing_about_the_booking(
    browser: Browser, host: Caller
) -> None:
    """A booking's URL is a secret, so only this browser's tabs that were open at the time learn it."""
    link = host.link()
    with invitee_of(browser) as one, invitee_of(browser) as other:
        one.open(link)
        one.review()
        one.button("Book").click()
        one.confirmed()
        other.page.goto(link["url"])
        expect(other.page.get_by_role("heading", level=1)).to_have_text("This link has been used")
        other.page.wait_for_load_state("networkidle")
        assert "/s/" in other.page.url


def test_of_two_concurrent_visitors_one_books(browser: Browser, host: Caller) -> None:
    """P1: one sees the confirmation, the other sees that the link is used."""
    link = host.link()
    with invitee_of(browser) as one, invitee_of(browser) as other:
        for n, visitor in enumerate((one, other)):
            visitor.open(link)
            visitor.review(n)
        for visitor in (one, other):
            press = "document.querySelector('.finish button').click()"
            visitor.page.evaluate(f"setTimeout(() => {press}, 50)")
        headings = []
        for visitor in (one, other):
            heading = visitor.page.get_by_role("heading", level=1)
            expect(heading).to_have_text(re.compile("You’re booked|This link has been used"))
            headings.append(heading.inner_text())
        assert sorted(headings) == ["This link has been used", "You’re booked"]
    assert len(bookings(host)) == 1


def test_a_taken_slot_is_reported_with_new_times_and_keeps_the_input(browser: Browser, host: Caller) -> None:
    """P2: of two links, one gets the slot; the other's visitor need not type anything again."""
    links = host.links(a_rich_event_type(host), count=2)
    with invitee_of(browser) as one, invitee_of(browser) as other:
        start = ""
        for visitor, link in zip((one, other), links, strict=True):
            visitor.open(link)
            start = visitor.pick(4)
            visitor.fill()
            visitor.page.get_by_label("What about?").fill("Compilers")
            visitor.page.get_by_label("More").check()
            visitor.page.get_by_label("In person").check()
            visitor.button("Review").click()
        one.button("Book").click()
        one.confirmed()

        other.button("Book").click()
        expect(other.page.get_by_role("alert")).to_contain_text("That time was just taken.")
        expect(other.page.get_by_role("alert")).to_be_focused()
        expect(other.times.first).to_be_visible()
        shown = [
            str(one).replace(".000Z", "Z")
            for one in other.times.evaluate_all("all => all.map(e => e.dataset.start)")
        ]
        assert start not in shown
        assert len(shown) > 2
        other.pick(0)
        assert other.page.locator("#invitee-name").input_value() == PERSON["invitee-name"]
        assert other.page.get_by_label("What about?").input_value() == "Compilers"
        assert other.page.get_by_label("More").is_checked()
        assert other.page.get_by_label("In person").is_checked()
        other.button("Review").click()
        other.button("Book").click()
        other.confirmed()
    assert len({booking["start"] for booking in bookings(host)}) == 2


def test_an_error_from_the_server_is_shown_at_its_field(browser: Browser, host: Caller) -> None:
    recipient = {"name": "Grace", "email": "grace@right.example", "enforce": "domain"}
    with invitee_of(browser) as visitor:
        visitor.open(host.link(recipient=recipient))
        visitor.review()
        visitor.button("Book").click()
        expect(visitor.page.get_by_role("alert")).to_contain_text("This link is only for")
        expect(visitor.page.locator("#invitee-email")).to_be_visible()
        visitor.page.locator("#invitee-email").fill("grace@right.example")
        visitor.button("Review").click()
        visitor.button("Book").click()
        visitor.confirmed()


# The visitor's time zone and language


def test_times_are_in_the_visitors_zone_until_they_choose_another(browser: Browser, host: Caller) -> None:
    link = host.link()
    with invitee_of(browser, timezone_id="America/New_York", locale="en-US") as visitor:
        page = visitor.page
        visitor.open(link, f"?from={ordinary_day('America/New_York')}")
        expect(page.locator(".zone")).to_contain_text("Eastern Time, UTC−")
        first, text = visitor.shown_times()[0]
        local = first.astimezone(load_zone("America/New_York"))
        assert text == f"{local:%-I:%M} {local:%p}"
        expect(page.locator("#day-shown")).to_have_text(f"{local:%A, %B %-d}")

        page.get_by_role("button", name="Change time zone").click()
        page.get_by_label("Show times for").select_option("Asia/Kathmandu")
        expect(page.locator(".zone p")).to_contain_text("Nepal Time, UTC+5:45")
        first, text = visitor.shown_times()[0]
        local = first.astimezone(load_zone("Asia/Kathmandu"))
        assert text == f"{local:%-I:%M} {local:%p}"
        visitor.review()
        expect(page.locator(".review")).to_contain_text("Nepal Time, UTC+5:45")
        visitor.button("Book").click()
        visitor.confirmed()
        expect(page.locator("dl")).to_contain_text("Nepal Time, UTC+5:45")
        expect(page.locator("dl")).to_contain_text("For Ada Lovelace:")
    assert [booking["timeZone"] for booking in bookings(host)] == ["Asia/Kathmandu"]


@pytest.mark.parametrize(
    ("locale", "heading", "clock", "zone"),
    [
        ("en-GB", "Choose a time", r"\d\d:\d\d", "Central European Time, UTC+"),
        ("de-AT", "Termin wählen", r"\d\d:\d\d", "Mitteleuropäische Zeit, UTC+"),
        ("fr-FR", "Choisissez un créneau", r"\d\d:\d\d", "heure d’Europe centrale, UTC+"),
        ("es-ES", "Elija una hora", r"\d?\d:\d\d", "hora de Europa central, UTC+"),
        ("ja-JP", "日時を選んでください", r"\d?\d:\d\d", "中央ヨーロッパ時間、UTC+"),
    ],
)
def test_in_five_languages_with_dates_by_intl(
    browser: Browser, host: Caller, locale: str, heading: str, clock: str, zone: str
) -> None:
    language = language_of(locale.partition("-")[0])
    with invitee_of(browser, locale=locale) as visitor:
        page = visitor.page
        visitor.open(host.link(expiresAt=soon(days=20)), f"?from={ordinary_day('Europe/Berlin')}")
        assert page.locator("html").get_attribute("lang") == language
        expect(page.get_by_role("heading", level=2, name=heading)).to_be_visible()
        expect(page.locator(".zone")).to_contain_text(zone)
        expect(visitor.times.first).to_have_text(re.compile(f"^{clock}$"))
        start = visitor.shown_times()[0][0].isoformat()
        parts = "{weekday: 'long', day: 'numeric', month: 'long'}"
        intl = f"(at) => new Intl.DateTimeFormat(navigator.language, {parts}).format(Date.parse(at))"
        expect(page.locator("#day-shown")).to_have_text(page.evaluate(intl, start))
        visitor.times.first.click()
        moment = re.compile(r"\d{4}年.*曜日、" if language == "ja" else r"\d{4}, \d")
        expect(page.locator(".chosen strong")).to_have_text(moment)
        visitor.fill()
        page.locator(".finish button").first.click()
        expect(page.locator(".review")).to_contain_text(moment)
        page.locator(".finish button").first.click()
        page.wait_for_url("**/b/**")
        expect(page.get_by_role("heading", level=1)).to_have_text(words(language)("pages.booked"))
    (booking,) = bookings(host)
    assert booking["timeZone"] == "Europe/Berlin"


def test_a_zone_has_one_name_on_the_page_the_confirmation_and_in_the_browser(
    browser: Browser, site: LiveSite, host: Caller
) -> None:
    """The server's names are those of `Intl`, in every language; a few may differ between versions of CLDR."""
    name = """([zones, language]) => zones.map((timeZone) =>
      new Intl.DateTimeFormat(language, { timeZone, timeZoneName: "longGeneric" }).formatToParts(Date.UTC(2026, 6, 1))
        .find((part) => part.type === "timeZoneName").value)"""
    zones = sorted(zone for zone in zone_names() if words("en").zone(zone))
    booking = site.book(host.link())
    start = datetime.fromisoformat(booking["start"])
    for language, locale in (
        ("en", "en-GB"),
        ("de", "de-DE"),
        ("fr", "fr-FR"),
        ("es", "es-ES"),
        ("ja", "ja-JP"),
    ):
        say = words(language_of(language))
        with invitee_of(browser, locale=locale, timezone_id="America/New_York") as visitor:
            visitor.page.goto(booking["url"])
            shown = visitor.page.locator(".sub [data-at]").first
            expect(shown).to_have_text(zone_words("Europe/Berlin", say, [start]))
            visitor.open(host.link())
            expect(visitor.page.locator(".zone")).to_contain_text(say.zone("America/New_York") or "")
            theirs = visitor.page.evaluate(name, [zones, locale])
        same = sum(say.zone(zone) == said for zone, said in zip(zones, theirs, strict=True))
        assert same > 0.75 * len(zones), language


def test_twelve_or_twenty_four_hours_by_locale(browser: Browser, host: Caller) -> None:
    link = host.link()
    for locale, clock in (
        ("en-US", r"\d?\d:\d\d\s[AP]M"),
        ("en-GB", r"\d\d:\d\d"),
        ("es-MX", r"\d?\d:\d\d\s[ap]\.m\."),
    ):
        with invitee_of(browser, locale=locale) as visitor:
            visitor.open(link, f"?from={ordinary_day('Europe/Berlin')}")
            expect(visitor.times.first).to_have_text(re.compile(f"^{clock}$"))


def next_clock_change(zone: str) -> date:
    """Return the next date on which a zone's clocks change."""
    there = load_zone(zone)
    day = datetime.now(UTC).astimezone(there).date() + timedelta(days=2)
    while True:
        begin, end = (datetime.combine(day + timedelta(days=n), time(0), there) for n in (0, 1))
        if begin.utcoffset() != end.utcoffset():
            return day
        day += timedelta(days=1)


def test_on_a_day_when_clocks_change_every_time_shows_its_offset(browser: Browser, host: Caller) -> None:
    day = next_clock_change("Europe/Berlin")
    link = host.link(host.event_type(bookingWindowDays=365))
    with invitee_of(browser) as visitor:
        visitor.open(link, f"?from={day}")
        visitor.page.locator(f"[data-date='{day}']").click()
        expect(visitor.times).to_have_count(46 if day.month < 7 else 50)
        texts = visitor.times.all_inner_texts()
        assert {text.split()[-1] for text in texts} == {"UTC+1", "UTC+2"}
        assert len(texts) == len(set(texts)), texts
        visitor.times.nth(3).click()
        expect(visitor.page.locator(".chosen")).to_contain_text(f"{day.day}")


def at_a_month_that_could_not_be_loaded(visitor: Invitee, link: dict[str, Any]) -> None:
    """Open a month whose times fail to load; later requests succeed."""
    page = visitor.page
    visitor.open(link)
    visitor.turn_to_last_known_month()
    page.route("**/slots?*", lambda route: route.abort())
    visitor.button("Next month").click()
    expect(page.locator("#day-shown")).to_have_text("The times could not be loaded.")
    page.unroute_all()


def test_a_month_that_fails_to_load_can_be_retried(browser: Browser, host: Caller) -> None:
    link = host.link(host.event_type(bookingWindowDays=120))
    with invitee_of(browser) as visitor:
        page = visitor.page
        at_a_month_that_could_not_be_loaded(visitor, link)
        visitor.button("Try again").click()
        expect(visitor.times.first).to_be_visible()
        month = page.locator("#month").inner_text()
        assert page.locator("#day-shown").inner_text().split()[-1] in month


def test_a_month_that_fails_to_load_once_is_retried_automatically(browser: Browser, host: Caller) -> None:
    link = host.link(host.event_type(bookingWindowDays=120))
    with invitee_of(browser) as visitor:
        visitor.open(link)
        visitor.turn_to_last_known_month()
        visitor.page.route("**/slots?*", lambda route: route.fulfill(status=503), times=1)
        visitor.button("Next month").click()
        expect(visitor.page.locator("[role=grid]")).to_have_attribute("aria-busy", "false")
        expect(visitor.times.first).to_be_visible()
        requested = [request for request in visitor.visit.requests if "/slots?" in request.url]
        assert len(requested) == 2
        assert requested[0].url == requested[1].url


@pytest.mark.parametrize("on", ["a date", "a time"])
def test_a_click_is_not_lost_when_more_times_arrive_during_it(
    browser: Browser, host: Caller, on: str
) -> None:
    """The keyboard focus is not lost either."""
    link = host.link(host.event_type(bookingWindowDays=120))
    day = datetime.now(UTC).date().replace(day=1) + timedelta(days=62)
    with invitee_of(browser) as visitor:
        page, held = visitor.page, list[Route]()
        page.route("**/slots?*", lambda route: held.append(route))  # noqa: PLW0108 -- playwright can’t take a list’s own method
        with page.expect_request("**/slots?*"):
            visitor.open(link, f"?from={day.replace(day=20)}")
        expect(page.locator("[role=grid]")).to_have_attribute("aria-busy", "true")
        target = visitor.free_dates.nth(1)
        if on == "a time":
            target.click()
            target = visitor.times.nth(2)
        target.hover()
        page.mouse.down()
        target.evaluate("button => { button.pressed = true; }")

        visitor.wait_until(lambda: bool(held))
        held.pop().continue_()
        expect(page.locator("[role=grid]")).to_have_attribute("aria-busy", "false")
        assert page.evaluate("document.activeElement.pressed")
        page.mouse.up()

        if on == "a date":
            expect(
                page.locator(f"td[aria-selected=true] [data-date='{day.replace(day=21)}']")
            ).to_be_visible()
        else:
            expect(page.locator("#invitee-name")).to_be_focused()


def test_a_chosen_day_stays_when_its_months_times_arrive_again(browser: Browser, host: Caller) -> None:
    """A visitor who goes back and forth requests a month twice; the later response must not choose a day."""
    link = host.link(host.event_type(bookingWindowDays=120))
    with invitee_of(browser) as visitor:
        page, held = visitor.page, list[Route]()
        visitor.open(link)
        visitor.turn_to_last_known_month()
        page.route("**/slots?*", lambda route: held.append(route))  # noqa: PLW0108 -- playwright can’t take a list’s own method
        for month in ("Next month", "Previous month"):
            visitor.button(month).click()
        with page.expect_request("**/slots?*"):
            visitor.button("Next month").click()
        visitor.wait_until(lambda: len(held) == 2)
        first, second = held
        first.continue_()
        expect(page.locator("[role=grid]")).to_have_attribute("aria-busy", "false")
        day = visitor.free_dates.nth(4)
        day.click()
        chosen = day.get_attribute("data-date")
        with page.expect_response("**/slots?*"):
            second.continue_()
        page.evaluate("() => new Promise(requestAnimationFrame)")
        expect(page.locator("td[aria-selected=true] button")).to_have_attribute("data-date", str(chosen))
        expect(day).to_be_focused()


def test_a_click_on_a_day_of_a_month_that_failed_to_load_retries_and_chooses_it(
    browser: Browser, host: Caller
) -> None:
    link = host.link(host.event_type(bookingWindowDays=120))
    with invitee_of(browser) as visitor:
        page = visitor.page
        at_a_month_that_could_not_be_loaded(visitor, link)
        day = page.locator("[role=grid] button").nth(9)
        day.click(force=True)  # the day is marked as having no times
        expect(visitor.times.first).to_be_visible()
        expect(page.locator("td[aria-selected=true] button")).to_have_attribute(
            "data-date", str(day.get_attribute("data-date"))
        )


def test_a_month_that_fails_late_does_not_affect_the_displayed_month(browser: Browser, host: Caller) -> None:
    near = (datetime.now(UTC) + timedelta(days=3)).date()
    only = {"date": str(near), "intervals": [{"from": "10:00", "to": "12:00"}]}
    schedule = {"timeZone": "UTC", "weekly": [], "overrides": [only]}
    link = host.link(host.event_type(schedule=schedule, bookingWindowDays=120))
    with invitee_of(browser) as visitor:
        page, held = visitor.page, list[Route]()

        def nth(number: int) -> Route:
            visitor.wait_until(lambda: len(held) >= number)
            return held[number - 1]

        visitor.open(link)
        visitor.turn_to_last_known_month()
        page.route("**/slots?*", lambda route: held.append(route))  # noqa: PLW0108 -- playwright can’t take a list’s own method
        visitor.button("Next month").click()
        first = nth(1)
        visitor.button("Next month").click()
        nth(2).continue_()
        expect(page.locator("[role=grid]")).to_have_attribute("aria-busy", "false")
        expect(page.locator("#day-shown")).to_contain_text("No times in")
        shown = page.locator("#day-shown").inner_text()
        first.abort()
        again = nth(3)  # the automatic retry
        with page.expect_event("requestfailed"):
            again.abort()
        page.evaluate("() => new Promise(requestAnimationFrame)")
        expect(page.locator("#day-shown")).to_have_text(shown)


def test_times_that_arrive_after_a_rejected_booking_are_not_added_to_the_fresh_ones(
    browser: Browser, site: LiveSite, host: Caller
) -> None:
    """P2: the calendar that asked for them is gone, and they may include the time that was taken."""
    near = (datetime.now(UTC) + timedelta(days=3)).date()
    only = {"date": str(near), "intervals": [{"from": "10:00", "to": "12:00"}]}
    schedule = {"timeZone": "UTC", "weekly": [], "overrides": [only]}
    links = host.links(host.event_type(schedule=schedule, bookingWindowDays=120), count=2)
    with invitee_of(browser) as visitor:
        page, held = visitor.page, list[Route]()
        visitor.open(links[1])
        visitor.turn_to_last_known_month()
        page.route("**/slots?*", lambda route: held.append(route))  # noqa: PLW0108 -- playwright can’t take a list’s own method
        visitor.button("Next month").click()
        visitor.wait_until(lambda: bool(held))
        while visitor.month != near.replace(day=1):
            visitor.button("Previous month").click()
        start = visitor.review(-1)
        assert site.book(links[0])["start"] == start
        visitor.button("Book").click()
        expect(page.get_by_role("alert")).to_contain_text("That time was just taken.")
        shown = visitor.times.count()

        with page.expect_response("**/slots?*"):
            held[0].fulfill(json={"slots": [{"start": start}], "to": soon(days=120)})
        page.evaluate("() => new Promise(requestAnimationFrame)")
        expect(visitor.times).to_have_count(shown)
        expect(page.get_by_role("alert")).to_be_focused()


def test_a_month_without_times_offers_the_next_free_one(browser: Browser, host: Caller) -> None:
    far = (datetime.now(UTC) + timedelta(days=75)).date()
    near = (datetime.now(UTC) + timedelta(days=3)).date()
    open_on = [{"date": str(day), "intervals": [{"from": "10:00", "to": "12:00"}]} for day in (near, far)]
    schedule = {"timeZone": "UTC", "weekly": [], "overrides": open_on}
    link = host.link(host.event_type(schedule=schedule, bookingWindowDays=120))
    with invitee_of(browser, timezone_id="UTC") as visitor:
        visitor.open(link)
        visitor.button("Next month").click()  # 72 days are always at least two months
        expect(visitor.page.locator("#day-shown")).to_contain_text("No times in")
        visitor.button("Go to the next free time").click()
        expect(visitor.page.locator(f"td[aria-selected=true] [data-date='{far}']")).to_be_visible()
        assert visitor.times.count() == 4


# Dead links


def test_a_new_link_can_be_requested_on_a_dead_links_page(
    browser: Browser, site: LiveSite, host: Caller
) -> None:
    link = host.link()
    site.book(link)
    with invitee_of(browser) as visitor:
        page = visitor.page
        page.goto(link["url"] + "?asked=1")
        expect(page.get_by_text("is on its way")).to_have_count(0)
        page.get_by_label("Email").fill("alan@invitees.example")
        visitor.button("Ask for a new link").click()
        expect(page.get_by_role("status")).to_contain_text("is on its way")
    (asked,) = ok(host.get("/v1/link-requests"))["requests"]
    assert asked["email"] == "alan@invitees.example"


def test_a_link_that_opens_later_shows_when_in_the_visitors_zone(browser: Browser, host: Caller) -> None:
    opens = (datetime.now(UTC) + timedelta(days=40)).replace(hour=12, minute=30, second=0, microsecond=0)
    link = host.link(notBefore=opens.isoformat(), expiresAt=soon(days=80))
    with invitee_of(browser, timezone_id="Asia/Tokyo") as visitor:
        visitor.page.goto(link["url"])
        expect(visitor.page.locator("time")).to_contain_text("21:30 (Japan Standard Time, UTC+9)")


# In a frame of another site


def test_a_booking_works_in_a_frame(browser: Browser, host: Caller) -> None:
    link = host.link()
    with pytest.MonkeyPatch.context() as patch, visiting(browser) as visit:
        patch.setenv("FRAME_ANCESTORS", "http://blog.localhost:1")
        bootstrap.forget()
        frame = f"<!doctype html><iframe title=Booking width=1000 height=900 src='{link['url']}?embed=1'></iframe>"
        visit.page.route(
            "http://blog.localhost:1/", lambda route: route.fulfill(body=frame, content_type="text/html")
        )
        visit.page.goto("http://blog.localhost:1/")
        inside = visit.page.frame_locator("iframe")
        inside.locator("button.slot").first.click()
        for name, text in PERSON.items():
            inside.locator(f"#{name}").fill(text)
        inside.get_by_role("button", name="Review").click()
        inside.get_by_role("button", name="Book", exact=True).click()
        expect(inside.get_by_role("heading", level=1)).to_have_text("You’re booked")
        expect(inside.get_by_role("link", name="Open this booking in its own tab")).to_be_visible()
    bootstrap.forget()
    assert len(bookings(host)) == 1


# Printing


def test_a_confirmation_prints_on_one_sheet(browser: Browser, site: LiveSite, host: Caller) -> None:
    """What, when, where and who, in black on white, without buttons."""
    event_type = host.event_type(title="Intro call", locations=PLACES[1:])
    booking = site.book(host.link(event_type))
    with invitee_of(browser, color_scheme="dark") as visitor:
        page = visitor.page
        page.goto(booking["url"] + "?booked=1")
        page.emulate_media(media="print")
        for text in ("Intro call", "Torstraße 12", "Central European Time", "Grace Hopper"):
            expect(page.get_by_text(text).last).to_be_visible()
        for button in ("Calendar file", "Move this booking", "Cancel this booking"):
            expect(page.get_by_role("link", name=button)).to_be_hidden()
        style = "e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]"
        assert page.locator("main").evaluate(style) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
        sheets = re.findall(rb"/Type\s*/Page\b(?!s)", page.pdf(format="A5"))
        assert len(sheets) == 1


# Weight, policy, accessibility


def test_the_page_shows_times_after_two_requests_and_weighs_less_than_sixty_kilobytes(
    browser: Browser, host: Caller
) -> None:
    hours = [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"}]
    schedule = {"timeZone": "Europe/Berlin", "weekly": hours, "overrides": []}
    kind = host.event_type(
        title="Intro call", questions=QUESTIONS, locations=PLACES, schedule=schedule, description="x" * 300
    )
    link = host.link(kind, expiresAt=soon(days=9))
    with invitee_of(browser) as visitor:
        visitor.open(link)
        visitor.page.wait_for_load_state("networkidle")
        weights = {
            request.url.rsplit("/", 1)[1]: len(answer.body())
            for request in visitor.visit.requests
            if request.url.startswith("http") and (answer := request.response())
        }
        print(weights, sum(weights.values()))
        assert sum(weights.values()) <= 60_000
        assert len(weights) == 3, "the page, a stylesheet, a script"
        assert not [name for name in weights if name.startswith("slots")], "the first month is in the page"
    with invitee_of(browser) as slow:
        slow.page.route("**/*.js", lambda _: None)  # never answered
        slow.page.goto(link["url"], wait_until="commit")
        expect(slow.page.locator("label:has([name=start])").first).to_be_visible()
        answered = [one for one in slow.visit.requests if one.url.startswith("http") and ".js" not in one.url]
        assert len(answered) == 2


def test_the_content_security_policy_allows_only_the_pages_own_files(browser: Browser, host: Caller) -> None:
    """A negative control: the browser does not run an injected script, and these tests report it."""
    with visiting(browser) as visit:
        visit.page.goto(host.link()["url"])
        add = "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 1'}))"
        visit.page.evaluate(add)
        assert visit.page.evaluate("window.ran") is None
        expect(visit.page.locator("button.slot").first).to_be_visible()
        assert any("script-src" in fault for fault in visit.faults)
        visit.faults.clear()


def test_the_page_has_names_and_announcements_for_screen_readers(browser: Browser, host: Caller) -> None:
    with invitee_of(browser) as visitor:
        page = visitor.page
        visitor.open(host.link(host.event_type(title="Intro call")))
        grid = page.get_by_role("grid")
        expect(grid).to_have_accessible_name(page.locator("#month").inner_text())
        first = visitor.free_dates.first
        expect(first).to_have_accessible_name(re.compile(r"^\w+day,? \d+ \w+, \d+ times?$"))
        expect(page.locator(".day-shown").get_by_role("status")).to_have_text(
            re.compile(r"\d+ \w+\d+ times?$")
        )
        expect(page.get_by_role("region", name=page.locator("#day-shown").inner_text())).to_be_visible()
        visitor.review()
        snapshot = page.locator("form").aria_snapshot()
        for line in (
            'heading "Check, then book"',
            "term: What",
            "definition: Intro call",
            'button "Book"',
            'button "Back"',
        ):
            assert line in snapshot, snapshot


@pytest.mark.parametrize("locale", ["de-DE", "fr-FR", "es-ES", "ja-JP"])
def test_longer_translations_fit(browser: Browser, site: LiveSite, host: Caller, locale: str) -> None:
    booking = site.book(host.link())
    link = host.link(a_rich_event_type(host), expiresAt=soon(days=9))
    with invitee_of(browser, SMALLEST, locale=locale) as visitor:
        visitor.open(link)
        visitor.visit.fits("calendar")
        visitor.pick()
        visitor.page.locator(".finish button").first.click()
        visitor.visit.fits("faults")
        for query in ("", "?move=1", "?cancel=1"):
            visitor.page.goto(booking["url"] + query)
            visitor.visit.fits(query)


# A browser with wrong rules for Berlin: for that zone, `Intl` uses London's.
_OTHER_RULES = """
const Real = Intl.DateTimeFormat;
Intl.DateTimeFormat = function (locale, options = {}) {
  const zone = options.timeZone ?? "Europe/Berlin";
  const other = zone === "Europe/Berlin" && !options.timeZoneName ? "Europe/London" : zone;
  const made = new Real(locale, { ...options, timeZone: other });
  const resolved = made.resolvedOptions.bind(made);
  made.resolvedOptions = () => ({ ...resolved(), timeZone: zone });
  return made;
};
"""


def test_every_page_shows_the_servers_local_times(browser: Browser, host: Caller) -> None:
    """Offer, review, confirmation, cancellation and move show the same time as the emails."""
    link = host.link(host.event_type(title="Intro call"), expiresAt=soon(days=20))
    berlin = load_zone("Europe/Berlin")

    def wall(instant: str | None) -> str:
        return datetime.fromisoformat(instant or "").astimezone(berlin).strftime("%H:%M")

    with invitee_of(browser, timezone_id="Europe/Berlin") as visitor:
        page = visitor.page
        page.context.add_init_script(_OTHER_RULES)
        visitor.open(link)
        assert page.evaluate("new Intl.DateTimeFormat('en', {timeStyle: 'short'}).format(0)") == "1:00 AM", (
            "London's of 1970"
        )
        expect(page.locator(".life time")).to_contain_text(wall(link["expiresAt"]))
        for time, text in visitor.shown_times():
            # A day whose clocks change shows the offset too.
            assert text.partition(" ")[0] == wall(time.isoformat())
        start = visitor.review()
        expect(page.locator(".review")).to_contain_text(wall(start))
        visitor.button("Book").click()
        own = visitor.confirmed()
        expect(page.locator("dl")).to_contain_text(wall(start))
        page.goto(own.partition("?")[0] + "?cancel=1")
        expect(page.locator("main")).to_contain_text(wall(start))
        page.goto(own.partition("?")[0] + "?move=1")
        expect(page.locator(".facts")).to_contain_text(wall(start))
        first, text = visitor.shown_times()[0]
        assert text.partition(" ")[0] == wall(first.isoformat())
        later = host.link(host.event_type(title="Later"), notBefore=soon(days=3))
        page.goto(later["url"])
        expect(page.locator("main time")).to_contain_text(wall(later["notBefore"]))


@pytest.mark.parametrize("zone", ["+05:30", "Etc/Unknown", ""])
def test_an_unknown_zone_is_reported_before_the_first_step(browser: Browser, host: Caller, zone: str) -> None:
    """The page falls back to the offer's zone and says so; the booking goes through."""
    link = host.link(host.event_type(title="Intro call"))
    own = f"Intl.DateTimeFormat.prototype.resolvedOptions = () => ({{ timeZone: {zone!r} || undefined }});"
    with invitee_of(browser) as visitor:
        visitor.page.context.add_init_script(own)
        visitor.open(link)
        expect(visitor.page.locator(".zone .note")).to_contain_text(f"“{zone or '?'}” isn’t known here")
        visitor.review()
        visitor.button("Book").click()
        visitor.confirmed()
    assert [one["timeZone"] for one in bookings(host)] == [
        host.get("/v1/event-types").json()["eventTypes"][0]["schedule"]["timeZone"]
    ]


@pytest.mark.parametrize("zone", ["Asia/Calcutta", "Etc/GMT+5"])
def test_an_old_name_of_a_zone_is_accepted(browser: Browser, host: Caller, zone: str) -> None:
    """The server's data has all zone names that browsers report."""
    with invitee_of(browser, timezone_id=zone) as visitor:
        visitor.open(host.link())
        expect(visitor.page.locator("[name=timeZone]")).to_have_value(zone)
        expect(visitor.page.locator(".note")).to_have_count(0)
