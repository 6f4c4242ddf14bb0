"""Past bookings are listed latest first, and the console sends no request that is refused."""

import pytest
from playwright.sync_api import Browser, Response, expect

from tests.support.app import Caller
from tests.support.browser.console import Console, console_of
from tests.support.browser.site import LiveSite

pytestmark = pytest.mark.clock


def test_past_bookings_are_listed_latest_first_a_page_at_a_time(console: Console) -> None:
    """P10: each page is one request in the list's order; the console does not load all bookings to reverse them."""
    question = {"id": "q1", "label": "What about?", "kind": "text", "required": False, "options": []}
    link = console.host.link(console.host.event_type(questions=[question]), maxUsageCount=None)
    with console.site.ago(days=40):
        console.site.book(link, "Earliest Bird")
    with console.site.ago(days=3):
        for number, start in enumerate(console.site.starts(link)[:52]):
            console.site.book_at(link, start, f"Guest{number:02d} Past", {"q1": f"Topic {number}"})
    console.sign_in("#bookings")
    expect(console.page.get_by_text("Nothing is booked")).to_be_visible()
    console.visit.requests.clear()

    console.page.get_by_role("tab", name="Past").click()
    cards = console.page.locator("li.card")
    expect(cards).to_have_count(50)
    expect(cards.first).to_contain_text("Guest51 Past")
    expect(cards.first).to_contain_text("What about?: Topic 51")
    expect(console.button("Move the booking with Guest51 Past")).to_have_count(0)
    console.button("Show more").click()
    expect(cards).to_have_count(53)
    expect(cards.last).to_contain_text("Earliest Bird")
    expect(console.button("Show more")).to_be_hidden()
    requested = [request.url for request in console.visit.requests if "/v1/bookings" in request.url]
    assert len(requested) == 2
    assert all("order=desc" in url for url in requested)


@pytest.mark.parametrize("role", ["host", "admin"])
def test_the_console_sends_no_request_that_is_refused(
    browser: Browser, site: LiveSite, host: Caller, role: str
) -> None:
    """No response of 400 or more and no message in the browser's console, in any view."""
    host.event_type(title="Intro call")
    admin = Caller(site.client, site.admin.key, None)
    caller = host if role == "host" else admin
    refused: list[str] = []
    with console_of(browser, site, caller) as console:

        def answered(response: Response) -> None:
            if response.status >= 400:
                refused.append(f"{response.status} {response.url}")

        console.page.on("response", answered)
        console.page.on("console", lambda message: refused.append(message.text))
        console.open()
        console.type_key(caller.key.secret)
        if role == "admin":
            name = site.client.get(f"/v1/hosts/{host.host_id}", headers=host.headers).json()["name"]
            console.button(name, exact=False).first.click()
        expect(console.button("Sign out")).to_be_visible()
        if role == "host":
            expect(console.page.locator("#who")).to_have_text("Ada Lovelace")
        for view in ("Event types", "Bookings", "Requests", "Links"):
            console.page.get_by_role("link", name=view).first.click()
            console.page.wait_for_load_state("networkidle")
        console.page.reload()
        expect(console.button("Sign out")).to_be_visible()
        console.page.wait_for_load_state("networkidle")
    assert refused == []
