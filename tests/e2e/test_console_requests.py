"""Requests for new links in the console: each is answered once, with one click, in any number of tabs."""

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.support.browser.console import Console, console_of
from tests.support.browser.visit import until_true
from tests.support.waiting import until

pytestmark = pytest.mark.clock

PRESS = "Create a new link for Grace and copy it"


def test_a_request_is_answered_with_one_click_and_leaves_the_list(console: Console) -> None:
    dead = console.site.dead_link(console.host, label="For Grace")
    console.site.ask(dead)
    console.sign_in("#requests")
    expect(console.page.get_by_text("Another time?")).to_be_visible()
    expect(console.page.get_by_role("link", name="grace@invitees.example")).to_be_visible()

    console.button(PRESS).click()
    console.expect_notice("New link for Grace copied.")
    fresh = console.link_of(console.clipboard())
    assert (fresh["label"], fresh["status"]) == ("For Grace", "active")
    expect(console.page.get_by_role("link", name="Email it")).to_be_focused()

    console.page.reload()
    expect(console.page.get_by_text("No requests")).to_be_visible()
    console.page.get_by_role("tab", name="Answered").click()
    console.page.evaluate("navigator.clipboard.writeText('')")
    console.button("Copy the link created for Grace").click()
    console.expect_notice("Link copied.")
    assert console.clipboard() == fresh["url"]
    assert len(console.host.list(status="active")["links"]) == 1


def test_two_tabs_that_answer_at_once_create_one_new_link(browser: Browser, console: Console) -> None:
    """P4: both get the same link, and so does a third tab that loaded the list before."""
    console.site.ask(console.site.dead_link(console.host))
    console.sign_in("#requests")
    with (
        console_of(browser, console.site, console.host) as second,
        console_of(browser, console.site, console.host) as third,
    ):
        for one in (second, third):
            one.sign_in("#requests")
        pressed = (console, second)
        for one in (*pressed, third):
            expect(one.button(PRESS)).to_be_visible()
        held: list[Route] = []
        for one in pressed:
            one.page.route("**/answer", lambda route: held.append(route))  # noqa: PLW0108 - takes no builtin
            one.button(PRESS).click(no_wait_after=True)
        for one in pressed:
            until_true(one.page, "!!document.querySelector('[aria-busy=true]')")
        until(lambda: len(held) == 2, pause=lambda: console.page.wait_for_timeout(10))
        assert len(held) == 2
        for route in held:
            route.continue_()
        for one in pressed:
            one.expect_notice("New link for Grace copied.")
        third.button(PRESS).click()
        third.expect_notice("New link for Grace copied.")
        copied = [one.clipboard() for one in (*pressed, third)]
    (link,) = console.host.list(status="active")["links"]
    assert set(copied) == {link["url"]}


def test_a_click_after_a_lost_reply_gets_the_same_new_link(console: Console) -> None:
    """P4: the first request arrived, and its response was lost."""
    console.site.ask(console.site.dead_link(console.host))
    console.sign_in("#requests")

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    console.page.route("**/answer", lose, times=1)
    console.button(PRESS).click()
    console.expect_notice("can’t be reached")
    console.button(PRESS).click()
    console.expect_notice("New link for Grace copied.")
    (link,) = console.host.list(status="active")["links"]
    assert console.clipboard() == link["url"]


def test_a_request_that_can_not_be_answered_shows_why(console: Console) -> None:
    dead = console.site.dead_link(console.host)
    console.site.ask(dead)
    console.sign_in("#requests")
    expect(console.button(PRESS)).to_be_visible()
    assert console.host.delete(f"/v1/event-types/{dead['eventTypeId']}").status_code == 204

    console.button(PRESS).click()

    console.expect_notice("event type was deleted")
    expect(console.button(PRESS)).to_be_visible()


GRACE = {"name": "Grace Hopper", "email": "grace@invitees.example"}


def test_a_request_from_another_address_is_marked_and_answered_to_the_links_recipient(
    console: Console,
) -> None:
    """A stranger with a used link can type any name, so the host sees the recipient and emails the new link to them."""
    dead = console.site.dead_link(console.host, recipient=GRACE)
    console.site.ask(dead, name="Grace Hopper", email="grace@evil.example")
    console.site.ask(dead, name="Grace Hopper")
    console.sign_in("#requests")
    cards = console.page.locator("li.card")
    stranger = cards.filter(has=console.page.get_by_role("link", name="grace@evil.example"))
    own = cards.filter(has=console.page.get_by_role("link", name="grace@invitees.example", exact=True))
    expect(stranger).to_contain_text(
        "created for Grace Hopper (grace@invitees.example). This request gives another address."
    )
    expect(own).to_contain_text("who gives the same address")
    expect(own.get_by_role("button")).to_have_count(2)

    stranger.get_by_role("button", name="Email a new link to grace@invitees.example").click()

    console.expect_notice("New link on its way to grace@invitees.example.")
    expect(stranger).to_contain_text("Emailed")
    (fresh,) = console.host.list(status="active")["links"]
    assert fresh["recipient"]["email"] == "grace@invitees.example"


def test_a_new_link_is_sent_to_the_requester_if_the_host_chooses_so(console: Console) -> None:
    dead = console.site.dead_link(console.host, recipient=GRACE)
    console.site.ask(dead, name="", email="grace@home.example")
    console.sign_in("#requests")

    console.button("Email a new link to grace@home.example, who asks").click()

    console.expect_notice("New link on its way to grace@home.example.")
    (fresh,) = console.host.list(status="active")["links"]
    assert fresh["recipient"]["email"] == "grace@home.example"
