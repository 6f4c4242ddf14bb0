"""Event types in the console: archiving, titles of archived event types, and the rolling link."""

import pytest
from playwright.sync_api import expect

from tests.support.app import created, ok
from tests.support.browser.console import Console
from tests.support.browser.visit import until_true

pytestmark = pytest.mark.clock


def archive(console: Console, title: str) -> None:
    """Press Archive, and confirm the first question."""
    console.button(f"Actions for {title}").click()
    console.button("Archive").click()
    console.dialog.get_by_role("button", name="Archive").click()


def test_archiving_with_active_links_offers_to_revoke_them(console: Console) -> None:
    event_type = console.host.event_type(title="Intro call")
    links = console.host.links(event_type, count=2)
    console.host.link(console.host.event_type(title="Another"))
    console.sign_in("#event-types")

    archive(console, "Intro call")
    expect(console.dialog).to_contain_text("Intro call has 2 active links")
    expect(console.dialog).to_contain_text("can’t book")
    expect(console.dialog).not_to_contain_text("revokeLinks")
    console.button("Show me these links").click()
    expect(console.rows).to_have_count(2)
    expect(console.page.get_by_label("Filter by status")).to_have_value("active")
    assert [console.host.reread(link)["status"] for link in links] == ["active", "active"]

    console.page.get_by_role("link", name="Event types").click()
    archive(console, "Intro call")
    console.button("Archive and revoke its links").click()
    console.expect_notice("Intro call archived.")
    expect(console.page.get_by_role("heading", name="Intro call")).to_have_count(0)
    assert {console.host.reread(link)["status"] for link in links} == {"revoked"}


def test_links_and_requests_of_an_archived_event_type_keep_its_title(console: Console) -> None:
    link = console.site.dead_link(console.host, event_type=console.host.event_type(title="Old workshop"))
    console.site.ask(link)
    assert console.host.delete(f"/v1/event-types/{link['eventTypeId']}").status_code == 204
    console.sign_in()

    expect(console.row(link)).to_contain_text("Old workshop")
    expect(console.row(link)).to_contain_text("Archived")
    console.page.get_by_role("link", name="Requests").click()
    expect(console.page.get_by_text("Old workshop")).to_be_visible()


def test_the_console_shows_the_current_rolling_link(console: Console) -> None:
    """P1: after it is created, copied, renewed by a redeem, and renewed by hand."""
    event_type = console.host.event_type(title="Intro call")
    path = f"/v1/event-types/{event_type['eventTypeId']}/rolling-link"
    console.sign_in("#event-types")
    console.button("Share: Intro call").click()
    console.dialog.get_by_role("tab", name="Self-renewing").click()

    console.button("Create it and copy it").click()
    console.expect_notice("Self-renewing link copied.")
    first = ok(console.host.get(path))
    assert console.clipboard() == first["url"]
    url = console.dialog.get_by_label("The link’s URL")
    expect(url).to_have_value(first["url"])
    console.site.book(first)
    console.button("Close").click()

    console.button("Share: Intro call").click()
    console.dialog.get_by_role("tab", name="Self-renewing").click()
    second = ok(console.host.get(path))
    expect(url).to_have_value(second["url"])
    console.button("Generate new link").click()
    expect(console.dialog).to_contain_text("The old link stops working at once")
    console.dialog.get_by_role("button", name="Generate new link").click()
    expect(console.dialog.get_by_role("heading", name="Share Intro call")).to_be_visible()
    expect(url).not_to_have_value(second["url"])
    third = ok(console.host.get(path))
    expect(url).to_have_value(third["url"])
    assert console.clipboard() == third["url"]
    assert console.host.reread(second)["status"] == "revoked"
    console.dialog.get_by_role("tab", name="QR code").click()
    expect(console.dialog.get_by_alt_text("QR code of the link")).to_be_visible()


def test_a_revoked_rolling_link_can_be_renewed(console: Console) -> None:
    event_type = console.host.event_type(title="Intro call")
    path = f"/v1/event-types/{event_type['eventTypeId']}/rolling-link"
    ok(console.host.post(f"/v1/links/{created(console.host.post(path, {}))['linkId']}/revoke"))
    console.sign_in("#event-types")
    console.button("Share: Intro call").click()
    console.dialog.get_by_role("tab", name="Self-renewing").click()
    expect(console.dialog).to_contain_text("The last one expired or was revoked")

    console.button("Create a new one and copy it").click()

    console.expect_notice("Self-renewing link copied.")
    assert ok(console.host.get(path))["url"] == console.clipboard()


def test_a_menu_stays_at_its_button_while_the_page_scrolls(console: Console) -> None:
    """The page may scroll by itself, for example to a focused row."""
    console.host.links(console.host.event_type(), count=30)
    console.sign_in()
    more = console.rows.nth(2).get_by_role("button", name="Actions for")
    more.click()
    details = console.page.locator(".menu").get_by_role("button", name="Details")

    console.page.mouse.wheel(0, 60)
    until_true(console.page, "scrollY === 60")

    expect(details).to_be_visible()
    box, at = console.page.locator(".menu").bounding_box(), more.bounding_box()
    assert box
    assert at
    assert abs(box["y"] - (at["y"] + at["height"])) < 8


def test_contradictory_settings_cause_warnings(console: Console) -> None:
    """Warnings appear after saving and after creating a link: each reason once, until it is dismissed."""
    console.host.event_type(title="Intro call", minimumNoticeMinutes=90 * 1440, bookingWindowDays=60)
    console.sign_in("#event-types")
    notices = console.page.locator(".notice", has_text="Nobody can ever book: the minimum notice (90 days)")

    once = console.button("1× Intro call: create and copy a one-time link")
    for _ in range(2):
        once.click()
        console.expect_notice("copied")
        expect(once).not_to_have_attribute("aria-busy", "true")
        expect(notices).to_have_count(1)
    notices.get_by_role("button", name="Dismiss").click()
    expect(notices).to_have_count(0)

    console.button("Actions for Intro call").click()
    console.button("Edit").click()
    console.dialog.get_by_label("Title").fill("Intro")
    console.button("Save").click()
    console.expect_notice("Saved.")
    expect(notices).to_have_count(1)
    notices.get_by_role("button", name="Dismiss").click()
    expect(notices).to_have_count(0)

    console.page.evaluate("location.hash = 'links'")
    console.act(console.host.list()["links"][0], "Replace")
    console.dialog.get_by_role("button", name="Generate new link").click()
    expect(notices).to_have_count(1)
